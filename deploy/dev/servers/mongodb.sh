#!/usr/bin/env bash
# Builds the server that speaks MongoDB's protocol for the tests: FerretDB v1 with SQLite (Go 1.24
# or newer). Does nothing when it is there already.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
target="${PIPEWATCHER_TEST_SERVERS:-$here/../../../.test-servers}/mongodb"
version=$(sed -n 's|^require github.com/FerretDB/FerretDB ||p' "$here/ferretdb/go.mod")

cmp -s "$here/ferretdb/go.sum" "$target/go.sum" && exit 0
command -v go >/dev/null || {
    echo "mongodb.sh needs Go 1.24 or newer (https://go.dev/dl)" >&2
    exit 1
}
rm -rf "$target"
mkdir -p "$target/source"
log=$(mktemp)
trap 'rm -f "$log"; rm -rf "$target/source"' EXIT
cp "$here"/ferretdb/* "$target/source/"
(
    cd "$target/source"
    go mod vendor
    # The published module lacks the file with its version, and the server panics without it.
    echo "$version" >vendor/github.com/FerretDB/FerretDB/build/version/version.txt
    go build -mod=vendor -buildvcs=false -trimpath -ldflags '-s -w' -o ../ferretdb \
        github.com/FerretDB/FerretDB/cmd/ferretdb
) >"$log" 2>&1 </dev/null || {
    tail -n 30 "$log" >&2
    exit 1
}
# Last, so that a run that was cut off begins again.
cp "$here/ferretdb/go.sum" "$target/"
