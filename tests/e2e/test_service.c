/* SPDX-License-Identifier: MIT */
/*
 * The broker under a service manager, which the test plays: what it is told by $NOTIFY_SOCKET, and
 * a socket that is handed over by $LISTEN_FDS.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker.h"

#define LISTENER_FD 3

static const char yaml[] = "version: 1\n"
			   "streams:\n"
			   "  desk: {max_frame: 16x16 XR24}\n";

struct service {
	struct broker broker; // started by us, with what a manager gives
	int notify, listener; // -1 = none
	char name[72];        // of the notify socket, @ in front
	bool has_watchdog, has_journal, has_others_journal;
	char text[512]; // the last message
};

static void write_config(const struct service *service, const char *text) {
	FILE *file = fopen(service->broker.config, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int service_setup(void **state) {
	static const struct service none = {.notify = -1, .listener = -1};
	struct service *service = malloc(sizeof(*service));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!service) {
		return -1;
	}
	*service = none;
	service->broker.n_fds = count_fds(getpid());
	snprintf(service->broker.dir, sizeof(service->broker.dir), "/tmp/zoe-e2e-XXXXXX");
	if (!mkdtemp(service->broker.dir)) {
		return -1;
	}
	snprintf(service->broker.socket, sizeof(service->broker.socket), "%s/socket",
		service->broker.dir);
	snprintf(service->broker.config, sizeof(service->broker.config), "%s/zoetrope.yaml",
		service->broker.dir);
	snprintf(service->broker.log, sizeof(service->broker.log), "%s/log", service->broker.dir);
	write_config(service, yaml);
	service->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(service->name, sizeof(service->name), "@%s", service->broker.dir);
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", service->name + 1);
	*state = service;
	return bind(service->notify, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(service->name)));
}

static int service_teardown(void **state) {
	struct service *service = *state;
	static const char *const names[] = {"zoetrope.yaml", "log", "socket.lock", "socket"};
	char path[128];
	int n_fds;

	if (service->broker.pid > 0) {
		kill(service->broker.pid, SIGKILL);
		process_wait(service->broker.pid);
	}
	close(service->notify);
	if (service->listener >= 0) {
		close(service->listener);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", service->broker.dir, names[i]);
		unlink(path);
	}
	rmdir(service->broker.dir);
	n_fds = service->broker.n_fds;
	free(service);
	return count_fds(getpid()) == n_fds ? 0 : -1;
}

static void set_number(const char *name, long number) {
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	setenv(name, text, 1);
}

/* What the manager says of the journal, as if it were the log, or one that stderr was before. */
static void set_journal(int log, bool is_other) {
	char text[64];
	struct stat st;

	if (fstat(log, &st) < 0) {
		_exit(126);
	}
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + is_other);
	setenv("JOURNAL_STREAM", text, 1);
}

static void service_exec(const struct service *service) {
	const struct broker *broker = &service->broker;
	const char *program = getenv("ZOETROPED");
	int log = open(broker->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(log, STDERR_FILENO);
	if (service->has_journal || service->has_others_journal) {
		set_journal(log, service->has_others_journal);
	}
	setenv("NOTIFY_SOCKET", service->name, 1);
	if (service->has_watchdog) {
		setenv("WATCHDOG_USEC", "200000", 1);
		set_number("WATCHDOG_PID", getpid());
	}
	if (service->listener >= 0) {
		dup2(service->listener, LISTENER_FD); /* not close-on-exec any more */
		setenv("LISTEN_FDS", "1", 1);
		set_number("LISTEN_PID", getpid());
		execl(program, "zoetroped", "--config", broker->config, (char *)NULL);
	} else {
		execl(program, "zoetroped", "--config", broker->config, "--socket", broker->socket,
			(char *)NULL);
	}
	_exit(127);
}

static void service_start(struct service *service) {
	service->broker.pid = fork();
	assert_true(service->broker.pid >= 0);
	if (service->broker.pid == 0) {
		service_exec(service);
	}
}

static int service_stop(struct service *service) {
	pid_t pid = service->broker.pid;

	service->broker.pid = 0;
	kill(pid, SIGTERM);
	return process_wait(pid);
}

/* Waits for a message with that word in it. */
static void expect_word(struct service *service, const char *word) {
	uint64_t deadline = now_ms() + DEADLINE_MS;

	for (;;) {
		struct pollfd fd = {.fd = service->notify, .events = POLLIN};
		ssize_t n;

		if (now_ms() > deadline || poll(&fd, 1, DEADLINE_MS) != 1) {
			fail_msg("nobody says '%s'; the last message: %s", word, service->text);
		}
		n = recv(service->notify, service->text, sizeof(service->text) - 1, 0);
		assert_true(n >= 0);
		service->text[n] = '\0';
		if (strstr(service->text, word)) {
			return;
		}
	}
}

static void service_listen(struct service *service, int type) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int one = 1;

	memcpy(address.sun_path, service->broker.socket, sizeof(service->broker.socket));
	service->listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_int_equal(
		setsockopt(service->listener, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	assert_int_equal(bind(service->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(service->listener, 8), 0);
}

static void test_service_is_told_of_the_start_and_the_end(void **state) {
	struct service *service = *state;
	struct zoe_client *client;

	service_start(service);
	expect_word(service, "READY=1\n");
	assert_non_null(strstr(service->text, "STATUS=1 streams, 0 clients, 0 of "));
	client = broker_connect(&service->broker); /* it answers when it says that it is ready */
	assert_int_equal(zoe_client_connect(client, DEADLINE_MS), 0);
	zoe_client_destroy(client);
	assert_int_equal(service_stop(service), 0);
	expect_word(service, "STOPPING=1\n");
	assert_int_equal(access(service->broker.socket, F_OK), -1);
}

static void test_service_is_told_what_the_broker_does(void **state) {
	struct service *service = *state;
	struct zoe_producer *producer;
	struct zoe_client *client;

	service_start(service);
	expect_word(service, "READY=1\n");
	client = broker_connect(&service->broker);
	producer = produce(client, "desk", 1);
	expect_word(service, "STATUS=1 streams, 1 clients, ");
	zoe_producer_close(producer);
	zoe_client_destroy(client);
	expect_word(service, "STATUS=1 streams, 0 clients, ");
	assert_int_equal(service_stop(service), 0);
}

/* Frames that flow are no news. */
static void test_service_hears_nothing_of_frames(void **state) {
	struct service *service = *state;
	struct zoe_producer *producer;
	struct zoe_client *client;
	struct pollfd fd = {.fd = service->notify, .events = POLLIN};
	uint64_t end;

	service_start(service);
	expect_word(service, "READY=1\n");
	client = broker_connect(&service->broker);
	producer = produce(client, "desk", 1);
	expect_word(service, " 1 clients, ");
	for (end = now_ms() + 2500; now_ms() < end; usleep(2000)) {
		assert_int_equal(publish(producer, 1), 0);
		assert_int_equal(poll(&fd, 1, 0), 0);
	}
	zoe_producer_close(producer);
	zoe_client_destroy(client);
	assert_int_equal(service_stop(service), 0);
}

static bool has_logged(const struct service *service, const char *words) {
	char line[1024];
	bool is_found = false;
	FILE *file = fopen(service->broker.log, "re");

	while (file && fgets(line, sizeof(line), file)) {
		is_found = is_found || strstr(line, words);
	}
	if (file) {
		fclose(file);
	}
	return is_found;
}

/* Behind the filter of system calls, where names of users are still found, and not found. */
static void test_service_is_told_of_a_reload(void **state) {
	struct service *service = *state;

	service_start(service);
	expect_word(service, "READY=1\n");
	write_config(service,
		"version: 1\nstreams:\n  desk: {max_frame: 16x16 XR24, "
		"access: {produce: [user:root, group:daemon]}}\n  more: {max_bytes: 1KiB}\n");
	kill(service->broker.pid, SIGHUP);
	expect_word(service, "RELOADING=1\nMONOTONIC_USEC=");
	expect_word(service, "READY=1\n");
	assert_non_null(strstr(service->text, "STATUS=2 streams, "));
	write_config(service, "version: 1\nstreams:\n  desk: {max_frame: 16x16 XR24, "
			      "access: {produce: [user:zoe-nobody-at-all]}}\n");
	kill(service->broker.pid, SIGHUP);
	expect_word(service, "RELOADING=1\n");
	expect_word(service, "READY=1\n");
	assert_non_null(strstr(service->text, "STATUS=2 streams, "));
	assert_true(has_logged(service, "no user 'zoe-nobody-at-all' on this machine"));
	assert_int_equal(service_stop(service), 0);
}

static void test_service_gets_signs_of_life(void **state) {
	struct service *service = *state;
	uint64_t start;

	service->has_watchdog = true;
	service_start(service);
	expect_word(service, "READY=1\n");
	start = now_ms();
	for (int i = 0; i < 5; i++) {
		expect_word(service, "WATCHDOG=1\n");
	}
	assert_true(now_ms() - start >= 300); /* every 100 ms, not as fast as it goes */
	kill(service->broker.pid, SIGSTOP);
	while (recv(service->notify, service->text, sizeof(service->text), MSG_DONTWAIT) > 0) {
	}
	assert_int_equal(
		poll(&(struct pollfd){.fd = service->notify, .events = POLLIN}, 1, 400), 0);
	kill(service->broker.pid, SIGCONT);
	expect_word(service, "WATCHDOG=1\n");
	assert_int_equal(service_stop(service), 0);
}

static void test_service_logs_with_priorities_into_the_journal(void **state) {
	struct service *service = *state;

	service->has_journal = true;
	service_start(service);
	expect_word(service, "READY=1\n");
	assert_true(has_logged(service, "<6>zoetroped: ready on"));
	assert_int_equal(service_stop(service), 0);
}

static void test_service_logs_plainly_where_the_journal_is_another_s(void **state) {
	struct service *service = *state;

	service->has_others_journal = true;
	service_start(service);
	expect_word(service, "READY=1\n");
	assert_true(has_logged(service, "zoetroped: ready on"));
	assert_false(has_logged(service, "<6>"));
	assert_int_equal(service_stop(service), 0);
}

/* Knocks before the broker runs, as the first client of a service that starts on demand does. */
static void test_service_takes_a_socket_that_is_handed_over(void **state) {
	struct service *service = *state;
	struct zoe_producer *producer;
	struct zoe_client *client;
	struct stat before, after;

	service_listen(service, SOCK_SEQPACKET);
	assert_int_equal(stat(service->broker.socket, &before), 0);
	client = broker_connect(&service->broker);
	assert_int_equal(zoe_client_connect(client, 50), -ETIMEDOUT);
	service_start(service);
	producer = produce(client, "desk", 1);
	assert_int_equal(publish(producer, 1), 0);
	expect_word(service, "READY=1\n");
	assert_int_equal(service_stop(service), 0);
	assert_int_equal(stat(service->broker.socket, &after), 0); /* it is the manager's */
	assert_int_equal(before.st_ino, after.st_ino);
	zoe_producer_close(producer);
	zoe_client_destroy(client);
}

static void test_service_refuses_a_socket_of_another_kind(void **state) {
	struct service *service = *state;
	pid_t pid;

	service_listen(service, SOCK_STREAM);
	service_start(service);
	pid = service->broker.pid;
	service->broker.pid = 0;
	assert_int_equal(process_wait(pid), 1);
}

/* $LISTEN_FDS that an ancestor was given is none of ours: its number 3 is something else. */
static void test_service_leaves_sockets_of_others_alone(void **state) {
	struct service *service = *state;

	setenv("LISTEN_FDS", "1", 1);
	set_number("LISTEN_PID", getpid());
	service_start(service);
	expect_word(service, "READY=1\n");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	assert_int_equal(service_stop(service), 0);
}

#define SERVICE_TEST(function)                                                                     \
	cmocka_unit_test_setup_teardown(function, service_setup, service_teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		SERVICE_TEST(test_service_is_told_of_the_start_and_the_end),
		SERVICE_TEST(test_service_is_told_what_the_broker_does),
		SERVICE_TEST(test_service_hears_nothing_of_frames),
		SERVICE_TEST(test_service_is_told_of_a_reload),
		SERVICE_TEST(test_service_gets_signs_of_life),
		SERVICE_TEST(test_service_logs_with_priorities_into_the_journal),
		SERVICE_TEST(test_service_logs_plainly_where_the_journal_is_another_s),
		SERVICE_TEST(test_service_takes_a_socket_that_is_handed_over),
		SERVICE_TEST(test_service_refuses_a_socket_of_another_kind),
		SERVICE_TEST(test_service_leaves_sockets_of_others_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
