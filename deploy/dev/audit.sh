#!/usr/bin/env bash
# Known holes in what is shipped, and what is shipped at all.
#
#   audit.sh            asks the advisories of PyPI and npm; fails when one is known, or none could
#                       be asked
#   audit.sh --sbom     writes dist/sbom-python.cdx.json and dist/sbom-page.cdx.json (CycloneDX)
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/setup.sh"
cd "$ROOT"

prepare_python requirements-dev.lock
prepare_node
lock="$ROOT/deploy/dev/requirements-audit.lock"
if ! cmp -s "$lock" "$BUILD/audit/stamp"; then
    rm -rf "$BUILD/audit"
    mkdir -p "$BUILD/audit"
    logged audit pip_install --require-hashes --target "$BUILD/audit/site" -r "$lock"
    cp "$lock" "$BUILD/audit/stamp"
fi
python() { PYTHONPATH="$BUILD/audit/site" "$VENV/bin/python" "$@"; }

if [ "${1-}" = --sbom ]; then
    mkdir -p dist
    python -m cyclonedx_py requirements --output-reproducible --of JSON \
        -o dist/sbom-python.cdx.json requirements.lock
    (cd frontend && npm sbom --package-lock-only --omit dev --sbom-format cyclonedx) \
        >dist/sbom-page.cdx.json
    say "dist/sbom-python.cdx.json and dist/sbom-page.cdx.json"
    exit
fi

failed=0
python -m pip_audit --strict --require-hashes --disable-pip -r requirements.lock || failed=1
(cd frontend && npm audit --omit dev) || failed=1
exit $failed
