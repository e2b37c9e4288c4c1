/* SPDX-License-Identifier: MIT */
#include "honest.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ring_wait.h"

#define SIDE 64
#define LATE_US 250000u /* a sleeper whose wake-up was stolen sleeps for up to 500 ms */
#define LATE_SHARE 10u  /* one in so many may be: the machine may have other work */
#define LONGEST_US 3000000u
#define SLOWEST_SHARE 3u /* of its rate that a producer must keep up at least */

/* The words of struct honest_count, shared with their process. */
struct shared_count {
	_Atomic uint64_t frames, lost, torn, late, refused, worst_us;
};

static const struct honest {
	const char *stream;
	uint64_t fps; // of a producer; 0 = a consumer
	enum zoe_delivery delivery;
} cast[N_HONEST] = {
	{.stream = "desk", .fps = 60},
	{.stream = "cam", .fps = 240},
	{.stream = "desk", .delivery = ZOE_RELIABLE},
	{.stream = "desk", .delivery = ZOE_EVERY},
	{.stream = "desk", .delivery = ZOE_LATEST},
	{.stream = "cam", .delivery = ZOE_RELIABLE},
	{.stream = "cam", .delivery = ZOE_EVERY},
	{.stream = "cam", .delivery = ZOE_LATEST},
};

static struct shared_count *counts; // shared with the processes
static struct child children[N_HONEST];
static pid_t pids[N_HONEST];
static unsigned self; // of the cast, in a child
static pid_t parent;

static void count(_Atomic uint64_t *word, uint64_t n) {
	atomic_fetch_add_explicit(word, n, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *word) {
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void sleep_until(uint64_t ns) {
	struct timespec at = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static bool feed_one(struct zoe_producer *p, uint64_t value) {
	struct zoe_slot *slot = NULL;

	if (zoe_producer_acquire(p, NULL, &slot, 100) != 0) {
		return false;
	}
	memset(slot->plane[0], (int)(value & 0xff), slot->format.size_bytes);
	slot->user[0] = value;
	return zoe_producer_publish(p, slot) == 0;
}

static int feed(const struct broker *broker, int pipe) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = NULL;
	uint64_t interval_ns = 1000000000 / cast[self].fps, due_ns, value = 1;

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, SIDE, SIDE);
	CHILD_CHECK(zoe_producer_open(c, cast[self].stream, &options, &p) == 0);
	child_say_ready(pipe);
	for (due_ns = zoe_now_ns(); getppid() == parent; due_ns += interval_ns) {
		bool is_fed = feed_one(p, value);

		value += is_fed;
		count(is_fed ? &counts[self].frames : &counts[self].refused, 1);
		if (zoe_now_ns() > due_ns + 100000000) {
			due_ns = zoe_now_ns(); /* the time is gone: no burst */
		}
		sleep_until(due_ns + interval_ns);
	}
	return 0;
}

static void look_at(const struct zoe_frame *frame, uint64_t *last) {
	struct shared_count *mine = &counts[self];
	uint64_t late_us = (zoe_now_ns() - frame->publish_ns) / 1000;
	uint64_t value = frame->user[0];

	count(&mine->frames, 1);
	count(&mine->torn, !frame_is_whole(frame));
	count(&mine->late, late_us > LATE_US);
	if (late_us > get(&mine->worst_us)) {
		atomic_store_explicit(&mine->worst_us, late_us, memory_order_relaxed);
	}
	if (cast[self].delivery != ZOE_LATEST && *last != 0 && value != *last + 1) {
		count(&mine->lost, value > *last ? value - *last - 1 : 1);
	}
	count(&mine->torn, value <= *last && cast[self].delivery == ZOE_LATEST);
	*last = value;
}

static int look(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_consumer *s = consume(c, cast[self].stream, cast[self].delivery, 2);
	const struct zoe_frame *frame;
	uint64_t last = 0;

	CHILD_CHECK(s != NULL);
	child_say_ready(pipe);
	while (getppid() == parent) {
		if (zoe_consumer_next(s, &frame, 1000) == 0) {
			look_at(frame, &last);
			zoe_frame_release(frame);
		}
		count(&counts[self].lost,
			(zoe_consumer_take_events(s) & ZOE_EV_DEMOTED) != 0 ? 1 : 0);
	}
	return 0;
}

const pid_t *honest_start(const struct broker *broker) {
	counts = mmap(NULL, N_HONEST * sizeof(*counts), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(counts, MAP_FAILED);
	parent = getpid();
	/* Consumers first, so that they see all there is. */
	for (unsigned i = N_HONEST; i-- > 0;) {
		self = i;
		children[i] = child_start(broker, cast[i].fps ? feed : look);
		child_wait_ready(&children[i]);
		pids[i] = children[i].pid;
	}
	return pids;
}

void honest_stop(void) {
	for (unsigned i = 0; i < N_HONEST; i++) {
		child_kill(&children[i]);
	}
	munmap(counts, N_HONEST * sizeof(*counts));
}

void honest_set_mark(struct honest_mark *mark) {
	mark->ms = now_ms();
	for (unsigned i = 0; i < N_HONEST; i++) {
		struct shared_count *now = &counts[i];

		mark->count[i] = (struct honest_count){.frames = get(&now->frames),
			.lost = get(&now->lost),
			.torn = get(&now->torn),
			.late = get(&now->late),
			.refused = get(&now->refused)};
		atomic_store_explicit(&now->worst_us, 0, memory_order_relaxed);
	}
}

static struct honest_count count_since(const struct honest_mark *mark, unsigned i) {
	const struct shared_count *now = &counts[i];
	const struct honest_count *before = &mark->count[i];

	return (struct honest_count){.frames = get(&now->frames) - before->frames,
		.lost = get(&now->lost) - before->lost,
		.torn = get(&now->torn) - before->torn,
		.late = get(&now->late) - before->late,
		.refused = get(&now->refused) - before->refused,
		.worst_us = get(&now->worst_us)};
}

/* Returns: what is wrong; NULL nothing is. */
static const char *count_judge(
	const struct honest *who, const struct honest_count *n, uint64_t ms) {
	if (who->fps) {
		return n->frames * SLOWEST_SHARE * 1000 < who->fps * ms ? "too slow" : NULL;
	}
	if (n->torn) {
		return "torn frames";
	}
	if (who->delivery == ZOE_RELIABLE && n->lost) {
		return "lost frames";
	}
	if (n->frames == 0) {
		return "no frames";
	}
	return n->late * LATE_SHARE > n->frames || n->worst_us > LONGEST_US ? "late frames" : NULL;
}

bool honest_check(const struct honest_mark *since, char *text, size_t size) {
	uint64_t ms = now_ms() - since->ms, worst_us = 0, fed[2];
	struct honest_count n;

	for (unsigned i = 0; i < N_HONEST; i++) {
		const char *wrong;

		n = count_since(since, i);
		wrong = count_judge(&cast[i], &n, ms);
		worst_us = n.worst_us > worst_us ? n.worst_us : worst_us;
		if (i < 2) {
			fed[i] = n.frames * 1000 / (ms ? ms : 1);
		}
		if (wrong) {
			snprintf(text, size,
				"%s of %s %u: %s (in %llu ms %llu frames, %llu lost, %llu torn, "
				"%llu late, worst %llu ms)",
				cast[i].fps ? "producer" : "consumer", cast[i].stream, i, wrong,
				(unsigned long long)ms, (unsigned long long)n.frames,
				(unsigned long long)n.lost, (unsigned long long)n.torn,
				(unsigned long long)n.late, (unsigned long long)n.worst_us / 1000);
			return false;
		}
	}
	snprintf(text, size, "%llu+%llu fps, worst %llu ms", (unsigned long long)fed[0],
		(unsigned long long)fed[1], (unsigned long long)worst_us / 1000);
	return true;
}
