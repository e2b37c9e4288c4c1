/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TEXT_H
#define STREAM_TEXT_H
/*
 * What the broker says of streams and programs, in words for a reader and as JSON members.
 * Owns:     nothing; words go into the caller's buffer, which is returned.
 * Threads:  any.
 * Includes: tool.h.
 */
#include "tool.h"

enum { WORD_SIZE = 96 };

/* "1920x1080 XR24", "BLOB 4096", "-". */
const char *word_format(char *buf, const struct zoe_format *format);
/* "59.9"; "-" if it is not known or nothing came for 2 s. */
const char *word_fps(char *buf, const struct zoe_stream_info *info);
/* Since then: "12ms", "3.2s", "3min", "4h", "2d"; "-" = never. */
const char *word_age(char *buf, uint64_t then_ns);
/* "812us", "3.2ms", "4s"; "-" = UINT64_MAX. */
const char *word_span(char *buf, uint64_t span_ns);
/* Static. */
const char *word_delivery(uint32_t delivery);
const char *word_peer_state(uint32_t state);
/* "812B", "24.9MiB". */
const char *word_bytes(char *buf, uint64_t n_bytes);
const char *word_producer(char *buf, const struct zoe_stream_info *info);

/* Members without braces, so that others can follow: "name": ..., "fps": ... */
void json_stream(FILE *to, const struct zoe_stream_info *info);
void json_peer(FILE *to, const struct zoe_peer_info *peer);
void json_broker(FILE *to, const struct zoe_broker_info *broker);
#endif
