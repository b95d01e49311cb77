#!/usr/bin/env bash
# canary_test.sh PROPERTY TARGET: a property and a fuzz target that must fail do, and say with what.
set -u
property=$(realpath "$1") target=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit
ulimit -c 0
broken=0
fail() { echo "FAIL $*"; cat log; broken=$((broken + 1)); }

# exits WANTED COMMAND...: the exit code; what it prints is in the log.
exits() {
  local wanted=$1 got=0
  shift
  "$@" >log 2>&1 || got=$?
  [ $got -eq "$wanted" ] || fail "$* exits $got, not $wanted"
}
says() { grep -qE "$1" log || fail "the report lacks: $1"; }

mkdir inputs
echo harmless >inputs/a
exits 0 "$target" inputs
echo x-marks-the-spot >inputs/b
echo harmless >inputs/c
exits 134 "$target" inputs
[ "$(tail -n 1 log)" = "running inputs/b" ] || fail "the last line does not name the input that failed"

exits 1 "$property" --gtest_filter=Canary.NoTableHasTwoEntries
says 'Falsifiable after'
says '^2 < 2$'
says 'reproduce='
[ "$(grep -c '^save' counterexample.NoTableHasTwoEntries.txt)" -eq 2 ] || fail "no counterexample of two entries was left"

exits 1 "$property" --gtest_filter=Canary.NoVmHasTwoDevices
says '^NoVmHasTwoDevices died'
says '^written to counterexample.NoVmHasTwoDevices.txt$'
[ "$(grep -c '^device' counterexample.NoVmHasTwoDevices.txt)" -eq 2 ] || fail "no deadly VM of two devices was left"

[ $broken -eq 0 ]
