/* SPDX-License-Identifier: MIT */
#include "bench.h"

/* The pause is half of a frame's time: a bare deed lies between two frames. */
enum { PAUSE_60_US = 8333, PAUSE_1000_US = 500 };

void measure_latency(const struct bench *b) {
	uint32_t n_slow = b->is_short ? 150 : 1200, n_fast = b->is_short ? 1500 : 8000;
	const struct paced all[] = {
		{"latency, 60/s, sleeping", PACED_SLEEP, 1, n_slow, PAUSE_60_US, 1.10, 1.10},
		{"latency, 60/s, sleeping, and a bare ring", PACED_RING, 1, n_slow, PAUSE_60_US,
			1.10, 0},
		{"latency, 60/s, event loop", PACED_POLL, 1, n_slow, PAUSE_60_US, 1.10, 0},
		{"latency, 60/s, event loop, and a nested one", PACED_NEST, 1, n_slow, PAUSE_60_US,
			1.10, 0},
		{"latency, 60/s, busy", PACED_BUSY, 1, n_slow, PAUSE_60_US, 0, 0},
		{"latency, 1000/s, sleeping", PACED_SLEEP, 1, n_fast, PAUSE_1000_US, 1.10, 0},
		{"latency, 1000/s, sleeping, and a bare ring", PACED_RING, 1, n_fast, PAUSE_1000_US,
			1.10, 0},
		{"latency, 1000/s, event loop", PACED_POLL, 1, n_fast, PAUSE_1000_US, 1.10, 0},
		{"latency, 1000/s, event loop, and a nested one", PACED_NEST, 1, n_fast,
			PAUSE_1000_US, 1.10, 0},
		{"latency, 1000/s, busy", PACED_BUSY, 1, n_fast, PAUSE_1000_US, 0, 0},
	};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		paced_measure(b, &all[i]);
	}
}

void measure_fanout(const struct bench *b) {
	uint32_t n = b->is_short ? 60 : 600;
	const struct paced all[] = {
		{"fan-out, 60/s, 1 sleeping reader", PACED_SLEEP, 1, n, PAUSE_60_US, 1.10, 0},
		{"fan-out, 60/s, 4 sleeping readers", PACED_SLEEP, 4, n, PAUSE_60_US, 1.10, 0},
		{"fan-out, 60/s, 8 sleeping readers", PACED_SLEEP, 8, n, PAUSE_60_US, 1.10, 0},
		{"fan-out, 60/s, 16 sleeping readers", PACED_SLEEP, 16, n, PAUSE_60_US, 1.10, 0},
	};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		paced_measure(b, &all[i]);
	}
}
