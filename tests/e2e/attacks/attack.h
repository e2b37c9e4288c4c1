/* SPDX-License-Identifier: MIT */
#ifndef ATTACK_H
#define ATTACK_H
/*
 * One attack: a name and a function, run in a process of its own, as another user where it can be.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: raw.h.
 * An attack says what it saw, and claims what must hold: a claim that does not is a failure, as is
 * an attack that does not come to its end.
 */
#include "raw.h"

#define ATTACK_MS 500 /* how long one that has no end of its own goes on */

enum attack_as {
	ATTACK_AS_STRANGER,    // another user, where the test may become one
	ATTACK_NEEDS_STRANGER, // is nothing without
	ATTACK_AS_OURSELVES,   // the broker's own user
	ATTACK_AS_BOTH         // root, who becomes the stranger midway
};

/* What an attack has at hand. */
struct scene {
	const struct broker *broker;
	const char *protection; // as STATUS reports it
	const char *zoe;        // the tool; NULL = not built
	const pid_t *honest;    // N_HONEST processes
	int plain_fd; // read-only, of a memfd without any defence: what an attack must succeed on
	bool is_stranger;
};

struct attack {
	const char *name; // NULL = the end of a table
	enum attack_as as;
	void (*run)(const struct scene *scene);
};
extern const struct attack memory_attacks[], packet_attacks[], flood_attacks[], frame_attacks[],
	seat_attacks[], right_attacks[];

/* In an attack. */
void attack_saw(const char *format, ...) attr_printf(1, 2);
void attack_claim(bool holds, const char *format, ...) attr_printf(2, 3);
/* From here on another user, one that holds no right by name. */
void attack_become_stranger(void);
/* Whether an honest producer and consumer do well on a stream. */
bool scene_is_usable(const struct scene *scene, const char *stream);
/* Whether it has not gone on for long enough. */
bool attack_goes_on(uint64_t since_ms);
#endif
