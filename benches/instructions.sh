#!/usr/bin/env bash
# Counts instructions with callgrind, which do not hang on the machine's mood: a request of several models, recorder on, as the
# slope between a short and a long run, so that start-up is left out. Fails if one costs over 3 % more than
# benches/instructions.txt says. `--keep` writes that file anew.
#
# usage: benches/instructions.sh BINARY [--keep]
set -euo pipefail
shopt -s inherit_errexit # what cannot be measured is a failure
cd "$(dirname "$0")/.."
squall=$1

count() { # seconds, file, overrides: instructions
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$squall" run --quiet "$2" --duration "$1s" "${@:3}" 2>&1 |
    sed -n 's/.*Collected : //p'
}
field() { # name, seconds, file, overrides: the first such number of the report
  "$squall" run "$3" --duration "$2s" "${@:4}" --json - 2> /dev/null | sed -n "s/^ *\"$1\": \([0-9]*\),\{0,1\}$/\1/p" | head -1
}
measure() { # name, short, long, file, overrides
  local instructions requests events
  instructions=$(($(count "$3" "${@:4}") - $(count "$2" "${@:4}")))
  requests=$(($(field offered "$3" "${@:4}") - $(field offered "$2" "${@:4}")))
  events=$(($(field events "$3" "${@:4}") - $(field events "$2" "${@:4}")))
  echo "$1: $((instructions / requests)) instructions a request, $((instructions / events)) an event" >&2
  echo "$1 $((instructions / requests))"
}

measured=$(
  measure chain 5 25 benches/chain.yaml # the healthy chain
  measure hops 5 25 benches/chain.yaml --set network=500us --set load.load.rate=1000/s # over a network
  measure overload 5 10 benches/chain.yaml --set load.load.rate=10000/s --set drain=0s # twice as many as it can serve
  measure storm 6 40 benches/storm.yaml # the rest of an outage, and the recovery from it
)
if [[ ${2:-} == --keep ]]; then
  echo "$measured" > benches/instructions.txt
  exit
fi
failed=0
while read -r name now; do
  kept=$(awk -v name="$name" '$1 == name { print $2 }' benches/instructions.txt)
  echo "$name: $now a request, kept: ${kept:-nothing}"
  if ((now * 100 > ${kept:-0} * 103)); then
    echo "a request of $name costs over 3 % more than before; if that is worth it: benches/instructions.sh BINARY --keep" >&2
    failed=1
  fi
done <<< "$measured"
exit $failed
