#!/bin/sh
# Every C file is as clang-format would have it.
command -v clang-format >/dev/null || { echo "clang-format is not installed"; exit 77; }
git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
