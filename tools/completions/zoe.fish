# fish completion of zoe(1): `zoe complete` says what a word may become.
function __zoe_complete
	set -l words (commandline -opc)
	set -l current (commandline -ct)
	set -l answer ($words[1] complete -- $words[2..-1] "$current" 2>/dev/null)
	if test "$answer[1]" = :file
		__fish_complete_path "$current"
	else
		printf '%s\n' $answer
	end
end
complete -c zoe -f -a '(__zoe_complete)'
