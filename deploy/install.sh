#!/usr/bin/env bash
# PipeWatcher as a systemd service on Debian 12 or newer and Ubuntu 24.04 or newer.
#
#     install.sh [install] [--wheel FILE] [--tls-cert FILE --tls-key FILE]
#     install.sh upgrade [--wheel FILE]      the old version goes on when the new one does not get ready,
#                                            unless it has changed the data folder: make a backup before
#     install.sh uninstall [--purge]         --purge: also settings and ALL READINGS
#
# --wheel     what `make wheel` made; without it the newest in dist/
# --root DIR  lays the files below DIR and touches nothing else: no user, environment or service
#
#     /opt/pipewatcher           the environments; `current` is the one that runs
#     /etc/pipewatcher           settings and TLS files, readable by root and the service
#     /var/lib/pipewatcher       readings and all else, readable by the service alone
#     /var/backups/pipewatcher   where `pipewatcher backup` may write; --purge leaves it
#     /usr/local/bin/pipewatcher the command, for root
#
# Settings of yours are kept, whatever is run again.
set -euo pipefail
umask 022 # the service's user has to read what root lays here

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
verb=install wheel='' tls_cert='' tls_key='' root='' purge=''
opt=/opt/pipewatcher etc=/etc/pipewatcher data=/var/lib/pipewatcher backups=/var/backups/pipewatcher
unit=/etc/systemd/system/pipewatcher.service command=/usr/local/bin/pipewatcher
READY_S=120

say() { printf '%s\n' "$@" >&2; }
fail() {
    say "install.sh: $*"
    exit 1
}

value() { [ -n "${2-}" ] || fail "$1 wants a value."; }

while [ $# -gt 0 ]; do
    case $1 in
        install | upgrade | uninstall) verb=$1 ;;
        --wheel) value "$@" && wheel=$2 && shift ;;
        --tls-cert) value "$@" && tls_cert=$2 && shift ;;
        --tls-key) value "$@" && tls_key=$2 && shift ;;
        --root)
            value "$@" && root=$(realpath -m -- "$2") && shift
            [ "$root" != / ] || fail "--root / is this machine."
            ;;
        --purge) purge=yes ;;
        -h | --help)
            sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
            exit
            ;;
        *) fail "unknown: $1 (see --help)" ;;
    esac
    shift
done

# ── The files ───────────────────────────────────────────────────────────────────────────────────

# put FILE PATH MODE: belongs to root, and to the service's group where there is one.
put() { install -D -m "$3" "$1" "$root$2"; }

owned_by_service() { [ -n "$root" ] || chown -R "$1" "$2"; }

lay_files() {
    install -d -m 0755 "$root$opt"
    install -d -m 0750 "$root$etc" "$root$etc/tls"
    install -d -m 0700 "$root$backups"
    owned_by_service pipewatcher:pipewatcher "$root$backups"
    put "$here/systemd/pipewatcher.service" "$unit" 0644
    put "$here/systemd/pipewatcher" "$command" 0755
    [ ! -f "$here/../README.md" ] || put "$here/../README.md" "$opt/README.md" 0644
    [ -f "$root$etc/environment" ] || put "$here/systemd/environment" "$etc/environment" 0640
    if [ -n "$tls_cert" ]; then
        # A renewed certificate comes by the same way.
        put "$tls_cert" "$etc/tls/cert.pem" 0640
        put "$tls_key" "$etc/tls/key.pem" 0640
        set_to PIPEWATCHER_TLS_CERT_FILE "$etc/tls/cert.pem"
        set_to PIPEWATCHER_TLS_KEY_FILE "$etc/tls/key.pem"
    fi
    owned_by_service root:pipewatcher "$root$etc"
}

# set_to NAME VALUE: unless the settings say something about NAME already.
set_to() {
    local settings=$root$etc/environment
    ! grep -q "^$1=" "$settings" || return 0
    # Somebody may have left the last line without its end.
    [ -z "$(tail -c 1 "$settings")" ] || echo >>"$settings"
    printf '%s=%s\n' "$1" "$2" >>"$settings"
}

check_tls() {
    [ -n "$tls_cert$tls_key" ] || return 0
    [[ -n $tls_cert && -n $tls_key ]] || fail "--tls-cert and --tls-key go together."
    [ -r "$tls_cert" ] || fail "$tls_cert cannot be read."
    [ -r "$tls_key" ] || fail "$tls_key cannot be read."
    grep -q 'BEGIN CERTIFICATE' "$tls_cert" || fail "$tls_cert is no certificate as PEM."
    grep -q 'PRIVATE KEY' "$tls_key" || fail "$tls_key is no key as PEM."
    ! grep -q 'ENCRYPTED' "$tls_key" || fail "$tls_key is encrypted; the service could not read it."
}

# ── The environment ─────────────────────────────────────────────────────────────────────────────

find_wheel() {
    [ -n "$wheel" ] || wheel=$(find "$here/../dist" -name 'pipewatcher-*.whl' -printf '%T@ %p\n' \
        2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2-)
    [ -f "$wheel" ] || fail "there is no wheel: make wheel, or name one with --wheel FILE."
}

# One that the service's user may run: what root has in its own home is not.
find_python() {
    local python
    for python in /usr/bin/python3 /usr/local/bin/python3 python3 python3.13 python3.12 python3.11; do
        if runuser -u pipewatcher -- "$python" -c \
            'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    fail "a Python of 3.11 or newer that every user may run is needed: apt-get install python3"
}

make_environment() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip' 2>/dev/null || fail "apt-get install python3-venv, then again."
    new="$opt/environment-$(date -u +%Y%m%dT%H%M%SZ)"
    say "Making $new with $("$python" -V) …"
    "$python" -m venv "$new"
    install_packages || {
        rm -rf "$new"
        fail "the packages could not be installed (is there a network?)."
    }
    "$new/bin/python" -m compileall -q "$new/lib" || true # sources for other Pythons are among them
}

# The packages that were tested, by their hashes, where the sources' lock file is at hand.
install_packages() {
    local pip=("$new/bin/python" -m pip install --quiet --disable-pip-version-check)
    local lock=$here/../requirements.lock
    if [ -f "$lock" ]; then
        "${pip[@]}" --require-hashes --requirement "$lock" && "${pip[@]}" --no-deps "$wheel"
    else
        "${pip[@]}" "$wheel"
    fi
}

# Another name moved over the old one: at no moment is there none.
switch_to() {
    ln -sfn "$1" "$opt/current.new"
    mv -T "$opt/current.new" "$opt/current"
}

# The running one and the one before it.
remove_old_environments() {
    find "$opt" -maxdepth 1 -type d -name 'environment-*' | sort | head -n -2 |
        while read -r old; do
            [ "$old" = "$(readlink -f "$opt/current")" ] || rm -rf "$old"
        done
}

# ── The service ─────────────────────────────────────────────────────────────────────────────────

make_user() {
    id pipewatcher >/dev/null 2>&1 ||
        useradd --system --user-group --home-dir "$data" --no-create-home \
            --shell /usr/sbin/nologin pipewatcher
}

# By the Unix socket in its data folder: whatever ports, addresses and TLS the settings say.
is_ready() {
    "$opt/current/bin/python" -I - "$data/pipewatcher.sock" <<'PYTHON' 2>/dev/null
import socket, sys

with socket.socket(socket.AF_UNIX) as door:
    door.settimeout(5)
    door.connect(sys.argv[1])
    door.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    sys.exit(b" 200 " not in door.recv(64))
PYTHON
}

wait_until_ready() {
    local until=$((SECONDS + READY_S))
    while ! is_ready; do
        [ $SECONDS -lt $until ] || return 1
        sleep 1
    done
}

start_and_wait() {
    systemctl daemon-reload
    systemctl enable --quiet pipewatcher
    systemctl restart pipewatcher
    wait_until_ready
}

explain() { say "" "It says why:" "$(journalctl -u pipewatcher -n 20 --no-pager -o cat)"; }

install_it() {
    local first=yes
    [ ! -e "$root$data" ] || first=''
    check_tls
    if [ -n "$root" ]; then
        lay_files
        say "The files are below $root; there is no user, environment or service."
        return
    fi
    find_wheel
    make_user
    lay_files
    make_environment
    switch_to "$new"
    start_and_wait || {
        explain
        fail "it did not get ready within $READY_S s."
    }
    remove_old_environments
    say "PipeWatcher runs; it starts with the machine. Settings: $etc/environment"
    if [ -n "$first" ]; then
        say "The first admin's link, good once and for 24 hours:" "$("$command" user invite --role admin)"
    else
        say "A link for another admin: sudo pipewatcher user invite"
    fi
}

upgrade_it() {
    [ -z "$root" ] || fail "upgrade works on this machine, not below --root."
    [ -e "$opt/current" ] || fail "it is not installed here."
    local before
    before=$(readlink -f "$opt/current")
    find_wheel
    lay_files
    make_environment
    switch_to "$new"
    if start_and_wait; then
        remove_old_environments
        say "Upgraded: $("$opt/current/bin/python" -c 'import pipewatcher as p; print(p.__version__)')"
        return
    fi
    explain
    say "Going back to $before …"
    switch_to "$before"
    start_and_wait || fail "the old version does not get ready either."
    fail "the new version did not get ready; the old one runs again."
}

uninstall_it() {
    if [ -z "$root" ]; then
        systemctl disable --now --quiet pipewatcher 2>/dev/null || true
    fi
    rm -rf "$root$unit" "$root$command" "$root$opt"
    [ -n "$root" ] || systemctl daemon-reload
    if [ -n "$purge" ]; then
        rm -rf "$root$etc" "$root$data"
        if [ -z "$root" ]; then
            # The next user to be made may get the same number.
            [ ! -d "$backups" ] || chown -R root:root "$backups"
            userdel pipewatcher 2>/dev/null || true
        fi
        say "PipeWatcher, its settings and its readings are gone."
    else
        say "PipeWatcher is gone. What it kept is in $root$data, its settings in $root$etc."
    fi
}

[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "run it as root."
[ -n "$root" ] || command -v systemctl >/dev/null || fail "there is no systemd here."
case $verb in
    install) install_it ;;
    upgrade) upgrade_it ;;
    uninstall) uninstall_it ;;
esac
