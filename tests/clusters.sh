#!/usr/bin/env bash
# Sweeps on machines that people have: on a Dask cluster with a worker that is killed, the result must be that of one
# machine; the Kubernetes manifest must be what the schema asks for. Installs Dask and the schemas from PyPI.
#
# usage: tests/clusters.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/.."
squall=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

if ! command -v python3 > /dev/null || ! python3 -m venv "$folder/venv" 2> "$folder/venv.log"; then
  echo "SKIPPED: no python3 with venv here, so neither Dask nor the Kubernetes schema was tried" >&2
  exit 0
fi
if ! "$folder/venv/bin/pip" install --quiet distributed kubernetes-validate > "$folder/pip.log" 2>&1; then
  echo "SKIPPED: Dask and the Kubernetes schemas cannot be installed here:" >&2
  tail -3 "$folder/pip.log" >&2
  exit 0
fi

"$folder/venv/bin/python" tests/dask/sweep.py "$squall" "$folder"

"$squall" export k8s-sweep cascade --set 'services.order.workers=10..80:10' \
  --set 'services.order.calls.inventory.timeout=100ms,300ms' --goal "max checkout goodput in starved" \
  --seeds 10 --shards 4 > "$folder/sweep.yaml"
"$folder/venv/bin/kubernetes-validate" --strict "$folder/sweep.yaml"
echo "the Kubernetes manifest is as its schema wants it"
