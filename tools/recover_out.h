/* SPDX-License-Identifier: MIT */
#ifndef RECOVER_OUT_H
#define RECOVER_OUT_H
/*
 * A directory that recovered frames are written to: a file each, or one film, and an index.
 * Owns:     the index and the film, from open to close.
 * Threads:  one.
 * Includes: keep_file.h, recording.h.
 */
#include "keep_file.h"
#include "recording.h"

enum recover_kind { RECOVER_PNG, RECOVER_RAW, RECOVER_Y4M, RECOVER_NUT, RECOVER_MKV };

struct recover_out {
	struct tool *tool; // borrowed
	const char *path;  // of the directory; borrowed
	enum recover_kind kind;
	double fps; // of a Y4M film
	int dir_fd;
	FILE *index;
	char *film_path;
	struct recording *film;
	struct recording_order order; // of the film
	uint64_t n_written;
};

/* Makes the directory if it is not there; one that holds an index is refused.
 * Returns: 0; TOOL_FAILED with its sentence. */
int recover_out_open(struct recover_out *out, const char *source);
/* Returns: 0; TOOL_FAILED with its sentence. */
int recover_out_put(struct recover_out *out, const struct keep_frame *kept);
/* Ends the index, also after a failure. Returns: 0; TOOL_FAILED with its sentence. */
int recover_out_close(struct recover_out *out);
#endif
