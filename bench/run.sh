#!/bin/sh
# Builds what is measured and what measures, then hands over to run.js: `make bench`.
# BENCH_ONLY=idle,carillon,raw,socket,peer (a part of them), BENCH_DIR (scratch, on the disk to be measured),
# REDIS_FSYNC=always|everysec.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
scripts/build.sh build carillon bench_load bench_ready bench_fill bench_raw_trigger bench_raw_sqlite
scripts/npm.sh bench
exec node bench/run.js
