#!/bin/sh
# Kept in a file, over a reboot, grown, played: sh tests/e2e/scenarios/kept.sh BUILD_DIR
# The reboot: zoe keep is killed, the broker and all it had are gone, and (where root may do that) the
# kernel's boot id is another one.
set -u
cd "$(dirname "$0")/../../.." || exit 1
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
# shellcheck source=tests/e2e/replay
. tests/e2e/replay

cat >"$dir/config.yaml" <<EOT
version: 1
streams:
  desk: {max_frame: 160x90 XR24, slots: 128}
  replay: {max_frame: 160x90 XR24, slots: 128, producers: 2}
EOT
kept="$dir/desk.keep"
boot_id=/proc/sys/kernel/random/boot_id

# after_reboot COMMAND...: as a kernel with another boot id would have it
after_reboot() {
	if unshare -m sh -c "mount --bind '$dir/boot_id' $boot_id" 2>/dev/null; then
		# shellcheck disable=SC2016
		unshare -m sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh \
			"$dir/boot_id" $boot_id "$@"
	else
		"$@"
	fi
}

push() {
	timeout 60 "$zoe" push desk --pattern counter --size 160x90 --fps 200 --frames "$1" --quiet ||
		fail "push of $1 frames"
}

has_kept() {
	"$zoe" keep "$kept" --info --json >"$dir/info.json" &&
		in_json "$dir/info.json" "d['frames'] == $1"
}

# The first day: 60 frames, then the power goes.
start_broker "$dir/config.yaml"
"$zoe" keep desk "$kept" --size 4MiB --quiet &
keeper=$!
remember $keeper
push 60
wait_for 20 has_kept 60 || fail "the first day: $(cat "$dir/info.json")"
kill -9 $keeper $broker_pid
wait $keeper $broker_pid 2>/dev/null
rm -f "$ZOETROPE_SOCKET"

# The second: the file is grown, as 110 frames have no room in 4 MiB.
echo 11111111-2222-3333-4444-555555555555 >"$dir/boot_id"
start_broker "$dir/config.yaml"
after_reboot "$zoe" keep desk "$kept" --size 8MiB --frames 50 --json >"$dir/keep.json" &
keeper=$!
remember $keeper
push 50
expect_end $keeper 30 0 "the keep of the second day"
in_json "$dir/keep.json" "d['session'] == 2 and d['size'] == 8 << 20 and d['frames'] == 50
	and d['kept'] == 110 and d['lost'] == 0 and d['failed'] == 0" ||
	fail "the second day: $(cat "$dir/keep.json")"

# Everything is in it, and comes out as it went in.
has_kept 110 || fail "in the file: $(cat "$dir/info.json")"
in_json "$dir/info.json" "d['sessions'] == 2 and d['lost'] == 0 and d['torn'] == 0
	and d['gaps'] == 0 and d['size'] == 8 << 20" || fail "in the file: $(cat "$dir/info.json")"
expect_replay "$kept" 110
in_json "$dir/verify.json" "d['lost'] == 0 and d['producers'] == 2 and d['ok']" ||
	fail "verified: $(cat "$dir/verify.json")"
# 60 frames and 50 at 200 a second, without the night between
in_json "$dir/play.json" "0.3e9 < d['duration_ns'] < 5e9" || fail "played: $(cat "$dir/play.json")"
verdict
