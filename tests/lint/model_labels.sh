#!/bin/sh
# Code and models go together: each {label} of a step stands in both; a function of the ring names
# as many steps as it has atomic accesses ({-N}: N that are no step of a protocol); and each rule
# that a model can switch off has a mutant.
cd "$(dirname "$0")/../.." || exit 2
status=0
models=$(git ls-files 'tests/model/*.pml')
code=$(git ls-files 'sdk/core/ring_*.c' sdk/take.c 'daemon/*.c')

labels() { grep -ohE '\{[a-z]+\.[a-z_]+\}' "$@" | sort -u; }
in_models=$(mktemp) in_code=$(mktemp)
trap 'rm -f "$in_models" "$in_code"' EXIT
labels $models >"$in_models"
labels $code >"$in_code"
[ -s "$in_models" ] || { echo "no labels in the models"; status=1; }
comm -23 "$in_models" "$in_code" | sed 's/$/ is in a model, and nowhere in the code/' | grep . && status=1
comm -13 "$in_models" "$in_code" | sed 's/$/ is in the code, and in no model/' | grep . && status=1

for file in sdk/core/ring_write.c sdk/core/ring_read.c sdk/core/ring_check.c; do
	awk -v file="$file" '
		/^[a-z].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
		{
			rest = $0
			while (match(rest, /atomic_(load|store|fetch|compare)[a-z_]*\(/)) {
				accesses++
				rest = substr(rest, RSTART + RLENGTH)
			}
			rest = $0
			while (match(rest, /\{([a-z]+\.[a-z_]+|-[0-9])\}/)) {
				label = substr(rest, RSTART + 1, RLENGTH - 2)
				steps += label ~ /^-/ ? substr(label, 2) : 1
				rest = substr(rest, RSTART + RLENGTH)
			}
		}
		/^}/ {
			if (accesses > steps) {
				printf "%s: %s() has %d atomic accesses and names %d steps\n", file, name,
					accesses, steps
				bad = 1
			}
			accesses = steps = 0
		}
		END { exit bad }' "$file" || status=1
done

for rule in $(grep -ohE '\bM_[A-Z0-9]+\b' $models | sort -u); do
	grep -q -- "-D$rule " tests/model/mutants || { echo "$rule has no mutant"; status=1; }
done
for model in $models; do
	name=$(basename "$model" .pml)
	for rule in $(sed -n 's/.*RULE [!=]= \([0-9]*\).*/\1/p' "$model" | sort -u); do
		grep -qE "[|] $name +[|].*-DRULE=$rule( |\$)" tests/model/mutants ||
			{ echo "$name: rule $rule has no mutant"; status=1; }
	done
done
exit $status
