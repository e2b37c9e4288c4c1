/* SPDX-License-Identifier: MIT */
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reader.h"

#define N_FRAMES 50
#define GROWS_AT 20
#define LEAVES_AT 35
#define LARGE_SIDE 48
#define STEP_MS 6000
#define MAX_TRIES 500
#define REJOIN_MS 300

enum { EVERY, RELIABLE, QUEUE, N_READERS };

struct flow {
	struct fault_page *page;
	const char *socket;
	struct zoe_client *client, *second;
	struct zoe_producer *producer;
	struct reader readers[N_READERS];
	uint64_t value; // being published
	int fd;         // of the reliable reader
	bool has_synced;
};

/* A step either does its work or fails and may be made again. Returns: 0; -errno. */
typedef int (*step_fn)(struct flow *flow);

static uint64_t now_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void set_open(struct flow *flow, uint32_t is_open) {
	atomic_store_explicit(&flow->page->is_open, is_open, memory_order_relaxed);
}

static int create(struct flow *flow) {
	struct zoe_client_options options = {
		.struct_size = sizeof(options), .socket = flow->socket, .app_name = "flow"};
	int r = flow->client ? 0 : zoe_client_create(&flow->client, &options);

	return r < 0 ? r : zoe_client_create(&flow->second, &options);
}

static int connect_first(struct flow *flow) {
	return zoe_client_connect(flow->client, CALL_MS);
}

static int note_change(void *user, enum zoe_change change, const struct zoe_stream_info *info) {
	struct flow *flow = user;

	(void)info;
	flow->has_synced = flow->has_synced || change == ZOE_SYNCED;
	return 0;
}

static int list(struct flow *flow) {
	flow->has_synced = false;
	return zoe_client_list(flow->client, note_change, flow, CALL_MS);
}

static int watch(struct flow *flow) {
	flow->has_synced = false;
	return zoe_client_watch(flow->client, note_change, flow);
}

static int watch_synced(struct flow *flow) {
	struct pollfd fd = {.fd = zoe_client_get_fd(flow->client), .events = POLLIN};
	int r = fd.fd < 0 ? fd.fd : zoe_client_dispatch(flow->client);

	if (r < 0 || flow->has_synced) {
		return r;
	}
	set_open(flow, 0);
	poll(&fd, 1, 20);
	set_open(flow, 1);
	return -EAGAIN;
}

static int watch_end(struct flow *flow) {
	return zoe_client_watch(flow->client, NULL, NULL);
}

static int ignore_status(void *user, const struct zoe_status *status) {
	(void)user;
	(void)status;
	return 0;
}

static int status(struct flow *flow) {
	return zoe_client_status(flow->client, NULL, ignore_status, NULL, CALL_MS);
}

static int open_producer(struct flow *flow) {
	return writer_open(&flow->producer, flow->client, FLOW_STREAM);
}

static int open_every(struct flow *flow) {
	return reader_open(&flow->readers[EVERY], flow->client, FLOW_STREAM, ZOE_EVERY);
}

static int open_reliable(struct flow *flow) {
	return reader_open(&flow->readers[RELIABLE], flow->second, FLOW_STREAM, ZOE_RELIABLE);
}

static int open_queue(struct flow *flow) {
	return reader_open(&flow->readers[QUEUE], flow->second, FLOW_STREAM, ZOE_QUEUE);
}

static int get_fd(struct flow *flow) {
	flow->fd = zoe_consumer_get_fd(flow->readers[RELIABLE].consumer);
	return flow->fd < 0 ? flow->fd : 0;
}

static int publish(struct flow *flow) {
	return writer_publish(flow->producer, WRITER_FLOW, flow->value,
		flow->value >= GROWS_AT ? LARGE_SIDE : 16);
}

/* Takes until it has seen the newest frame. */
static int catch_up(struct flow *flow, unsigned i, int timeout_ms) {
	struct reader *reader = &flow->readers[i];
	int r = 0;

	while (r == 0 && reader->consumer && reader->last[WRITER_FLOW] < flow->value) {
		r = reader_next(reader, timeout_ms);
	}
	return r;
}

static int catch_up_every(struct flow *flow) {
	return catch_up(flow, EVERY, CALL_MS);
}

static bool may_lose(const struct flow *flow) {
	return atomic_load_explicit(&flow->page->nth, memory_order_relaxed) != 0;
}

/* Who had to join the queue anew begins behind the frame that is waited for. The frames after it
 * must say how many were lost. */
static int catch_up_queue(struct flow *flow) {
	int r = catch_up(flow, QUEUE, may_lose(flow) ? REJOIN_MS : CALL_MS);

	if (r == -ETIMEDOUT && may_lose(flow)) {
		atomic_fetch_add_explicit(&flow->page->n_refused, 1, memory_order_relaxed);
		return 0;
	}
	return r;
}

/* As a program with a loop of its own does. */
static int catch_up_reliable(struct flow *flow) {
	struct reader *reader = &flow->readers[RELIABLE];
	struct pollfd fd = {.fd = flow->fd, .events = POLLIN};
	int r = 0;

	while (r == 0 && reader->last[WRITER_FLOW] < flow->value) {
		r = reader_next(reader, 0);
	}
	if (r == -EAGAIN) {
		set_open(flow, 0);
		poll(&fd, 1, 100);
		set_open(flow, 1);
	}
	return r;
}

static int edit(struct flow *flow) {
	static const char text[] = "title=edited";
	struct zoe_slot *slot = NULL;
	int r = zoe_producer_edit(flow->producer, &slot, CALL_MS);

	if (r == 0) {
		r = zoe_slot_set(slot, ZOE_TAG_USER, text, sizeof(text));
		zoe_producer_cancel(flow->producer, slot);
	}
	return r;
}

static int look_back(struct flow *flow) {
	const struct zoe_frame *frame = NULL;
	int r = zoe_consumer_latest(flow->readers[EVERY].consumer, &frame);

	if (r == 0) {
		zoe_frame_release(frame);
	}
	return r;
}

/* A stream that a pattern makes, and that is gone with its producer. */
static int make_stream(struct flow *flow) {
	struct zoe_producer *made = NULL;
	int r = writer_open(&made, flow->second, FLOW_PATTERN);

	if (r == 0) {
		r = writer_publish(made, WRITER_FLOW, 1, 16);
	}
	zoe_producer_close(made);
	return r;
}

static int close_queue(struct flow *flow) {
	reader_close(&flow->readers[QUEUE]);
	return 0;
}

static int end(struct flow *flow) {
	int r = zoe_producer_end(flow->producer);

	if (r < 0) {
		(void)zoe_producer_is_wanted(flow->producer); /* connects again */
		return r;
	}
	zoe_producer_close(flow->producer);
	flow->producer = NULL;
	return 0;
}

static int close_all(struct flow *flow) {
	reader_close(&flow->readers[EVERY]);
	zoe_client_destroy(flow->second); /* with its consumer open */
	zoe_client_destroy(flow->client);
	flow->client = flow->second = NULL;
	return 0;
}

static const char *get_sentence(const struct flow *flow) {
	const char *first = flow->client ? zoe_client_get_error(flow->client) : "";

	return first[0] || !flow->second ? first : zoe_client_get_error(flow->second);
}

/* Returns: 0 made, at the second try at the latest but for those that only wait; -errno. */
static int step_run(struct flow *flow, const char *name, step_fn function) {
	static const struct timespec pause = {.tv_nsec = 2000000};
	uint64_t deadline = now_ms() + STEP_MS;
	int r = 0;

	for (int i = 0; i < MAX_TRIES && now_ms() < deadline; i++) {
		set_open(flow, 1);
		r = function(flow);
		set_open(flow, 0);
		if (r == 0) {
			return 0;
		}
		if (r != -EAGAIN && r != -EINPROGRESS) {
			atomic_fetch_add_explicit(&flow->page->n_refused, 1, memory_order_relaxed);
			dprintf(STDERR_FILENO, "flow: %s: %s: %s\n", name, strerror(-r),
				get_sentence(flow));
		}
		if (r != -EAGAIN && flow->second && !get_sentence(flow)[0]) {
			dprintf(STDERR_FILENO, "flow: WRONG: %s failed without a sentence\n", name);
			return r;
		}
		nanosleep(&pause, NULL);
	}
	dprintf(STDERR_FILENO, "flow: WRONG: %s fails again and again: %s\n", name, strerror(-r));
	return r ? r : -ETIMEDOUT;
}

#define STEP(function)                                                                             \
	{ #function, function }
struct step {
	const char *name;
	step_fn function;
};

static int steps_run(struct flow *flow, const struct step *steps, unsigned n) {
	int r = 0;

	for (unsigned i = 0; i < n && r == 0; i++) {
		r = step_run(flow, steps[i].name, steps[i].function);
	}
	return r;
}

static int frames_run(struct flow *flow) {
	static const struct step steps[] = {
		STEP(publish), STEP(catch_up_every), STEP(catch_up_queue), STEP(catch_up_reliable)};
	int r = 0;

	for (flow->value = 1; flow->value <= N_FRAMES && r == 0; flow->value++) {
		r = step_run(flow, steps[0].name, steps[0].function);
		if (r == 0) {
			atomic_store_explicit(
				&flow->page->n_published, flow->value, memory_order_release);
			r = steps_run(flow, steps + 1, 3);
		}
		if (r == 0 && flow->value == LEAVES_AT) {
			r = step_run(flow, "close_queue", close_queue);
		}
	}
	return r;
}

static int flow_do(struct flow *flow) {
	static const struct step opening[] = {STEP(create), STEP(connect_first), STEP(list),
		STEP(watch), STEP(watch_synced), STEP(watch_end), STEP(open_producer),
		STEP(open_every), STEP(open_reliable), STEP(open_queue), STEP(get_fd),
		STEP(status)};
	static const struct step closing[] = {
		STEP(edit), STEP(look_back), STEP(make_stream), STEP(end), STEP(close_all)};
	int r = steps_run(flow, opening, sizeof(opening) / sizeof(opening[0]));

	if (r == 0) {
		r = frames_run(flow);
	}
	return r < 0 ? r : steps_run(flow, closing, sizeof(closing) / sizeof(closing[0]));
}

static int32_t count_fds(void) {
	int32_t n = 0;

	for (int fd = 0; fd < 256; fd++) {
		n += fcntl(fd, F_GETFD) >= 0;
	}
	return n;
}

static int32_t get(const _Atomic int32_t *account) {
	return atomic_load_explicit(account, memory_order_relaxed);
}

static bool readers_check(struct flow *flow) {
	bool is_fine = true;

	for (unsigned i = 0; i < N_READERS; i++) {
		const char *wrong = reader_check(&flow->readers[i], may_lose(flow));

		atomic_fetch_add_explicit(
			&flow->page->n_lost, flow->readers[i].n_lost, memory_order_relaxed);
		if (wrong) {
			dprintf(STDERR_FILENO, "flow: WRONG: reader %u: %s\n", i, wrong);
			is_fine = false;
		}
	}
	return is_fine;
}

int flow_run(struct fault_page *page, const char *socket) {
	struct flow flow = {.page = page, .socket = socket};
	int32_t blocks = get(&page->n_blocks), maps = get(&page->n_maps), fds = count_fds();
	int r;

	for (unsigned i = 0; i < N_READERS; i++) {
		flow.readers[i].is_late = true;
	}
	r = flow_do(&flow);
	if (r < 0 || !readers_check(&flow)) {
		return 1;
	}
	if (get(&page->n_blocks) != blocks || get(&page->n_maps) != maps || count_fds() != fds) {
		dprintf(STDERR_FILENO,
			"flow: WRONG: blocks %d, mappings %d, descriptors %d; before %d, %d, %d\n",
			get(&page->n_blocks), get(&page->n_maps), count_fds(), blocks, maps, fds);
		return 1;
	}
	return 0;
}
