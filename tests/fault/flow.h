/* SPDX-License-Identifier: MIT */
#ifndef FAULT_FLOW_H
#define FAULT_FLOW_H
/*
 * What the process under test does with the library, from its first call to its last.
 * Owns:     all that it opens, and closes it.
 * Threads:  one.
 * Includes: page.h.
 * A call that fails is made again: one fault may cost one refusal with a sentence, no more.
 */
#include "page.h"

#define FLOW_STREAM "a"
#define FLOW_PATTERN "made/here"
#define FLOW_CONFIG                                                                                \
	"version: 1\n"                                                                             \
	"defaults: {patience: 5s}\n"                                                               \
	"streams:\n"                                                                               \
	"  a: {max_frame: 64x64 XR24, slots: 256, producers: 2, consumers: 8, hold: 2}\n"          \
	"  \"made/*\": {max_frame: 64x64 XR24, linger: 0s}\n"

/* Returns: the process's exit status; 0 = all is as it should be. */
int flow_run(struct fault_page *page, const char *socket);
#endif
