#!/bin/sh
# Builds the demo page (demo/dist) if its sources are newer than what is there.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
scripts/npm.sh demo
if [ ! -f demo/dist/index.html ] || [ -n "$(find demo/src demo/index.html demo/package-lock.json demo/vite.config.ts -newer demo/dist/index.html)" ]; then
  echo "building the demo page" >&2
  cd demo
  node node_modules/vite/bin/vite.js build --logLevel warn
fi
