#!/usr/bin/env bash
# Which lines of policies, model, engine and telemetry the tests run, their own lines left out. Fails if it is fewer than
# 95 % of a crate's. Builds everything anew in target/coverage and runs all tests, which takes a good while; adds rustup's
# llvm-tools. With --again it only counts anew what the last run has left.
set -euo pipefail
cd "$(dirname "$0")/.."

least=95
where=target/coverage
if [ "${1:-}" != --again ]; then
  rustup component add llvm-tools > /dev/null
  rm -rf "$where/profiles"
  RUSTFLAGS="-C instrument-coverage" CARGO_TARGET_DIR="$where" LLVM_PROFILE_FILE="$PWD/$where/profiles/%8m.profraw" \
    cargo test --workspace --quiet
fi
tools=$(dirname "$(find "$(rustc --print sysroot)" -name llvm-profdata | head -n 1)")
"$tools/llvm-profdata" merge -sparse "$where"/profiles/*.profraw -o "$where/all.profdata"
objects=()
for binary in "$where"/debug/deps/* "$where"/debug/squall; do
  if [ -x "$binary" ] && [ -f "$binary" ] && [[ "$binary" != *.so ]]; then
    objects+=(--object "$binary")
  fi
done
"$tools/llvm-cov" export --format=lcov --instr-profile="$where/all.profdata" "${objects[@]}" > "$where/all.lcov"
python3 - "$where/all.lcov" "$least" <<'P'
import collections
import sys

lcov, least = sys.argv[1], float(sys.argv[2])
hits = collections.defaultdict(lambda: collections.defaultdict(int))
name = ""
for line in open(lcov):
    if line.startswith("SF:"):
        name = line[3:].strip()
    elif line.startswith("DA:"):
        number, count = line[3:].split(",")[:2]
        hits[name][int(number)] = max(hits[name][int(number)], int(count))
crates, missed = collections.defaultdict(lambda: [0, 0]), []
for name, lines in sorted(hits.items()):
    parts = name.split("/")
    crate = next((c for c in ("policies", "model", "engine", "telemetry") if f"/{c}/src/" in name), None)
    if crate is None or parts[-1] in ("tests.rs", "testing.rs", "stepper.rs"):
        continue
    source = open(name).read().split("\n")
    # A file's tests stand at its end.
    end = next((i for i, text in enumerate(source) if text.strip() == "#[cfg(test)]" and "mod " in source[i + 1]), len(source))
    for number, count in lines.items():
        if number <= end:
            crates[crate][0] += 1
            crates[crate][1] += count > 0
            if not count:
                missed.append(f"{'/'.join(parts[parts.index(crate):])}:{number}: {source[number - 1].strip()}")
open(lcov.replace("all.lcov", "missed.txt"), "w").write("\n".join(missed) + "\n")
few = False
for crate, (all_lines, run) in sorted(crates.items()):
    share = 100 * run / all_lines
    few |= share < least
    print(f"{crate:10} {run:6} of {all_lines:6} lines  {share:5.1f} %")
print("those that no test runs: target/coverage/missed.txt")
sys.exit(few)
P
