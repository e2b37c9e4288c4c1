#!/bin/sh
# The tool from the outside: sh tests/e2e/cli.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker

cat >"$dir/config.yaml" <<EOT
version: 1
streams:
  count: {max_frame: 160x90 XR24, slots: 64, producers: 2}
  "film/*": {max_frame: 320x240 XR24, slots: 64, producers: 2, max_streams: 16}
  "*": {max_frame: 640x480 XR24}
EOT

# in_json FILE EXPRESSION: a Python expression on what the file holds, as d, is true
in_json() {
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' \
		"$1" "($2)"
}

# has_taken STREAM N: has its only reader taken N frames?
has_taken() {
	"$zoe" status "$1" --json >"$dir/taken.json" &&
		in_json "$dir/taken.json" "[p for s in d['streams'] for p in s['peers']
			if p['role'] == 'consumer' and p['taken'] >= $2]"
}

# has_readers STREAM N
has_readers() {
	"$zoe" status "$1" --json >"$dir/readers.json" &&
		in_json "$dir/readers.json" "sum(p['role'] == 'consumer'
			for s in d['streams'] for p in s['peers']) == $2"
}

# hold STREAM WxH: a producer that gives nothing, so that readers can come before the first frame
hold() {
	[ -p "$dir/fifo" ] || mkfifo "$dir/fifo"
	"$zoe" push "$1" - --size "$2" --format XR24 --quiet <"$dir/fifo" &
	holder=$!
	remember $holder
	exec 9>"$dir/fifo"
	wait_for 10 sh -c "'$zoe' list --json | grep -q '\"name\": \"$1\", \"region\": \"$1#'" ||
		fail "no region of '$1' is made"
}

release() {
	kill -INT "$holder"
	exec 9>&-
	expect_end "$holder" 5 0 "a push without frames"
}

check_verify() {
	hold count 160x90
	readers=
	for i in 1 2 3; do
		timeout 90 "$zoe" verify count --json --allow-loss >"$dir/verify$i.json" &
		readers="$readers $!"
		remember $!
	done
	wait_for 10 has_readers count 3 || fail "the three readers do not come"
	release
	timeout 90 "$zoe" push count --pattern counter --frames 10000 --fps 500 --size 160x90 \
		--quiet &
	first=$!
	timeout 90 "$zoe" push count --pattern counter --frames 2000 --fps 125 --size 160x90 --quiet &
	second=$!
	remember "$first $second"
	expect_end $first 60 0 "push of 10000 frames"
	expect_end $second 60 0 "push of 2000 frames"
	i=0
	for reader in $readers; do
		i=$((i + 1))
		kill -INT "$reader" 2>/dev/null # if the stream's end has not ended it
		expect_end "$reader" 10 0 "verify $i"
		in_json "$dir/verify$i.json" "d['ok'] and d['torn'] == 0 and d['out_of_order'] == 0 and
			d['bad_headers'] == 0 and d['producers'] == 2 and
			d['frames'] + d['lost'] == 12000" ||
			fail "verify $i: $(cat "$dir/verify$i.json")"
	done
}

check_names() {
	"$zoe" push bars --size 320x240 --quiet &
	push=$!
	remember $push
	wait_for 10 has_frames bars || fail "push shows no picture"
	for command in list status 'status bars' 'top --once'; do
		# shellcheck disable=SC2086
		"$zoe" $command --json >"$dir/answer.json" || fail "zoe $command --json fails"
		python3 -m json.tool "$dir/answer.json" >"$dir/tidy.json" ||
			fail "zoe $command --json is no JSON: $(cat "$dir/answer.json")"
	done
	"$zoe" list --json >"$dir/list.json"
	in_json "$dir/list.json" "[s for s in d if s['name'] == 'bars' and s['region'] == 'bars#1' and
		s['format']['width'] == 320 and s['producer'].startswith('zoe push (pid $push,')]" ||
		fail "zoe list: $(cat "$dir/list.json")"
	"$zoe" status bars | grep -q 'bars#1' || fail "zoe status does not name bars#1"
	grep -q 'memfd:bars#1\.frames' "/proc/$push/maps" || fail "/proc/PID/maps lacks bars#1.frames"
	"$zoe" status bars | grep -Eq "producer +$push " || fail "zoe status lacks pid $push"
}

# expect_magic FILE HEX
expect_magic() {
	got=$(od -An -tx1 -N16 "$1" | tr -d ' \n')
	case $got in
	$2*) ;;
	*) fail "$(basename "$1") begins with $got, not $2" ;;
	esac
}

check_snap() {
	for format in png jpg bmp tga; do
		timeout 10 "$zoe" snap bars "$dir/shot.$format" || fail "snap as $format"
	done
	expect_magic "$dir/shot.png" 89504e470d0a1a0a
	expect_magic "$dir/shot.jpg" ffd8ff
	expect_magic "$dir/shot.bmp" 424d
	expect_magic "$dir/shot.tga" 0000
	timeout 10 "$zoe" snap bars - >"$dir/shot"
	expect_magic "$dir/shot" 89504e470d0a1a0a
	timeout 10 "$zoe" snap bars "$dir/many.png" --count 3 --new || fail "snap of 3"
	for i in 1 2 3; do
		expect_magic "$dir/many-000$i.png" 89504e470d0a1a0a
	done
	cmp -s "$dir/many-0001.png" "$dir/many-0003.png" && fail "three new pictures are the same"
}

# check_interrupt: Ctrl-C ends push, verify and record, with 0 and a whole file
check_interrupt() {
	timeout 60 "$zoe" push count --pattern counter --fps 60 --size 160x90 --quiet &
	count=$!
	remember $count
	wait_for 10 has_frames count || fail "push shows no counter"
	"$zoe" verify count >"$dir/verify.txt" 2>&1 &
	verify=$!
	"$zoe" record bars "$dir/interrupted.nut" --quiet &
	record=$!
	"$zoe" snap nobody "$dir/never.png" 2>/dev/null & # waits for ever
	waiting=$!
	remember "$verify $record $waiting"
	wait_for 10 has_taken count 10 || fail "verify takes nothing"
	wait_for 10 has_taken bars 10 || fail "record takes nothing"
	kill -INT $verify $record $waiting
	expect_end $verify 5 0 "verify after Ctrl-C"
	expect_end $record 5 0 "record after Ctrl-C"
	wait_for 5 is_zombie $waiting || fail "a waiting snap does not end by Ctrl-C"
	kill -INT $count "$push"
	expect_end $count 5 0 "push of a counter after Ctrl-C"
	expect_end "$push" 5 0 "push of bars after Ctrl-C"
	if command -v ffprobe >/dev/null; then
		[ "$(count_frames "$dir/interrupted.nut")" -ge 10 ] || fail "interrupted.nut is not whole"
	fi
}

# list_pts FILE: of every frame that can be decoded
list_pts() {
	ffprobe -v error -select_streams v -show_entries frame=pts -of csv=p=0 "$1" | tr -d ,
}

count_frames() {
	list_pts "$1" | grep -c .
}

# record_film FILE PUSH_OPTIONS...: a push of 100 frames from the first one on
record_film() {
	file=$1
	stream=film/$(basename "$1")
	shift
	hold "$stream" 320x240
	timeout 60 "$zoe" record "$stream" "$file" --quiet 2>"$dir/record.txt" &
	record=$!
	remember $record
	wait_for 10 has_readers "$stream" 1 || fail "record does not come"
	timeout 60 "$zoe" push "$stream" --frames 100 --fps 100 --size 320x240 --quiet "$@" || fail "push $*"
	wait_for 10 has_taken "$stream" 100 || fail "record has not taken 100 frames"
	kill -INT $record
	expect_end $record 10 0 "record of $(basename "$file"): $(cat "$dir/record.txt")"
	release
}

check_film() {
	record_film "$1" --pattern "$2" --format "$3"
	n_frames=$(count_frames "$1")
	[ "$n_frames" -eq 100 ] || fail "$(basename "$1") has $n_frames frames, not 100"
	list_pts "$1" | awk 'NR > 1 && $1 <= last { bad = 1 } { last = $1 } END { exit bad }' ||
		fail "$(basename "$1"): its times do not rise"
}

check_record() {
	check_film "$dir/counter.nut" counter XR24
	check_film "$dir/counter.mkv" counter XR24
	check_film "$dir/bars.nut" bars NV12
	check_film "$dir/bars.mkv" bars YU12
	record_film "$dir/film.raw" --pattern counter --format XR24
	size=$(wc -c <"$dir/film.raw")
	[ "$size" -eq $((100 * 320 * 240 * 4)) ] || fail "film.raw has $size bytes"
	record_film "$dir/bars.y4m" --pattern bars --format YU12
	# y4m has one rate: frames are repeated or left out to keep time
	n_frames=$(count_frames "$dir/bars.y4m")
	[ "$n_frames" -ge 90 ] && [ "$n_frames" -le 115 ] || fail "bars.y4m has $n_frames frames"
}

check_pipe() {
	timeout 30 "$zoe" push pipe --size 320x240 --quiet &
	push=$!
	remember $push
	wait_for 10 has_frames pipe || fail "push shows no picture"
	timeout 30 "$zoe" record pipe - --frames 30 --quiet |
		timeout 30 ffmpeg -v error -i - -f null - >"$dir/ffmpeg.txt" 2>&1 ||
		fail "ffmpeg cannot read record's pipe"
	[ ! -s "$dir/ffmpeg.txt" ] || fail "ffmpeg on record's pipe: $(head -n 3 "$dir/ffmpeg.txt")"
	timeout 30 "$zoe" record pipe - --quiet 2>/dev/null | head -c 100000 >/dev/null 2>&1 # its reader goes away
	kill -INT $push
	expect_end $push 5 0 "push after the pipe"
}

check_full_disk() {
	[ "$(id -u)" -eq 0 ] || return
	mkdir "$dir/full"
	mount -t tmpfs -o size=3m none "$dir/full" 2>/dev/null || return
	mounted=$dir/full
	timeout 60 "$zoe" push full --pattern counter --size 320x240 --fps 60 --quiet &
	push=$!
	remember $push
	wait_for 10 has_frames full || fail "push shows no counter"
	for suffix in nut mkv; do
		timeout 30 "$zoe" record full "$dir/full/film.$suffix" --quiet --timeout 5s \
			2>"$dir/full.txt"
		code=$?
		[ $code -eq 1 ] || fail "record of $suffix on a full disk ends with $code"
		grep -q 'disk is full' "$dir/full.txt" || fail "full disk: $(cat "$dir/full.txt")"
		n_frames=$(count_frames "$dir/full/film.$suffix")
		[ "$n_frames" -ge 5 ] || fail "only $n_frames frames of $suffix fit on a disk of 3 MiB"
		timeout 30 ffmpeg -v error -i "$dir/full/film.$suffix" -f null - >"$dir/ffmpeg.txt" 2>&1 ||
			fail "ffmpeg cannot read film.$suffix of a full disk"
		[ ! -s "$dir/ffmpeg.txt" ] ||
			echo "ffmpeg on film.$suffix of a full disk: $(head -n 1 "$dir/ffmpeg.txt")"
		rm -f "$dir/full/film.$suffix"
	done
	kill -INT $push
	expect_end $push 5 0 "push after the full disk"
}

start_broker "$dir/config.yaml"
check_names
check_snap
check_interrupt
check_verify
if command -v ffprobe >/dev/null; then
	check_record
	check_pipe
	check_full_disk
	skipped=0
else
	echo "no ffprobe here: films are not checked"
	skipped=77
fi
! is_gone "$broker_pid" || fail "the broker has died: $(cat "$dir/broker.log")"
verdict || exit 1
exit $skipped
