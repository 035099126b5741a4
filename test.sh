#!/usr/bin/env bash
# Runs every check that this machine can run and lists what it left out.
#
#   ./test.sh             everything that is possible here
#   ./test.sh --all       everything; what is missing is a failure (as in CI)
#   ./test.sh --fast      under a minute: no slow, browser and server tests, no front end
#   ./test.sh --only STEP one step: lint, format, types, imports, page or tests (may be repeated)
#
# All other arguments go to pytest: ./test.sh --only tests tests/unit -k averages
set -euo pipefail

. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/deploy/dev/setup.sh"

mode=some
only=()
pytest_arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --all) mode=all ;;
        --fast) mode=fast ;;
        --only)
            case ${2-} in
                lint | format | types | imports | page | tests) only+=("$2") ;;
                *) fail "--only wants one of lint, format, types, imports, page, tests." ;;
            esac
            shift
            ;;
        -h | --help)
            sed -n '2,9s/^# \{0,1\}//p' "$0"
            exit
            ;;
        *) pytest_arguments+=("$1") ;;
    esac
    shift
done

# A path that was given from elsewhere stays a path; everything else runs at the top.
[ "$PWD" = "$ROOT" ] || [ ${#pytest_arguments[@]} -eq 0 ] ||
    say "pytest's paths are taken from $ROOT"
cd "$ROOT"
prepare_python requirements-dev.lock
python="$VENV/bin/python"

results=()
left_out=()
failed=0

wanted() { [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $1 "* ]]; }

# step NAME COMMAND…: all steps run, whatever becomes of one.
step() {
    local name=$1 began=$SECONDS status=0
    shift
    printf '\n── %s ──\n' "$name"
    "$@" || status=$?
    [ $status -eq 0 ] || failed=1
    results+=("$(printf '%-8s %-7s %4d s' "$name" "$([ $status -eq 0 ] && echo ok || echo FAILED)" \
        $((SECONDS - began)))")
}

# leave_out WHAT WHY: in CI nothing may be left out.
leave_out() {
    left_out+=("$1: $2")
    [ $mode != all ] || failed=1
}

find_chromium() {
    local name
    for name in ${PIPEWATCHER_TEST_CHROMIUM:+"$PIPEWATCHER_TEST_CHROMIUM"} chromium chromium-browser \
        google-chrome-stable google-chrome; do
        has_command "$name" && command -v "$name" && return
    done
    return 1
}

# Once Node is at hand, whether of the system or of PyPI, `npm` is on PATH.
check_page() {
    local status=0 script
    prepare_node_modules || return 1
    for script in format:check lint typecheck test; do
        (cd frontend && npm run --silent "$script") || {
            say "npm run $script failed"
            status=1
        }
    done
    prepare_page || status=1
    return $status
}

# `name: why` of each real server that the tests cannot start here.
missing_servers() { PYTHONPATH=src:tests "$python" -m servers; }

run_tests() {
    local markers="" line
    if [ $mode = fast ]; then
        markers="not slow and not browser and not kafka and not influxdb and not mongodb"
        markers+=" and not mosquitto and not openid and not promtool"
        export HYPOTHESIS_PROFILE="${HYPOTHESIS_PROFILE:-fast}"
    else
        if PIPEWATCHER_TEST_CHROMIUM=$(find_chromium); then
            export PIPEWATCHER_TEST_CHROMIUM
            prepare_node && prepare_page || say "The page could not be built."
        else
            markers="not browser"
        fi
        while IFS=: read -r line _; do
            markers+="${markers:+ and }not $line"
        done < <(missing_servers)
    fi
    "$python" -m pytest ${markers:+-m "$markers"} ${pytest_arguments[@]+"${pytest_arguments[@]}"}
}

wanted lint && step lint "$python" -m ruff check .
wanted format && step format "$python" -m ruff format --check .
wanted types && step types "$python" -m mypy
wanted imports && step imports "$python" -c \
    "from importlinter.cli import lint_imports_command as run; run()" --no-cache --no-logo

if wanted page && [ -f frontend/package.json ]; then
    if [ $mode = fast ]; then
        leave_out "front end" "--fast"
    elif [ $mode = all ] || node_is_there; then
        step page check_page
    else
        leave_out "front end" "there is no Node $NODE_MIN or newer"
    fi
fi

if wanted tests; then
    if [ $mode = fast ]; then
        leave_out "slow, browser and server tests" "--fast"
    else
        find_chromium >/dev/null || leave_out "browser tests" "there is no Chromium"
        while IFS=: read -r name why; do
            leave_out "$name tests" "${why# }"
        done < <(missing_servers)
    fi
    step tests run_tests
fi

printf '\n'
printf '%s\n' ${results[@]+"${results[@]}"}
for line in ${left_out[@]+"${left_out[@]}"}; do
    printf 'left out: %s\n' "$line"
done
[ $mode != all ] || [ ${#left_out[@]} -eq 0 ] ||
    say "--all demands what was left out: sudo deploy/dev/install-test-servers.sh"
[ $failed -eq 0 ] || say "FAILED"
exit $failed
