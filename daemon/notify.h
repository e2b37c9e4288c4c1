/* SPDX-License-Identifier: MIT */
#ifndef NOTIFY_H
#define NOTIFY_H
/*
 * What the service manager is told, as sd_notify(3) has it: that the broker is ready, reloads or
 * stops, that it is alive, and in a line what it does. Without $NOTIFY_SOCKET nothing happens.
 * Owns:     a datagram socket and two timers, init to finish.
 * Threads:  the broker's one.
 * Includes: loop.h.
 * libsystemd would be the well-kept library, but it maps itself and three compressors into the
 * broker for what is one sendto(); sd_notify(3) promises that the protocol is stable, and asks
 * those who do not want the library to speak it themselves. A manager that does not read must not
 * stop the broker: nothing here blocks. Each message says all there is to know, so that one that
 * did not get through is made good by the next.
 */
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "loop.h"

struct server;

enum notify_state { NOTIFY_STARTS, NOTIFY_READY, NOTIFY_RELOADS, NOTIFY_STOPS };

struct notify {
	struct server *server; // borrowed; NULL before notify_init
	int fd;                // -1: nobody wants to know
	struct sockaddr_un address;
	socklen_t address_size;
	enum notify_state state;
	char told[128];           // the status line that the manager has
	struct ev_timer status;   // runs while there is something to tell, or may soon be
	struct ev_timer watchdog; // at half the time that the manager allows
};

/* Looks at $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. Logs what is wrong with them. */
void notify_init(struct notify *notify, struct server *server);
void notify_finish(struct notify *notify);

/* The broker answers; also at the end of a reload, whatever came of it. */
void notify_ready(struct notify *notify);
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);

/* Streams, clients or memory may have changed: the line about them follows within a second, and
 * once for all changes of that second. Cheap. */
void notify_status(struct notify *notify);
#endif
