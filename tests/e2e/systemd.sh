#!/bin/sh
# The units as systemd reads them: sh tests/e2e/systemd.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
command -v systemd-analyze >/dev/null || { echo "no systemd-analyze here"; exit 77; }
worst=1.0 # of 10, where less is safer
export XDG_RUNTIME_DIR="$dir"
units=$build/config/systemd
[ -f "$units/zoetroped.service" ] || { echo "built without units"; exit 77; }

# How much the unit leaves to its service; a unit that leaves more must not pass.
exposure() {
	systemd-analyze security --offline=true --no-pager "$1" 2>"$dir/error" |
		sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p'
}

is_safe() {
	level=$(exposure "$1")
	[ -n "$level" ] && awk -v is="$level" -v most="$worst" 'BEGIN { exit !(is <= most) }'
}

check_security() {
	mkdir "$dir/open"
	grep -vE '^(Protect|Private|Restrict|SystemCall)' "$units/zoetroped.service" \
		>"$dir/open/zoetroped.service"
	if [ -z "$(exposure "$dir/open/zoetroped.service")" ]; then
		echo "no systemd-analyze security --offline here: $(cat "$dir/error")"
		return
	fi
	! is_safe "$dir/open/zoetroped.service" || fail "any unit would be safe enough"
	is_safe "$units/zoetroped.service" || fail "exposure $level, more than $worst"
	echo "exposure $level of 10"
	sed "s,^ExecStart=[^ ]*,ExecStart=$zoe," "$units/zoetrope-keep@.service" \
		>"$dir/zoetrope-keep@desk.service"
	is_safe "$dir/zoetrope-keep@desk.service" || fail "zoe keep: exposure $level, more than $worst"
	systemd-analyze verify --man=no --recursive-errors=no "$dir/zoetrope-keep@desk.service" \
		>"$dir/words" 2>&1 || fail "the unit of zoe keep is refused: $(cat "$dir/words")"
	! grep "zoetrope-keep" "$dir/words" || fail "systemd complains about the unit of zoe keep"
}

# Names and values that systemd does not know are warnings, and the keys are without effect.
check_words() {
	for kind in system user; do
		mkdir "$dir/$kind"
		[ $kind = user ] && from=user- || from=
		sed "s,^ExecStart=[^ ]*,ExecStart=$zoetroped," "$units/${from}zoetroped.service" \
			>"$dir/$kind/zoetroped.service"
		cp "config/systemd/${from}zoetroped.socket" "$dir/$kind/zoetroped.socket"
		systemd-analyze verify --"$kind" --man=no --recursive-errors=no "$dir/$kind/zoetroped.service" \
			"$dir/$kind/zoetroped.socket" >"$dir/words" 2>&1 ||
			{ cat "$dir/words"; fail "the $kind units are refused"; }
		! grep "$dir/$kind" "$dir/words" || fail "systemd complains about the $kind units"
	done
	echo "NoSuchKey=yes" >>"$dir/system/zoetroped.socket"
	systemd-analyze verify --man=no --recursive-errors=no "$dir/system/zoetroped.socket" 2>&1 |
		grep -q NoSuchKey || fail "systemd would not complain"
}

# The user and the directory, in a root of their own.
check_places() {
	[ "$(id -u)" -eq 0 ] || { echo "skipped: user and directory, not root"; return; }
	mkdir -p "$dir/root/etc"
	systemd-sysusers --root="$dir/root" "$PWD/config/systemd/sysusers.conf" ||
		fail "systemd-sysusers"
	grep -q '^zoetrope:' "$dir/root/etc/passwd" || fail "no user zoetrope is made"
	uid=$(sed -n 's/^zoetrope:[^:]*:\([0-9]*\):.*/\1/p' "$dir/root/etc/passwd")
	systemd-tmpfiles --root="$dir/root" --create "$PWD/config/systemd/tmpfiles.conf" ||
		fail "systemd-tmpfiles"
	[ "$(stat -c '%u %a' "$dir/root/run/zoetrope")" = "$uid 755" ] ||
		fail "/run/zoetrope is $(stat -c '%u %a' "$dir/root/run/zoetrope")"
}

check_security
check_words
check_places
verdict
