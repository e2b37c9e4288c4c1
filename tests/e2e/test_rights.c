/* SPDX-License-Identifier: MIT */
/*
 * Random acts of users and admins against a model of who may do what: four users list, produce,
 * consume, publish, take, leave, kick and reload, while the config changes under them. What each
 * act says, what each list shows and what each frame holds must be what the model says.
 *
 * ZOETROPE_ACTS=N (10,000) acts, ZOETROPE_SEED=N those of that seed; both are printed. Needs root,
 * to be four users.
 */
#include "broker.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { USERS = 4, STREAMS = 5, ROOT = 0, SHORT_MS = 5000, RELOADS = 25 };
enum right { PRODUCE, CONSUME, RELIABLE, LIST, ADMIN, RIGHTS };
enum act {
	ACT_LIST,
	ACT_PRODUCE,
	ACT_CONSUME,
	ACT_RELY,
	ACT_PUBLISH,
	ACT_NEXT,
	ACT_SERVE,
	ACT_END_P,
	ACT_END_C,
	ACT_KICK,
	ACT_RELOAD
};

static const char *const user_names[USERS] = {"root", "daemon", "bin", "games"};
static const char *const right_names[RIGHTS] = {"produce", "consume", "reliable", "list", "admin"};
static const char *const stream_names[STREAMS] = {"apple", "banana", "cherry", "date", "elder"};

static char config[] = "version: 1\nstreams: {}\n";

/* To a user's process, and back. */
struct order {
	enum act act;
	uint32_t stream, whom; // whom: the pid to kick
	uint64_t value;        // of the frame to publish
};
struct answer {
	int32_t result;
	uint32_t streams; // a bit for each that a list shows, or that a reload left as it was
	uint64_t value, lost;
	uint64_t stream; // that a frame says it is of
	int32_t of_all[2 * STREAMS];
};

/* ---- a user's process ---- */

struct user {
	struct zoe_client *client;
	struct zoe_producer *producers[STREAMS];
	struct zoe_consumer *consumers[STREAMS];
};

static int note_stream(void *to, enum zoe_change change, const struct zoe_stream_info *info) {
	uint32_t *streams = to;

	for (uint32_t i = 0; change == ZOE_ADDED && i < STREAMS; i++) {
		*streams |= (uint32_t)(strcmp(info->name, stream_names[i]) == 0) << i;
	}
	return 0;
}

/* What cannot change now, as readers hold old frames: it is said, and stays as it was. */
static int note_line(void *to, const struct zoe_reload_line *line) {
	uint32_t *streams = to;

	for (uint32_t i = 0; line->kind == ZOE_RELOAD_WARNING && i < STREAMS; i++) {
		*streams |= (uint32_t)(strcmp(line->name, stream_names[i]) == 0 &&
				       strncmp(line->text, "stays as it was", 15) == 0)
			    << i;
	}
	return 0;
}

static int user_consume(struct user *user, uint32_t stream, bool is_reliable) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = is_reliable ? ZOE_RELIABLE : ZOE_EVERY,
		.start = ZOE_START_NOW,
		.timeout_ms = SHORT_MS};

	return zoe_consumer_open(
		user->client, stream_names[stream], &options, &user->consumers[stream]);
}

static int user_produce(struct user *user, uint32_t stream) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = SHORT_MS};

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 16, 16);
	return zoe_producer_open(
		user->client, stream_names[stream], &options, &user->producers[stream]);
}

static int user_publish(struct user *user, const struct order *order) {
	struct zoe_slot *slot = NULL;
	int r = zoe_producer_acquire(user->producers[order->stream], NULL, &slot, SHORT_MS);

	if (r != 0) {
		return r;
	}
	slot->user[0] = order->value;
	slot->user[1] = order->stream;
	return zoe_producer_publish(user->producers[order->stream], slot);
}

static int user_next(struct user *user, uint32_t stream, int timeout_ms, struct answer *answer) {
	const struct zoe_frame *frame;
	int r = zoe_consumer_next(user->consumers[stream], &frame, timeout_ms);

	if (r == 0) {
		answer->value = frame->user[0];
		answer->stream = frame->user[1];
		answer->lost = frame->lost;
		zoe_frame_release(frame);
	}
	return r;
}

/* Every handle hears what the broker has said. */
static void user_serve(struct user *user, struct answer *answer) {
	for (uint32_t i = 0; i < STREAMS; i++) {
		if (user->producers[i]) {
			zoe_producer_get_interval(user->producers[i], &(uint64_t){0});
			answer->of_all[i] = zoe_producer_is_wanted(user->producers[i]);
		}
		if (user->consumers[i]) {
			zoe_consumer_take_events(user->consumers[i]);
		}
	}
}

static void user_act(struct user *user, const struct order *order, struct answer *answer) {
	uint32_t i = order->stream;
	char pid[16];

	switch (order->act) {
	case ACT_LIST:
		answer->result =
			zoe_client_list(user->client, note_stream, &answer->streams, SHORT_MS);
		break;
	case ACT_PRODUCE:
		answer->result = user_produce(user, i);
		break;
	case ACT_CONSUME:
	case ACT_RELY:
		answer->result = user_consume(user, i, order->act == ACT_RELY);
		break;
	case ACT_PUBLISH:
		answer->result = user_publish(user, order);
		break;
	case ACT_NEXT:
		answer->result = user_next(user, i, (int)order->value, answer);
		break;
	case ACT_SERVE:
		user_serve(user, answer);
		break;
	case ACT_END_P:
		zoe_producer_close(user->producers[i]);
		user->producers[i] = NULL;
		break;
	case ACT_END_C:
		zoe_consumer_close(user->consumers[i]);
		user->consumers[i] = NULL;
		break;
	case ACT_KICK:
		snprintf(pid, sizeof(pid), "%u", order->whom);
		answer->result =
			zoe_client_kick(user->client, stream_names[i], pid, NULL, SHORT_MS);
		break;
	case ACT_RELOAD:
	default:
		answer->result =
			zoe_client_reload(user->client, 0, note_line, &answer->streams, SHORT_MS);
		break;
	}
}

static void become(uint32_t number) {
	const struct passwd *entry = getpwnam(user_names[number]);

	CHILD_CHECK(entry != NULL);
	CHILD_CHECK(number == ROOT || (setgroups(0, NULL) == 0 && setgid(entry->pw_gid) == 0 &&
					      setuid(entry->pw_uid) == 0));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void user_run(const struct broker *broker, uint32_t number, int socket) {
	struct user user = {.client = NULL};
	struct order order;

	become(number);
	user.client = broker_connect(broker);
	while (recv(socket, &order, sizeof(order), 0) == (ssize_t)sizeof(order)) {
		struct answer answer = {0};

		user_act(&user, &order, &answer);
		CHILD_CHECK(send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) ==
			    (ssize_t)sizeof(answer));
	}
	zoe_client_destroy(user.client);
	_exit(0);
}

/* ---- the model ---- */

struct rules {
	bool is_there;
	uint32_t producers, consumers;
	uint8_t who[RIGHTS]; // bit = user
};

/* A handle as it should be. lost_at: the last frame it may see, once its right is gone. */
struct handle {
	bool is_open, is_dead;
	int death; // what it is told
	uint64_t seen, limit;
};

static struct world {
	struct broker *broker;
	pid_t pids[USERS];
	int sockets[USERS];
	struct rules rules[STREAMS];
	uint8_t admins; // of the defaults
	struct handle producers[USERS][STREAMS], consumers[USERS][STREAMS];
	uint64_t published[STREAMS];
	uint32_t n_acts;
	uint64_t random;
} world;

static uint32_t pick(uint32_t n) {
	world.random = world.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(world.random >> 33) % n;
}

static struct answer ask(uint32_t user, struct order order) {
	struct answer answer = {0};

	assert_int_equal(
		send(world.sockets[user], &order, sizeof(order), MSG_NOSIGNAL), sizeof(order));
	assert_int_equal(recv(world.sockets[user], &answer, sizeof(answer), 0), sizeof(answer));
	return answer;
}

static bool may(uint32_t user, uint32_t stream, enum right right) {
	return user == ROOT || (world.rules[stream].who[right] >> user & 1);
}

static bool may_see(uint32_t user, uint32_t stream) {
	return world.rules[stream].is_there &&
	       (may(user, stream, LIST) || may(user, stream, CONSUME) ||
		       may(user, stream, PRODUCE));
}

static uint32_t count(struct handle handles[USERS][STREAMS], uint32_t stream) {
	uint32_t n = 0;

	for (uint32_t i = 0; i < USERS; i++) {
		n += handles[i][stream].is_open && !handles[i][stream].is_dead;
	}
	return n;
}

static void check(bool is_true, const char *what, uint32_t user, uint32_t stream, int result) {
	if (!is_true) {
		const struct rules *rules = &world.rules[stream];

		fail_msg("act %u: %s of '%s' by %s: %d; the model has %u of %u producers, %u of "
			 "%u consumers, rights %x %x %x %x %x%s",
			world.n_acts, what, stream_names[stream], user_names[user], result,
			count(world.producers, stream), rules->producers,
			count(world.consumers, stream), rules->consumers, rules->who[PRODUCE],
			rules->who[CONSUME], rules->who[RELIABLE], rules->who[LIST],
			rules->who[ADMIN], rules->is_there ? "" : ", none");
	}
}

static void check_list(uint32_t user) {
	struct answer answer = ask(user, (struct order){.act = ACT_LIST});

	assert_int_equal(answer.result, 0);
	for (uint32_t i = 0; i < STREAMS; i++) {
		check((answer.streams >> i & 1) == may_see(user, i), "sight", user, i, 0);
	}
}

static void act_produce(uint32_t user, uint32_t stream) {
	struct handle *handle = &world.producers[user][stream];
	int expected = 0, r;

	if (handle->is_open) {
		ask(user, (struct order){.act = ACT_END_P, .stream = stream});
		*handle = (struct handle){0};
		return;
	}
	if (!world.rules[stream].is_there || !may(user, stream, PRODUCE)) {
		expected = may_see(user, stream) ? -EACCES : -ENOENT;
	} else if (count(world.producers, stream) >= world.rules[stream].producers) {
		expected = -EBUSY;
	}
	r = ask(user, (struct order){.act = ACT_PRODUCE, .stream = stream}).result;
	check(r == expected, "PRODUCE", user, stream, r);
	handle->is_open = r == 0;
}

static void act_consume(uint32_t user, uint32_t stream, bool is_reliable) {
	struct handle *handle = &world.consumers[user][stream];
	int expected = 0, r = 0;

	if (handle->is_open) {
		ask(user, (struct order){.act = ACT_END_C, .stream = stream});
		*handle = (struct handle){0};
		return;
	}
	if (!may_see(user, stream)) {
		expected = -ENOENT;
	} else if (!may(user, stream, CONSUME) || (is_reliable && !may(user, stream, RELIABLE))) {
		expected = -EACCES;
	} else if (count(world.consumers, stream) >= world.rules[stream].consumers) {
		expected = -EBUSY;
	}
	for (unsigned i = 0; i < 50; i++) {
		r = ask(user, (struct order){.act = is_reliable ? ACT_RELY : ACT_CONSUME,
				      .stream = stream})
			    .result;
		if (r != -EBUSY || expected == -EBUSY) {
			break;
		}
		poll(NULL, 0, 5); /* one has just left, of which the broker is yet to read */
	}
	check(r == expected, is_reliable ? "reliable CONSUME" : "CONSUME", user, stream, r);
	*handle = (struct handle){
		.is_open = r == 0, .seen = world.published[stream], .limit = UINT64_MAX};
}

static void act_publish(uint32_t user, uint32_t stream) {
	struct handle *handle = &world.producers[user][stream];
	struct order order = {
		.act = ACT_PUBLISH, .stream = stream, .value = world.published[stream] + 1};
	int r;

	if (!handle->is_open) {
		return;
	}
	r = ask(user, order).result;
	if (handle->is_dead) {
		check(r == handle->death, "publish of one who may not any more", user, stream, r);
	} else {
		/* -ESTALE: a move came between acquire and publish. */
		check(r == 0 || r == -ESTALE, "publish", user, stream, r);
	}
	world.published[stream] += r == 0;
}

static void act_next(uint32_t user, uint32_t stream) {
	struct handle *handle = &world.consumers[user][stream];
	bool is_due = !handle->is_dead && world.published[stream] > handle->seen;
	struct answer a;

	if (!handle->is_open) {
		return;
	}
	a = ask(user,
		(struct order){.act = ACT_NEXT, .stream = stream, .value = is_due ? SHORT_MS : 0});
	if (a.result == 0) {
		check(a.stream == stream, "a frame of another stream", user, stream, 0);
		check(a.value > handle->seen && a.value <= world.published[stream],
			"a frame that cannot be", user, stream, 0);
		check(a.value <= handle->limit, "a frame after the right was lost", user, stream,
			0);
		handle->seen = a.value;
	} else if (handle->is_dead) {
		check(a.result == handle->death, "take of one who may not any more", user, stream,
			a.result);
	} else {
		check(!is_due && a.result == -EAGAIN, "take", user, stream, a.result);
	}
}

static void handle_end(struct handle *handle, uint32_t stream, int death) {
	if (handle->is_open && !handle->is_dead) {
		handle->is_dead = true;
		handle->death = death;
		handle->limit = world.published[stream];
	}
}

static void serve_all(void) {
	for (uint32_t i = 0; i < USERS; i++) {
		ask(i, (struct order){.act = ACT_SERVE});
	}
}

static void act_kick(uint32_t user, uint32_t stream, uint32_t whom) {
	struct handle *p = &world.producers[whom][stream], *c = &world.consumers[whom][stream];
	bool is_there = (p->is_open && !p->is_dead) || (c->is_open && !c->is_dead);
	struct order order = {
		.act = ACT_KICK, .stream = stream, .whom = (uint32_t)world.pids[whom]};
	bool is_ruler = user == ROOT || (world.admins >> user & 1);
	bool is_known =
		may_see(user, stream) || (world.rules[stream].is_there && may(user, stream, ADMIN));
	int r = ask(user, order).result;

	if (!is_known) {
		check(r == -ENOENT, "KICK of what is not known", user, stream, r);
	} else if (!may(user, stream, ADMIN)) {
		check(r == -EACCES, "KICK without the right", user, stream, r);
	} else if (!is_there) {
		/* 0: a consumer that has just left, of which the broker is yet to read. */
		check(r == -ENOENT || r == 0, "KICK of nobody", user, stream, r);
	} else {
		/* Who rules one stream alone may have it moved only so often. */
		check(r == 0 || (!is_ruler && (r == -EAGAIN || r == -EBUSY)), "KICK", user, stream,
			r);
	}
	if (r == 0) {
		handle_end(p, stream, -ECONNABORTED);
		handle_end(c, stream, -ECONNABORTED);
		serve_all();
	}
}

static void write_who(FILE *file, uint8_t who) {
	const char *comma = "";

	fputc('[', file);
	for (uint32_t i = 1; i < USERS; i++) {
		if (who >> i & 1) {
			fprintf(file, "%s\"user:%s\"", comma, user_names[i]);
			comma = ", ";
		}
	}
	fputc(']', file);
}

static void write_config(void) {
	FILE *file = fopen(world.broker->config, "we");

	assert_non_null(file);
	fputs("version: 1\ndefaults: {access: {admin: ", file);
	write_who(file, world.admins);
	fputs("}}\nstreams:\n  always: {max_frame: 16x16 XR24}\n", file);
	for (uint32_t i = 0; i < STREAMS; i++) {
		const struct rules *rules = &world.rules[i];

		if (!rules->is_there) {
			continue;
		}
		fprintf(file,
			"  %s:\n    max_frame: 64x64 XR24\n    slots: 64\n    producers: %u\n"
			"    consumers: %u\n    access:\n",
			stream_names[i], rules->producers, rules->consumers);
		for (uint32_t right = 0; right < RIGHTS; right++) {
			fprintf(file, "      %s: ", right_names[right]);
			write_who(file, rules->who[right]);
			fputc('\n', file);
		}
	}
	assert_int_equal(fclose(file), 0);
}

static void choose_rules(void) {
	for (uint32_t i = 0; i < STREAMS; i++) {
		struct rules *rules = &world.rules[i];

		if (pick(2)) {
			continue; /* stays as it is */
		}
		rules->is_there = pick(8) != 0;
		rules->producers = 1 + pick(3);
		rules->consumers = 1 + pick(4);
		for (uint32_t right = 0; right < RIGHTS; right++) {
			rules->who[right] = (uint8_t)(pick(1u << USERS) | pick(1u << USERS));
		}
	}
	world.admins = (uint8_t)pick(1u << USERS);
}

/* What the new rules take away. */
static void end_rights(void) {
	for (uint32_t i = 0; i < STREAMS; i++) {
		int death = world.rules[i].is_there ? -ECONNABORTED : -EPIPE;

		for (uint32_t user = 0; user < USERS; user++) {
			if (!world.rules[i].is_there || !may(user, i, PRODUCE)) {
				handle_end(&world.producers[user][i], i, death);
			}
			if (!world.rules[i].is_there || !may(user, i, CONSUME)) {
				handle_end(&world.consumers[user][i], i, death);
			}
		}
	}
}

static void act_reload(uint32_t user) {
	struct world before = world;
	bool is_allowed = user == ROOT || (world.admins >> user & 1);
	struct answer answer;
	int r;

	choose_rules();
	write_config();
	answer = ask(user, (struct order){.act = ACT_RELOAD});
	r = answer.result;
	check(r == (is_allowed ? 0 : -EACCES), "RELOAD", user, 0, r);
	if (r != 0) {
		before.random = world.random;
		world = before;
		return;
	}
	for (uint32_t i = 0; i < STREAMS; i++) {
		if (answer.streams >> i & 1) {
			world.rules[i] = before.rules[i];
		}
	}
	end_rights();
	serve_all();
}

static void act_at_random(void) {
	uint32_t user = pick(USERS), stream = pick(STREAMS);

	switch (pick(10)) {
	case 0:
		check_list(user);
		break;
	case 1:
		act_produce(user, stream);
		break;
	case 2:
		act_consume(user, stream, pick(2));
		break;
	case 3:
	case 4:
	case 5:
		act_publish(user, stream);
		break;
	case 9:
		if (pick(20) == 0) {
			act_kick(user, stream, pick(USERS));
		} else if (pick(RELOADS) == 0) {
			act_reload(pick(2) ? (uint32_t)ROOT : user);
		}
		break;
	default:
		act_next(user, stream);
		break;
	}
}

static void user_start(uint32_t number) {
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	world.pids[number] = fork();
	assert_true(world.pids[number] >= 0);
	if (world.pids[number] == 0) {
		close(ends[0]);
		for (uint32_t i = 0; i < number; i++) {
			close(world.sockets[i]);
		}
		user_run(world.broker, number, ends[1]);
	}
	close(ends[1]);
	world.sockets[number] = ends[0];
}

static uint32_t option(const char *name, uint32_t otherwise) {
	const char *text = getenv(name);

	return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static void test_rights_are_what_the_config_says(void **state) {
	uint32_t n = option("ZOETROPE_ACTS", 10000),
		 seed = option("ZOETROPE_SEED", (uint32_t)time(NULL));

	if (geteuid() != 0) {
		print_message("  skipped: it takes root to be four users\n");
		skip();
	}
	world = (struct world){.broker = *state, .random = seed};
	print_message("  %u acts, ZOETROPE_SEED=%u\n", n, seed);
	for (uint32_t i = 0; i < USERS; i++) {
		user_start(i);
	}
	act_reload(ROOT);
	for (world.n_acts = 0; world.n_acts < n; world.n_acts++) {
		act_at_random();
	}
	for (uint32_t i = 0; i < USERS; i++) {
		close(world.sockets[i]);
		assert_int_equal(process_wait(world.pids[i]), 0);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_rights_are_what_the_config_says, config),
	};

	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
