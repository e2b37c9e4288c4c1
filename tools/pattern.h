/* SPDX-License-Identifier: MIT */
#ifndef PATTERN_H
#define PATTERN_H
/*
 * Test pictures: bars to look at, and counters that a program can check.
 * Owns:     nothing; draws into the caller's planes.
 * Threads:  any.
 * Includes: zoe/frame.h.
 * A counter frame's every row is a function of the frame's number, its producer's number, the plane
 * and the row, so that rows of two frames mixed up are found. Both numbers also stand in the
 * frame's user[0] (from 1 on) and user[1].
 */
#include <stdbool.h>
#include <stdint.h>
#include <zoe/frame.h>

struct pattern_id {
	uint64_t counter, producer;
};

/* 75 % colour bars with a box that moves with the number. row: scratch, 4 bytes a pixel of width.
 */
void pattern_draw_bars(
	const struct zoe_format *f, uint8_t *const plane[4], uint64_t number, uint8_t *row);

void pattern_draw_counter(
	const struct zoe_format *f, uint8_t *const plane[4], const struct pattern_id *id);

struct pattern_spot {
	unsigned plane;
	uint32_t row, byte;
};
/* Returns: true if every byte is as pattern_draw_counter() left it, else the first that is not. */
bool pattern_is_counter(const struct zoe_format *f, const uint8_t *const plane[4],
	const struct pattern_id *id, struct pattern_spot *bad);
#endif
