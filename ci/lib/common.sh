# shellcheck shell=bash
# What the scripts of ci/ share. Source it first; it goes to the root of the checkout, and $caller is where one was.

# shellcheck disable=SC2034
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

# Prints the comment at the top of a script, which is its usage, and leaves.
usage() {
  sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$1"
  exit "${2:-0}"
}

die() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

# The archive this machine takes its own packages from, or the one that VCPR_DEBIAN_MIRROR names.
debian_mirror() {
  local configured
  # shellcheck disable=SC2016
  configured=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1)
  echo "${VCPR_DEBIAN_MIRROR:-${configured%/}}"
}

# step TITLE: one line that says what begins now.
step() { printf '\n=== %s\n' "$*"; }

# Counting checks. pass NAME, fail NAME, skip NAME REASON; tally A B C adds; close_tally prints the last line.
passed=0 failed=0 skipped=0
pass() { passed=$((passed + 1)); echo "passed  $1"; }
fail() { failed=$((failed + 1)); echo "FAILED  $1"; }
skip() { skipped=$((skipped + 1)); echo "skipped $1: $2"; }
tally() { passed=$((passed + $1)); failed=$((failed + $2)); skipped=$((skipped + $3)); }
close_tally() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
}

# check NAME COMMAND...: passes when the command does, and is skipped when it leaves with 77, for the reason in its last
# line. Its output is shown when it fails.
check() {
  local name=$1 log code=0
  shift
  log=$("$@" 2>&1) || code=$?
  case $code in
    0) pass "$name" ;;
    77) skip "$name" "${log##*$'\n'}" ;;
    *) printf '%s\n' "$log" && fail "$name" ;;
  esac
}
