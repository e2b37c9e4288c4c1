/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <errno.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "attr.h"
#include "log.h"

#define RETRY_S 0.1

static void signals_on_retry(struct ev_loop *loop, struct ev_timer *timer, int events) {
	struct signals *signals = container_of(timer, struct signals, retry);

	(void)events;
	ev_io_start(loop, &signals->io);
}

static void signals_on_io(struct ev_loop *loop, struct ev_io *io, int events) {
	struct signals *signals = container_of(io, struct signals, io);
	struct signalfd_siginfo info;

	if (events & EV_ERROR) {
		log_warn("cannot wait for signals, tries again");
		ev_timer_set(&signals->retry, RETRY_S, 0.0);
		ev_timer_start(loop, &signals->retry);
	}
	if (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		signals->on_signal(signals, (int)info.ssi_signo);
	}
}

int signals_init(struct signals *signals, struct ev_loop *loop,
	void (*on_signal)(struct signals *signals, int signum)) {
	sigset_t wanted;
	int fd;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGHUP);
	fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0) {
		return -errno;
	}
	*signals = (struct signals){.loop = loop, .fd = fd, .on_signal = on_signal};
	sigprocmask(SIG_BLOCK, &wanted, &signals->mask);
	ev_io_init(&signals->io, signals_on_io, fd, EV_READ);
	ev_timer_init(&signals->retry, signals_on_retry, 0.0, 0.0);
	ev_io_start(loop, &signals->io);
	return 0;
}

void signals_finish(struct signals *signals) {
	if (signals->loop) {
		ev_io_stop(signals->loop, &signals->io);
		ev_timer_stop(signals->loop, &signals->retry);
		close(signals->fd);
		sigprocmask(SIG_SETMASK, &signals->mask, NULL);
	}
	*signals = (struct signals){.fd = -1};
}
