/* SPDX-License-Identifier: MIT */
#ifndef FAULT_READER_H
#define FAULT_READER_H
/*
 * A consumer that keeps the books: every frame of both writers once, in order, whole, or said to
 * be lost; and how frames are published so that it can.
 * Owns:     its consumer, not the client.
 * Threads:  one.
 * Includes: zoe/consumer.h, zoe/producer.h. Allocates nothing: it runs in the process under test.
 */
#include <stdbool.h>

#include <zoe/consumer.h>
#include <zoe/producer.h>

/* Who publishes: user[1]. Its frames are numbered from 1 in user[0], which is all bytes' lowest. */
enum writer { WRITER_FLOW, WRITER_HONEST, N_WRITERS };

struct reader {
	struct zoe_consumer *consumer;
	uint64_t last[N_WRITERS]; // numbers of the newest frame seen; 0 = none
	uint64_t n_gap, n_lost;   // frames not seen without a word; said to be lost
	uint64_t n_discont;       // breaks that were said
	uint64_t seq;             // of the newest frame; 0 = none
	bool is_late;             // the honest writer had begun before
	const char *wrong;        // NULL = nothing
};

/* Returns: as zoe_consumer_open(). */
int reader_open(struct reader *reader, struct zoe_client *client, const char *stream,
	enum zoe_delivery delivery);
void reader_close(struct reader *reader);
/* Takes one frame and books it. Returns: as zoe_consumer_next(). */
int reader_next(struct reader *reader, int timeout_ms);
/* Returns: what is wrong, NULL = nothing. may_lose: it may have lost what it was told of. */
const char *reader_check(const struct reader *reader, bool may_lose);

/* Returns: as zoe_producer_acquire() and zoe_producer_publish(). */
int writer_publish(
	struct zoe_producer *producer, enum writer writer, uint64_t value, uint32_t side);
/* Returns: as zoe_producer_open(). */
int writer_open(struct zoe_producer **out, struct zoe_client *client, const char *stream);

#define CALL_MS 2000 // of one call of the library
#endif
