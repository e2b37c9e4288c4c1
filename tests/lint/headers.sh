#!/bin/sh
# Public headers compile alone, as C17 and as C++11, and hold no _Atomic.
status=0
for header in frame zoe producer consumer; do
	path=sdk/include/zoe/$header.h
	gcc -std=c17 -Wall -Wextra -Wpedantic -Werror -Isdk/include -fsyntax-only -x c "$path" || status=1
	if command -v g++ >/dev/null; then
		g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -Isdk/include -fsyntax-only -x c++ "$path" || status=1
	fi
	if grep -n '_Atomic' "$path"; then
		echo "$path: no _Atomic in public headers"
		status=1
	fi
done
for header in $(git ls-files 'sdk/core/*.h' 'config/*.h'); do
	gcc -std=c17 -D_GNU_SOURCE -Isdk/include -Isdk/core -Iconfig -fsyntax-only -x c "$header" || status=1
done
exit $status
