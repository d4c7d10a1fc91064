#!/usr/bin/env bash
# What size costs: memory of what waits, of what is under way and of long runs, graphs of 1,000 and 10,000 services, many
# events pending at once; and what a start costs. Prints figures, and fails where one is beyond its bound. Counts
# instructions with callgrind where time would be too noisy.
#
# usage: benches/scale.sh BINARY
set -euo pipefail
squall=$(readlink -f "$1")
benches=$(dirname "$(readlink -f "$0")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failed=0

bound() { # what, figure, bound
  local verdict=ok
  awk -v a="$2" -v b="$3" 'BEGIN { exit !(a > b) }' && { verdict="BEYOND"; failed=1; }
  printf '%-62s %8s  (at most %s) %s\n' "$1" "$2" "$3" "$verdict"
}
megabytes() { # the most memory that a command held, in MB
  /usr/bin/env python3 - "$@" <<'PY'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
PY
}
instructions() { # of a run of FILE for so many seconds
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$squall" run --quiet "$1" --duration "$2" 2>&1 |
    sed -n 's/.*Collected : //p'
}
field() { "$squall" run "$1" --duration "$2" --json - 2> /dev/null | sed -n "s/^ *\"$3\": \([0-9]*\),\{0,1\}$/\1/p" | head -1; }

# A worker that is never free again, and a million requests that wait for it.
cat > stuck.yaml <<'Y'
name: stuck
duration: 10s
drain: 0s
services: {s: {workers: 1, endpoints: {go: {steps: [{wait: 10h}]}}}}
load: [{name: load, to: s.go, rate: 100000/s}]
Y
bound "MB of a million requests that wait in a queue" "$(megabytes "$squall" run --quiet stuck.yaml)" 400

# Requests that are all under way at the last of five services, each with a timeout that is pending and retries on every
# call, then with a breaker and a bulkhead besides, then with a deadline as well; a second step keeps them from being relayed
# as one. 1,100,000 are right after what grows by doubling has doubled.
flight() { # requests, more policies of each call
  awk -v users="$1" -v more="${2:-}" 'BEGIN {
    print "name: flight\nduration: 1s\ndrain: 0s\nservices:"
    split("a b c d e", names, " ")
    for (i = 1; i < 5; i++) {
      printf "  %s:\n    endpoints: {go: {steps: [{call: %s.go}, {work: 0ms}]}}\n    calls:\n      %s: {timeout: 9h, ", names[i], names[i + 1], names[i + 1]
      print "retry: {attempts: 4, backoff: exponential(100ms 2 10s), jitter: full}" more "}"
    }
    print "  e: {endpoints: {go: {steps: [{wait: uniform(1h 10h)}]}}}"
    printf "load: [{name: load, to: a.go, users: %d}]\n", users
  }'
}
in_flight() { # what the policies are, more of them
  flight 100000 "$2" > few.yaml
  few=$(megabytes "$squall" run --quiet few.yaml)
  for requests in 1000000 1100000; do
    flight "$requests" "$2" > many.yaml
    many=$(megabytes "$squall" run --quiet many.yaml)
    bytes=$(((many - few) * 1048576 / 5 / (requests - 100000)))
    bound "bytes a hop of $requests in flight$1" "$bytes" 200
  done
}
guarded=', breaker: {window: 100}, bulkhead: 2000000'
in_flight '' ''
in_flight ', breaker, bulkhead' "$guarded"
in_flight ', breaker, bulkhead, deadline' "$guarded, deadline: 9h"

# The same load for 30 s and for 300 s.
cat > long.yaml <<'Y'
name: long
duration: 30s
services:
  a: {workers: 500, endpoints: {go: {steps: [{work: 1ms}, {call: b.go}]}}, calls: {b: {timeout: 1s}}}
  b: {workers: 500, endpoints: {go: {steps: [{work: exponential(5ms)}]}}}
load: [{name: load, to: a.go, rate: 33333/s, arrivals: poisson}]
Y
short=$(megabytes "$squall" run --quiet long.yaml)
long=$(megabytes "$squall" run --quiet long.yaml --duration 300s)
bound "MB more for 10,000,000 requests than for 1,000,000" "$((long - short))" 8

# Layers of services: a request goes through all layers of one column, and asks three services of the last.
layers() { # layers, services a layer, requests a second
  awk -v layers="$1" -v width="$2" -v rate="$3" 'BEGIN {
    print "name: layers\nduration: 10s\nnetwork: 100us\nservices:"
    for (l = 0; l < layers; l++) for (i = 0; i < width; i++) {
      printf "  s%d-%d:\n    workers: 200\n    endpoints: {go: {steps: [{work: 200us}", l, i
      if (l + 1 < layers) printf ", {call: s%d-%d.go}", l + 1, (i * 7 + l) % width
      printf "]}}\n"
      if (l + 1 < layers) printf "    calls: {default: {timeout: 2s}}\n"
    }
    print "load:"
    for (i = 0; i < width; i++) printf "  - {name: l%d, to: s0-%d.go, rate: %g/s, arrivals: poisson}\n", i, i, rate / width
  }'
}
layers 50 20 2000 > thousand.yaml
layers 5 2 2000 > small.yaml
a_hop() { # file, hops a request
  local one two requests
  one=$(instructions "$1" 2s); two=$(instructions "$1" 4s)
  requests=$(($(field "$1" 4s offered) - $(field "$1" 2s offered)))
  awk -v i="$((two - one))" -v n="$requests" -v h="$2" 'BEGIN { printf "%d", i / n / h }'
}
# `offered` of the first load stands for all: they are alike.
big=$(a_hop thousand.yaml $((50 * 20)))
few=$(a_hop small.yaml $((5 * 2)))
echo "instructions a hop: $few in a graph of 10 services, $big in one of 1,000"
bound "cost of a hop in a graph of 1,000 services against 10" "$(awk -v a="$big" -v b="$few" 'BEGIN { printf "%.2f", a / b }')" 1.5

layers 100 100 1000 > huge.yaml
seconds=$(python3 - "$squall" <<'PY'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "check", "huge.yaml"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{used.ru_utime + used.ru_stime:.2f}")
PY
)
bound "seconds of CPU to load and check 10,000 services" "$seconds" 2

# So many requests that each wait for a random time, and whoever is done asks again: every event is one request, and so many
# are pending all the time. There are a million of them in each second of virtual time. Ten times as many may cost a tenth
# of the least more: the bound is logarithmic.
pending() { # events, seconds
  printf 'name: pending\nduration: %s\ndrain: 0s\nservices: {s: {endpoints: {go: {steps: [{wait: exponential(%dus)}]}}}}\n' "$2" "$1"
  printf 'load: [{name: load, to: s.go, users: %d}]\n' "$1"
}
least=
for events in 1000 10000 100000 1000000; do
  pending $events 100ms > pending.yaml
  short=$(instructions pending.yaml 100ms); long=$(instructions pending.yaml 300ms)
  each=$(((long - short) / 200000))
  least=${least:-$each}
  tens=$((${#events} - 4))
  bound "instructions an event among $events pending" "$each" $((least + least * tens / 10))
done

# A file of ten services with the usual policies: the whole of the program, from its start to its end, to the first event
# and a report. The quickest of many starts: whatever else the machine does makes it only slower.
milliseconds=$(python3 - "$squall" "$benches/ten.yaml" <<'PY'
import subprocess, sys, time
def once():
    start = time.perf_counter()
    subprocess.run([sys.argv[1], "run", "--quiet", sys.argv[2]], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start
print(f"{min(once() for _ in range(60)) * 1000:.2f}")
PY
)
echo "$milliseconds ms to start, run a file of ten services, and end"
bound "instructions of that" "$(instructions "$benches/ten.yaml" 1ms)" 10000000

# An hour's soak.
soak() {
  python3 - "$squall" <<'PY'
import resource, subprocess, sys
subprocess.run([sys.argv[1], "run", "--quiet", "slow-leak"], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{used.ru_utime + used.ru_stime:.2f}")
PY
}
bound "seconds of CPU for an hour's soak that finds a leak" "$(soak)" 5

exit $failed
