/* SPDX-License-Identifier: MIT */
#ifndef KEEP_WRITER_H
#define KEEP_WRITER_H
/*
 * Writes a file of `zoe keep`: makes it, reserves its room, goes on with it, grows it.
 * Owns:     the descriptor, locked against other writers, its list of places, its buffers.
 * Threads:  one.
 * Includes: keep_file.h, keep_space.h.
 * A record is one write. What a kill cuts short is not whole by its sums, and everything before it
 * stands; what a power cut may take is what came since the last keep_writer_sync().
 * Frames go from the ring to the file by pwritev(2), not through a mapping: a full disk or a bad
 * block is then an error of one frame, not a SIGBUS, and whole blocks are not read before they are
 * written.
 */
#include "keep_file.h"
#include "keep_space.h"

/* What is known of the frame written last, also by an earlier run; seq 0 = nothing. */
struct keep_last {
	uint64_t seq, publish_ns;
	char stream[KEEP_STREAM_SIZE];
	bool is_same_boot;
};

struct keep_writer {
	int fd;
	struct keep_super super;
	struct keep_space space;
	struct keep_last last;
	uint8_t boot_id[16];
	uint64_t size_bytes; // of the file
	uint64_t number;     // of the last record
	uint32_t session;
	bool is_made, is_new; // by this call; nothing was in it
	bool is_reserved;     // the disk has promised the room
	bool is_dirty;        // written to since the last sync
	uint8_t *front;       // head and tags of the record being written
	char error[400];      // of the last call that failed
};

/* A frame to be kept. */
struct keep_item {
	const struct zoe_frame *frame;
	const char *stream;
	const void *meta; // struct keep_tlv and data, as keep_meta_add() made them
	uint32_t meta_bytes;
	uint64_t lost; // frames of the stream that are missing before it
};

/* Opens path, or makes it; size_bytes 0 = as it is. Reads all of a file that is there. Nothing is
 * changed in one that is refused.
 * Returns: 0; -errno with its sentence in w->error. */
int keep_writer_open(struct keep_writer *w, const char *path, uint64_t size_bytes);
/* Writes the frame over the oldest ones.
 * Returns: 0; -EFBIG more than half of the file: not written; -ENOMEM; -errno of the write: this
 * frame is lost, those before it are not. Sentences as above. */
int keep_writer_put(struct keep_writer *w, const struct keep_item *item);
/* Everything written is on the disk after it. Returns: 0; -errno. */
int keep_writer_sync(struct keep_writer *w);
/* Syncs and closes. Returns: as keep_writer_sync(). */
int keep_writer_close(struct keep_writer *w);

/* Appends a tag to meta, which has room for size bytes of which *used are taken; one that finds no
 * room is left out. Returns: whether it is in. */
bool keep_meta_add(
	uint8_t *meta, uint32_t size, uint32_t *used, uint32_t tag, const void *data, size_t bytes);
#endif
