# bash completion of zoe(1): `zoe complete` says what a word may become. -*- sh -*-
_zoe() {
	local line=${COMP_LINE:0:COMP_POINT} word current split
	local -a words
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	((${#words[@]} > 1)) || return
	current=${words[-1]}
	# Readline replaces only what stands behind the last of these; names of streams have them.
	split=${current%"${current##*[:@=]}"}
	COMPREPLY=()
	while IFS=$'\t' read -r word _; do
		if [[ $word == :file ]]; then
			compopt -o default
			return
		fi
		COMPREPLY+=("${word#"$split"}")
	done < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
		compopt -o nospace
	fi
}
complete -F _zoe zoe
