/* SPDX-License-Identifier: MIT */
/*
 * The table of attacks: each runs while eight honest programs stream, and must fail. Prints a line
 * for each: ATTACK, VERDICT, what was seen.
 *   attacks [--mode] [NAME...]
 * --mode takes the right to protect memory by the immutable flag from the broker, as if it ran
 * without that capability; NAME runs only attacks whose name contains it.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "honest.h"

#define LONGEST_MS 15000 /* of an attack */
#define LEAST_MS 300     /* in which the honest are looked at */
#define ANSWER_MS 1000   /* in which the broker must answer, whatever goes on */
#define GIVE_UP_MS 5000
#define PAUSE_MS 20
#define MOST_LOGGED 16384        /* bytes, by an attack */
#define MOST_MEMORY_KIB 524288ul /* a sanitizer's share included */

static char config[] =
	"version: 1\n"
	"broker: {memory_limit: 512MiB}\n"
	"defaults: {access: {list: [any]}}\n"
	"streams:\n" HONEST_STREAMS
	"  gate: {max_frame: 64x64 XR24, access: {produce: [owner], consume: [owner],\n"
	"    list: [owner]}}\n"
	"  loose: {max_frame: 128x128 XR24, slots: 8, producers: 4, open: 2, consumers: 8,\n"
	"    hold: 3, patience: 200ms,\n"
	"    access: {produce: [any], consume: [any], reliable: [any]}}\n"
	"  \"play/*\": {max_frame: 256x256 XR24, max_streams: 8, linger: 100ms,\n"
	"    access: {produce: [any], consume: [any]}}\n";

/* What an attack's process leaves for ours. */
struct report {
	_Atomic uint32_t n_broken; // claims
	char seen[300], broken[300];
};

/* What the broker is asked meanwhile. */
struct probe {
	int socket;
	uint64_t worst_ms;
	const char *wrong; // NULL = nothing
};

static struct report *report; // shared with the attack's process

static void attr_printf(3, 0) add_text(char *text, size_t size, const char *format, va_list args) {
	size_t len = strlen(text);

	if (len > 0 && len + 3 < size) {
		len += (size_t)snprintf(text + len, size - len, "; ");
	}
	vsnprintf(text + len, size - len, format, args);
}

void attack_saw(const char *format, ...) {
	va_list args;

	va_start(args, format);
	add_text(report->seen, sizeof(report->seen), format, args);
	va_end(args);
}

void attack_claim(bool holds, const char *format, ...) {
	va_list args;

	if (holds) {
		return;
	}
	atomic_fetch_add_explicit(&report->n_broken, 1, memory_order_relaxed);
	va_start(args, format);
	add_text(report->broken, sizeof(report->broken), format, args);
	va_end(args);
}

bool attack_goes_on(uint64_t since_ms) {
	return now_ms() - since_ms < ATTACK_MS;
}

/* Not nobody, who matches no right. */
void attack_become_stranger(void) {
	const struct passwd *user = getpwnam("daemon");

	CHILD_CHECK(user && setgroups(0, NULL) == 0 && setgid(user->pw_gid) == 0 &&
		    setuid(user->pw_uid) == 0);
	/* Another user begins without either. */
	CHILD_CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
}

static pid_t attack_start(const struct attack *attack, const struct scene *scene) {
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (scene->is_stranger) {
			attack_become_stranger();
		}
		attack->run(scene);
		_exit(0);
	}
	return pid;
}

/* Waits until it is ready. Returns: 0; -ETIMEDOUT. */
static int wait_fd(int fd, short events) {
	struct pollfd ready = {.fd = fd, .events = events};

	return poll(&ready, 1, GIVE_UP_MS) == 1 ? 0 : -ETIMEDOUT;
}

/* Returns: 0; what is wrong. */
static int probe_list(int socket) {
	struct zoe_msg_header list = {.type = ZOE_MSG_LIST, .size = sizeof(list), .serial = 3};
	static struct zoe_packet packet;
	uint32_t flags = ZOE_MSG_MORE;
	int r = raw_send(socket, &list, sizeof(list));

	while (r == 0 && (flags & ZOE_MSG_MORE)) {
		r = wait_fd(socket, POLLIN);
		if (r == 0) {
			r = zoe_wire_receive(socket, &packet);
			flags = packet.header.flags;
			zoe_packet_finish(&packet);
		}
	}
	return r;
}

/* A newcomer: connects, greets, asks. Returns: 0; what is wrong. */
static int probe_afresh(const struct broker *broker) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval longest = {.tv_sec = GIVE_UP_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r = 0;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", broker->socket);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		r = -errno;
	} else {
		raw_echo(fd, raw_hello(fd));
		r = probe_list(fd);
	}
	close(fd);
	return r;
}

static void probe_ask(struct probe *probe, const struct broker *broker, bool is_afresh) {
	uint64_t start = now_ms(), took;
	int r = is_afresh ? probe_afresh(broker) : probe_list(probe->socket);

	took = now_ms() - start;
	probe->worst_ms = took > probe->worst_ms ? took : probe->worst_ms;
	if (r < 0 || took > ANSWER_MS) {
		probe->wrong = is_afresh ? "no newcomer is let in" : "the broker does not answer";
	}
}

/* Looks after the broker until the attack is over. Returns: its exit status; 128 + signal. */
static int attend(pid_t pid, struct probe *probe, const struct broker *broker) {
	uint64_t start = now_ms();
	int status = 0;

	for (unsigned i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
		if (now_ms() - start > LONGEST_MS) {
			kill(pid, SIGKILL);
		}
		probe_ask(probe, broker, i % 4 == 3);
		poll(NULL, 0, PAUSE_MS);
	}
	while (now_ms() - start < LEAST_MS) {
		poll(NULL, 0, PAUSE_MS);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool scene_is_usable(const struct scene *scene, const char *stream) {
	struct zoe_producer_options feed = {.struct_size = sizeof(feed), .timeout_ms = GIVE_UP_MS};
	struct zoe_consumer_options look = {.struct_size = sizeof(look),
		.timeout_ms = GIVE_UP_MS,
		.delivery = ZOE_EVERY,
		.start = ZOE_START_NOW};
	struct zoe_client *c = broker_connect(scene->broker);
	struct zoe_client *other = broker_connect(scene->broker);
	struct zoe_producer *p = NULL;
	struct zoe_consumer *s = NULL;
	const struct zoe_frame *frame;
	bool is_well;

	zoe_format_init(&feed.format, ZOE_FORMAT_XR24, 16, 16);
	is_well = zoe_producer_open(c, stream, &feed, &p) == 0 &&
		  zoe_consumer_open(other, stream, &look, &s) == 0;
	for (uint64_t value = 1; is_well && value <= 20; value++) {
		struct zoe_slot *slot = NULL;

		is_well = zoe_producer_acquire(p, NULL, &slot, GIVE_UP_MS) == 0;
		if (is_well) {
			memset(slot->plane[0], (int)value, slot->format.size_bytes);
			slot->user[0] = value;
			is_well = zoe_producer_publish(p, slot) == 0 &&
				  zoe_consumer_next(s, &frame, GIVE_UP_MS) == 0;
		}
		if (is_well) {
			is_well = frame_is_whole(frame) && frame->user[0] == value;
			zoe_frame_release(frame);
		}
	}
	zoe_client_destroy(c);
	zoe_client_destroy(other);
	return is_well;
}

/* Who and what is left of an attack goes away with it. */
static bool is_as_before(const struct broker *broker, int n_fds) {
	uint64_t deadline = now_ms() + GIVE_UP_MS;

	while (count_fds(broker->pid) > n_fds) {
		if (now_ms() > deadline) {
			return false;
		}
		poll(NULL, 0, PAUSE_MS);
	}
	return true;
}

static off_t get_log_size(const struct broker *broker) {
	struct stat st;

	return stat(broker->log, &st) == 0 ? st.st_size : 0;
}

/* Returns: a sentence; NULL nothing is wrong. */
static const char *judge(int status, const struct probe *probe, const struct scene *scene) {
	static char text[64];

	if (atomic_load_explicit(&report->n_broken, memory_order_relaxed) > 0) {
		return report->broken;
	}
	if (status != 0) {
		snprintf(text, sizeof(text), "the attacker ended with %d", status);
		return text;
	}
	if (waitpid(scene->broker->pid, NULL, WNOHANG) != 0) {
		return "the broker is dead";
	}
	return probe->wrong;
}

/* Returns: whether it failed, as it must. */
static bool attack_try(const struct attack *attack, const struct scene *scene) {
	struct probe probe = {.socket = raw_open(scene->broker)};
	int n_fds = count_fds(scene->broker->pid), status;
	off_t logged = get_log_size(scene->broker);
	struct honest_mark mark;
	char honest[300] = "";
	const char *wrong;

	memset(report, 0, sizeof(*report));
	honest_set_mark(&mark);
	status = attend(attack_start(attack, scene), &probe, scene->broker);
	wrong = honest_check(&mark, honest, sizeof(honest)) ? NULL : honest;
	wrong = wrong ? wrong : judge(status, &probe, scene);
	close(probe.socket);
	if (!wrong && get_log_size(scene->broker) - logged > MOST_LOGGED) {
		wrong = "it fills the log";
	}
	if (!wrong && !scene_is_usable(scene, "loose")) {
		wrong = "the stream that it had a part in is of no use any more";
	}
	if (!wrong && !is_as_before(scene->broker, n_fds)) {
		wrong = "descriptors of the broker are left";
	}
	printf("%-34s %-7s %s%s[%s; LIST %llu ms]\n", attack->name, wrong ? "FAILED" : "held",
		wrong ? wrong : report->seen, wrong || report->seen[0] ? " " : "", honest,
		(unsigned long long)probe.worst_ms);
	fflush(stdout);
	return !wrong;
}

static bool name_is_wanted(const char *name, char *const *wanted) {
	bool is_any = !wanted[0];

	for (; *wanted; wanted++) {
		is_any = is_any || strstr(name, *wanted) != NULL;
	}
	return is_any;
}

static bool try_all(struct scene *scene, char *const *wanted) {
	static const struct attack *const tables[] = {memory_attacks, packet_attacks, flood_attacks,
		frame_attacks, seat_attacks, right_attacks};
	bool is_well = true, may_change = geteuid() == 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct attack *attack = tables[i]; attack->name; attack++) {
			scene->is_stranger =
				may_change && (attack->as == ATTACK_AS_STRANGER ||
						      attack->as == ATTACK_NEEDS_STRANGER);
			if (!name_is_wanted(attack->name, wanted)) {
				continue;
			}
			if (!may_change && (attack->as == ATTACK_NEEDS_STRANGER ||
						   attack->as == ATTACK_AS_BOTH)) {
				printf("%-34s %-7s needs root, to become another user\n",
					attack->name, "skipped");
				continue;
			}
			is_well = attack_try(attack, scene) && is_well;
		}
	}
	return is_well;
}

/* In KiB, by the kernel's word; 0 = not known. */
static unsigned long get_peak_memory(pid_t pid) {
	unsigned long kib = 0;
	char path[32], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && kib == 0 && fgets(line, sizeof(line), file)) {
		(void)sscanf(line, "VmHWM: %lu kB", &kib);
	}
	if (file) {
		fclose(file);
	}
	return kib;
}

static int note_protection(void *user, const struct zoe_status *status) {
	char *text = user;

	if (status->broker) {
		snprintf(text, 32, "%s", status->broker->protection);
	}
	return 0;
}

static void scene_init(struct scene *scene, const struct broker *broker) {
	static char protection[32];
	struct zoe_client *c = broker_connect(broker);
	int plain = memfd_create("plain", MFD_CLOEXEC);
	char path[32];

	assert_int_equal(ftruncate(plain, 4096), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	*scene = (struct scene){.broker = broker,
		.protection = protection,
		.zoe = getenv("ZOE"),
		.plain_fd = open(path, O_RDONLY | O_CLOEXEC)};
	close(plain);
	assert_int_equal(zoe_client_status(c, NULL, note_protection, protection, DEADLINE_MS), 0);
	zoe_client_destroy(c);
}

int main(int argc, char **argv) {
	bool is_mode = argc > 1 && strcmp(argv[1], "--mode") == 0, is_well;
	void *state = config;
	struct scene scene;

	if (is_mode && prctl(PR_CAPBSET_DROP, CAP_LINUX_IMMUTABLE) < 0) {
		printf("attacks: skipped, needs root to take the capability away\n");
		return 77;
	}
	report = mmap(
		NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(report, MAP_FAILED);
	assert_int_equal(broker_setup(&state), 0);
	scene_init(&scene, state);
	scene.honest = honest_start(state);
	assert_true(scene_is_usable(&scene, "loose")); /* and has its memory */
	printf("protection: %s\n%-34s %-7s %s\n", scene.protection, "ATTACK", "VERDICT", "SEEN");
	is_well = try_all(&scene, argv + 1 + is_mode);
	printf("the broker has had %lu KiB at most\n", get_peak_memory(scene.broker->pid));
	is_well = is_well && get_peak_memory(scene.broker->pid) < MOST_MEMORY_KIB;
	honest_stop();
	close(scene.plain_fd);
	munmap(report, sizeof(*report));
	return broker_teardown(&state) == 0 && is_well ? 0 : 1;
}
