#!/bin/sh
# man.sh MAN_TABLES PAGE: the tables of the man page are those of the schema.
"$1" <"$2" | diff "$2" - || { echo "run: sh config/regenerate BUILD_DIR"; exit 1; }
grep -q '^|  settle$' "$2" || { echo "$2 has no tables"; exit 1; }
