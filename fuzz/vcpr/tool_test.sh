#!/usr/bin/env bash
# tool_test.sh VCPR SOURCE: what the tool promises on recorded streams, one line for each promise that is broken.
set -u
vcpr=$1 captures=$2/corpus/captures corpus=$2/corpus
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
broken=0
fail() { echo "FAIL $*"; broken=$((broken + 1)); }

# status WANTED COMMAND...: runs it; its output is in $scratch/out and $scratch/err.
status() {
  local wanted=$1
  shift
  "$@" >"$scratch/out" 2>"$scratch/err"
  local got=$?
  [ $got -eq "$wanted" ] || { fail "$* exits $got, not $wanted: $(head -c 300 "$scratch/err")"; return 1; }
}
lines() { wc -l <"$1"; }

for stream in "$captures"/*.bin "$captures"/vfio/*.bin; do
  status 0 "$vcpr" dissect --json "$stream" && grep -q '"unread": 0,' "$scratch/out" || fail "dissect $stream: bytes unread"
done
for stream in "$captures"/*.cpr.bin "$captures"/*.cprexec.bin "$captures"/vfio/*.cpr.bin "$captures"/vfio/*.cprexec.bin; do
  status 0 "$vcpr" load "$stream"
  status 0 "$vcpr" load "$stream" --sidecar "${stream%.bin}.json"
done

for name in a_min_q35.cpr x_exec_q35.cprexec; do
  stream=$captures/$name.bin
  status 0 "$vcpr" load "$stream" --sidecar "$captures/$name.json" --require ram0
  status 0 "$vcpr" load "$stream" --require ram0:0 --require pc.bios
  status 1 "$vcpr" load "$stream" --require ram0:1 && grep -q 'missing_key' "$scratch/err" || fail "ram0 id 1 is found"
  for ((size = 0; size < $(stat -c %s "$stream"); ++size)); do
    head -c "$size" "$stream" >"$scratch/cut.bin"
    status 1 "$vcpr" load "$scratch/cut.bin" --sidecar "$captures/$name.json" --require ram0 || continue
    [ "$(lines "$scratch/err")" -eq 1 ] && grep -qE ' at byte [0-9]+: ' "$scratch/err" ||
      fail "$name cut to $size bytes: $(cat "$scratch/err")"
  done
done

# What older and smaller writers leave out is accepted only when asked for.
head -c 150 "$captures/a_min_q35.cpr.bin" >"$scratch/old.bin"
printf '\0' >>"$scratch/old.bin"
status 1 "$vcpr" load "$scratch/old.bin" && grep -q missing_subsection "$scratch/err" || fail "no device list is accepted"
status 0 "$vcpr" load "$scratch/old.bin" --accept-peer 10.0
head -c -1 "$captures/a_min_q35.cpr.bin" >"$scratch/stub.bin"
status 1 "$vcpr" load "$scratch/stub.bin"
status 0 "$vcpr" load "$scratch/stub.bin" --accept-peer stub

# Bad usage says what is wrong, and is told from a refused input.
status 2 "$vcpr"
status 2 "$vcpr" load
status 2 "$vcpr" load "$scratch/none.bin"
status 2 "$vcpr" load "$captures/README.md" --accept-peer 9.0
status 1 "$vcpr" load "$captures/README.md" && grep -q 'bad_magic at byte 0' "$scratch/err" || fail "a page is a stream"
status 1 "$vcpr" load "$captures/a_min_q35.main.bin"
status 2 "$vcpr" run no_target "$captures/README.md"
status 2 "$vcpr" decode cpr_state "$captures/a_min_q35.cpr.bin"
for command in list run explain encode decode dissect load; do status 0 "$vcpr" "$command" --help; done

# Text and bytes of an input are two forms of one thing.
status 0 "$vcpr" list
for target in fd_store table_handover; do
  grep -q "^$target " "$scratch/out" || fail "$target is not listed"
done
for seed in "$corpus"/fd_store/seeds/*.txt "$corpus"/table_handover/seeds/*.txt; do
  target=$(basename "$(dirname "$(dirname "$seed")")")
  status 0 "$vcpr" encode "$target" "$seed" && cp "$scratch/out" "$scratch/bytes"
  status 0 "$vcpr" decode "$target" "$scratch/bytes" && cp "$scratch/out" "$scratch/text.txt"
  status 0 "$vcpr" encode "$target" "$scratch/text.txt"
  cmp -s "$scratch/out" "$scratch/bytes" || fail "$seed: decode and encode give other bytes"
  status 0 "$vcpr" explain "$target" "$seed"
  status 0 "$vcpr" run "$target" "$seed"
done

# What inputs have seen: a roll-back that a death of the new process caused is there.
status 0 "$vcpr" states rollback "$corpus/rollback/seeds"
grep -qE '^new +[a-z_]+ +kill_new +0 +[1-9]' "$scratch/out" || fail "states does not show a death of the new process"
grep -qE '^[1-9][0-9]* of [1-9][0-9]* pairs' "$scratch/out" || fail "states does not count pairs"
status 2 "$vcpr" states table_handover "$corpus/table_handover/seeds"

# A sweep goes on where it was, and says the same in the end; one of another kind does not go on with it.
sweep=("$vcpr" sweep exec.legacy.msi.without-update-vaddr --resume "$scratch/state" --out "$scratch/sweep")
status 0 "$vcpr" sweep --list && grep -qx 'transfer.legacy.msix.shared-eventfds' "$scratch/out" || fail "sweeps are not listed"
status 0 "${sweep[@]}" && sed 's/ (.*/,/' "$scratch/out" | tail -n 1 >"$scratch/sums"
head -c -20 "$scratch/state" >"$scratch/cut" && mv "$scratch/cut" "$scratch/state"
status 0 "${sweep[@]}" && sed 's/ (.*/,/' "$scratch/out" | tail -n 1 | cmp -s - "$scratch/sums" || fail "a sweep does not go on"
status 0 "${sweep[@]}" && grep -q '(0 of them now' "$scratch/out" || fail "a sweep that is done begins again"
status 2 "${sweep[@]}" --pairs 5
status 2 "$vcpr" sweep no.such

[ $broken -eq 0 ] && echo "every promise holds"
exit $((broken > 0))
