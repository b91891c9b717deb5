#!/bin/sh
# Builds what is measured and what measures, then hands over to run.js: `make bench-realtime`.
set -eu
cd "$(dirname "$0")/../.."
. scripts/env.sh
scripts/build.sh build carillon bench_crowd bench_fill_inbox compat_realtime_server
scripts/npm.sh bench
exec node bench/realtime/run.js "$@"
