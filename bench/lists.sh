#!/bin/sh
# Pages of lists among few rows and among many: bench/lists.sh, or `make bench-lists`. BENCH_ROWS: how many are many;
# BENCH_DIR: scratch, some 2 kB a row. Prints JSON: milliseconds of a request's clock and of the server's processor.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh
scripts/build.sh build carillon bench_load bench_ready bench_sql
BENCH_ONLY=lists BENCH_ROWS=${BENCH_ROWS:-500000} exec node bench/scale.js
