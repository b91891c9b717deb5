#!/bin/sh
# Installs the locked npm packages of a folder, once for each state of its lock file: scripts/npm.sh demo
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
sum=$(sha256sum <"$1/package-lock.json")
[ "$(cat "$1/node_modules/.installed" 2>/dev/null)" != "$sum" ] || exit 0
echo "installing the npm packages of $1" >&2
mkdir -p build
log=$PWD/build/npm.log
# No install scripts: nothing here needs one, and what they fetch comes from places nobody named.
if ! (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >"$log" 2>&1; then
  echo "npm: the packages of $1 could not be installed: $(grep -m 1 -E 'code|network|ERR' "$log" || tail -n 1 "$log") (details: build/npm.log)" >&2
  exit 1
fi
echo "$sum" >"$1/node_modules/.installed"
