#!/usr/bin/env bash
# Runs every built-in topology for three seeds with the given squall and compares the digests with those the tests keep:
# the same file, seed and version give the same digest in every build.
set -euo pipefail
squall=$1
kept="$(dirname "$0")/golden/digests.txt"
found=$(
  for name in $("$squall" list | awk '{print $1}'); do
    for seed in 1 2 3; do
      digest=$("$squall" run "$name" --seed "$seed" --json - | sed -n 's/^  "digest": "\([0-9a-f]*\)",$/\1/p')
      echo "$name $seed $digest"
    done
  done
)
diff "$kept" <(echo "$found") && echo "$(wc -l < "$kept") digests are as kept"
