#!/bin/sh
# zoe top on a terminal, looked at through tmux: sh tests/e2e/top.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v tmux >/dev/null || { echo "no tmux here"; exit 77; }
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
ldd "$zoe" | grep -q ncursesw || { echo "zoe is built without ncurses"; exit 77; }

cat >"$dir/config.yaml" <<EOT
version: 1
streams:
  desk: {max_frame: 320x240 XR24, consumers: 9}
  "*": {max_frame: 160x120 XR24, patience: 100ms}
EOT

in_tmux() {
	tmux -S "$dir/tmux" -f /dev/null "$@"
}

# on_screen REGEX: it stands on some line
on_screen() {
	in_tmux capture-pane -p >"$dir/screen" && grep -Eq -- "$1" "$dir/screen"
}

not_on_screen() {
	! on_screen "$1"
}

# expect REGEX WHAT: comes within 10 s
expect() {
	wait_for 10 on_screen "$1" || fail "$2; the screen shows:
$(cat "$dir/screen")"
}

# expect_no REGEX WHAT: goes within 10 s
expect_no() {
	wait_for 10 not_on_screen "$1" || fail "$2; the screen shows:
$(cat "$dir/screen")"
}

press() {
	in_tmux send-keys "$@"
}

# shows_fps FROM TO: of desk, whose line is "desk 320x240 XR24 FPS ..."
shows_fps() {
	in_tmux capture-pane -p >"$dir/screen"
	awk -v from="$1" -v to="$2" '$1 == "desk" && $4 >= from && $4 <= to { ok = 1 } END { exit !ok }' \
		"$dir/screen"
}

# shows_reader [LOST]: at most so many (0); its line is "PID zoe verify every FPS LAG HELD TAKEN LOST LATENCY"
shows_reader() {
	in_tmux capture-pane -p >"$dir/screen"
	awk -v pid="$verify" -v most="${1:-0}" '$1 == pid && $2 == "zoe" && $3 == "verify" && $4 == "every" &&
		$5 >= 15 && $8 > 0 && $9 <= most && $10 ~ /^[0-9.]+(us|ms|s)$/ { ok = 1 }
		END { exit !ok }' "$dir/screen"
}

start_streams() {
	"$zoe" push desk --pattern counter --size 320x240 --fps 30 --quiet &
	push=$!
	"$zoe" push idle --size 160x120 --fps 10 --quiet &
	remember "$push $!"
	wait_for 10 has_frames desk || fail "push shows no picture"
	wait_for 10 has_frames idle || fail "push shows no other picture"
	"$zoe" verify desk >/dev/null 2>&1 &
	verify=$!
	remember $verify
}

start_terminal() {
	in_tmux new-session -d -x 80 -y 24 env PS1='$ ' sh || { echo "tmux does not come up"; exit 77; }
	remember "$(in_tmux display-message -p '#{pid}')"
	expect '^\$' "no shell in tmux"
}

# start_top [VARIABLE=VALUE]: in the terminal's shell
start_top() {
	press "clear; echo before; ${1:-} $zoe top; echo status=\$?" Enter
	expect '^readers of desk' "zoe top shows no readers of desk"
}

# expect_restored WHAT: the screen is as it was before, and the keys are echoed
expect_restored() {
	expect '^status=0' "$1: zoe top does not end with 0"
	expect '^before' "$1: the screen before is not restored"
	press 'stty -a | grep -c " echo "' Enter
	expect '^1' "$1: the terminal does not echo"
}

check_picture() {
	wait_for 10 shows_fps 15 45 || fail "desk's fps are not near 30: $(cat "$dir/screen")"
	wait_for 10 shows_reader || fail "no good line for the reader: $(cat "$dir/screen")"
	expect "^zoetroped .* pid $broker_pid  up .* 2 streams  [0-9]+ clients" "no line on the broker"
	expect '^memory .* of .* lent  protection mode' "no line on the memory"
	expect '^NAME +FORMAT +FPS +CAP>PUB +PUB>READ +DROPS +READERS +MEM +BY' "no titles"
	expect '^desk +320x240 XR24 .* 1/9 ' "no line on desk"
	expect '^ *PID +APP +DELIVERY +FPS +LAG +HELD +TAKEN +LOST +PUB>READ' "no readers' titles"
	expect '^q quit .*select .*s sort.*p pause.*[+]/- every 1s.*h help' "no keys"
}

# The picture changes by what is other than before: nothing is cleared, little is sent.
check_flicker() {
	in_tmux pipe-pane "cat >'$dir/bytes'"
	sleep 3 # what it sends meanwhile is what is measured
	in_tmux pipe-pane
	size=$(wc -c <"$dir/bytes")
	[ "$size" -gt 0 ] || fail "the screen stands still"
	[ "$size" -lt 3000 ] || fail "$size bytes for three pictures"
	# J clears the screen from somewhere on; \014 is a form feed
	if tr '\033' '#' <"$dir/bytes" | grep -q '#\[[0-9]*J'; then
		fail "the screen is cleared for each picture"
	fi
}

check_keys() {
	press s
	expect 'sort: fps' "s does not sort"
	press s s s s s
	expect 'sort: name' "s does not come around"
	press +
	expect 'every 2s' "+ does not make it slower"
	press -
	expect 'every 1s' "- does not make it faster"
	press j
	expect '^no readers of idle' "j does not select the next stream"
	press Down
	expect '^no readers of idle' "down leaves the last stream"
	press Up
	expect '^readers of desk' "up does not select the first stream"
	press h
	expect 'any key: back' "h does not help"
	press x
	expect '^readers of desk' "a key does not end the help"
	press p
	expect 'PAUSED' "p does not pause"
	press p
	expect_no 'PAUSED' "p does not go on"
}

# fits_in COLUMNS: no line is longer, and the keys are on the last line
fits_in() {
	in_tmux capture-pane -p >"$dir/screen"
	awk -v most="$1" 'length > most { bad = 1 } { last = $0 } END { exit bad || last !~ /^q quit/ }' \
		"$dir/screen"
}

check_sizes() {
	in_tmux resize-window -x 60 -y 20
	wait_for 10 fits_in 60 || fail "60x20: $(cat "$dir/screen")"
	expect '^NAME +FORMAT +FPS ' "60x20 has no streams"
	wait_for 10 shows_reader || fail "60x20 has no reader: $(cat "$dir/screen")"
	in_tmux resize-window -x 200 -y 50
	expect "^desk .*  zoe push \\(pid $push, [^)]*\\)" "200x50 does not show it all"
	for size in 1x1 7x3 20x5 33x9 300x6; do
		in_tmux resize-window -x "${size%x*}" -y "${size#*x}"
		sleep 0.1 # it may miss a size, not die of one
	done
	in_tmux resize-window -x 80 -y 24
	expect '^readers of desk' "80x24 does not come back"
	wait_for 10 fits_in 80 || fail "80x24 again: $(cat "$dir/screen")"
}

check_broker() {
	kill -STOP "$broker_pid"
	expect 'broker does not answer.* in time' "the screen does not say that the broker is stopped"
	kill -CONT "$broker_pid"
	expect_no 'broker does not answer' "the broker goes on and the screen does not see it"
	kill -9 "$broker_pid"
	wait "$broker_pid" 2>/dev/null
	expect 'broker does not answer' "the screen does not say that the broker is gone"
	expect '^desk ' "the last numbers are gone with the broker"
	start_broker "$dir/config.yaml"
	expect_no 'broker does not answer' "the broker is back and the screen does not see it"
	expect "pid $broker_pid " "the new broker's pid is not shown"
	wait_for 20 shows_fps 15 45 || fail "nothing flows after the broker is back: $(cat "$dir/screen")"
	# what it missed while both changed over is not the matter here
	wait_for 10 shows_reader 99999 || fail "the reader is not back: $(cat "$dir/screen")"
}

# has_colours: does the screen have any?
has_colours() {
	in_tmux capture-pane -p -e | tr '\033' '#' >"$dir/screen"
	grep -q '#\[[0-9;]*3[0-7]m' "$dir/screen"
}

check_ends() {
	has_colours || fail "there are no colours: $(cat "$dir/screen")"
	press q
	expect_restored "q"
	start_top NO_COLOR=1
	has_colours && fail "NO_COLOR does not keep colours away: $(cat "$dir/screen")"
	press C-c
	expect_restored "Ctrl-C"
	press "clear; TERM=no-such-terminal $zoe top" Enter
	expect '^STREAM +PID +APP' "no tables where the terminal is not known"
	press C-c
}

# Queues by their group; who was reliable and stopped is demoted.
check_deliveries() {
	"$zoe" push work --pattern counter --size 160x120 --fps 30 --quiet &
	remember $!
	wait_for 10 has_frames work || fail "push shows no work"
	"$zoe" verify work --delivery queue --group crew --allow-loss >/dev/null 2>&1 &
	member=$!
	"$zoe" verify work --delivery reliable --allow-loss >/dev/null 2>&1 &
	slow=$!
	remember "$member $slow"
	expect '^work ' "the new stream does not come up"
	press G
	expect '^readers of work' "G does not select the last stream"
	expect "^ *$member +zoe verify +queue crew +[0-9.]+ +[0-9] " "no line for the queue's member"
	expect "^ *$slow +zoe verify +reliable " "no line for the reliable reader"
	kill -STOP $slow
	expect "^ *$slow +zoe verify +demoted " "a reliable reader that is stopped is not demoted"
	kill -CONT $slow
	kill -INT $slow $member
	press g
	expect '^readers of desk' "g does not select the first stream"
}

# Where nobody can look at a screen there are tables, or JSON.
check_tables() {
	timeout 20 "$zoe" top --once >"$dir/tables" || fail "zoe top --once fails"
	grep -Eq '^desk +320x240 XR24 ' "$dir/tables" || fail "top --once: $(cat "$dir/tables")"
	grep -Eq "^desk +$verify +zoe verify +every " "$dir/tables" ||
		fail "top --once: $(cat "$dir/tables")"
	timeout 3 "$zoe" top >"$dir/tables"
	[ "$(grep -c '^desk .*XR24' "$dir/tables")" -ge 2 ] || fail "top: $(cat "$dir/tables")"
	tr '\033' '#' <"$dir/tables" | grep -q '#' && fail "tables have control sequences"
	timeout 20 "$zoe" top --once --json >"$dir/top.json" || fail "zoe top --json fails"
	python3 - "$dir/top.json" <<-EOT || fail "zoe top --json: $(cat "$dir/top.json")"
		import json, sys
		d = json.load(open(sys.argv[1]))
		desk, = [s for s in d["streams"] if s["name"] == "desk"]
		reader, = [c for c in d["consumers"] if c["stream"] == "desk"]
		assert 15 < desk["fps"] < 45 and 15 < reader["fps"] < 45
		assert 0 <= desk["capture_ns"] < 10**9 and desk["dropped"] == 0
		assert 0 < reader["read_ns"] < 10**9 and desk["read_ns"] == reader["read_ns"]
		assert reader["delivery"] == "every" and reader["group"] == "" and reader["taken"] > 0
		assert d["broker"]["pid"] == $broker_pid
	EOT
}

start_broker "$dir/config.yaml"
start_streams
start_terminal
start_top
check_picture
check_flicker
check_keys
check_sizes
check_deliveries
check_tables
check_broker
check_ends
verdict
