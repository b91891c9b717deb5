#!/bin/bash
# Puts the program's own tables into the guides: that of settings into docs/configuration.md and, from a tree of tests,
# that of providers into docs/providers.md. scripts/docs.sh [program [tests' tree]]
set -eu
cd "$(dirname "$0")/.."
program=${1:-build/carillon}
guide=${2:-build-asan}/delivery_test_guide
table=$(mktemp)
trap 'rm -f "$table" "$table.new"' EXIT

replace() { # marker, file
  awk -v table="$table" -v marker="<!-- $1 -->" '
    /^<!-- end -->$/ { skipping = 0 }
    !skipping { print }
    $0 == marker { while ((getline line < table) > 0) print line; skipping = 1 }
  ' "$2" >"$table.new"
  cat "$table.new" >"$2"
}

"$program" config >"$table"
replace 'carillon config' docs/configuration.md
if [ -x "$guide" ]; then
  "$guide" --print >"$table"
  replace providers docs/providers.md
fi
