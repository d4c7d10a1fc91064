#!/usr/bin/env bash
# Line coverage of policies, model, engine and telemetry by their own tests and by those of tests/all that storm in virtual
# time: a table by crate, and the lines that nothing ran. Only lines outside of test modules count. Fails below 95 % of a
# crate's lines. Needs the component `llvm-tools` of the toolchain.
#
# usage: tests/coverage.sh [FOLDER for the build]
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(readlink -m "${1:-target/coverage}")
tools=$(dirname "$(find "$(rustc --print sysroot)" -name llvm-profdata | head -1)")
mkdir -p "$build/profiles"
rm -f "$build"/profiles/*

# The workspace's crates alone: what they depend on is not measured, and need not be slower.
printf '#!/bin/sh\nexec "$@" -C instrument-coverage\n' > "$build/wrapper"
chmod +x "$build/wrapper"
export CARGO_TARGET_DIR=$build CARGO_INCREMENTAL=0 RUSTC_WORKSPACE_WRAPPER=$build/wrapper
export LLVM_PROFILE_FILE=$build/profiles/%m-%p.profraw SQUALL_SWARM_SEEDS=${SQUALL_SWARM_SEEDS:-0..2000}

crates=(-p squall-policies -p squall-model -p squall-engine -p squall-telemetry)
storms=(swarm::every swarm::found theory streams policies resources golden check hostile why)
cargo test --quiet "${crates[@]}" --lib --tests
cargo test --quiet -p squall --test all -- "${storms[@]}"

"$tools/llvm-profdata" merge -sparse "$build"/profiles/*.profraw -o "$build/profile"
objects=$(
  { cargo test --no-run --message-format=json "${crates[@]}" --lib --tests
    cargo test --no-run --message-format=json -p squall --test all; } 2> /dev/null |
    sed -n 's/.*"executable":"\([^"]*\)".*/--object \1/p' | sort -u
)
# shellcheck disable=SC2086
"$tools/llvm-cov" export --format=lcov --instr-profile "$build/profile" $objects > "$build/lcov"
python3 tests/coverage.py "$build/lcov"
