#!/usr/bin/env bash
# Fetches the peers of the race that the tests do not need: VictoriaMetrics (Debian, Ubuntu; root)
# and QuestDB (Maven Central, into .test-servers). The others: make servers. Run again it does
# nothing.
set -euo pipefail

target="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.test-servers/questdb"
version=9.1.0

if ! command -v victoria-metrics >/dev/null; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends victoria-metrics
fi
[ -f "$target/questdb-$version.jar" ] || mvn --batch-mode --quiet dependency:copy \
    -Dartifact="org.questdb:questdb:$version" -DoutputDirectory="$target"
