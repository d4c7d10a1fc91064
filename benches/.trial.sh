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
  printf '%-58s %12s  (at most %s) %s\n' "$1" "$2" "$3" "$verdict"
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

# Requests that are all under way at the last of five services, each with a timeout that is pending and retries on every
# call. 1,100,000 are right after what grows by doubling has doubled.
flight() { # requests
  awk -v users="$1" 'BEGIN {
    print "name: flight\nduration: 1s\ndrain: 0s\nservices:"
    split("a b c d e", names, " ")
    for (i = 1; i < 5; i++) {
      printf "  %s:\n    endpoints: {go: {steps: [{call: %s.go}]}}\n    calls:\n      %s: {timeout: 9h, ", names[i], names[i + 1], names[i + 1]
      print "retry: {attempts: 4, backoff: exponential(100ms 2 10s), jitter: full}}"
    }
    print "  e: {endpoints: {go: {steps: [{wait: uniform(1h 10h)}]}}}"
    printf "load: [{name: load, to: a.go, users: %d}]\n", users
  }'
}
flight 100000 > few.yaml
few=$(megabytes "$squall" run --quiet few.yaml)
for requests in 1000000 1100000; do
  flight "$requests" > many.yaml
  many=$(megabytes "$squall" run --quiet many.yaml)
  bound "bytes a hop of $requests requests in flight" "$(((many - few) * 1048576 / 5 / (requests - 100000)))" 200
done

# So many requests that each wait for a random time, and whoever is done asks again: every event is one request, and so many
# are pending all the time. There are a million of them in each second of virtual time. Ten times as many may cost a tenth
# of the least more: the bound is logarithmic.
pending() { # events, seconds
  printf 'name: pending\nduration: %s\ndrain: 0s\nservices: {s: {endpoints: {go: {steps: [{wait: exponential(%dus)}]}}}}\n' "$2" "$1"
  printf 'load: [{name: load, to: s.go, users: %d}]\n' "$1"
}
least=
for events in 1000 10000 100000; do
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
bound "ms to start, run a file of ten services, and end" "$milliseconds" 5
bound "instructions of that" "$(instructions "$benches/ten.yaml" 1ms)" 10000000

exit $failed
