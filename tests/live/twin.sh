#!/usr/bin/env bash
# The same stories in both worlds, with the given squall: cascade, cascade-breaker, retry-storm and social, each made
# shorter. They run side by side: together they are a few per cent of a core.
set -euo pipefail
squall=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

twin() {
  local name=$1
  shift
  local sets=()
  for set in "$@"; do sets+=(--set "$set"); done
  for try in 1 2 3; do
    "$squall" twin "$name" "${sets[@]}" > "$out/$name" 2>&1 && return
    # What the machine did meanwhile says nothing about squall: again.
    grep -qE "could not keep up|this machine was busy" "$out/$name" || break
    echo "$name: the machine was busy (try $try)"
  done
  echo "$name" >> "$out/failed"
}

twin cascade duration=22s faults.db-slow.at=6s faults.db-slow.for=8s \
  phases.healthy=0s..5s phases.starved=9s..14s phases.recovered=18s..22s &
twin cascade-breaker duration=22s faults.db-slow.at=6s faults.db-slow.for=8s \
  phases.healthy=0s..5s phases.open=8s..14s phases.recovered=18s..22s \
  services.order.calls.inventory.breaker.open_for=2s &
twin retry-storm duration=24s drain=2s faults.flaky.at=2s faults.flaky.for=4s faults.order-slow.at=8s \
  faults.order-slow.for=3s phases.healthy=0s..2s phases.later=16s..24s 'expect.7=order queue > 1000' &
twin social duration=22s warmup=2s faults.recommendation-down.at=8s faults.recommendation-down.for=6s \
  phases.healthy=2s..8s phases.recovered=17s..22s &
wait

for name in cascade cascade-breaker retry-storm social; do
  printf '\n-- %s\n' "$name"
  cat "$out/$name"
done
if [ -e "$out/failed" ]; then
  echo "out of tolerance: $(tr '\n' ' ' < "$out/failed")"
  exit 1
fi
