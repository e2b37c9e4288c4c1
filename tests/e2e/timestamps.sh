#!/bin/sh
# A recording has the frames and the times that were published: sh tests/e2e/timestamps.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v ffprobe >/dev/null || { echo "ffprobe is not installed"; exit 77; }
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker

cat >"$dir/config.yaml" <<EOT
version: 1
streams:
  "*": {max_frame: 160x90 XR24, slots: 64, max_streams: 8}
EOT
start_broker "$dir/config.yaml"

# compare FILE RESOLUTION_NS: every frame's time since the first equals what was published, rounded
compare() {
	ffprobe -v error -select_streams v -show_entries packet=pts_time -of csv=p=0 "$1" |
		tr -d , >"$dir/film.txt"
	python3 - "$dir/published.txt" "$dir/film.txt" "$2" <<'EOT'
import sys
from fractions import Fraction
published = [int(line) for line in open(sys.argv[1])]
film = [Fraction(line.strip()) * 10**9 for line in open(sys.argv[2]) if line.strip()]
film = [time - film[0] for time in film]
resolution = int(sys.argv[3])
assert len(published) == len(film), f"{len(published)} published, {len(film)} in the film"
for number, (is_, was) in enumerate(zip(film, published)):
    assert abs(is_ - was) <= resolution, f"frame {number}: {float(is_)} ns, published {was}"
EOT
}

# film SUFFIX RESOLUTION_NS
film() {
	"$zoe" record "$1" "$dir/film.$1" --quiet &
	recorder=$!
	remember $recorder
	"$build/tests/e2e/irregular" "$1" >"$dir/published.txt" || fail "$1: could not publish"
	wait $recorder || fail "$1: zoe record failed"
	compare "$dir/film.$1" "$2" || fail "$1: times differ from what was published"
}

# ffprobe prints microseconds; Matroska keeps milliseconds.
film nut 1000
film mkv 1000000
verdict
