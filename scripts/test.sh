#!/bin/bash
# Runs the named test suites, or all: scripts/test.sh unit tsan fuzz compat ops examples e2e crash
#
# Each suite's output goes to build/test/<suite>.log and, if it fails, to the terminal. Ends with a table and,
# as the last line, the totals. Other switches: FUZZ_SECONDS (search that long
# for new inputs, in all), CRASH_KILLS.
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/env.sh
suites=("$@")
[ $# -gt 0 ] || suites=(unit tsan fuzz compat ops examples e2e crash)
mkdir -p build/test
passed=0 failed=0 skipped=0
table=()

row() { # suite, seconds, passed, failed, skipped, note
  passed=$((passed + $3)) failed=$((failed + $4)) skipped=$((skipped + $5))
  table+=("$(printf '%-8s %5ss  %5d passed  %3d failed  %3d skipped  %s' "$1" "$2" "$3" "$4" "$5" "$6")")
}

# Sums of the cmocka programs' own closing lines; a program that died without one counts as one failure.
count_ctest() {
  p=$(sed -n 's/.*\[  PASSED  \] \([0-9]*\) test(s)\..*/\1/p' "$1" | awk '{ n += $1 } END { print n + 0 }')
  f=$(sed -n 's/.*\[  FAILED  \] \([0-9]*\) test(s), listed below.*/\1/p' "$1" | awk '{ n += $1 } END { print n + 0 }')
  s=$(sed -n 's/.*\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p' "$1" | awk '{ n += $1 } END { print n + 0 }')
  programs=$(sed -n 's/.*tests passed, \([0-9]*\) tests* failed out of.*/\1/p' "$1" | tail -n 1)
  [ "${programs:-0}" -le "$f" ] || f=$programs
}

count_node() { # node's TAP or spec reporter: "# pass 12" or "ℹ pass 12"
  p=$(sed -n 's/^\(#\|ℹ\) pass \([0-9]*\)/\2/p' "$1" | awk '{ n += $1 } END { print n + 0 }')
  f=$(sed -n 's/^\(#\|ℹ\) fail \([0-9]*\)/\2/p' "$1" | awk '{ n += $1 } END { print n + 0 }')
  s=$(sed -n 's/^\(#\|ℹ\) skipped \([0-9]*\)/\2/p' "$1" | awk '{ n += $1 } END { print n + 0 }')
}

run_suite() { # name, how to count; the suite is the function suite_<name>, its status 77 means skipped
  local name=$1 count=$2 log=build/test/$1.log start=$SECONDS status=0
  printf '%s… ' "$name" >&2
  "suite_$name" >"$log" 2>&1 </dev/null || status=$?
  p=0 f=0 s=0
  if [ $status = 77 ]; then
    printf 'skipped: %s\n' "$(tail -n 1 "$log")" >&2
    row "$name" $((SECONDS - start)) 0 0 1 "$(tail -n 1 "$log")"
    return
  fi
  "$count" "$log"
  # A suite that broke, or that found nothing to run, is a failure whatever it counted.
  [ $status = 0 ] || [ "$f" -gt 0 ] || f=1
  [ "$p" -gt 0 ] || [ "$f" -gt 0 ] || f=1
  if [ "$f" -gt 0 ]; then
    printf 'FAILED\n' >&2
    tail -n 200 "$log" >&2
  else
    printf 'ok\n' >&2
  fi
  row "$name" $((SECONDS - start)) "$p" "$f" "$s" "$log"
}

# One more than there are cores: some wait for a time or for a database.
cores=$(nproc)
at_once=$((cores + 1))

# Stores of tests live in memory where there is room for them: their commits wait for no disk then, and nothing else
# differs. ops, crash and the tests of src/db, whose subject the disk is, keep to it.
scratch=
available=$({ df --output=avail -k -t tmpfs /dev/shm | tail -n 1; awk '/^MemAvailable:/ { print $2 }' /proc/meminfo; } 2>/dev/null |
  sort -n | head -n 1)
if [ -z "${TMPDIR:-}" ] && [ "${available:-0}" -gt 6000000 ]; then
  scratch=$(mktemp -d /dev/shm/carillon-XXXXXX) && chmod 755 "$scratch" # PostgreSQL may be another user
  trap 'rm -rf "$scratch"' EXIT
fi
in_memory() { if [ -n "$scratch" ]; then TMPDIR=$scratch "$@"; else "$@"; fi; }

ctest_in() { # tree, ctest options…; $fixed comes before ctest
  local tree=$1
  shift
  in_memory "${fixed[@]}" ctest --test-dir "$tree" -V --parallel "$at_once" --timeout 300 --no-tests=error "$@"
}
fixed=()

# A leak or an undefined step fails the program that has it.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}

suite_unit() { scripts/build.sh asan all && ctest_in build-asan; }

suite_tsan() {
  scripts/build.sh tsan threaded || return
  # Newer kernels place programs where gcc 12's runtime cannot map its shadow; a fixed layout helps.
  local fixed=()
  ! setarch -R true 2>/dev/null || fixed=(setarch -R)
  ctest_in build-tsan -L threaded
}

fuzz_one() { # target, options…; false if it found something
  local name=${1##*/} seeds=() dictionary=()
  local corpus=build/fuzz/$name log=build/fuzz/$name.log
  [ -n "${FUZZ_SECONDS:-}" ] || rm -rf "$corpus"
  mkdir -p "$corpus"
  [ ! -d "tests/fuzz/corpus/${name#fuzz_}" ] || seeds=("tests/fuzz/corpus/${name#fuzz_}")
  [ ! -f "tests/fuzz/${name#fuzz_}.dict" ] || dictionary=("-dict=tests/fuzz/${name#fuzz_}.dict")
  if "$1" "${@:2}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" \
    "${dictionary[@]}" "$corpus" "${seeds[@]}" >"$log" 2>&1; then
    echo "fuzz pass $name, $(sed -n 's/stat::number_of_executed_units: *//p' "$log") inputs"
    return
  fi
  printf '%s\n' "fuzz fail $name" "---- $name: the start of its report, and its end" \
    "$(grep -m 1 -A 12 -E 'ERROR:|runtime error:' "$log")" "$(tail -n 12 "$log")"
  return 1
}
export -f fuzz_one

suite_fuzz() {
  if ! command -v clang >/dev/null || ! echo 'int LLVMFuzzerTestOneInput(const char*d,unsigned long n){return 0;}' |
    clang -x c - -fsanitize=fuzzer,address -o build/test/probe 2>/dev/null; then
    echo 'no clang with libFuzzer here (make fuzz installs it)'
    return 77
  fi
  scripts/build.sh fuzz fuzzers || return
  # In a test run the inputs are the same every time (a fixed seed and number of them, after the kept ones of
  # tests/fuzz/corpus): what is tested does not depend on luck. `make fuzz` and FUZZ_SECONDS search for new ones.
  local targets=(build-fuzz/fuzz_*) how="-seed=1 -runs=20000 -max_total_time=30"
  if [ -n "${FUZZ_SECONDS:-}" ]; then
    local each=$((FUZZ_SECONDS * cores / ${#targets[@]}))
    [ $each -ge 2 ] || each=2
    how="-max_total_time=$each"
  fi
  mkdir -p build/fuzz
  # shellcheck disable=SC2016
  printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "$cores" bash -c 'fuzz_one "$1" $0' "$how"
}
count_fuzz() { p=$(grep -c '^fuzz pass' "$1"); f=$(grep -c '^fuzz fail' "$1"); }

program() { scripts/build.sh build || return; }

node_tests() { node --test --test-concurrency="$1" --test-reporter=spec --test-timeout=180000 "${@:2}"; }

suite_compat() {
  local targets=(carillon) files=() folder
  [ ! -f tests/compat/realtime/server.c ] || targets+=(compat_realtime_server)
  scripts/build.sh build "${targets[@]}" || return
  for folder in tests/compat tests/compat/*/; do
    [ ! -f "${folder%/}/package.json" ] || scripts/npm.sh "${folder%/}" || return
  done
  mapfile -t files < <(find tests/compat -name node_modules -prune -o -name '*.test.mjs' -print | sort)
  in_memory node_tests "$at_once" "${files[@]}"
}

suite_e2e() {
  command -v chromium >/dev/null || { echo 'no chromium here'; return 77; }
  scripts/demo.sh && program && scripts/npm.sh tests/e2e && node_tests 1 tests/e2e/*.test.mjs
}

# Running it: start, drain, clock, full disks, settings, logs.
suite_ops() { program && scripts/npm.sh tests/compat && node_tests 2 tests/ops/*.test.mjs; }

# The ten workflows of examples/, tested as their users would.
suite_examples() { program && build/carillon test --tap --junit build/test/examples.xml examples; }

suite_crash() { program && node_tests 1 tests/crash/*.test.mjs; }

suite_sim() { scripts/build.sh build all && ctest_in build -R sim; }

for suite in "${suites[@]}"; do
  case $suite in
    unit | tsan | sim) run_suite "$suite" count_ctest ;;
    fuzz) run_suite fuzz count_fuzz ;;
    compat | ops | examples | e2e | crash) run_suite "$suite" count_node ;;
    *) echo "test: unknown suite \"$suite\"" >&2; exit 2 ;;
  esac
done

echo
printf '%s\n' "${table[@]}"
echo
if [ "$skipped" -gt 0 ]; then
  echo "$passed passed, $failed failed, $skipped skipped"
else
  echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ]
