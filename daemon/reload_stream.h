/* SPDX-License-Identifier: MIT */
#ifndef RELOAD_STREAM_H
#define RELOAD_STREAM_H
/*
 * What a reload means for a stream, and for those who are attached to it.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: reload.h.
 */
#include "reload.h"

struct stream;

/* Says what becomes of the stream, and who is attached. */
void reload_say_stream(const struct reload *reload, const struct stream *stream);

/* Carries it out. The stream borrows from the new config then, or is destroyed; or goes on under
 * the old one, which is said. */
void reload_apply_stream(const struct reload *reload, struct stream *stream);
#endif
