#!/usr/bin/env bash
# Counts instructions with callgrind, which do not hang on the machine's mood: a request, an event and a hop of
# benches/chain.yaml, recorder on, as the slope between a short and a long run, so that start-up is left out. Fails if a
# request costs over 3 % more than benches/instructions.txt says. `--keep` writes that file anew.
#
# usage: benches/instructions.sh BINARY [--keep]
set -euo pipefail
cd "$(dirname "$0")/.."
squall=$1
rate=4000 short=5 long=25 hops=3

count() { # seconds
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$squall" run --quiet benches/chain.yaml --duration "$1s" 2>&1 |
    sed -n 's/.*Collected : //p'
}
events() { "$squall" run benches/chain.yaml --duration "$1s" --json - | sed -n 's/^    "events": \([0-9]*\),$/\1/p'; }

instructions=$(($(count $long) - $(count $short)))
requests=$((rate * (long - short)))
events=$(($(events $long) - $(events $short)))
a_request=$((instructions / requests))
echo "instructions: $a_request a request, $((instructions / events)) an event, $((a_request / hops)) a hop"

if [[ ${2:-} == --keep ]]; then
  echo "$a_request" > benches/instructions.txt
else
  kept=$(cat benches/instructions.txt)
  echo "kept: $kept a request"
  if ((a_request * 100 > kept * 103)); then
    echo "a request costs over 3 % more than before; if that is worth it: benches/instructions.sh BINARY --keep" >&2
    exit 1
  fi
fi
