/* SPDX-License-Identifier: MIT */
#include "seated.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 4u
#define BYTES (64u * 64 * 4)
#define SMALL (16u * 16 * 4)
#define STRANGER 4711u

static char config[] =
	"version: 1\n"
	"defaults: {access: {produce: [any], consume: [any], reliable: [any], list: [any]}}\n"
	"streams:\n"
	"  cam: {max_frame: 64x64 XR24, slots: 4, hold: 3}\n"
	"  own: {max_frame: 64x64 XR24, access: {reliable: [owner]}}\n"
	"  slow: {max_frame: 64x64 XR24, producers: 2, max_fps: 40, when_full: block, patience: "
	"2s}\n"
	"  \"late/*\": {max_frame: 64x64 XR24}\n";

/* What a producer was told of one seat. */
struct news {
	struct zoe_msg_seat msg;
	uint32_t n_fds;
	uint64_t last_ino; // of the last descriptor
	bool is_read_only;
};

static struct news wait_seat(struct seated *producer) {
	struct zoe_packet *packet = seated_wait(producer, ZOE_MSG_SEAT);
	const struct zoe_msg_seat *msg = zoe_packet_get(packet, sizeof(*msg));
	struct news news = {.n_fds = packet->n_fds};
	struct stat st;

	assert_non_null(msg);
	news.msg = *msg;
	if (packet->n_fds > 0) {
		int fd = packet->fds[packet->n_fds - 1];

		assert_int_equal(fstat(fd, &st), 0);
		news.last_ino = st.st_ino;
		news.is_read_only = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
	}
	zoe_packet_finish(packet);
	return news;
}

static void produce_cam(struct seated *p, const struct broker *broker) {
	seated_produce(p, broker, &(struct production){.stream = "cam", .frame_bytes = SMALL});
	assert_int_equal(p->status, 0);
}

static void consume_cam(
	struct seated *s, const struct broker *broker, uint32_t delivery, const char *group) {
	struct consumption consumption = {.stream = "cam", .delivery = delivery, .group = group};

	seated_consume(s, broker, &consumption);
}

static uint64_t get_cursor(const struct seated *s) {
	/* [CURSOR] acquire: as a producer. */
	return atomic_load_explicit(&s->seat->cursor, memory_order_acquire);
}

static uint64_t get_tail(const struct seated *s) {
	/* [TAIL] acquire: as a producer. */
	return atomic_load_explicit(&s->group->tail, memory_order_acquire);
}

static void set_cursor(struct seated *s, uint64_t seq) {
	/* [CURSOR] release: as a take. */
	atomic_store_explicit(&s->seat->cursor, seq, memory_order_release);
}

static void set_tail(struct seated *s, uint64_t seq) {
	/* [TAIL] release: as a take. */
	atomic_store_explicit(&s->group->tail, seq, memory_order_release);
}

static const struct zoe_control_seat *get_listed(const struct seated *s) {
	return &s->control->seats[s->region.seat];
}

static void skip_unless_root(void) {
	if (geteuid() != 0) {
		skip();
	}
}

/* The kernel tells the broker who it was that connected. */
static void consume_as_stranger(
	struct seated *s, const struct broker *broker, const struct consumption *consumption) {
	assert_int_equal(seteuid(STRANGER), 0);
	seated_consume(s, broker, consumption);
	assert_int_equal(seteuid(0), 0);
}

static void test_deliver_tells_producers_the_config(void **state) {
	struct seated cam, slow;

	produce_cam(&cam, *state);
	assert_int_equal(cam.region.flags, ZOE_REGION_SOLE);
	assert_int_equal(cam.region.patience_ms, 500);
	assert_int_equal(cam.region.interval_us, 0);
	seated_produce(&slow, *state, &(struct production){.stream = "slow"});
	assert_int_equal(slow.region.flags, ZOE_REGION_BLOCK);
	assert_int_equal(slow.region.patience_ms, 2000);
	assert_int_equal(slow.region.interval_us, 25000);
	seated_close(&cam);
	seated_close(&slow);
}

static void test_deliver_reliable_begins_at_the_head(void **state) {
	struct seated p, s;
	struct news news;

	produce_cam(&p, *state);
	seated_set_head(&p, 6);
	consume_cam(&s, *state, ZOE_DELIVER_RELIABLE, NULL);
	assert_int_equal(s.status, 0);
	assert_int_equal(s.n_fds, 4);
	assert_int_equal(s.region.want, 6);
	assert_int_equal(get_cursor(&s), 6);
	assert_int_equal(get_listed(&s)->flags, ZOE_SEAT_RELIABLE);
	news = wait_seat(&p);
	assert_int_equal(news.msg.flags, ZOE_SEAT_RELIABLE);
	assert_int_equal(news.msg.consumer, get_listed(&s)->consumer);
	assert_int_equal(news.msg.roster, seated_get_roster(&s));
	assert_int_equal(news.n_fds, 1);
	seated_close(&s);
	seated_close(&p);
}

static void test_deliver_others_begin_where_they_like(void **state) {
	static const uint32_t deliveries[] = {ZOE_DELIVER_LATEST, ZOE_DELIVER_EVERY};
	struct seated p, s;

	produce_cam(&p, *state);
	seated_set_head(&p, 6);
	for (size_t i = 0; i < 2; i++) {
		consume_cam(&s, *state, deliveries[i], NULL);
		assert_int_equal(s.region.want, 0);
		assert_int_equal(get_cursor(&s), 0);
		assert_int_equal(get_listed(&s)->flags, 0);
		assert_int_equal(wait_seat(&p).msg.flags, 0);
		seated_leave(&s, 0);
		assert_int_equal(wait_seat(&p).msg.consumer, 0);
		seated_close(&s);
	}
	seated_close(&p);
}

static void test_deliver_wild_heads_begin_at_the_start(void **state) {
	static const uint64_t heads[] = {0, ZOE_MAX_SEQ, UINT64_MAX >> 1};
	struct seated p, s;

	produce_cam(&p, *state);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		seated_set_head(&p, heads[i]);
		consume_cam(&s, *state, ZOE_DELIVER_RELIABLE, NULL);
		assert_int_equal(s.region.want, 1);
		assert_int_equal(get_cursor(&s), 1);
		seated_leave(&s, 0);
		seated_close(&s);
	}
	seated_close(&p);
}

/* Who waited for the first producer misses none of its frames: the seat was there before it. */
static void test_deliver_parked_are_seated_before_the_producer(void **state) {
	struct seated p, s;

	consume_cam(&s, *state, ZOE_DELIVER_RELIABLE, NULL);
	assert_int_equal(s.region.flags, ZOE_REGION_PARKED);
	assert_int_equal(s.n_fds, 0);
	produce_cam(&p, *state);
	assert_int_equal(p.control->seats[0].flags, ZOE_SEAT_RELIABLE);
	seated_set_head(&p, 3);
	assert_int_equal(wait_seat(&p).msg.flags, ZOE_SEAT_RELIABLE);
	seated_wait_region(&s, ZOE_MSG_START);
	assert_int_equal(s.region.want, 1);
	assert_int_equal(get_cursor(&s), 1);
	assert_false(seated_was_told(&s, ZOE_MSG_BACK)); /* it was never away */
	seated_close(&s);
	seated_close(&p);
}

static void test_deliver_reliably_is_a_right(void **state) {
	struct consumption reliable = {.stream = "own", .delivery = ZOE_DELIVER_RELIABLE};
	struct consumption queue = {
		.stream = "own", .delivery = ZOE_DELIVER_QUEUE_RELIABLE, .group = "g"};
	struct consumption every = {.stream = "own", .delivery = ZOE_DELIVER_EVERY};
	struct seated s;

	skip_unless_root();
	consume_as_stranger(&s, *state, &reliable);
	assert_int_equal(s.status, -EACCES);
	assert_string_equal(
		s.error, "stream 'own': uid 4711 may not consume reliably, allowed: owner");
	seated_close(&s);
	consume_as_stranger(&s, *state, &queue);
	assert_int_equal(s.status, -EACCES);
	seated_close(&s);
	consume_as_stranger(&s, *state, &every);
	assert_int_equal(s.status, 0);
	seated_close(&s);
	seated_consume(&s, *state, &reliable);
	assert_int_equal(s.status, 0);
	seated_close(&s);
}

static void test_deliver_needs_a_group_for_queues_only(void **state) {
	static const struct {
		uint32_t delivery;
		const char *group;
	} cases[] = {{ZOE_DELIVER_QUEUE, NULL}, {ZOE_DELIVER_QUEUE_RELIABLE, NULL},
		{ZOE_DELIVER_RELIABLE, "g"}, {ZOE_DELIVER_LATEST, "g"}, {ZOE_DELIVER_EVERY, "g"},
		{ZOE_DELIVER_QUEUE, "a b"}, {ZOE_DELIVER_QUEUE, ".."}, {ZOE_N_DELIVERIES, NULL},
		{ZOE_N_DELIVERIES, "g"}, {UINT32_MAX, NULL}};
	struct seated s;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		consume_cam(&s, *state, cases[i].delivery, cases[i].group);
		assert_int_equal(s.status, -EINVAL);
		assert_non_null(strstr(s.error, "'cam'"));
		seated_close(&s);
	}
}

static void check_group(const struct broker *broker, uint32_t delivery, uint32_t flags) {
	struct seated p, a, b;
	struct news news;

	produce_cam(&p, broker);
	seated_set_head(&p, 6);
	consume_cam(&a, broker, delivery, "work/ers");
	assert_int_equal(a.n_fds, 5);
	assert_int_equal(get_tail(&a), 6);
	set_tail(&a, 8);
	seated_set_head(&p, 9);
	consume_cam(&b, broker, delivery, "work/ers");
	assert_int_equal(b.region.want, 0);
	assert_int_equal(b.group_ino, a.group_ino);
	assert_int_equal(get_tail(&b), 8); /* and stays what the first has made of it */
	assert_int_equal(get_listed(&a)->flags, flags | ZOE_SEAT_GROUPED);
	assert_int_not_equal(get_listed(&a)->group, 0);
	assert_int_equal(get_listed(&a)->group, get_listed(&b)->group);
	for (int i = 0; i < 2; i++) {
		news = wait_seat(&p);
		assert_int_equal(news.msg.flags, flags | ZOE_SEAT_GROUPED);
		assert_int_equal(news.n_fds, 2);
		assert_int_equal(news.last_ino, a.group_ino);
		assert_true(news.is_read_only);
	}
	seated_close(&a);
	seated_close(&b);
	seated_close(&p);
}

static void test_deliver_members_share_a_page(void **state) {
	check_group(*state, ZOE_DELIVER_QUEUE, 0);
}

static void test_deliver_lossless_members_share_a_page(void **state) {
	check_group(*state, ZOE_DELIVER_QUEUE_RELIABLE, ZOE_SEAT_RELIABLE);
}

static void test_deliver_groups_page_goes_with_its_last_member(void **state) {
	struct seated p, a, b, other;
	uint64_t ino;

	produce_cam(&p, *state);
	seated_set_head(&p, 6);
	consume_cam(&a, *state, ZOE_DELIVER_QUEUE, "g");
	consume_cam(&other, *state, ZOE_DELIVER_QUEUE, "h");
	assert_int_not_equal(other.group_ino, a.group_ino);
	assert_int_not_equal(get_listed(&other)->group, get_listed(&a)->group);
	ino = a.group_ino; /* mapped until the end: it is not given to another */
	set_tail(&a, 3);
	seated_leave(&a, 0);
	consume_cam(&b, *state, ZOE_DELIVER_QUEUE_RELIABLE, "g");
	assert_int_equal(b.status, 0);
	assert_int_not_equal(b.group_ino, ino);
	assert_int_equal(get_tail(&b), 6);
	seated_close(&a);
	seated_close(&b);
	seated_close(&other);
	seated_close(&p);
}

static void test_deliver_bell_stands_before_the_group(void **state) {
	struct zoe_msg_header bell = {.type = ZOE_MSG_BELL, .size = sizeof(bell), .serial = 3};
	struct seated p, s;
	struct news news;

	produce_cam(&p, *state);
	consume_cam(&s, *state, ZOE_DELIVER_QUEUE, "g");
	wait_seat(&p);
	assert_int_equal(raw_send(s.socket, &bell, sizeof(bell)), 0);
	news = wait_seat(&p);
	assert_int_equal(news.msg.has_bell, 1);
	assert_int_equal(news.n_fds, 3);
	assert_int_equal(news.last_ino, s.group_ino);
	seated_close(&s);
	seated_close(&p);
}

static void test_deliver_group_is_of_one_delivery(void **state) {
	struct seated p, a, b;

	for (int has_region = 0; has_region < 2; has_region++) {
		if (has_region) {
			produce_cam(&p, *state);
		}
		consume_cam(&a, *state, ZOE_DELIVER_QUEUE, "g");
		assert_int_equal(a.status, 0);
		consume_cam(&b, *state, ZOE_DELIVER_QUEUE_RELIABLE, "g");
		assert_int_equal(b.status, -EINVAL);
		assert_non_null(strstr(b.error, "'g'"));
		seated_leave(&a, 0);
		seated_close(&a);
		seated_close(&b);
	}
	seated_close(&p);
}

/* Its page is writable to all members: also those who wait for a region are of one user. */
static void test_deliver_group_is_of_one_user(void **state) {
	struct consumption queue = {.stream = "cam", .delivery = ZOE_DELIVER_QUEUE, .group = "g"};
	struct seated p, a, b;

	skip_unless_root();
	for (int has_region = 0; has_region < 2; has_region++) {
		if (has_region) {
			produce_cam(&p, *state);
		}
		seated_consume(&a, *state, &queue);
		assert_int_equal(a.status, 0);
		consume_as_stranger(&b, *state, &queue);
		assert_int_equal(b.status, -EACCES);
		assert_non_null(strstr(b.error, "'g'"));
		seated_leave(&a, 0);
		seated_close(&a);
		seated_close(&b);
	}
	seated_close(&p);
}

/* The same for names that nobody has made yet: the first to wait is the group's user. */
static void test_deliver_group_is_of_one_user_from_the_start(void **state) {
	struct consumption queue = {
		.stream = "late/1", .delivery = ZOE_DELIVER_QUEUE, .group = "g"};
	struct seated p, a, b;

	skip_unless_root();
	seated_consume(&a, *state, &queue);
	consume_as_stranger(&b, *state, &queue);
	seated_produce(&p, *state, &(struct production){.stream = "late/1"});
	assert_int_equal(p.status, 0);
	seated_wait_region(&a, ZOE_MSG_START);
	assert_int_equal(a.n_fds, 5);
	while (raw_receive(b.socket, seated_get_packet()) == 0) {
		assert_int_not_equal(seated_get_packet()->header.type, ZOE_MSG_START);
		zoe_packet_finish(seated_get_packet());
	}
	seated_close(&a);
	seated_close(&b);
	seated_close(&p);
}

static void test_deliver_moves_begin_at_the_end(void **state) {
	struct seated p, s, a, b, every;
	uint64_t ino;
	uint32_t id;

	produce_cam(&p, *state);
	consume_cam(&s, *state, ZOE_DELIVER_RELIABLE, NULL);
	consume_cam(&a, *state, ZOE_DELIVER_QUEUE_RELIABLE, "g");
	ino = a.group_ino;
	id = get_listed(&a)->group;
	seated_set_head(&p, 7);
	seated_grow(&p, BYTES);
	seated_wait_region(&s, ZOE_MSG_MOVED);
	assert_int_equal(s.region.want, 0);
	assert_int_equal(s.region.start, 7);
	assert_int_equal(get_cursor(&s), 7);
	assert_int_equal(get_listed(&s)->flags, ZOE_SEAT_RELIABLE);
	seated_wait_region(&a, ZOE_MSG_MOVED);
	assert_int_equal(a.n_fds, 5);
	assert_int_not_equal(a.group_ino, ino);
	assert_int_equal(get_tail(&a), 7);
	assert_int_equal(get_listed(&a)->group, id);
	assert_int_equal(wait_seat(&p).msg.flags, ZOE_SEAT_RELIABLE);
	assert_int_equal(wait_seat(&p).msg.flags, ZOE_SEAT_RELIABLE | ZOE_SEAT_GROUPED);
	consume_cam(&b, *state, ZOE_DELIVER_QUEUE_RELIABLE, "g"); /* not shown the closed one */
	assert_int_equal(b.region.generation, 2);
	assert_int_equal(b.group_ino, a.group_ino);
	assert_false(seated_was_told(&b, ZOE_MSG_MOVED));
	consume_cam(&every, *state, ZOE_DELIVER_EVERY, NULL); /* but this one is */
	assert_int_equal(every.region.generation, 1);
	seated_close(&every);
	seated_close(&b);
	seated_close(&a);
	seated_close(&s);
	seated_close(&p);
}

static void report(struct seated *producer, const struct seated *reader) {
	seated_report(producer, &(struct zoe_msg_report){.generation = reader->region.generation,
					.seat = reader->region.seat,
					.consumer = get_listed(reader)->consumer});
}

static int note_delivery(void *user, const struct zoe_status *status) {
	if (status->peer && status->peer->role == ZOE_ROLE_CONSUMER) {
		*(uint32_t *)user = status->peer->delivery;
	}
	return 0;
}

static uint32_t get_delivery(const struct broker *broker) {
	struct zoe_client *c = broker_connect(broker);
	uint32_t delivery = UINT32_MAX;

	assert_int_equal(zoe_client_status(c, "cam", note_delivery, &delivery, DEADLINE_MS), 0);
	zoe_client_destroy(c);
	return delivery;
}

static void test_deliver_demotes_who_is_behind(void **state) {
	struct seated p, s;
	struct news news;
	uint32_t roster, space;

	produce_cam(&p, *state);
	consume_cam(&s, *state, ZOE_DELIVER_RELIABLE, NULL);
	wait_seat(&p);
	roster = seated_get_roster(&s);
	set_cursor(&s, 10);
	seated_set_head(&p, 10 + DEPTH); /* all that it wants is within the window */
	report(&p, &s);
	assert_false(seated_was_told(&p, ZOE_MSG_SEAT));
	assert_false(seated_was_told(&s, ZOE_MSG_DEMOTED));
	assert_int_equal(seated_get_roster(&s), roster);
	assert_int_equal(get_delivery(*state), ZOE_RELIABLE);
	seated_set_head(&p, 10 + DEPTH + 1);
	/* [SPACE] relaxed: nobody else is here. */
	space = atomic_load_explicit(&p.ring->space, memory_order_relaxed);
	report(&p, &s);
	news = wait_seat(&p);
	assert_false(seated_was_told(&p, ZOE_MSG_SEAT)); /* the word follows the message */
	assert_int_equal(news.msg.flags, 0);
	assert_int_equal(news.msg.consumer, get_listed(&s)->consumer);
	assert_int_equal(news.msg.roster, seated_get_roster(&s));
	assert_true(seated_get_roster(&s) > roster);
	assert_int_equal(get_listed(&s)->flags, 0);
	zoe_packet_finish(seated_wait(&s, ZOE_MSG_DEMOTED));
	/* [SPACE] relaxed: the packet came after it. */
	assert_true(atomic_load_explicit(&p.ring->space, memory_order_relaxed) != space);
	report(&p, &s);
	assert_false(seated_was_told(&p, ZOE_MSG_SEAT));
	assert_false(seated_was_told(&s, ZOE_MSG_DEMOTED));
	assert_int_equal(get_delivery(*state), ZOE_EVERY);
	seated_grow(&p, BYTES); /* it is for good */
	assert_int_equal(wait_seat(&p).msg.flags, 0);
	seated_close(&s);
	seated_close(&p);
}

static void test_deliver_demotes_the_group_as_one(void **state) {
	struct seated p, a, b, late;

	produce_cam(&p, *state);
	consume_cam(&a, *state, ZOE_DELIVER_QUEUE_RELIABLE, "g");
	consume_cam(&b, *state, ZOE_DELIVER_QUEUE_RELIABLE, "g");
	wait_seat(&p);
	wait_seat(&p);
	seated_set_head(&p, 30);
	set_tail(&a, 30 - DEPTH);
	report(&p, &b);
	assert_false(seated_was_told(&p, ZOE_MSG_SEAT));
	set_tail(&a, 30 - DEPTH - 1);
	report(&p, &b);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(wait_seat(&p).msg.flags, ZOE_SEAT_GROUPED);
	}
	zoe_packet_finish(seated_wait(&a, ZOE_MSG_DEMOTED));
	zoe_packet_finish(seated_wait(&b, ZOE_MSG_DEMOTED));
	assert_int_equal(get_listed(&a)->flags, ZOE_SEAT_GROUPED);
	assert_int_equal(get_listed(&b)->flags, ZOE_SEAT_GROUPED);
	consume_cam(&late, *state, ZOE_DELIVER_QUEUE_RELIABLE, "g");
	assert_true(seated_was_told(&late, ZOE_MSG_DEMOTED));
	assert_int_equal(wait_seat(&p).msg.flags, ZOE_SEAT_GROUPED);
	seated_close(&late);
	seated_close(&b);
	seated_close(&a);
	seated_close(&p);
}

static void test_deliver_ignores_reports_about_others(void **state) {
	struct seated p, s, every;
	struct zoe_msg_report wrong;

	produce_cam(&p, *state);
	consume_cam(&s, *state, ZOE_DELIVER_RELIABLE, NULL);
	consume_cam(&every, *state, ZOE_DELIVER_EVERY, NULL);
	seated_set_head(&p, 100);
	wrong = (struct zoe_msg_report){
		.generation = 1, .seat = s.region.seat, .consumer = get_listed(&s)->consumer + 77};
	seated_report(&p, &wrong);
	wrong.consumer = get_listed(&s)->consumer;
	wrong.generation = 2;
	seated_report(&p, &wrong);
	wrong.generation = 1;
	wrong.seat = ZOE_MAX_SEATS - 1;
	seated_report(&p, &wrong);
	report(&p, &every);
	seated_was_told(&p, 0);
	assert_false(seated_was_told(&s, ZOE_MSG_DEMOTED));
	assert_false(seated_was_told(&every, ZOE_MSG_DEMOTED));
	assert_int_equal(get_listed(&s)->flags, ZOE_SEAT_RELIABLE);
	seated_close(&every);
	seated_close(&s);
	seated_close(&p);
}

static void test_deliver_drops_who_reports_nonsense(void **state) {
	struct zoe_msg_report wrong = {.generation = 1, .seat = ZOE_MAX_SEATS, .consumer = 1};
	struct seated p, s;

	produce_cam(&p, *state);
	consume_cam(&s, *state, ZOE_DELIVER_RELIABLE, NULL);
	report(&s, &s); /* a consumer */
	raw_expect_drop(dup(s.socket));
	seated_was_told(&p, 0);
	seated_report(&p, &wrong);
	raw_expect_drop(dup(p.socket));
	seated_close(&s);
	seated_close(&p);
}

static void test_deliver_leaves_nothing_behind(void **state) {
	static const char *const groups[] = {"g", "g", "h", "h"};
	const struct broker *broker = *state;
	struct seated p, s[4];
	int n_fds;

	produce_cam(&p, broker);
	n_fds = count_fds(broker->pid);
	for (int i = 0; i < 4; i++) {
		consume_cam(&s[i], broker, ZOE_DELIVER_QUEUE_RELIABLE, groups[i]);
	}
	seated_grow(&p, BYTES);
	assert_true(n_fds < 0 || count_fds(broker->pid) > n_fds + 4 * 4);
	for (int i = 0; i < 4; i++) {
		seated_wait_region(&s[i], ZOE_MSG_MOVED);
		seated_leave(&s[i], 1);
	}
	seated_leave(&p, 1);
	seated_leave(&s[0], 0);
	for (int i = 0; i < 4; i++) {
		seated_close(&s[i]);
	}
	broker_wait_fds(broker, n_fds);
	seated_close(&p);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_deliver_tells_producers_the_config, config),
		BROKER_TEST(test_deliver_reliable_begins_at_the_head, config),
		BROKER_TEST(test_deliver_others_begin_where_they_like, config),
		BROKER_TEST(test_deliver_wild_heads_begin_at_the_start, config),
		BROKER_TEST(test_deliver_parked_are_seated_before_the_producer, config),
		BROKER_TEST(test_deliver_reliably_is_a_right, config),
		BROKER_TEST(test_deliver_needs_a_group_for_queues_only, config),
		BROKER_TEST(test_deliver_members_share_a_page, config),
		BROKER_TEST(test_deliver_lossless_members_share_a_page, config),
		BROKER_TEST(test_deliver_groups_page_goes_with_its_last_member, config),
		BROKER_TEST(test_deliver_bell_stands_before_the_group, config),
		BROKER_TEST(test_deliver_group_is_of_one_delivery, config),
		BROKER_TEST(test_deliver_group_is_of_one_user, config),
		BROKER_TEST(test_deliver_group_is_of_one_user_from_the_start, config),
		BROKER_TEST(test_deliver_moves_begin_at_the_end, config),
		BROKER_TEST(test_deliver_demotes_who_is_behind, config),
		BROKER_TEST(test_deliver_demotes_the_group_as_one, config),
		BROKER_TEST(test_deliver_ignores_reports_about_others, config),
		BROKER_TEST(test_deliver_drops_who_reports_nonsense, config),
		BROKER_TEST(test_deliver_leaves_nothing_behind, config),
	};

	return cmocka_run_group_tests_name("deliver", tests, NULL, NULL);
}
