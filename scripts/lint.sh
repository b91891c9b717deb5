#!/bin/sh
# Looks for mistakes without running anything: cppcheck, clang-format, and ShellCheck where it is installed.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
find src tests -name node_modules -prune -o -name '*.[ch]' -print >build/lint.files
# clang-format only reports: its opinion differs between versions, so it does not fail the run.
# shellcheck disable=SC2046
clang-format --dry-run --ferror-limit=1 $(cat build/lint.files) >build/format.log 2>&1 ||
  true
echo "clang-format: $(grep -c 'warning:' build/format.log) places differ (build/format.log)"
# Left out is what cppcheck 2.10 gets wrong here: it neither reads yyjson's loops and compound literals, nor sees an
# array written by the call beside it, and gcc and the sanitizers watch for the same.
wrong="internalAstError unknownMacro uninitvar legacyUninitvar varFuncNullUB missingReturn
  returnDanglingLifetime nullPointerRedundantCheck
  incorrectLogicOperator"       # hexadecimal floating-point numbers are 0 to it
# shellcheck disable=SC2046
cppcheck $(printf -- '--suppress=%s ' $wrong) --quiet --std=c11 --language=c --error-exitcode=1 --inline-suppr --suppress=missingInclude \
 '-DDB_VALUES(...)=0, 0' --suppress=missingIncludeSystem --enable=warning,portability -Isrc -j2 $(grep '^src/.*\.c$' build/lint.files) || bad=1
if command -v shellcheck >/dev/null 2>&1; then
  shellcheck -x -S warning scripts/*.sh || bad=1
fi
[ $bad = 0 ] && echo 'lint: clean'
exit $bad
