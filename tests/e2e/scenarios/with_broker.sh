#!/bin/sh
# Runs a program against a private broker: with_broker.sh BROKER PROGRAM [ARGUMENTS...]
# Exit status: the program's.
set -u
broker=$1
shift
dir=$(mktemp -d) || exit 1
pid=
finish() {
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	fi
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

cat >"$dir/config.yaml" <<EOT
version: 1
broker: {memory_limit: 16GiB}
streams:
  desk: {max_frame: 64x64 XR24, slots: 4, consumers: 1}
  huge: {max_bytes: 64MiB, slots: 40, consumers: 2}
  "blob/*": {max_bytes: 64KiB}
  "picture/*": {max_frame: 640x480 XR24}
  "pair/*": {max_frame: 640x480 XR24, producers: 2}
  reliable/pair: {max_frame: 64x64 XR24, slots: 2, when_full: block, patience: 10s}
  reliable/work: {max_frame: 64x64 XR24, producers: 3, when_full: block, patience: 10s}
  reliable/lag: {max_bytes: 1MiB, slots: 20, when_full: block, patience: 10s}
  reliable/sleepers: {max_frame: 64x64 XR24, slots: 2, open: 2}
  "turns/*": {max_bytes: 64KiB}
  "open/*": {max_frame: 640x480 XR24, open: 4}
EOT
"$broker" --socket "$dir/socket" --config "$dir/config.yaml" 2>"$dir/log" &
pid=$!
tries=0
until [ -S "$dir/socket" ]; do
	tries=$((tries + 1))
	if [ $tries -gt 200 ] || ! kill -0 "$pid" 2>/dev/null; then
		echo "the broker does not come up:" >&2
		cat "$dir/log" >&2
		exit 1
	fi
	sleep 0.05
done
ZOETROPE_SOCKET=$dir/socket timeout 60 "$@"
code=$?
if [ $code -ne 0 ] && [ $code -ne 77 ]; then
	sed 's/^/broker: /' "$dir/log" >&2
fi
if ! kill -0 "$pid" 2>/dev/null; then
	echo "the broker has died:" >&2
	cat "$dir/log" >&2
	code=1
fi
exit $code
