#!/bin/bash
# Puts the program's own table of settings into docs/configuration.md: scripts/docs.sh [program]
set -eu
cd "$(dirname "$0")/.."
program=${1:-build/carillon}
table=$(mktemp)
trap 'rm -f "$table" "$table.new"' EXIT
"$program" config >"$table"
awk -v table="$table" '
  /^<!-- end -->$/ { skipping = 0 }
  !skipping { print }
  /^<!-- carillon config -->$/ { while ((getline line < table) > 0) print line; skipping = 1 }
' docs/configuration.md >"$table.new"
cat "$table.new" >docs/configuration.md
