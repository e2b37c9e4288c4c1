#!/bin/sh
# What the shells offer for a half-typed line: sh tests/e2e/completion.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker
PATH=${zoe%/*}:$PATH
export PATH COMPLETIONS="$PWD/tools/completions" LC_ALL=C.UTF-8 HOME="$dir"

printf 'version: 1\nstreams:\n' >"$dir/config.yaml"
for name in desk desk/left cam:1 cam:2 cam@roof; do
	printf '  "%s": {max_frame: 64x64 XR24}\n' "$name" >>"$dir/config.yaml"
done

# Each prints what its shell would offer at the end of LINE, a word a line; FILES for files.
in_bash() {
	LINE=$1 bash --norc --noprofile -c '
		compopt() { [[ "$*" != "-o default" ]] || echo FILES; }
		. "$COMPLETIONS/zoe.bash"
		complete -p zoe >/dev/null || exit 1
		COMP_LINE=$LINE COMP_POINT=${#LINE}
		_zoe
		printf "%s\n" "${COMPREPLY[@]}"' | sed '/^$/d' | sort
}

in_zsh() {
	LINE=$1 zsh -f -c '
		compadd() { shift; print -rl -- "${(P@)1}" }
		_describe() { print -rl -- "${(@P)3}" | sed "s/\([^\\]\):.*/\1/; s/\\\\:/:/g" }
		_files() { print FILES }
		run() { . "$COMPLETIONS/_zoe" }
		words=("${(@s: :)LINE}") CURRENT=$#words
		run' | sed '/^$/d' | sort
}

in_fish() {
	LINE=$1 fish --no-config -c '
		source $COMPLETIONS/zoe.fish
		complete -C "$LINE"' | cut -f 1 | sort
}

# offers LINE WORD...: exactly these
offers() {
	line=$1
	shift
	wanted=$(printf '%s\n' "$@" | sed '/^$/d' | sort)
	for shell in $shells; do
		got=$("in_$shell" "$line" 2>&1)
		[ "$got" = "$wanted" ] || fail "$shell, '$line': offers '$got', not '$wanted'"
	done
}

shells=
for shell in bash zsh fish; do
	if command -v $shell >/dev/null; then
		shells="$shells $shell"
	else
		echo "skipped: no $shell here"
	fi
done
[ -n "$shells" ] || exit 77

# Without a broker nothing hangs, and nothing is said.
offers "zoe push d" ""
start_broker "$dir/config.yaml"

offers "zoe pu" push
offers "zoe help sn" snap
offers "zoe push de" desk desk/left
offers "zoe record --format y4m desk/" desk/left
offers "zoe record desk desk.y4m --fo" --format
offers "zoe record desk --codec " ffv1 h264 raw
offers "zoe push desk --pattern b" bars
offers "zoe capture " x11
offers "zoe capture x11 des" desk desk/left
offers "zoe bench pi" pingpong
offers "zoe nosuchcommand " ""
offers "zoe push nosuchstream" ""

# Another broker's, by the line's own --socket.
saved=$ZOETROPE_SOCKET
ZOETROPE_SOCKET=$dir/none
offers "zoe status --socket $saved de" desk desk/left
offers "zoe status de" ""
ZOETROPE_SOCKET=$saved

# Files are the shell's to offer: how differs.
touch "$dir/only-this-file"
[ "$(in_bash "zoe snap desk $dir/only")" = FILES ] || fail "bash offers no files"
! command -v zsh >/dev/null || [ "$(in_zsh "zoe snap desk $dir/only")" = FILES ] || fail "zsh offers no files"
! command -v fish >/dev/null || [ "$(in_fish "zoe snap desk $dir/only")" = "$dir/only-this-file" ] ||
	fail "fish offers no files: $(in_fish "zoe snap desk $dir/only")"

# bash takes : and @ for the ends of words, and replaces what follows them.
shells=bash offers "zoe snap cam:" 1 2
shells=bash offers "zoe snap cam@" roof
shells=bash offers "zoe push desk --pattern=b" bars
for other in zsh fish; do
	! command -v $other >/dev/null || shells=$other offers "zoe snap cam:" cam:1 cam:2
done

# Every option that help lists is offered.
for command in $("$zoe" complete -- "" | cut -f 1); do
	"$zoe" "$command" --help | sed -n 's/^  \(-., \)\{0,1\}\(--[a-z-]*\).*/\2/p' | sort -u >"$dir/help"
	[ -s "$dir/help" ] || fail "the help of $command has no options"
	"$zoe" complete -- "$command" -- | cut -f 1 | sort -u >"$dir/offered"
	cmp -s "$dir/help" "$dir/offered" || fail "$command: $(diff "$dir/help" "$dir/offered")"
done
verdict
