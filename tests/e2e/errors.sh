#!/bin/sh
# Runs the wrong commands of errors.tsv: sh tests/e2e/errors.sh BUILD_DIR
# Each must end with its exit status and exactly its sentence. The columns: name, command, exit
# status, and the first line on standard error as a shell pattern with @DIR@ for the directory.
set -u
cd "$(dirname "$0")/../.." || exit 1
table=$PWD/tests/e2e/errors.tsv
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
n_passed=0 n_skipped=0

make_programs() {
	mkdir "$dir/bin"
	ln -s "$zoe" "$zoetroped" "$dir/bin/"
	cat >"$dir/bin/as_nobody" <<-'EOT'
		#!/bin/sh
		[ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null || exit 77
		run() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
		run test -x "$(readlink -f "$(command -v "$1")")" || exit 77
		run "$@"
	EOT
	cat >"$dir/bin/without_rights" <<-'EOT'
		#!/bin/sh
		[ "$(id -u)" -ne 0 ] || exec as_nobody "$@"
		exec "$@"
	EOT
	chmod 755 "$dir/bin/"*_*
	PATH=$dir/bin:$PATH
	export PATH DIR="$dir"
}

make_inputs() {
	printf 'YUV4MPEG2 W16 H16 F25:1 C420jpeg\nFRAME\n%0384dFRAME\n%0100d' 0 0 >"$dir/short.y4m"
	printf 'YUV4MPEG2 W16 H16 F25:1 C420jpeg\nFRAME\n%0384dFROME\n%0384d' 0 0 >"$dir/odd.y4m"
	printf 'RIFF....AVI \n' >"$dir/film.avi"
	printf 'version: 1\nstreams:\n  desk:\n    max_frame: 64x64 XR24\n    slot: 3\n' \
		>"$dir/key.yaml"
	printf 'version: 1\nstreams:\n  desk: {max_frame: 64x64 XR24, slots: 1}\n' >"$dir/range.yaml"
	printf 'version: 1\nstreams:\n  game/*: {max_frame: 64x64 XR24}\n  *: {max_bytes: 1KiB}\n' \
		>"$dir/star.yaml"
	printf 'version: 1\nstreams: {desk: {slots: 3}}\n' >"$dir/size.yaml"
	printf 'version: 1\nstreams:\n  desk: {max_frame: 64x64 XR24\n' >"$dir/open.yaml"
	cat >"$dir/config.yaml" <<-EOT
		version: 1
		streams:
		  desk: {max_frame: 1920x1080 XR24, access: {list: [any]}}
		  one: {max_frame: 64x64 XR24, consumers: 1}
		  bytes: {max_bytes: 4KiB}
		  hidden: {max_frame: 64x64 XR24}
	EOT
	chmod 711 "$dir"
	chmod 644 "$dir"/*.yaml
}

# A disk of 2 MiB at $FULL, where there may be one.
make_small_disk() {
	mkdir "$dir/full"
	if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=2m none "$dir/full" 2>/dev/null; then
		mounted=$dir/full
		export FULL="$dir/full"
	else
		export FULL=
	fi
}

# Somebody holds both seats of 'one', and feeds 'desk'.
make_crowd() {
	zoe push one --size 64x64 --quiet 2>"$dir/crowd.log" &
	remember $!
	zoe push desk --size 640x480 --quiet 2>>"$dir/crowd.log" &
	remember $!
	wait_for 10 has_frames desk || { cat "$dir/crowd.log"; fail "nobody feeds 'desk'"; }
	zoe record one - --quiet >/dev/null 2>>"$dir/crowd.log" &
	remember $!
	wait_for 10 sh -c 'zoe status one | grep -q record' ||
		{ cat "$dir/crowd.log"; fail "nobody reads 'one'"; }
}

# run_row NAME COMMAND CODE PATTERN
run_row() {
	timeout -k 5 20 sh -c "$2" </dev/null >"$dir/out" 2>"$dir/err"
	got=$?
	if [ $got -eq 77 ]; then
		n_skipped=$((n_skipped + 1))
		echo "skipped $1"
		return
	fi
	line=$(grep -v 'waiting for stream' "$dir/err" | head -n 1 | sed "s|$dir|@DIR@|g")
	n_lines=$(grep -vc 'waiting for stream' "$dir/err")
	# shellcheck disable=SC2254
	case $line in
	$4) ;;
	*)
		fail "$1: says '$line', not '$4'"
		return
		;;
	esac
	if [ $got -ne "$3" ]; then
		fail "$1: ends with $got, not $3"
	elif [ "$3" -eq 1 ] && [ "$n_lines" -ne 1 ] && [ "${1#config}" = "$1" ]; then
		fail "$1: says $n_lines lines, not one: $(cat "$dir/err")"
	else
		n_passed=$((n_passed + 1))
	fi
}

make_programs
make_inputs
make_small_disk
start_broker "$dir/config.yaml"
make_crowd
n_rows=0
while IFS='	' read -r name command code pattern; do
	case $name in
	'' | '#'*) continue ;;
	esac
	n_rows=$((n_rows + 1))
	run_row "$name" "$command" "$code" "$pattern"
done <"$table"
echo "$n_rows rows: $n_passed as they should be, $n_skipped skipped"
[ "$n_rows" -gt 20 ] || fail "the table is cut short"
! is_gone "$broker_pid" || fail "the broker has died: $(cat "$dir/broker.log")"
verdict
