#!/usr/bin/env bash
# Fetches the Kafka that the tests start (Maven Central; needs java and mvn). Does nothing when it
# is there already.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
target="${PIPEWATCHER_TEST_SERVERS:-$here/../../../.test-servers}/kafka"

cmp -s "$here/kafka/pom.xml" "$target/pom.xml" && exit 0
rm -rf "$target"
mkdir -p "$target"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
mvn --batch-mode --file "$here/kafka/pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$(readlink -f "$target")/lib" >"$log" 2>&1 </dev/null || {
    tail -n 30 "$log" >&2
    exit 1
}
# Last, so that a run that was cut off begins again.
cp "$here/kafka/pom.xml" "$target/pom.xml"
