/* SPDX-License-Identifier: MIT */
#include "keep_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <xxhash.h>

#include "attr.h"

enum { CHUNK_BYTES = 256 * 1024, CHUNK_BLOCKS = CHUNK_BYTES / KEEP_BLOCK_BYTES };
/* A file whose heads all promise large payloads that are not there must not cost its square: so
 * often may what is not whole be read in vain. */
enum { MAX_VAIN = 4, FREE_VAIN_BYTES = 64 << 20 };

struct scan {
	struct keep_file *file; // borrowed
	uint8_t *chunk;
	XXH3_state_t *hash;
	uint64_t vain_bytes;
};

static int attr_printf(3, 4) fail(struct keep_file *f, int rc, const char *format, ...) {
	va_list args;

	va_start(args, format);
	vsnprintf(f->error, sizeof(f->error), format, args);
	va_end(args);
	return rc;
}

/* Reads all or fails; -ENODATA: the file is shorter. */
static int read_at(struct keep_file *f, uint64_t offset, void *to, size_t size) {
	uint8_t *out = to;

	if (f->bytes != NULL) { /* n_blocks was checked against its size */
		memcpy(to, f->bytes + offset, size);
		return 0;
	}
	while (size > 0) {
		ssize_t n = pread(f->fd, out, size, (off_t)offset);

		if (n == 0 || (n < 0 && errno != EINTR)) {
			int rc = n == 0 ? -ENODATA : -errno;

			return fail(f, rc, "cannot read: %s", strerror(-rc));
		}
		if (n > 0) {
			out += n;
			offset += (uint64_t)n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static bool is_head(const struct keep_file *f, const struct keep_head *head, uint64_t block) {
	return head->magic == KEEP_HEAD_MAGIC && head->head_bytes == sizeof(*head) &&
	       head->block == block &&
	       memcmp(head->file_id, f->super.file_id, sizeof(head->file_id)) == 0 &&
	       head->sum == XXH3_64bits(head, offsetof(struct keep_head, sum));
}

/* Does what a head says of sizes agree with the file? Only then may they be used. */
static bool has_sane_sizes(const struct keep_file *f, const struct keep_head *head) {
	return head->number > 0 && head->meta_bytes <= KEEP_MAX_META &&
	       head->payload_bytes <= UINT32_MAX && head->block < f->n_blocks &&
	       keep_get_n_blocks(head->meta_bytes, head->payload_bytes) <=
		       f->n_blocks - head->block;
}

static struct zoe_format get_format(const struct keep_head *head) {
	struct zoe_format format = {.fourcc = head->fourcc,
		.width = head->width,
		.height = head->height,
		.n_planes = head->n_planes,
		.modifier = head->modifier,
		.size_bytes = head->payload_bytes,
		.transform = head->transform,
		.alpha = head->alpha,
		.primaries = head->primaries,
		.transfer = head->transfer,
		.matrix = head->matrix,
		.range = head->range,
		.chroma_site = head->chroma_site,
		.field = head->field};

	memcpy(format.stride, head->stride, sizeof(format.stride));
	memcpy(format.offset, head->offset, sizeof(format.offset));
	return format;
}

static bool is_good_head(const struct keep_file *f, const struct keep_head *head, uint64_t block) {
	struct zoe_format format;

	if (!is_head(f, head, block) || !has_sane_sizes(f, head)) {
		return false;
	}
	format = get_format(head);
	return zoe_format_check(&format, head->payload_bytes) == 0 &&
	       memchr(head->stream, '\0', sizeof(head->stream)) != NULL;
}

static int check_sum(struct scan *s, uint64_t offset, uint64_t size, uint64_t sum) {
	XXH3_64bits_reset(s->hash);
	while (size > 0) {
		size_t n = size < CHUNK_BYTES ? (size_t)size : CHUNK_BYTES;
		int rc = read_at(s->file, offset, s->chunk, n);

		if (rc < 0) {
			return rc;
		}
		XXH3_64bits_update(s->hash, s->chunk, n);
		offset += n;
		size -= n;
	}
	return XXH3_64bits_digest(s->hash) == sum;
}

/* Returns: 1 whole; 0 not; -errno. s->chunk is used. */
static int check_record(struct scan *s, const struct keep_head *head) {
	uint64_t start = head->block * KEEP_BLOCK_BYTES;
	int rc = check_sum(s, start + sizeof(*head), head->meta_bytes, head->meta_sum);

	if (rc > 0) {
		rc = check_sum(s, start + keep_get_payload_offset(head->meta_bytes),
			head->payload_bytes, head->payload_sum);
	}
	return rc;
}

static int add_entry(struct keep_file *f, const struct keep_head *head) {
	if (f->n_entries == f->n_allocated) {
		size_t n = f->n_allocated == 0 ? 256 : f->n_allocated * 2;
		struct keep_entry *entries = reallocarray(f->entries, n, sizeof(*entries));

		if (entries == NULL) {
			return fail(f, -ENOMEM, "out of memory for its %zu records", n);
		}
		f->entries = entries;
		f->n_allocated = n;
	}
	f->entries[f->n_entries++] = (struct keep_entry){.number = head->number,
		.block = head->block,
		.n_blocks = keep_get_n_blocks(head->meta_bytes, head->payload_bytes),
		.realtime_ns = head->realtime_ns};
	return 0;
}

/* Looks at one block whose beginning is *head. Returns: blocks to go on by; -errno. */
static int64_t scan_block(struct scan *s, const struct keep_head *head, uint64_t block) {
	struct keep_file *f = s->file;
	int rc;

	if (!is_good_head(f, head, block)) {
		return 1;
	}
	rc = check_record(s, head);
	if (rc < 0) {
		return rc;
	}
	if (rc > 0) {
		rc = add_entry(f, head);
		return rc < 0 ? rc : (int64_t)f->entries[f->n_entries - 1].n_blocks;
	}
	/* What it was to hold may have been written over by younger ones: none is passed over. */
	f->n_torn++;
	s->vain_bytes += head->payload_bytes + head->meta_bytes + CHUNK_BYTES;
	if (s->vain_bytes > MAX_VAIN * f->n_blocks * KEEP_BLOCK_BYTES + FREE_VAIN_BYTES) {
		return fail(f, -EBADMSG, "damaged all over: %llu records that are not whole",
			(unsigned long long)f->n_torn);
	}
	return 1;
}

static bool may_be_head(const uint8_t *block) {
	uint32_t magic;

	memcpy(&magic, block, sizeof(magic));
	return magic == KEEP_HEAD_MAGIC;
}

/* Past a hole, which reads as zeros. */
static uint64_t skip_hole(const struct keep_file *f, uint64_t block) {
	off_t data;

	if (f->bytes != NULL) {
		return block;
	}
	data = lseek(f->fd, (off_t)(block * KEEP_BLOCK_BYTES), SEEK_DATA);
	if (data < 0) {
		return errno == ENXIO ? f->n_blocks : block;
	}
	return (uint64_t)data / KEEP_BLOCK_BYTES > block ? (uint64_t)data / KEEP_BLOCK_BYTES
							 : block;
}

/* Finds the next block from `block` on that begins as a head does, and copies its head.
 * Returns: 0, *found = n_blocks if there is none; -errno. */
static int find_head(struct scan *s, uint64_t block, uint64_t *found, struct keep_head *head) {
	struct keep_file *f = s->file;
	uint64_t step = 1; /* records mostly stand one after another */

	for (; block < f->n_blocks; step = step < CHUNK_BLOCKS ? step * 2 : step) {
		uint64_t left = f->n_blocks - block;
		uint64_t n = left < step ? left : step;
		int rc = read_at(
			f, block * KEEP_BLOCK_BYTES, s->chunk, (size_t)n * KEEP_BLOCK_BYTES);

		if (rc < 0) {
			return rc;
		}
		for (uint64_t i = 0; i < n; i++) {
			const uint8_t *at = s->chunk + i * KEEP_BLOCK_BYTES;

			if (may_be_head(at)) {
				memcpy(head, at, sizeof(*head));
				*found = block + i;
				return 0;
			}
		}
		block = skip_hole(f, block + n);
	}
	*found = f->n_blocks;
	return 0;
}

static int find_records(struct scan *s) {
	uint64_t block = 1;
	struct keep_head head;

	for (;;) {
		int rc = find_head(s, block, &block, &head);
		int64_t n;

		if (rc < 0) {
			return rc;
		}
		if (block >= s->file->n_blocks) {
			return 0;
		}
		n = scan_block(s, &head, block);
		if (n < 0) {
			return (int)n;
		}
		block += (uint64_t)n;
	}
}

static int compare_numbers(const void *a, const void *b) {
	const struct keep_entry *left = a, *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

/* Two records of one number are a lie; which is true cannot be told. */
static void sort_entries(struct keep_file *f) {
	size_t n = 0;

	if (f->n_entries == 0) {
		return;
	}
	qsort(f->entries, f->n_entries, sizeof(*f->entries), compare_numbers);
	for (size_t i = 0; i < f->n_entries; i++) {
		if (n == 0 || f->entries[n - 1].number != f->entries[i].number) {
			f->entries[n++] = f->entries[i];
		}
	}
	f->n_entries = n;
}

static int check_super(struct keep_file *f, uint64_t size) {
	struct keep_super *super = &f->super;

	if (size < KEEP_BLOCK_BYTES) {
		return fail(f, -EINVAL, "not a file of zoe keep");
	}
	f->n_blocks = size / KEEP_BLOCK_BYTES;
	if (read_at(f, 0, super, sizeof(*super)) < 0) {
		return -EIO;
	}
	if (memcmp(super->magic, KEEP_MAGIC, sizeof(super->magic)) != 0) {
		return fail(f, -EINVAL, "not a file of zoe keep");
	}
	if (super->version != KEEP_VERSION) {
		return fail(f, -EINVAL, "is of version %u, this zoe knows version %d",
			super->version, KEEP_VERSION);
	}
	if (super->sum != XXH3_64bits(super, offsetof(struct keep_super, sum))) {
		return fail(f, -EINVAL, "its first block is damaged");
	}
	if (super->block_bytes != KEEP_BLOCK_BYTES) {
		return fail(f, -EINVAL, "has blocks of %u bytes, this zoe knows %d",
			super->block_bytes, KEEP_BLOCK_BYTES);
	}
	return 0;
}

static int open_checked(struct keep_file *f, uint64_t size) {
	struct scan s = {.file = f};
	int rc = check_super(f, size);

	if (rc < 0) {
		return rc;
	}
	s.chunk = malloc(CHUNK_BYTES);
	s.hash = XXH3_createState();
	rc = s.chunk == NULL || s.hash == NULL ? fail(f, -ENOMEM, "out of memory")
					       : find_records(&s);
	free(s.chunk);
	XXH3_freeState(s.hash);
	if (rc == 0) {
		sort_entries(f);
	}
	return rc;
}

int keep_file_open_fd(struct keep_file *f, int fd) {
	struct stat st;

	*f = (struct keep_file){.fd = fd};
	if (fstat(fd, &st) < 0) {
		return fail(f, -errno, "cannot look at it: %s", strerror(errno));
	}
	if (!S_ISREG(st.st_mode)) {
		return fail(f, -EINVAL, "not a regular file");
	}
	return open_checked(f, (uint64_t)st.st_size);
}

int keep_file_open_bytes(struct keep_file *f, const uint8_t *bytes, size_t size) {
	*f = (struct keep_file){.fd = -1, .bytes = bytes};
	return open_checked(f, size);
}

void keep_file_close(struct keep_file *f) {
	free(f->entries);
	free(f->buf);
	*f = (struct keep_file){.fd = -1};
}

static int fit_buffer(struct keep_file *f, size_t size) {
	uint8_t *buf;

	if (size <= f->buf_bytes) {
		return 0;
	}
	buf = realloc(f->buf, size);
	if (buf == NULL) {
		return fail(f, -ENOMEM, "out of memory for a frame of %zu bytes", size);
	}
	f->buf = buf;
	f->buf_bytes = size;
	return 0;
}

static int fail_stale(struct keep_file *f, size_t i) {
	return fail(f, -ESTALE, "record %llu was written over meanwhile",
		(unsigned long long)f->entries[i].number);
}

/* The head of entry i and its tags, checked, into *head and the buffer. */
static int read_head(struct keep_file *f, size_t i, struct keep_head *head) {
	const struct keep_entry *entry = &f->entries[i];
	uint64_t start = entry->block * KEEP_BLOCK_BYTES;
	int rc = read_at(f, start, head, sizeof(*head));

	if (rc < 0) {
		return rc == -ENODATA ? fail_stale(f, i) : rc;
	}
	if (!is_good_head(f, head, entry->block) || head->number != entry->number) {
		return fail_stale(f, i);
	}
	rc = fit_buffer(f, keep_get_payload_offset(head->meta_bytes));
	if (rc == 0) {
		rc = read_at(f, start + sizeof(*head), f->buf + sizeof(*head), head->meta_bytes);
	}
	if (rc == 0 && XXH3_64bits(f->buf + sizeof(*head), head->meta_bytes) != head->meta_sum) {
		return fail_stale(f, i);
	}
	return rc;
}

static void fill_frame(const struct keep_file *f, const struct keep_head *head,
	const uint8_t *payload, struct keep_frame *out) {
	*out = (struct keep_frame){.number = head->number,
		.realtime_ns = head->realtime_ns,
		.session = head->session,
		.meta = f->buf + sizeof(*head),
		.meta_bytes = head->meta_bytes,
		.frame = {.format = get_format(head),
			.seq = head->seq,
			.lost = head->lost,
			.pts_ns = head->pts_ns,
			.publish_ns = head->publish_ns,
			.duration_ns = head->duration_ns,
			.source_seq = head->source_seq,
			.user = {head->user[0], head->user[1]},
			.clock = head->clock,
			.flags = head->flags,
			.generation = head->generation,
			.rate_num = head->rate_num,
			.rate_den = head->rate_den}};
	memcpy(out->boot_id, head->boot_id, sizeof(out->boot_id));
	memcpy(out->stream, head->stream, sizeof(out->stream));
	for (unsigned i = 0; payload != NULL && i < out->frame.format.n_planes; i++) {
		out->frame.plane[i] = payload + out->frame.format.offset[i];
	}
}

int keep_file_look(struct keep_file *f, size_t i, struct keep_frame *out) {
	struct keep_head head;
	int rc = read_head(f, i, &head);

	if (rc == 0) {
		fill_frame(f, &head, NULL, out);
	}
	return rc;
}

int keep_file_read(struct keep_file *f, size_t i, struct keep_frame *out) {
	struct keep_head head;
	uint64_t offset;
	int rc = read_head(f, i, &head);

	if (rc < 0) {
		return rc;
	}
	offset = keep_get_payload_offset(head.meta_bytes);
	rc = fit_buffer(f, (size_t)(offset + head.payload_bytes));
	if (rc == 0) {
		rc = read_at(f, head.block * KEEP_BLOCK_BYTES + offset, f->buf + offset,
			(size_t)head.payload_bytes);
	}
	if (rc == -ENODATA ||
		(rc == 0 && XXH3_64bits(f->buf + offset, (size_t)head.payload_bytes) !=
				    head.payload_sum)) {
		return fail_stale(f, i);
	}
	if (rc == 0) {
		fill_frame(f, &head, f->buf + offset, out);
	}
	return rc;
}

const void *keep_frame_find(const struct keep_frame *frame, enum zoe_tag tag, size_t *size) {
	struct keep_tlv tlv;
	size_t pos = 0;

	while (frame->meta_bytes - pos >= sizeof(tlv)) {
		memcpy(&tlv, frame->meta + pos, sizeof(tlv));
		pos += sizeof(tlv);
		if (tlv.size > frame->meta_bytes - pos) {
			return NULL;
		}
		if (tlv.tag == (uint32_t)tag) {
			*size = tlv.size;
			return frame->meta + pos;
		}
		if (keep_round_up(tlv.size, 8) > frame->meta_bytes - pos) {
			return NULL;
		}
		pos += keep_round_up(tlv.size, 8);
	}
	return NULL;
}

bool keep_frame_is_same_clock(const struct keep_frame *a, const struct keep_frame *b) {
	static const uint8_t unknown[sizeof(a->boot_id)];

	return a->frame.clock == b->frame.clock &&
	       memcmp(a->boot_id, b->boot_id, sizeof(a->boot_id)) == 0 &&
	       (a->session == b->session || memcmp(a->boot_id, unknown, sizeof(unknown)) != 0);
}
