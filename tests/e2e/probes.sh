#!/bin/sh
# The probes for tracers, zoetrope-probes(7): sh tests/e2e/probes.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
grep -q HAVE_SDT "$build/compile_commands.json" || { echo "built without sys/sdt.h"; exit 77; }
command -v readelf >/dev/null || { echo "no readelf here"; exit 77; }
library=$build/sdk/libzoetrope.so.0.1.0

# probes FILE: "name n_args address" a line
probes() {
	readelf -nW "$1" | awk '/Provider:/ { ours = $NF == "zoetrope" } /Name:/ { name = $2 }
		/Location:/ { where = $2; sub(",", "", where) }
		/Arguments:/ && ours { print name, NF - 1, where }'
}

# has FILE NAME N_ARGS
has() {
	probes "$1" | grep -q "^$2 $3 " || fail "${1##*/} has no probe $2 with $3 arguments"
}

check_notes() {
	has "$library" publish 4
	has "$library" take 4
	has "$library" drop 3
	has "$library" attach 3
	has "$zoetroped" repair 3
	has "$zoetroped" move 3
	has "$zoetroped" reload 3
	# The man page and the notes tell the same.
	for file in "$library" "$zoetroped"; do probes "$file"; done | cut -d ' ' -f 1,2 | sort -u >"$dir/notes"
	sed -n '/^# IN /,/^# EX/s/^\*\([a-z]*\)\*(\(.*\))$/\1 \2/p' sdk/man/zoetrope-probes.7.scd |
		awk '{ name = $1; print name, gsub(",", ",") + 1 }' | sort -u >"$dir/man"
	cmp "$dir/notes" "$dir/man" || fail "man page and notes differ: $(diff "$dir/notes" "$dir/man")"
}

# What a program pays that nobody traces.
check_cost() {
	for address in $(probes "$library" | cut -d ' ' -f 3); do
		at=$((address))
		objdump -d --no-show-raw-insn --start-address=$at --stop-address=$((at + 1)) "$library" |
			tail -n 1 | grep -q 'nop' || fail "the probe at $address is more than a nop"
	done
}

# gdb reads the notes as every tracer does.
check_arguments() {
	command -v gdb >/dev/null || { echo "skipped: the arguments, no gdb here"; return; }
	printf 'version: 1\nstreams:\n  desk: {max_frame: 64x64 XR24}\n' >"$dir/config.yaml"
	start_broker "$dir/config.yaml"
	cat >"$dir/gdb" <<-'EOT'
		set breakpoint pending on
		set debuginfod enabled off
		break -probe-stap zoetrope:publish
		commands
		silent
		printf "published %s %lu of %lu bytes\n", (char *)$_probe_arg0, $_probe_arg1, $_probe_arg2
		continue
		end
		run
	EOT
	timeout 60 gdb -nx -batch -x "$dir/gdb" --args "$zoe" push desk --size 64x64 --format XR24 \
		--frames 3 --quiet >"$dir/gdb.txt" 2>&1
	if ! grep -q 'exited normally' "$dir/gdb.txt"; then
		echo "skipped: the arguments, gdb cannot trace here: $(tail -n 1 "$dir/gdb.txt")"
		return
	fi
	for n in 1 2 3; do
		grep -q "^published desk $n of 16384 bytes" "$dir/gdb.txt" ||
			fail "gdb sees no frame $n: $(cat "$dir/gdb.txt")"
	done
}

check_notes
check_cost
check_arguments
verdict
