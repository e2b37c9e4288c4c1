#!/bin/sh
# Atomics are explicit, and each access names its edge by a [TAG] nearby (up to 12 lines before, 4
# after it).
status=0
files=$(git ls-files 'sdk/*.c' 'sdk/*.h' 'daemon/*.c' 'daemon/*.h' 'tests/*.c' 'tests/*.h')

bad=$(grep -nE '\b(__sync_|__atomic_)|\batomic_(load|store|fetch_add|fetch_sub|fetch_or|fetch_and|exchange|compare_exchange_(strong|weak))\(' $files)
[ -z "$bad" ] || { echo "$bad"; echo "use the _explicit form"; status=1; }

for file in $(git ls-files 'sdk/*.c' 'daemon/*.c'); do
	awk -v file="$file" '
		{ line[NR] = $0 }
		END {
			for (n = 1; n <= NR; n++) {
				if (line[n] !~ /atomic_(load|store|fetch|exchange|compare|thread_fence)[a-z_]*\(/) continue
				found = 0
				for (k = n - 12; k <= n + 4; k++) if (k > 0 && line[k] ~ /\[[A-Z]+\]/) found = 1
				if (!found) { printf "%s:%d: an atomic access without its [TAG]\n", file, n; bad = 1 }
			}
			exit bad
		}' "$file" || status=1
done
exit $status
