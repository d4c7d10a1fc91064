#!/usr/bin/env bash
# Holds exports against the tools they are for: schemas of Compose, Kubernetes, Grafana and OpenAPI, promtool, Locust itself,
# and node for the k6 script. Installs what it needs; under CI=true whatever is missing is a failure.
# Usage: tests/exports.sh PATH/TO/squall
set -euo pipefail
squall=$(realpath "$1")
cd "$(dirname "$0")/.."
mkdir -p target
tools=$(realpath target)/export-tools
here=$(realpath tests/exports)
work=$(mktemp -d)
up=
trap '[ -z "$up" ] || kill "$up" 2> /dev/null || true; rm -rf "$work"' EXIT

skip() {
  echo "SKIPPED: $*" >&2
  [ "${CI:-}" != true ]
}

if [ ! -x "$tools/bin/openapi-spec-validator" ]; then
  if ! { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet --disable-pip-version-check \
    check-jsonschema kubernetes-validate locust openapi-spec-validator; }; then
    skip "no Python tools to hold the exports against (check-jsonschema, kubernetes-validate, locust, openapi-spec-validator)"
    exit
  fi
fi
if ! command -v promtool > /dev/null; then
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus > /dev/null; } || true
fi
if ! command -v node > /dev/null; then
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs > /dev/null; } || true
fi
command -v promtool > /dev/null || skip "promtool is not here: no rules and no scrape configuration were checked"
command -v node > /dev/null || skip "node is not here: no k6 script was run"
cd "$work"

# Starts the live services of a topology; $base is where the first one listens.
serve() {
  "$squall" up "$1" --base-port "$base" --quiet > up.log 2>&1 &
  up=$!
  for _ in $(seq 100); do
    grep -q '^ready' up.log && return
    sleep 0.1
  done
  echo "squall up $1 did not get ready"
  cat up.log
  exit 1
}

stop() {
  kill -INT "$up"
  wait "$up" || true
  up=
}

base=18600
for topology in social cascade-breaker retry-storm autoscaling metastable-failover; do
  for format in compose kubernetes alerts prometheus grafana openapi k6 svg; do
    "$squall" export "$format" "$topology" --base-port "$base" --quiet > "$topology.$format"
  done
  cp "$topology.compose" compose.yaml
  "$tools/bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
  cp "$topology.kubernetes" kubernetes.yaml
  "$tools/bin/kubernetes-validate" --strict kubernetes.yaml > validate.log 2>&1 || { cat validate.log; exit 1; }
  cp "$topology.grafana" grafana.json
  "$tools/bin/check-jsonschema" --schemafile "$here/grafana.schema.json" grafana.json
  cp "$topology.openapi" openapi.json
  "$tools/bin/openapi-spec-validator" openapi.json
  python3 -c "import sys, xml.dom.minidom as dom; dom.parse(sys.argv[1])" "$topology.svg"
  serve "$topology"
  python3 "$here/dashboard.py" grafana.json "$topology.alerts" "http://127.0.0.1:$base/metrics" panels.yaml
  if command -v promtool > /dev/null; then
    promtool check rules "$topology.alerts" panels.yaml
    promtool check config "$topology.prometheus"
  fi
  if command -v node > /dev/null; then
    cp "$topology.k6" script.mjs
    node --check script.mjs
    node "$here/k6.mjs" script.mjs "http://127.0.0.1:$base"
  fi
  stop
done

# Locust runs the exported script against live services and sees no failure.
"$squall" export locust social --quiet > locustfile.py
serve social
"$tools/bin/locust" -f locustfile.py --headless -u 20 -r 20 -t 15s --host "http://127.0.0.1:$base" --only-summary --json \
  > locust.json 2> locust.log || { cat locust.log; exit 1; }
python3 - << 'PY'
import json
rows = json.load(open("locust.json"))
requests = sum(row["num_requests"] for row in rows)
failures = sum(row["num_failures"] for row in rows)
assert requests > 50 and failures == 0, (requests, failures)
print(f"locust: {requests} requests, none failed")
PY
stop
echo "exports hold"
