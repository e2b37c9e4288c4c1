/* SPDX-License-Identifier: MIT */
#ifndef PEER_H
#define PEER_H
/*
 * One way of handing frames from a process to others, as trial.c drives it: the same work for each.
 * Owns:     nothing; a peer keeps its state in its own file, one producer or reader a process.
 * Threads:  one, where the peer's library starts none of its own.
 * Includes: C only; also compiles as C++.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { WIDTH = 1920, HEIGHT = 1080, FRAME_BYTES = WIDTH * HEIGHT * 4, SLOTS = 8, MAX_READERS = 8 };

enum deed {
	IN_PLACE, /* 60/s, the producer writes a few bytes, the readers look at them */
	COPY,     /* 60/s, a picture is copied in, the reader looks at every byte */
	FLOW,     /* the same, as fast as it goes, nothing lost */
	STOPPED   /* as IN_PLACE (COPY where that cannot be), and one of the readers is stopped */
};

struct trial {
	enum deed deed;
	unsigned n_readers;
	double seconds;
	const char *place; /* directory of sockets */
	const char *name;  /* of the stream or channel; another one each time */
};

/* What a peer does, NULL where it has no such thing. All but prepare and clean run in the process
 * of the producer or of one reader. All return 0 or a pointer; else -1 or NULL. */
struct peer {
	const char *(*version)(void);
	unsigned deeds;                        /* bits of 1 << enum deed */
	int (*prepare)(const struct trial *t); /* before all processes */
	int (*produce)(const struct trial *t); /* opens */
	int (*consume)(const struct trial *t, unsigned index);
	uint8_t *(*acquire)(void); /* memory of the peer's, for one picture */
	int (*publish)(void);
	int (*send)(const uint8_t *picture);    /* where the peer itself does the copying */
	const uint8_t *(*next)(int timeout_ms); /* NULL: none came */
	void (*release)(void);
	void (*leave)(void);         /* producer and readers, when all is done */
	void (*clean)(int producer); /* what a killed producer leaves; its process id */
};

extern const struct peer peer;

#ifdef __cplusplus
}
#endif
#endif
