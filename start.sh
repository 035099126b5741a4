#!/usr/bin/env bash
# Starts PipeWatcher on http://localhost:8000. The first time it makes everything it needs in this
# folder; after that it needs no network. Arguments go to `pipewatcher serve`.
set -euo pipefail

. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/deploy/dev/setup.sh"

prepare_python requirements.lock
prepare_page || say "The page could not be built: going on without a new one (the API is complete)."

# Called from elsewhere it must open the same historian, not begin an empty one there.
case " $* " in
    *" --config"*) ;;
    *) export PIPEWATCHER_DATA_DIR="${PIPEWATCHER_DATA_DIR:-$ROOT/pipewatcher-data}" ;;
esac
exec "$VENV/bin/python" -m pipewatcher serve "$@"
