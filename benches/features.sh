#!/usr/bin/env bash
# What a feature costs: instructions an event (callgrind, recorder on) of a service that uses it, against the plain service under the
# same load, as the slope between a short and a long run, so that start-up is left out. Fails where an event costs over twice as much.
#
# usage: benches/features.sh BINARY
set -euo pipefail
squall=$(readlink -f "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
short=1 long=3 most=2.0

topology() { # name, the step of interest, more of service `a`, more of the file
  cat > "$1.yaml" <<Y
name: $1
duration: ${short}s
services:
  a: {workers: 100, queue: unlimited, $3 endpoints: {go: {steps: [$2]}}}
  b: {workers: 100, queue: unlimited, endpoints: {go: {steps: [{wait: exponential(1ms)}]}}}
$4
load: [{name: load, to: a.go, rate: 4000/s, arrivals: poisson, timeout: 1h}]
Y
}
# A second step, of no time, keeps requests from being relayed as one, and a timeout keeps users from being guests, as the
# features do: the same way is held against the same.
topology plain      '{work: exponential(5ms)}, {work: 0ms}' '' ''
topology database   '{query: db}, {work: 0ms}' '' 'databases: {db: {query: exponential(5ms), connections: 100}}'
topology cores      '{work: exponential(1ms)}' 'cores: 5,' ''
topology memory     '{work: exponential(5ms)}' 'memory: {base: 64MiB, per_request: 256KiB, limit: 4096MiB, slow_from: 70%},' ''
topology pool       '{query: db}' '' 'databases: {db: {query: exponential(5ms), connections: 100, pool: 50}}'
topology contention '{query: db}' '' 'databases: {db: {query: exponential(1ms), connections: 100, contention: {sigma: 2%, kappa: 0.01%}}}'
topology cache      '{get: {from: c, miss: [{wait: exponential(5ms)}]}}' '' \
  'caches: {c: {latency: exponential(1ms), keys: 10000, zipf: 1.0, capacity: 2000, ttl: 60s}}'
topology topic      '{publish: t}' '' 'topics: {t: {publish: exponential(1ms), to: b.go, concurrency: 100, retry: {attempts: 3}}}'
# A service of several replicas, and one that scales them.
topology replicas   '{work: exponential(5ms)}' 'replicas: 2,' ''
topology autoscale  '{work: exponential(5ms)}' \
  'replicas: 2, cold_start: 100ms, autoscale: {min: 1, max: 10, target: 60%, of: workers, every: 200ms, scale_down_after: 1s},' ''

# Two services, and a pool of connections between them.
topology call        '{call: b.go}, {work: 0ms}' '' ''
topology connections '{call: b.go}' 'calls: {b: {pool: {connections: 50, connect: 1ms}}},' ''

# Instructions and events of a run of FILE for so many seconds.
instructions() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$squall" run --quiet "$1.yaml" --duration "$2s" 2>&1 |
    sed -n 's/.*Collected : //p'
}
events() { "$squall" run "$1.yaml" --duration "$2s" --json - | sed -n 's/^    "events": \([0-9]*\),$/\1/p'; }
an_event() {
  local more_instructions more_events
  more_instructions=$(($(instructions "$1" $long) - $(instructions "$1" $short)))
  more_events=$(($(events "$1" $long) - $(events "$1" $short)))
  echo $((more_instructions / more_events))
}

failed=0
against() { # what it is held against, features
  local plain cost times verdict
  plain=$(an_event "$1")
  echo "instructions an event, $1: $plain"
  for feature in "${@:2}"; do
    cost=$(an_event "$feature")
    times=$(awk -v a="$cost" -v b="$plain" 'BEGIN { printf "%.2f", a / b }')
    verdict=ok
    awk -v a="$times" -v b=$most 'BEGIN { exit !(a > b) }' && { verdict=BEYOND; failed=1; }
    printf '  %-12s %6s  %s times as much  (at most %s) %s\n' "$feature" "$cost" "$times" "$most" "$verdict"
  done
}
against plain database cores memory pool contention cache topic
against replicas autoscale
against call connections
exit $failed
