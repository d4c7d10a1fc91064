#!/usr/bin/env bash
# The live world against the tools that people have: installs them, and runs every script of this folder with the given
# squall. Everything listens and connects on loopback alone.
set -euo pipefail
squall=$(realpath "$1")
cd "$(dirname "$0")"
tools=../../target/live-tools

step() { printf '\n-- %s\n' "$*"; }

if ! command -v prometheus > /dev/null || ! command -v promtool > /dev/null; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus > /dev/null
fi
if [ ! -x "$tools/bin/locust" ]; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check locust
fi

step "Locust: four journeys, and without recommendations"
"$tools/bin/python" with_locust.py "$squall" "$(realpath "$tools")/bin/locust"
step "Prometheus and promtool"
python3 with_prometheus.py "$squall"
