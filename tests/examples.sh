#!/bin/sh
# Runs the examples of the SDK: sh tests/examples.sh BUILD_DIR
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
examples=$build/sdk/examples

cat >"$dir/config.yaml" <<EOT
version: 1
streams:
  desk: {max_frame: 640x360 XR24}
  "gears*": {max_frame: 1280x1024 XR24}
EOT

has_lines() {
	[ "$(wc -l <"$2")" -ge "$1" ]
}

check_length() {
	for file in sdk/examples/*.c; do
		n_lines=$(wc -l <"$file")
		[ "$n_lines" -lt 60 ] || fail "$file has $n_lines lines: 60 are too many"
	done
}

check_pair() {
	start_broker "$dir/config.yaml"
	timeout 30 stdbuf -oL "$examples/example-consumer" desk >"$dir/consumer.txt" &
	consumer=$!
	remember $consumer
	timeout 30 "$examples/example-producer" desk &
	producer=$!
	remember $producer
	wait_for 10 has_lines 30 "$dir/consumer.txt" || fail "example-consumer sees no frames"
	grep -Eq '^[0-9]+: 640x360 XR24, 0 lost, [0-9.]+ us ago$' "$dir/consumer.txt" ||
		fail "example-consumer prints '$(head -n 1 "$dir/consumer.txt")'"
	kill "$producer" "$consumer"
	wait "$producer" "$consumer" 2>/dev/null
}

is_running() {
	! is_zombie "$gears"
}

# run_gears: with the hook inside; sets $gears
run_gears() {
	ZOE_STREAM=gears LD_PRELOAD=$examples/libhook_gl.so stdbuf -oL glxgears >"$dir/gears.txt" 2>&1 &
	gears=$!
	remember $gears
}

# glxgears says every 5 seconds how many frames it drew.
expect_gears_draw() {
	: >"$dir/gears.txt"
	wait_for 15 grep -q 'frames in' "$dir/gears.txt" || fail "glxgears does not draw, $1"
	is_running || fail "glxgears has died, $1"
}

check_hook() {
	command -v glxgears >/dev/null || { echo "no glxgears here"; return 77; }
	[ -f "$examples/libhook_gl.so" ] || { echo "the hook was not built"; return 77; }
	start_x 800x600
	run_gears
	expect_gears_draw "without a broker"

	start_broker "$dir/config.yaml" # it finds the broker that came later
	wait_for 10 has_frames gears || fail "the hook sends no frames"
	"$zoe" snap gears "$dir/gears.png" --new --timeout 5s || fail "zoe snap sees no new frame"
	timeout 60 stdbuf -oL "$examples/example-consumer" gears >"$dir/gears-frames.txt" 2>&1 &
	consumer=$!
	remember $consumer
	wait_for 10 has_lines 30 "$dir/gears-frames.txt" || fail "the hook's frames do not flow"
	expect_gears_draw "with a broker"

	kill -KILL "$broker_pid"
	wait "$broker_pid" 2>/dev/null
	seen=$(wc -l <"$dir/gears-frames.txt")
	wait_for 10 has_lines $((seen + 30)) "$dir/gears-frames.txt" ||
		fail "frames stop with the broker's death"
	expect_gears_draw "with the broker killed"
	kill "$gears"
	wait "$gears" 2>/dev/null
	return 0
}

check_length
check_pair
kill "$broker_pid"
wait "$broker_pid"
check_hook
hook=$?
verdict || exit 1
exit $hook
