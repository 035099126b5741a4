#!/usr/bin/env bash
# The whole stack of compose.yaml on this host: secrets, images, start, and the first sign-in.
#
#     deploy.sh                  makes what is missing, starts, and waits until all of it is ready
#     deploy.sh --upgrade        builds the image anew from these sources, then the same
#     deploy.sh --down           stops and removes the containers; what they kept stays in its volumes
#
# Other arguments go to `docker compose up`: deploy.sh --scale gateway=2 --scale writer=3
# PIPEWATCHER_ADDRESS=0.0.0.0 opens the doors to the network, PIPEWATCHER_ALLOWED_HOSTS names this host.
set -euo pipefail

ROOT=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
READY_S=600

say() { printf '%s\n' "$@"; }
fail() {
    printf 'deploy.sh: %s\n' "$*" >&2
    exit 1
}

cd "$ROOT"
verb=up
case ${1-} in
    --upgrade) verb=upgrade && shift ;;
    --down) verb=down && shift ;;
    -h | --help)
        sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
        exit
        ;;
esac

docker compose version >/dev/null 2>&1 || fail "docker with its plugin compose is needed."
docker info >/dev/null 2>&1 || fail "docker does not answer: is it running, and may you use it?"

if [ $verb = down ]; then
    docker compose --profile tools down
    say "The containers are gone. The readings are in the volumes of 'docker volume ls'."
    exit
fi

first=''
[ -e deploy/compose/secrets/admin-token ] || first=yes
deploy/compose/make-secrets.sh
if [ $verb = upgrade ]; then
    docker compose build --pull
else
    docker compose build
fi
docker compose up --detach --wait --wait-timeout $READY_S "$@" || {
    docker compose ps >&2
    fail "not all of it is ready; 'docker compose logs' says why."
}

say "" "PipeWatcher is at http://localhost:8000"
if [ -n "$first" ]; then
    say "The first admin's link, good once and for 24 hours:"
    docker compose exec -T api python -m pipewatcher user invite --role admin
else
    say "A link for another admin: docker compose exec api python -m pipewatcher user invite"
fi
say "For scripts there is the token in deploy/compose/secrets/admin-token."
