/* SPDX-License-Identifier: MIT */
#ifndef KEEP_FILE_H
#define KEEP_FILE_H
/*
 * Reads a file of `zoe keep`: finds the records that are whole, and gives their frames.
 * Owns:     its list of records and the buffer of the frame read last, until keep_file_close(); the
 *           descriptor or memory that it reads is borrowed.
 * Threads:  one a file.
 * Includes: zoe/consumer.h for struct zoe_frame, keep_format.h; no broker is needed.
 * Nothing in the file is trusted: every size is checked against the file's own, and what a frame
 * says against its sums, each time that it is read. The file may be written meanwhile.
 */
#include <stdbool.h>
#include <zoe/consumer.h>

#include "keep_format.h"

struct keep_entry {
	uint64_t number;          // of the record
	uint64_t block, n_blocks; // where it stands
	uint64_t realtime_ns;     // when it was written, CLOCK_REALTIME
};

struct keep_file {
	int fd;               // borrowed; -1: memory
	const uint8_t *bytes; // borrowed; NULL: fd
	struct keep_super super;
	uint64_t n_blocks; // whole ones
	struct keep_entry *entries;
	size_t n_entries, n_allocated;
	uint64_t n_torn; // heads whose record is not whole
	uint8_t *buf;    // the frame read last
	size_t buf_bytes;
	char error[200]; // of the last call that failed
};

/* A frame of the file. It lives until the next read or close. */
struct keep_frame {
	struct zoe_frame frame; // the library's functions must not be given this one
	uint64_t number;        // of the record; a gap: what was between was written over or torn
	uint64_t realtime_ns;
	uint32_t session;
	uint8_t boot_id[16];
	char stream[KEEP_STREAM_SIZE];
	const uint8_t *meta;
	uint32_t meta_bytes;
};

/* Checks the superblock and every record, and lists the whole ones, the oldest first.
 * Returns: 0; -EINVAL no such file, or another version; -EBADMSG damaged all over; -ENOMEM; -errno
 * of the read. The sentence is in f->error, f is to be closed then, too. */
int keep_file_open_fd(struct keep_file *f, int fd);
int keep_file_open_bytes(struct keep_file *f, const uint8_t *bytes, size_t size);
void keep_file_close(struct keep_file *f);

/* Reads entry i (< n_entries) without its payload: the planes are NULL.
 * Returns: 0; -ESTALE not whole any more (it was written over meanwhile); -ENOMEM; -errno. */
int keep_file_look(struct keep_file *f, size_t i, struct keep_frame *out);
/* The same with its payload. */
int keep_file_read(struct keep_file *f, size_t i, struct keep_frame *out);

/* The data of a tag. Returns: NULL = absent. */
const void *keep_frame_find(const struct keep_frame *frame, enum zoe_tag tag, size_t *size);
/* Is b's time measured by the clock of a, without a reboot between them? */
bool keep_frame_is_same_clock(const struct keep_frame *a, const struct keep_frame *b);
#endif
