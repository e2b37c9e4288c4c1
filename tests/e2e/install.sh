#!/bin/sh
# What `meson install` leaves, and that it works from there: sh tests/e2e/install.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
for program in meson pkg-config readelf python3; do
	command -v $program >/dev/null || { echo "no $program here"; exit 77; }
done

dest=$dir/dest
# option NAME: a build option's value
option() {
	meson introspect "$build" --buildoptions |
		python3 -c 'import json, sys; print(*[o["value"] for o in json.load(sys.stdin) if o["name"] == sys.argv[1]])' "$1"
}
prefix=$(option prefix) libdir=$(option libdir)
root=$dest$prefix

install_all() {
	DESTDIR=$dest meson install -C "$build" --no-rebuild --quiet >"$dir/install.log" 2>&1 ||
		{ cat "$dir/install.log"; fail "meson install"; }
}

# The list is complete: what is forgotten is missed, what is too much is seen. ? = if it was built.
expected() {
	sed "s,LIB,$libdir," <<EOT
/etc/zoetrope/zoetrope.yaml
bin/zoe
bin/zoetroped
include/zoe/consumer.h
include/zoe/frame.h
include/zoe/producer.h
include/zoe/zoe.h
lib/systemd/system/zoetroped.service
lib/systemd/system/zoetroped.socket
lib/systemd/system/zoetrope-keep@.service
lib/systemd/user/zoetroped.service
lib/systemd/user/zoetroped.socket
lib/sysusers.d/zoetrope.conf
lib/tmpfiles.d/zoetrope.conf
LIB/libzoetrope.so
LIB/libzoetrope.so.0
LIB/libzoetrope.so.0.1.0
LIB/pkgconfig/zoetrope.pc
libexec/zoetrope/zoe-bench
? share/man/man1/zoe.1
? share/man/man3/zoetrope.3
? share/man/man5/zoetrope.5
? share/man/man5/zoetrope-keep.5
? share/man/man7/zoetrope-probes.7
? share/man/man7/zoetrope-protocol.7
? share/man/man7/zoetrope-ring.7
? share/man/man8/zoetroped.8
share/bash-completion/completions/zoe
share/fish/vendor_completions.d/zoe.fish
share/zsh/site-functions/_zoe
share/zoetrope/examples/cameras.yaml
share/zoetrope/examples/consumer.c
share/zoetrope/examples/example.yaml
share/zoetrope/examples/game-capture.yaml
share/zoetrope/examples/hook_gl.c
share/zoetrope/examples/producer.c
share/zoetrope/examples/screen.yaml
share/zoetrope/examples/shared-machine.yaml
share/zoetrope/zoetrope.schema.json
EOT
}

check_list() {
	(cd "$dest" && find . -type f -o -type l) | sed "s,^\.$prefix/,,; s,^\.,," | sort >"$dir/there"
	expected | sed 's/^? //' | sort >"$dir/known"
	expected | grep -v '^?' | sort >"$dir/wanted"
	missing=$(comm -13 "$dir/there" "$dir/wanted")
	unknown=$(comm -23 "$dir/there" "$dir/known")
	[ -z "$missing" ] || fail "not installed: $missing"
	[ -z "$unknown" ] || fail "not on the list: $unknown"
	if [ -e "$build/sdk/man/zoe.1" ]; then
		missing=$(expected | sed -n 's/^? share\/man/share\/man/p' | while read -r page; do
			[ -f "$root/$page" ] || echo "$page"
		done)
		[ -z "$missing" ] || fail "no man page $missing"
	fi
}

check_library() {
	library=$root/$libdir/libzoetrope.so.0
	readelf -d "$library" | grep -q 'SONAME.*\[libzoetrope.so.0\]' || fail "the SONAME is another"
	needed=$(readelf -d "$library" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -v '^ld-linux')
	[ "$needed" = libc.so.6 ] || fail "the library needs $needed"
	for program in zoe zoetroped; do
		! readelf -d "$root/bin/$program" | grep -E 'R(UN)?PATH' ||
			fail "$program looks for libraries in the build tree"
	done
}

# The admin's file stays as it is.
check_config() {
	"$root/bin/zoetroped" --config "$dest/etc/zoetrope/zoetrope.yaml" --check ||
		fail "the installed config is refused"
	! grep '@' "$dest/etc/zoetrope/zoetrope.yaml" || fail "the installed config has a gap"
	echo "# mine" >>"$dest/etc/zoetrope/zoetrope.yaml"
	install_all
	grep -q '^# mine$' "$dest/etc/zoetrope/zoetrope.yaml" || fail "install overwrites the admin's config"
	python3 -m json.tool "$root/share/zoetrope/zoetrope.schema.json" /dev/null || fail "the schema is no JSON"
	! grep -r '@bindir@' "$root/lib/systemd" || fail "a unit has a gap"
	grep -q "^ExecStart=$prefix/bin/zoetroped " "$root/lib/systemd/system/zoetroped.service" ||
		fail "the unit starts something else"
}

# program N: the N-th of the README's programs as a file with a main()
program() {
	printf '#include <stdio.h>\n#include <string.h>\n#include <zoe/%s.h>\nint main(void) {\n' "$2"
	awk -v n="$1" '/^```/ { if (!in_c && $0 == "```c") { in_c = 1; k++; next } in_c = 0 }
		in_c && k == n' README.md
	printf 'return 0; }\n'
}

check_readme() {
	export PKG_CONFIG_PATH="$root/$libdir/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$dest"
	[ "$(pkg-config --modversion zoetrope)" = "$(option_version)" ] || fail "pkg-config has another version"
	for side in producer:1 consumer:2; do
		name=${side%:*}
		program "${side#*:}" "$name" >"$dir/$name.c"
		# shellcheck disable=SC2046
		"${CC:-cc}" -Wall -Werror -o "$dir/$name" "$dir/$name.c" \
			$(pkg-config --cflags --libs zoetrope) || fail "the README's $name does not build"
	done
}

option_version() {
	meson introspect "$build" --projectinfo | python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])'
}

# The installed broker and tool, and the README's programs with the installed library.
check_run() {
	export LD_LIBRARY_PATH="$root/$libdir"
	zoe=$root/bin/zoe zoetroped=$root/bin/zoetroped
	printf 'version: 1\nstreams:\n  desk: {max_frame: 640x360 XR24}\n  demo: {max_frame: 64x64 XR24}\n' \
		>"$dir/config.yaml"
	start_broker "$dir/config.yaml"
	timeout 30 stdbuf -oL "$dir/consumer" >"$dir/consumer.txt" &
	consumer=$!
	remember $consumer
	timeout 30 "$dir/producer" &
	remember $!
	wait_for 10 grep -q '^640x360, blue 128$' "$dir/consumer.txt" ||
		fail "the README's consumer sees nothing of its producer"
	"$zoe" push demo --size 64x64 --frames 3 --quiet || fail "the installed zoe does not push"
	"$zoe" list --json | grep -q '"name": "demo"' || fail "the installed zoe lists nothing"
}

install_all
check_list
check_library
check_config
check_readme
check_run
verdict
