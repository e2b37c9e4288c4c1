/* SPDX-License-Identifier: MIT */
#include "tool.h"

const struct command commands[] = {
	{"list", list_run, "streams, and who feeds them", "[-w] [--json]",
		"  -w, --watch      go on and show changes\n"
		"\n"
		"FPS is measured over the frames that are readable now; AGE is that of the "
		"newest.\n"
		"  zoe list\n"
		"  zoe list --json | python3 -m json.tool\n"},
	{"status", status_run, "the broker, its streams, and everybody attached",
		"[STREAM] [-w] [--json]",
		"  -w, --watch      again every second\n"
		"\n"
		"LAG is how many frames a reader is behind, LOST what it missed, HELD what it "
		"holds.\n"
		"  zoe status desk\n"},
	{"top", top_run, "what flows, and who keeps up: a screen", "[--once] [--json]",
		"  --once           tables of one second, then end\n"
		"\n"
		"On a terminal a screen: q quits, arrows select a stream, s sorts, p pauses,\n"
		"+ and - change the interval, h explains. Else tables, or with --json a line,\n"
		"every second. CAP>PUB is how old the newest frame was when it was published,\n"
		"PUB>READ how long it then took to its slowest reader.\n"
		"  zoe top --once\n"},
	{"push", push_run, "feed a stream: a test picture, or frames from stdin",
		"STREAM [-] [--pattern bars|counter] [--size WxH] [--format F] [--fps N] [--frames "
		"N]",
		"  -                    frames from stdin: Y4M, or raw pixels of --size and "
		"--format\n"
		"  --pattern P          bars: colour bars with a moving line (default)\n"
		"                       counter: every byte follows from the frame's number, for "
		"verify\n"
		"  --size WxH           1280x720\n"
		"  --format F           XR24; 'help' lists the spellings\n"
		"  --fps N              30; 0 = as fast as it goes\n"
		"  --frames N           end after N frames (for ever)\n"
		"  --caption TEXT       a caption on every frame\n"
		"  --unique             if the name is taken, be STREAM-2, STREAM-3 ...\n"
		"  --turns              if it is taken, wait until it is free\n"
		"\n"
		"  zoe push demo\n"
		"  ffmpeg -i clip.mp4 -f yuv4mpegpipe - | zoe push film -\n"
		"  zoe push test --pattern counter --frames 10000 --fps 240\n"},
	{"capture", capture_run, "film an X screen or window into a stream",
		"x11 STREAM [--display D] [--window ID|NAME] [--fps N] [--cursor composite|none]",
		"  --display D          the X display, as :0 ($DISPLAY)\n"
		"  --window W           one window, by its id or a part of its title (the whole "
		"screen)\n"
		"  --fps N              at most N frames a second (60)\n"
		"  --cursor C           composite: draw the pointer into the picture (default); "
		"none\n"
		"  --frames N           end after N frames (for ever)\n"
		"\n"
		"The X server writes straight into the stream's memory. Nothing is grabbed while "
		"nobody\n"
		"looks or nothing changes.\n"
		"  zoe capture x11 desk\n"
		"  zoe capture x11 clock --window xclock --fps 10\n"},
	{"snap", snap_run, "the newest frame as a picture",
		"STREAM FILE|- [--new] [--count N] [--format png|jpg|bmp|tga]",
		"  --new            wait for a frame that comes after this command\n"
		"  --count N        N frames: shot-0001.png, shot-0002.png ...\n"
		"  --format F       png, jpg, bmp, tga (else by the file's suffix; - is PNG)\n"
		"\n"
		"  zoe snap desk desk.png\n"
		"  zoe snap desk - | feh -\n"},
	{"record", record_run, "write a stream to a file, or to a pipe",
		"STREAM FILE|- [--format nut|mkv|y4m|raw] [--codec ffv1|h264|raw] [--frames "
		"N|--duration T]",
		"  --format F       nut, mkv, y4m, raw (else by the file's suffix; - is NUT)\n"
		"  --codec C        ffv1 (lossless; mkv's default), h264, or raw (nut's default)\n"
		"  --frames N       end after N frames\n"
		"  --duration T     end after T: 10s, 500ms, 2min\n"
		"  --fps N          y4m only: its constant rate; frames are repeated or left out "
		"to keep\n"
		"                   time, and how many is said at the end\n"
		"  --reliable       no frame may be lost: the producer waits, or drops, as the "
		"config\n"
		"                   says; needs the right 'reliable'\n"
		"\n"
		"NUT and Matroska keep every frame's own time (NUT to the nanosecond, Matroska to "
		"the\n"
		"millisecond). Ctrl-C ends with a playable file; so does a full disk.\n"
		"  zoe record desk desk.mkv --duration 10s\n"
		"  zoe record desk - | ffmpeg -i - desk.mp4\n"},
	{"keep", keep_run, "the last moments of a stream, in a file of one size",
		"STREAM FILE --size SIZE [--sync frame|T] | FILE --info",
		"  --size SIZE      of the file, reserved at once: 512MiB, 2GiB; a file that is "
		"there\n"
		"                   is gone on with, and grown\n"
		"  --sync frame|T   how often it is put on the disk for good: as often as the "
		"disk\n"
		"                   does it (0, default); at most every T; frame: each frame "
		"before\n"
		"                   the next is taken\n"
		"  --frames N       end after N frames\n"
		"  --end            end with the stream (wait for its producer to come back)\n"
		"  --info           what is in FILE\n"
		"\n"
		"The newest frames take the place of the oldest. A kill loses at most the frame\n"
		"being written, a power cut those since the last sync. A slow disk loses frames,\n"
		"and never holds up the stream.\n"
		"  zoe keep desk desk.keep --size 2GiB\n"},
	{"play", play_run, "push what was kept back into a stream",
		"FILE STREAM [--loop] [--speed X]",
		"  --loop           begin anew at the end\n"
		"  --speed X        2: twice as fast; 0: as fast as it goes (1)\n"
		"\n"
		"Frames come at the times at which they were captured, at least: what lies "
		"between\n"
		"two runs of zoe keep is left out.\n"
		"  zoe play desk.keep replay\n"},
	{"recover", recover_run, "what is whole in a file of zoe keep, as ordinary files",
		"FILE [--out DIR [--format png|raw|y4m|nut|mkv]] [--list]",
		"  --out DIR        write the frames there, and an index.json; without it: what is "
		"in FILE\n"
		"  --format F       png, raw: a file a frame; y4m, nut, mkv: one film (png)\n"
		"  --list           a line a frame\n"
		"\n"
		"FILE may be one that zoe keep is writing.\n"
		"  zoe recover desk.keep --out desk\n"},
	{"verify", verify_run, "check a counter stream: pixels, order, losses",
		"STREAM [--frames N] [--delivery D] [--group NAME] [--allow-loss] [--json]",
		"  --frames N           end after N frames (when the stream ends)\n"
		"  --delivery D         every (default); latest; reliable: none may be lost;\n"
		"                       queue, queue-reliable: shared out among a group\n"
		"  --group NAME         the queue's group: run several with the same name\n"
		"  --allow-loss         frames lost are no failure\n"
		"\n"
		"  zoe verify test & zoe push test --pattern counter --frames 1000\n"},
	{"check", check_run, "check a config file", "[FILE] [--strict] [--json] | --schema",
		"FILE is what zoetroped would load if it is left out. Prints every error with its "
		"line\n"
		"and column, else warnings of what is probably not meant.\n"
		"  --strict         a warning is a failure too\n"
		"  --schema         print the JSON Schema of a config, for editors, and end\n"
		"\n"
		"  zoe check /etc/zoetrope/zoetrope.yaml\n"},
	{"reload", reload_run, "have the broker read its config again", "[--dry-run] [--json]",
		"  -n, --dry-run    only say what it would change, and who is attached\n"
		"\n"
		"What is wrong with the file is printed, and then nothing changes. Streams that "
		"stay the\n"
		"same go on without losing a frame, and so do those that change. For admins of "
		"the\n"
		"config's defaults.\n"
		"  zoe reload --dry-run && zoe reload\n"},
	{"kick", kick_run, "take a program off a stream", "STREAM PID|NAME",
		"NAME is what zoe status calls it; all of that name are meant. It is told so, and "
		"sees\n"
		"no frame that comes later. For admins of the stream. To keep it out, change "
		"access: in\n"
		"the config.\n"
		"  zoe kick desk 4711\n"},
	{"doctor", doctor_run, "what is wrong here, and what to do", "[--json]",
		"Looks at kernel, limits, memory, the socket, the broker, its config, what this "
		"user may\n"
		"do, and clocks. Ends with 1 if something keeps frames from flowing.\n"
		"  zoe doctor\n"},
	{"bench", bench_run, "what a frame costs here, beside what the machine charges for less",
		"[MEASURE...] [--short] [--json]",
		"  -s, --short      a minute instead of ten\n"
		"\n"
		"Runs a broker of its own. Every measure stands beside a floor: the bare deed of "
		"the same\n"
		"run. Compare ratios; numbers belong to one machine at one moment. MEASUREs, all "
		"by\n"
		"default:\n"
		"  cost       acquire + publish with 0, 8, 64 readers; bare compare-exchanges\n"
		"  syscalls   system calls in 10,000 frames where nobody sleeps: none\n"
		"  pingpong   one way, both sides looking; a cache line to and fro\n"
		"  latency    60 and 1000 frames a second: sleeping, event loop, busy; a futex "
		"wake,\n"
		"             a socket with epoll, a word looked at\n"
		"  cold       publish and take after 8 ms of sleep; the same at once again\n"
		"  fanout     1, 4, 8, 16 sleeping readers; as many on one futex\n"
		"  cpu        CPU time a frame of producer, readers, broker; a bare futex\n"
		"  bad        one reader of four slow or stopped; the others while it behaves\n"
		"  push       copy-in at 1 MiB, 1080p, 4K; the best bare copy\n"
		"  threshold  non-temporal copies of 128 KiB to 8 MiB; memcpy\n"
		"  flow       as fast as it goes, in place and copied and read; a bare ring\n"
		"  attach     to the first frame, and the broker's start; connect, exec\n"
		"\n"
		"  zoe bench --short latency push\n"},
	{NULL, NULL, NULL, NULL, NULL},
};
