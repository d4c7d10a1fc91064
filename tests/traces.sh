#!/usr/bin/env bash
# Traces against what others make of them: a real OTLP receiver gets a span over HTTP, and opentelemetry-proto reads what
# was sent and what was written. Everything listens and connects on loopback alone.
set -euo pipefail
squall=$(realpath "$1")
cd "$(dirname "$0")"
tools=../target/trace-tools
if [ ! -x "$tools/bin/oteltap" ]; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check oteltap
fi
exec "$tools/bin/python" traces.py "$squall" "$tools/bin/oteltap"
