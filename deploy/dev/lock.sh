#!/usr/bin/env bash
# Remakes the lock files: exact versions with hashes, for every platform and Python from 3.11 on.
# `lock.sh --upgrade` takes the newest versions, without it only what pyproject.toml asks for moves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v uv >/dev/null || { echo "lock.sh needs uv: pip install uv" >&2; exit 1; }

compile() {
    uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
        --custom-compile-command "make lock" --no-emit-index-url --no-emit-find-links "$@"
}

compile pyproject.toml --output-file requirements.lock "$@"
compile pyproject.toml --group dev --constraints requirements.lock \
    --output-file requirements-dev.lock "$@"
compile --group page --output-file deploy/dev/requirements-page.lock "$@"
compile --group audit --output-file deploy/dev/requirements-audit.lock "$@"
