#!/bin/sh
# Configures if need be and builds one tree: scripts/build.sh build|asan|tsan|fuzz [targets…]
# Without targets: the program for `build`, everything for the others.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-build}
[ $# = 0 ] || shift
# What tests run with has the line numbers of its reports and no more: the rest is a quarter of its compilation.
# DEBUG=-g before the first build has all for a debugger.
debug="-DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=${DEBUG:--g1}"
case $kind in
  build) dir=build; set -- "${@:-carillon}"; options= ;;
  asan) dir=build-asan; options="-DSANITIZE=address,undefined $debug -DCMAKE_C_FLAGS=-O1" ;;
  tsan) dir=build-tsan; options="-DSANITIZE=thread $debug -DCMAKE_C_FLAGS=-O1" ;;
  fuzz) dir=build-fuzz; options="-DFUZZ=ON $debug -DCMAKE_C_FLAGS=-O1"; CC=clang; export CC ;;
  *) echo "build: unknown kind \"$kind\"" >&2; exit 2 ;;
esac
mkdir -p $dir
if [ ! -f $dir/build.ninja ]; then
  # shellcheck disable=SC2086
  cmake -G Ninja -B $dir -S . $options >$dir/configure.log 2>&1 || { cat $dir/configure.log >&2; exit 1; }
fi
# Ninja's progress for a person, only failures for a log.
if [ -t 1 ]; then
  ninja -C $dir "$@"
elif ! ninja -C $dir "$@" >$dir/build.log 2>&1; then
  grep -v '^\[' $dir/build.log >&2
  exit 1
fi
