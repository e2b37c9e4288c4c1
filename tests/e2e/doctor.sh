#!/bin/sh
# zoe doctor names what is wrong, and only that: sh tests/e2e/doctor.sh BUILD_DIR
set -u
build=$(cd "${1:?usage: sh tests/e2e/doctor.sh BUILD_DIR}" && pwd) || exit 2
LD_LIBRARY_PATH=$build/sdk
export LD_LIBRARY_PATH
dir=$(mktemp -d /tmp/zoe-doctor-XXXXXX)
socket=$dir/socket
failed=0 broker=

end() {
	[ -z "$broker" ] || { kill -CONT "$broker"; kill "$broker"; wait "$broker"; }
	rm -rf "$dir"
}
trap end EXIT
trap 'exit 129' HUP INT TERM

fail() {
	echo "FAILED: $*"
	cat "$dir/out"
	failed=$((failed + 1))
}

# doctor EXIT_CODE OPTIONS...
doctor() {
	code=$1
	shift
	"$build/tools/zoe" doctor --socket "$socket" --timeout 1s "$@" >"$dir/out" 2>"$dir/err"
	got=$?
	[ $got -eq "$code" ] || fail "exit code $got instead of $code"
	[ ! -s "$dir/err" ] || fail "it complained: $(cat "$dir/err")"
}

# says WORDS: a finding has them, and the line behind it a remedy
says() {
	grep -A 1 "$1" "$dir/out" | grep -q -- '->' || fail "no finding with a remedy: $1"
}

start() {
	"$build/daemon/zoetroped" --socket "$socket" --config "$dir/c.yaml" 2>"$dir/log" &
	broker=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ ! -S "$socket" ] || return 0
		sleep 0.2
	done
	fail "the broker does not start: $(cat "$dir/log")"
}

printf 'version: 1\nstreams:\n  desk: {max_frame: 64x64 XR24}\n' >"$dir/c.yaml"
doctor 1
says 'error    socket .*No such file'
touch "$socket"
doctor 1
says 'error    socket .*Connection refused'
rm "$socket"
start
doctor 0
grep -Eq '^(warning|error) +(socket|broker|config|access|lent|clock)' "$dir/out" &&
	fail "a sound broker is found fault with"
grep -q 'sees 1 streams, and may use 1' "$dir/out" || fail "it does not say what may be used"
doctor 0 --json
python3 -c 'import json, sys; d = json.load(sys.stdin); assert d["errors"] == 0 and d["findings"]' \
	<"$dir/out" || fail "its JSON is none"
(ulimit -n 100 && doctor 0 && says 'warning  files .*100') || fail "too few files are no warning"
printf 'version: 1\nstreams:\n  desk: {max_frame: 64x64 XR24, slots: 1}\n' >"$dir/c.yaml"
"$build/tools/zoe" reload --socket "$socket" >/dev/null 2>&1 && fail "a bad file is taken"
doctor 0
says 'warning  config .*reload failed'
kill -STOP "$broker"
doctor 1
says 'error    broker'
kill -CONT "$broker"
[ $failed -eq 0 ] || { echo "$failed failed"; exit 1; }
echo "the doctor is right"
