#!/usr/bin/env bash
# Installs what `./test.sh --all` needs from the system (Debian 12 or newer, Ubuntu; as root).
# Run again it does nothing. Developers may run it too: `make servers`.
set -euo pipefail

# command:package
wanted=(chromium:chromium wrk:wrk)

missing=()
for pair in "${wanted[@]}"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
fc-list 2>/dev/null | grep -q . || missing+=(fonts-dejavu-core fontconfig)
python3 -c "import venv, ensurepip" 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
echo "Installing ${missing[*]} …"
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "install-test-servers.sh needs apt-get and root; install these yourself: ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null || {
    tail -n 30 "$log" >&2
    exit 1
}
