#!/bin/sh
# Who may include whom: core knows no daemon, no YAML, no policy; the library knows no config; the
# daemon uses no client code; tools see public headers only.
status=0

# may FILES-GLOB NAME...: the project headers that these files may include, as "dir" or "file" names
headers_of() { for dir; do ls "$dir" 2>/dev/null | grep '\.h$'; done; }

check() {
	dir=$1
	allowed=$2
	for file in "$dir"/*.c "$dir"/*.h; do
		[ -f "$file" ] || continue
		for header in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
			echo "$allowed" | grep -qx "$header" || {
				echo "$file: may not include \"$header\""
				status=1
			}
		done
	done
}

# angled DIR PATTERN: <...> headers that must not stand there
angled() {
	found=$(grep -nE "^#include <($2)" "$1"/*.c "$1"/*.h 2>/dev/null)
	[ -z "$found" ] || { echo "$found"; echo "$1: must not include these"; status=1; }
}

core=$(headers_of sdk/core)
check sdk/core "$core"
check sdk "$core
$(headers_of sdk)"
check config "log.h
attr.h
$(headers_of config)"
check daemon "$core
$(headers_of config)
$(headers_of daemon)"
check tools "attr.h
config.h
$(headers_of tools)"

angled sdk/core 'zoe/(zoe|producer|consumer)\.h|ev\.h|yaml\.h'
angled sdk 'ev\.h|yaml\.h'
angled config 'zoe/(zoe|producer|consumer)\.h|ev\.h'
angled daemon 'zoe/(zoe|producer|consumer)\.h|yaml\.h'
angled tools 'ev\.h|yaml\.h'
others=$(grep -ln '^#include <yaml.h>' config/*.c config/*.h | grep -v '^config/yaml_')
[ -z "$others" ] || { echo "libyaml outside of config/yaml_*: $others"; status=1; }
config_users=$(grep -ln '^#include "config.h"' tools/*.c tools/*.h | grep -v '^tools/check.c')
[ -z "$config_users" ] || { echo "only zoe check may use the config: $config_users"; status=1; }
hot=$(grep -nE '^#include <(sys|linux|unistd|errno|pthread|time)' sdk/core/ring_write.[ch] sdk/core/ring_read.[ch] sdk/core/ring_layout.h)
[ -z "$hot" ] || { echo "$hot"; echo "the hot half includes no OS header"; status=1; }
exit $status
