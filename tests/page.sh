#!/usr/bin/env bash
# Looks at the report page in a real Chromium: tests/page.sh PROGRAM. Installs what it needs; says loudly if it cannot.
set -euo pipefail
program=$(realpath "${1:-target/release/squall}")
cd "$(dirname "$0")/page"

skip() {
  echo "SKIPPED: the report page was not looked at in a browser: $*" >&2
  exit 0
}
if ! command -v chromium > /dev/null || ! command -v node > /dev/null; then
  { apt-get update -qq && apt-get install -y -qq chromium nodejs npm; } > /dev/null 2>&1 || skip "no Chromium or Node.js, and apt-get cannot install them"
fi
work=../../target/page
mkdir -p "$work"
cp package.json "$work/"
[ -d "$work/node_modules/playwright-core" ] || npm install --prefix "$work" --silent --no-audit --no-fund > /dev/null || skip "npm cannot install playwright-core"
NODE_PATH="$(realpath "$work")/node_modules" node look.cjs "$program" "$(realpath "$work")"
