#!/usr/bin/env bash
# Installs what `./test.sh --all` needs from the system (Debian 12 or newer, Ubuntu; as root), and
# fetches or builds the servers that are no package into .test-servers.
# Run again it does nothing. Developers may run it too: `make servers`.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# command:package
wanted=(chromium:chromium wrk:wrk java:default-jre-headless mvn:maven influxd:influxdb
    haproxy:haproxy nginx:nginx-light caddy:caddy shellcheck:shellcheck promtool:prometheus
    mosquitto:mosquitto mosquitto_pub:mosquitto-clients)

install_packages() {
    echo "Installing $* …"
    if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "install-test-servers.sh needs apt-get and root; install these yourself: $*" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    local log
    log=$(mktemp)
    # A package that brings a server must not start it: the tests start their own.
    local policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && ours=1; }
    { apt-get update && apt-get install --yes --no-install-recommends "$@"; } \
        >"$log" 2>&1 </dev/null || {
        tail -n 30 "$log" >&2
        failed=1
    }
    rm -f "$log" ${ours:+$policy}
    [ -z "${failed-}" ] || exit 1
}

missing=()
for pair in "${wanted[@]}"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
fc-list 2>/dev/null | grep -q . || missing+=(fonts-dejavu-core fontconfig)
python3 -c "import venv, ensurepip" 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"

for script in "$here"/servers/*.sh; do
    "$script"
done
