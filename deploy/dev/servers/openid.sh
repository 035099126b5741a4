#!/usr/bin/env bash
# Fetches the OpenID provider that the tests start (npm's oidc-provider; needs Node 20 or newer, of
# the system or of PyPI). Does nothing when it is there already.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
target="${PIPEWATCHER_TEST_SERVERS:-$here/../../../.test-servers}/openid"

cmp -s "$here/openid/package-lock.json" "$target/stamp" && exit 0
. "$here/../setup.sh"
system_node || prepare_python requirements-dev.lock
prepare_node
rm -rf "$target"
mkdir -p "$target"
cp "$here"/openid/{package.json,package-lock.json,.npmrc} "$target/"
(cd "$target" && logged openid-npm npm ci --no-audit --no-fund)
# Last, so that a run that was cut off begins again.
cp "$here/openid/package-lock.json" "$target/stamp"
