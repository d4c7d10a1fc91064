#!/usr/bin/env bash
# Holds exports against the tools they are for: schemas of Compose and Kubernetes, promtool, Locust itself.
# Usage: tests/exports.sh PATH/TO/squall
set -euo pipefail
squall=$(realpath "$1")
work=$(mktemp -d)
up=
trap '[ -z "$up" ] || kill "$up" 2> /dev/null || true; rm -rf "$work"' EXIT
cd "$work"

if ! python3 -m venv tools > /dev/null 2>&1 ||
  ! tools/bin/pip install --quiet check-jsonschema kubernetes-validate locust > install.log 2>&1; then
  echo "SKIPPED: no Python tools to hold the exports against (check-jsonschema, kubernetes-validate, locust)"
  exit 0
fi

for topology in social cascade-breaker retry-storm; do
  "$squall" export compose "$topology" --quiet > "$topology-compose.yaml"
  tools/bin/check-jsonschema --builtin-schema vendor.compose-spec "$topology-compose.yaml"
  "$squall" export kubernetes "$topology" --quiet > "$topology-kubernetes.yaml"
  tools/bin/kubernetes-validate --strict "$topology-kubernetes.yaml" > validate.log 2>&1 || { cat validate.log; exit 1; }
  "$squall" export alerts "$topology" --quiet > alerts.yaml
  "$squall" export prometheus "$topology" --quiet > prometheus.yaml
  if command -v promtool > /dev/null; then
    promtool check rules alerts.yaml
    promtool check config prometheus.yaml
  else
    echo "SKIPPED: promtool is not here"
  fi
done

# Locust runs the exported script against live services and sees no failure.
"$squall" export locust social --quiet > locustfile.py
"$squall" up social --base-port 18600 --quiet > up.log 2>&1 &
up=$!
for _ in $(seq 50); do
  grep -q '^ready' up.log && break
  sleep 0.1
done
grep -q '^ready' up.log || { echo "squall up did not get ready"; cat up.log; exit 1; }
tools/bin/locust -f locustfile.py --headless -u 20 -r 20 -t 8s --host http://127.0.0.1:18600 --only-summary --json > locust.json 2> locust.log ||
  { cat locust.log; exit 1; }
tools/bin/python - << 'PY'
import json
rows = json.load(open("locust.json"))
requests = sum(row["num_requests"] for row in rows)
failures = sum(row["num_failures"] for row in rows)
assert requests > 50 and failures == 0, (requests, failures)
print(f"locust: {requests} requests, none failed")
PY
echo "exports hold"
