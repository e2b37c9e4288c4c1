#!/bin/sh
# Configs as an admin meets them: sh tests/e2e/config.sh BUILD_DIR
# Each example is free of errors and warnings, holds a broker whose streams can be fed and seen, and
# is printed as a config that reads as the same. What check and --print-config answer and end with.
set -u
cd "$(dirname "$0")/../.." || exit 1
examples="$PWD/config/example.yaml $(echo "$PWD"/config/examples/*.yaml)"
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker

# feed_and_see STREAM CONFIG
feed_and_see() {
	"$zoe" push "$1" --size 64x48 --quiet 2>"$dir/push.log" &
	pusher=$!
	remember $pusher
	wait_for 10 has_frames "$1" || {
		cat "$dir/push.log" "$dir/broker.log"
		fail "$2: no frame of '$1'"
	}
	kill $pusher
	wait $pusher
}

# get_names CONFIG: its streams, patterns as a name that they rule
get_names() {
	"$zoetroped" --print-config --config "$1" | sed -n 's/^  "\(.*\)":.*/\1/p' | sed 's/\*\**/some/'
}

# may_feed_all NAME: root may, and who runs the broker of an example for one user
may_feed_all() {
	case $1 in
	screen.yaml | game-capture.yaml) ;;
	*) [ "$(id -u)" -eq 0 ] ;;
	esac
}

check_example() {
	name=$(basename "$1")
	"$zoe" check --strict "$1" >"$dir/out" 2>&1 || { cat "$dir/out"; fail "$name has errors or warnings"; }
	start_broker "$1"
	n_names=0
	may_feed_all "$name" || echo "skipped: only root may feed all of $name"
	for stream in $(get_names "$1"); do
		n_names=$((n_names + 1))
		case $stream in
		found/*) ;; # holds no pictures
		*) ! may_feed_all "$name" || feed_and_see "$stream" "$name" ;;
		esac
	done
	[ $n_names -gt 0 ] || fail "$name has no streams"
	kill "$broker_pid"
	expect_end "$broker_pid" 10 0 "the broker of $name"
	rm -f "$ZOETROPE_SOCKET"
}

# What is printed says the same: printed again, it differs in its remarks alone.
check_print() {
	"$zoetroped" --print-config --config "$1" >"$dir/printed.yaml" || fail "$1 is not printed"
	"$zoetroped" --print-config --config "$dir/printed.yaml" >"$dir/again.yaml" ||
		fail "$1 as printed does not load"
	for text in printed again; do
		sed 's/ *# .*//' "$dir/$text.yaml" >"$dir/$text"
	done
	cmp "$dir/printed" "$dir/again" || fail "$1 is printed as something else"
	grep -q 'linger: 5s  # built in\|linger: [0-9]' "$dir/printed.yaml" ||
		fail "$1: defaults are not filled in"
}

# expect_code CODE COMMAND...
expect_code() {
	wanted=$1
	shift
	"$@" >"$dir/out" 2>"$dir/err"
	got=$?
	[ $got -eq "$wanted" ] || fail "'$*' ends with $got, not $wanted: $(cat "$dir/err")"
}

check_codes() {
	printf 'version: 1\nstreams: {a: {max_bytes: 1, access: {produce: []}}}\n' >"$dir/odd.yaml"
	printf 'version: 1\nstreams: {a: {max_byte: 1}}\n' >"$dir/bad.yaml"
	expect_code 0 "$zoe" check "$dir/odd.yaml"
	grep -q '^.*odd.yaml:2:38: warning: .a.: nobody but root may feed it$' "$dir/err" ||
		fail "no warning, but: $(cat "$dir/err")"
	expect_code 1 "$zoe" check --strict "$dir/odd.yaml"
	expect_code 0 "$zoe" check --json "$dir/odd.yaml"
	grep -q '"ok": true, .*"errors": \[\], "warnings": \[{"line": 2' "$dir/out" ||
		fail "not as JSON: $(cat "$dir/out")"
	expect_code 1 "$zoe" check --json "$dir/bad.yaml"
	grep -q '"ok": false, .*"errors": \[{"line": 2.*"warnings": \[\]' "$dir/out" ||
		fail "not as JSON: $(cat "$dir/out")"
	expect_code 2 "$zoe" check --schema "$dir/odd.yaml"
	expect_code 1 "$zoetroped" --print-config --config "$dir/bad.yaml"
	[ ! -s "$dir/out" ] || fail "a bad config is printed"
	expect_code 0 "$zoetroped" --print-config --config "$dir/odd.yaml"
	"$zoetroped" --print-config --config "$dir/odd.yaml" >/dev/full 2>"$dir/err" &&
		fail "a full disk is no failure"
	# The one that is built in, where there is no file.
	env XDG_CONFIG_HOME="$dir/none" "$zoetroped" --print-config >"$dir/default.yaml" ||
		fail "the built-in config is not printed"
	expect_code 0 "$zoe" check "$dir/default.yaml"
}

# A reload says what is odd about the file, too.
check_reload() {
	printf 'version: 1\nstreams: {a: {max_bytes: 1}}\n' >"$dir/live.yaml"
	start_broker "$dir/live.yaml"
	expect_code 0 "$zoe" reload
	[ ! -s "$dir/err" ] || fail "a good config is warned of: $(cat "$dir/err")"
	cat "$dir/odd.yaml" >"$dir/live.yaml"
	expect_code 0 "$zoe" reload --dry-run
	grep -q "^warning: .*live.yaml:2:38: 'a': nobody but root may feed it$" "$dir/err" ||
		fail "a reload does not warn, but says: $(cat "$dir/err")"
	kill "$broker_pid"
	expect_end "$broker_pid" 10 0 "the broker that reloads"
}

n_examples=0
for example in $examples; do
	check_example "$example"
	check_print "$example"
	n_examples=$((n_examples + 1))
done
[ $n_examples -ge 5 ] || fail "only $n_examples examples"
check_codes
check_reload
verdict
