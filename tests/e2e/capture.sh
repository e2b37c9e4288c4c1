#!/bin/sh
# What zoe capture x11 takes is what xwd sees, in every pixel: sh tests/e2e/capture.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
for program in Xvfb xwd ffmpeg python3 xwininfo xlogo; do
	command -v $program >/dev/null || { echo "no $program here"; exit 77; }
done
# shellcheck source=tests/e2e/private_broker
. tests/e2e/private_broker

cat >"$dir/config.yaml" <<EOT
version: 1
streams:
  "*": {max_frame: 1366x768 XR24}
EOT

# An xwd file (ZPixmap, 32 bits, little endian) to RGB: prints WxH.
cat >"$dir/xwd_to_rgb.py" <<'EOT'
import struct, sys
data = open(sys.argv[1], "rb").read()
head = struct.unpack(">25I", data[:100])
width, height, bits, stride = head[4], head[5], head[11], head[12]
assert head[2] == 2 and bits == 32 and head[7] == 0, head
start = head[0] + head[19] * 12
rgb = bytearray(width * height * 3)
for y in range(height):
    row = data[start + y * stride : start + y * stride + width * 4]
    out = y * width * 3
    rgb[out : out + width * 3 : 3] = row[2::4]
    rgb[out + 1 : out + width * 3 : 3] = row[1::4]
    rgb[out + 2 : out + width * 3 : 3] = row[0::4]
open(sys.argv[2], "wb").write(rgb)
EOT

# A window that is drawn once and resized when told: an X client with python's ctypes alone.
cat >"$dir/window.py" <<'EOT'
import ctypes, ctypes.util, sys
x = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
for name in ("XOpenDisplay", "XCreateGC"):
    getattr(x, name).restype = ctypes.c_void_p
x.XDefaultRootWindow.restype = x.XCreateSimpleWindow.restype = ctypes.c_ulong
display = ctypes.c_void_p(x.XOpenDisplay(None))
root = ctypes.c_ulong(x.XDefaultRootWindow(display))
window = ctypes.c_ulong(x.XCreateSimpleWindow(display, root, 30, 20, 300, 201, 0,
    ctypes.c_ulong(0), ctypes.c_ulong(0x204060)))
x.XStoreName(display, window, b"zoetrope test window")
x.XMapWindow(display, window)
gc = ctypes.c_void_p(x.XCreateGC(display, window, ctypes.c_ulong(0), None))
for line in sys.stdin:
    width, height = map(int, line.split())
    x.XResizeWindow(display, window, width, height)
    x.XClearWindow(display, window)
    x.XSync(display, 0)
    for i in range(0, width, 3):
        x.XSetForeground(display, gc, ctypes.c_ulong(i * 2654435 & 0xFFFFFF))
        x.XDrawLine(display, window, gc, i, 0, width - 1 - i, height - 1)
    x.XSync(display, 0)
    print("drawn", flush=True)
EOT

# same_picture STREAM XWD_ARGUMENTS...: the newest frame is what xwd sees
same_picture() {
	stream=$1
	shift
	rm -f "$dir/a.rgb" "$dir/b.rgb"
	xwd -silent "$@" >"$dir/b.xwd" && python3 "$dir/xwd_to_rgb.py" "$dir/b.xwd" "$dir/b.rgb" &&
		timeout 5 "$zoe" snap "$stream" "$dir/a.png" &&
		ffmpeg -v error -y -i "$dir/a.png" -f rawvideo -pix_fmt rgb24 "$dir/a.rgb" &&
		cmp "$dir/a.rgb" "$dir/b.rgb"
}

# start_capture STREAM OPTIONS...
start_capture() {
	"$zoe" capture x11 "$@" --cursor none --quiet 2>"$dir/capture.txt" &
	capture=$!
	remember $capture
	wait_for 10 has_frames "$1" || fail "capture $1 shows no frame: $(cat "$dir/capture.txt")"
}

end_capture() {
	kill -INT "$capture"
	expect_end "$capture" 5 0 "capture after Ctrl-C"
}

check_screen() {
	start_x "$1"
	xlogo -geometry 401x303+37+11 &
	scene=$!
	remember $scene
	wait_for 10 sh -c 'xwininfo -root -tree | grep -q xlogo' || fail "no xlogo on $1"
	start_capture "screen-$1"
	wait_for 10 same_picture "screen-$1" -root ||
		fail "screen of $1: $(cmp "$dir/a.rgb" "$dir/b.rgb" 2>&1)"
	[ "$(tr -d '\000' <"$dir/a.rgb" | head -c 1000 | wc -c)" -eq 1000 ] || fail "the screen is black"
	end_capture
	kill "$scene" "$x_pid"
	wait "$scene" "$x_pid" 2>/dev/null
}

# resize WxH: the window, which then draws itself
resize() {
	: >"$dir/window.txt"
	echo "${1%x*} ${1#*x}" >&8
	wait_for 10 grep -q drawn "$dir/window.txt" || fail "the window does not draw: $1"
	wait_for 10 same_picture window -name 'zoetrope test window' ||
		fail "window of $1: $(cmp "$dir/a.rgb" "$dir/b.rgb" 2>&1) $(cat "$dir/capture.txt")"
	size=$(ffprobe -v error -show_entries stream=width,height -of csv=p=0:s=x "$dir/a.png")
	[ "$size" = "$1" ] || fail "window of $1 comes as $size"
}

check_window() {
	start_x 1366x768
	mkfifo "$dir/window.fifo"
	python3 "$dir/window.py" <"$dir/window.fifo" >>"$dir/window.txt" 2>"$dir/window.err" &
	window=$!
	remember $window
	exec 8>"$dir/window.fifo"
	echo 300 201 >&8
	wait_for 10 grep -q drawn "$dir/window.txt" || fail "no window: $(cat "$dir/window.err")"
	start_capture window --window 'zoetrope test'
	resize 301x200
	resize 641x479
	resize 123x77
	end_capture
}

start_broker "$dir/config.yaml"
check_screen 1366x768
check_screen 641x479
check_window
! is_gone "$broker_pid" || fail "the broker has died: $(cat "$dir/broker.log")"
verdict
