#!/bin/sh
# zoe keep, play and recover from the outside: sh tests/e2e/keep.sh BUILD_DIR
# $ZOETROPE_KILLS: how often keep is killed (100)
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
# shellcheck source=tests/e2e/replay
. tests/e2e/replay

cat >"$dir/config.yaml" <<EOT
version: 1
streams:
  replay: {max_frame: 160x90 XR24, slots: 512, producers: 2}
  "*": {max_frame: 160x90 XR24, slots: 64, max_streams: 16, linger: 60s}
EOT

# expect_error SENTENCE COMMAND...: it fails with 1, and says that
expect_error() {
	sentence=$1
	shift
	timeout 20 "$zoe" "$@" >"$dir/out" 2>"$dir/err"
	ended=$?
	[ $ended -eq 1 ] || fail "zoe $*: ends with $ended, not 1"
	grep -qF -e "$sentence" "$dir/err" || fail "zoe $*: says '$(cat "$dir/err")', not '$sentence'"
	[ "$(wc -l <"$dir/err")" -eq 1 ] || fail "zoe $*: says more than one sentence"
}

# make_kept FILE FRAMES: 1 MiB, which holds 17 frames
make_kept() {
	timeout 60 "$zoe" push "made-$2" --pattern counter --size 160x90 --fps 500 --frames "$2" \
		--quiet || fail "push of $2 frames"
	timeout 60 "$zoe" keep "made-$2" "$1" --size 1MiB --frames "$2" --quiet || fail "keep of $2"
}

check_errors() {
	make_kept "$dir/good" 30
	cp "$dir/good" "$dir/bad"
	printf '\002' | dd of="$dir/bad" bs=1 seek=8 conv=notrunc status=none
	for command in "recover $dir/bad" "play $dir/bad replay" "keep made-30 $dir/bad"; do
		# shellcheck disable=SC2086
		expect_error "is of version 2, this zoe knows version 1" $command
	done
	echo "my precious diary" >"$dir/diary"
	expect_error "not a file of zoe keep" keep made-30 "$dir/diary" --size 1MiB
	grep -qx "my precious diary" "$dir/diary" || fail "another file was written to"
	expect_error "not a file of zoe keep" recover "$dir/config.yaml" --out "$dir/none"
	[ ! -e "$dir/none" ] || fail "a recovery of nothing leaves a directory"
	expect_error "not a regular file" recover /dev/null
	expect_error "No such file" play "$dir/none" replay
	expect_error "--size says how large" keep made-30 "$dir/none"
	expect_error "at least 64KiB" keep made-30 "$dir/none" --size 1KiB
	[ ! -e "$dir/none" ] || fail "a keep that was refused leaves a file"
	expect_error "can grow, not shrink" keep made-30 "$dir/good" --size 512KiB
	truncate -s 100 "$dir/bad"
	expect_error "not a file of zoe keep" recover "$dir/bad"
	truncate -s 0 "$dir/bad"
	"$zoe" keep none "$dir/bad" --size 1MiB --quiet &
	keeper=$!
	remember $keeper
	wait_for 10 [ -s "$dir/bad" ] || fail "keep makes no file before the stream is there"
	expect_error "another zoe keep writes it" keep made-30 "$dir/bad"
	expect_error "no frame in it" play "$dir/bad" replay
	kill -INT $keeper
	expect_end $keeper 10 0 "a keep that waits for its stream"
}

check_recover() {
	make_kept "$dir/kept" 40
	truncate -s 900000 "$dir/kept" # what is behind that is gone, and no more
	"$zoe" recover "$dir/kept" --json >"$dir/info.json" || fail "recover of a truncated file"
	in_json "$dir/info.json" "12 <= d['frames'] <= 15" || fail "recovered: $(cat "$dir/info.json")"
	"$zoe" recover "$dir/kept" --out "$dir/pictures" --json >"$dir/info.json" || fail "recover"
	in_json "$dir/pictures/index.json" "len(d['frames']) >= 12 and all(
		f['seq'] == f['record'] and f['bytes'] == 57600 for f in d['frames'])" ||
		fail "index: $(cat "$dir/pictures/index.json")"
	[ "$(find "$dir/pictures" -name '*.png' -size +100c | wc -l)" -ge 12 ] || fail "too few pictures"
	expect_error "holds a recovery already" recover "$dir/kept" --out "$dir/pictures"
	"$zoe" recover "$dir/kept" --out "$dir/bytes" --format raw >"$dir/out" || fail "recover raw"
	[ "$(find "$dir/bytes" -name '*.raw' -size 57600c | wc -l)" -ge 12 ] || fail "too few raw files"
	"$zoe" recover "$dir/kept" --out "$dir/film" --format y4m >"$dir/out" || fail "recover y4m"
	[ "$(wc -c <"$dir/film/film.y4m")" -gt 500000 ] || fail "the film is short"
	"$zoe" recover "$dir/kept" --list --json >"$dir/list.json" || fail "recover --list"
	[ "$(wc -l <"$dir/list.json")" -ge 12 ] || fail "the list is short"
}

# What is missing in a file's list is counted there, frame by frame, and nothing is in it twice.
expect_no_hole() {
	"$zoe" recover "$1" --list --json >"$dir/list.json" || fail "recover --list"
	python3 - "$dir/list.json" <<'EOT' || fail "a hole in what was kept"
import json, sys
frames = [json.loads(line) for line in open(sys.argv[1])]
assert frames
for before, now in zip(frames, frames[1:]):
    assert now["record"] == before["record"] + 1, f"{before} {now}"
    assert now["seq"] == before["seq"] + now["lost"] + 1, f"{before} {now}"
EOT
}

# Has the keeper written to its file since the mark was made?
is_written() {
	[ "$dir/killed" -nt "$dir/mark" ]
}

check_kills() {
	kills=${ZOETROPE_KILLS:-100} n=0
	"$zoe" push film --pattern counter --size 160x90 --fps 300 --quiet &
	pusher=$!
	remember $pusher
	while [ $n -lt "$kills" ]; do
		n=$((n + 1))
		touch "$dir/mark"
		"$zoe" keep film "$dir/killed" --size 3MiB --quiet &
		keeper=$!
		remember $keeper
		wait_for 20 is_written || fail "nothing is kept"
		sleep "0.$(printf %03d $(((n * 37) % 100)))"
		kill -9 $keeper
		wait $keeper 2>/dev/null
		[ $((n % 10)) -ne 0 ] || expect_no_hole "$dir/killed"
	done
	kill -INT $pusher
	expect_end $pusher 10 0 push
	"$zoe" keep "$dir/killed" --info --json >"$dir/info.json" || fail "keep --info"
	in_json "$dir/info.json" "d['frames'] > 40 and d['gaps'] == 0" ||
		fail "after $kills kills: $(cat "$dir/info.json")"
	"$zoe" recover "$dir/killed" --list --json | tail -n 1 >"$dir/last.json"
	in_json "$dir/last.json" "d['session'] > $kills / 2" || # a few may have written nothing
		fail "after $kills kills: $(cat "$dir/last.json")"
	count=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["frames"])' \
		"$dir/info.json")
	expect_replay "$dir/killed" "$count" --allow-loss
}

# is_said WORDS: has the keeper of the full disk said that?
is_said() {
	grep -qF "$1" "$dir/keeper.err"
}

# A disk that becomes full although the room was reserved: somebody makes a hole in the file, and
# fills the disk.
check_full_disk() {
	mkdir "$dir/disk"
	if [ "$(id -u)" -ne 0 ] || ! mount -t tmpfs -o size=3m tmpfs "$dir/disk" 2>/dev/null; then
		echo "skipped: a full disk (mounting one needs root)"
		return
	fi
	mounted=$dir/disk
	expect_error "no room for 4 MiB on its disk" keep film "$dir/disk/kept" --size 4MiB
	[ ! -e "$dir/disk/kept" ] || fail "a file that has no room stays"
	"$zoe" push full --pattern counter --size 160x90 --fps 200 --quiet &
	pusher=$!
	"$zoe" keep full "$dir/disk/kept" --size 2MiB --quiet --json >"$dir/keeper.json" \
		2>"$dir/keeper.err" &
	keeper=$!
	remember "$pusher $keeper"
	wait_for 10 "$zoe" keep "$dir/disk/kept" --info || fail "no file is made"
	expect_error "no room for 8 MiB on its disk" keep full "$dir/disk/other" --size 8MiB
	fallocate -p -o 500000 -l 1000000 "$dir/disk/kept" || fail "no hole can be made"
	dd if=/dev/zero of="$dir/disk/filler" bs=4096 2>/dev/null
	wait_for 20 is_said "No space left" || fail "nothing is said of a full disk"
	# It goes on in the room that it has.
	wait_for 20 has_frame_after full || fail "nothing is kept on a full disk"
	rm "$dir/disk/filler"
	wait_for 20 is_said "is written again" || fail "a disk that has room again is not used"
	kill -INT $keeper $pusher
	expect_end $keeper 10 0 "keep on a full disk"
	expect_end $pusher 10 0 push
	in_json "$dir/keeper.json" "d['failed'] > 0 and d['frames'] > 3 * d['failed']" ||
		fail "on a full disk: $(cat "$dir/keeper.json")"
	"$zoe" keep "$dir/disk/kept" --info --json >"$dir/info.json" || fail "keep --info"
	in_json "$dir/info.json" "d['frames'] >= 5" || fail "on a full disk: $(cat "$dir/info.json")"
	umount "$dir/disk" && mounted=
}

# Is the newest frame of the file on the full disk younger than at the call before?
newest=
has_frame_after() {
	was=$newest
	newest=$("$zoe" keep "$dir/disk/kept" --info --json | grep -o '"last_seq": [0-9]*')
	[ -n "$was" ] && [ "$newest" != "$was" ]
}

start_broker "$dir/config.yaml"
check_errors
check_recover
check_kills
check_full_disk
verdict
