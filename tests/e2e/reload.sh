#!/bin/sh
# zoe reload and zoe kick from the outside: sh tests/e2e/reload.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker

# config SLOTS: of 'desk'; beside it one stream that stays
config() {
	cat >"$dir/config.yaml" <<-EOT
		version: 1
		streams:
		  desk: {max_frame: 640x480 XR24, slots: $1}
		  stays: {max_frame: 64x64 XR24}
	EOT
}

# has NAME LINE: is it in the output of that name?
has() {
	grep -qxF -- "$2" "$dir/$1" || {
		fail "$1: no line '$2' in:"
		cat "$dir/$1"
	}
}

config 6
start_broker "$dir/config.yaml"
"$zoe" push desk --size 64x64 --quiet 2>"$dir/push.log" &
push=$!
remember $push
wait_for 10 has_frames desk || fail "nobody feeds 'desk'"
"$zoe" record desk - --quiet >/dev/null 2>"$dir/record.log" &
record=$!
remember $record
wait_for 10 sh -c "'$zoe' status desk | grep -q record" || fail "nobody reads 'desk'"

config 8
"$zoe" reload --dry-run >"$dir/dry" 2>&1 || fail "reload --dry-run ends with $?"
has dry "change   desk: slots 6 -> 8"
has dry "         fed by zoe push (pid $push, uid $(id -u))"
has dry "         read by zoe record (pid $record, uid $(id -u))"
has dry "keep     stays"
"$zoe" status desk >"$dir/before"
grep -q 'desk#1' "$dir/before" || fail "a dry run has moved the stream"

"$zoe" reload --json >"$dir/json" || fail "reload --json ends with $?"
python3 - "$dir/json" <<-EOT || fail "reload --json says something else: $(cat "$dir/json")"
	import json, sys
	d = json.load(open(sys.argv[1]))
	desk = [l for l in d["lines"] if l["stream"] == "desk"]
	assert d["ok"] and not d["dry_run"]
	assert desk[0]["what"] == "change" and desk[0]["text"] == "slots 6 -> 8"
	assert {(l["role"], l["pid"]) for l in desk[1:]} == {("producer", $push), ("consumer", $record)}
EOT
kill -0 $record 2>/dev/null || fail "a reload has ended a reader"

config none
! "$zoe" reload >"$dir/bad" 2>&1 || fail "a bad file is taken"
grep -q "config.yaml:3:.*: error: slots: " "$dir/bad" || fail "no error: $(cat "$dir/bad")"
config 6
kill -HUP "$broker_pid"
wait_for 10 grep -q "changed: slots 8 -> 6" "$dir/broker.log" || fail "HUP changes nothing"

"$zoe" kick desk "$record" >"$dir/kick" || fail "kick ends with $?"
has kick "1 kicked"
expect_end $record 5 1 "a reader that was kicked"
grep -q "an admin, uid $(id -u), has taken 'zoe record' (pid $record) off" "$dir/record.log" ||
	fail "it says something else: $(cat "$dir/record.log")"
"$zoe" kick desk "zoe push" >"$dir/kick" || fail "kick by name ends with $?"
expect_end $push 5 1 "a producer that was kicked"
verdict
