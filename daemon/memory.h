/* SPDX-License-Identifier: MIT */
#ifndef MEMORY_H
#define MEMORY_H
/*
 * Keeping what is lent below the config's memory_limit.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: the C library; knows streams only in its .c file.
 * Frames are counted by the slots that clients can come to use, not by the memfds' sizes: spare
 * slots stay untouched until they are needed.
 */
#include <stdint.h>

struct client;
struct server;
struct stream;

#define MEMORY_WORD_SIZE 32
#define MEMORY_TEXT_SIZE 320

uint64_t memory_get_used(struct server *server);

/* Makes room for more bytes, for the sake of a stream (it keeps its own), by dropping regions that
 * nobody uses. Returns: 0; -ENOMEM the limit is too low. */
int memory_reserve(struct server *server, const struct stream *keep, uint64_t bytes);

/* "31.5 MiB". Returns: word. */
const char *memory_word(char word[MEMORY_WORD_SIZE], uint64_t bytes);

/* Why so many bytes more are not to be had: the limit, and which streams have most of it, as far as
 * the client may know of them. Returns: text. */
const char *memory_explain(
	char text[MEMORY_TEXT_SIZE], const struct client *client, uint64_t bytes);
#endif
