/* SPDX-License-Identifier: MIT */
#include "keep_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include <xxhash.h>

#include "attr.h"

enum { FRONT_BYTES = KEEP_BLOCK_BYTES + KEEP_MAX_META };

static const uint8_t zeros[KEEP_BLOCK_BYTES];

static int attr_printf(3, 4) fail(struct keep_writer *w, int rc, const char *format, ...) {
	va_list args;

	va_start(args, format);
	vsnprintf(w->error, sizeof(w->error), format, args);
	va_end(args);
	return rc;
}

static uint64_t get_realtime_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* All 0 where /proc does not tell it. */
static void read_boot_id(uint8_t id[16]) {
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	unsigned byte;

	memset(id, 0, 16);
	for (int i = 0; file != NULL && i < 16 && fscanf(file, "%*[-]") >= 0 &&
			fscanf(file, "%2x", &byte) == 1;
		i++) {
		id[i] = (uint8_t)byte;
	}
	if (file != NULL) {
		fclose(file);
	}
}

/* Writes all. Returns: 0; -errno. */
static int write_all(int fd, struct iovec *parts, int n_parts, off_t offset) {
	while (n_parts > 0) {
		ssize_t n;

		if (parts->iov_len == 0) {
			parts++;
			n_parts--;
			continue;
		}
		n = pwritev(fd, parts, n_parts, offset);
		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		for (offset += n > 0 ? n : 0; n > 0;) {
			size_t part = (size_t)n < parts->iov_len ? (size_t)n : parts->iov_len;

			parts->iov_base = (uint8_t *)parts->iov_base + part;
			parts->iov_len -= part;
			n -= (ssize_t)part;
			if (parts->iov_len == 0) {
				parts++;
				n_parts--;
			}
		}
	}
	return 0;
}

static struct iovec make_part(const void *data, size_t size) {
	struct iovec part = {.iov_len = size};

	/* pwritev() only reads; struct iovec has no pointer to const. */
	memcpy(&part.iov_base, &data, sizeof(data));
	return part;
}

/* Nothing, or zeros where the superblock would be: what a power cut may leave of a file just made.
 */
static int check_blank(int fd, uint64_t size) {
	uint8_t block[KEEP_BLOCK_BYTES];
	ssize_t n;

	if (size > sizeof(block)) {
		return 0;
	}
	n = pread(fd, block, sizeof(block), 0);
	return n < 0 ? -errno : memcmp(block, zeros, (size_t)n) == 0;
}

static int sync_directory(const char *path) {
	cleanup_free char *copy = strdup(path);
	cleanup_fd int fd = -1;

	if (copy == NULL) {
		return -ENOMEM;
	}
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int make_super(struct keep_writer *w, const char *path) {
	struct keep_super *super = &w->super;
	struct iovec parts[2] = {make_part(super, sizeof(*super)),
		make_part(zeros, KEEP_BLOCK_BYTES - sizeof(*super))};
	int rc;

	*super = (struct keep_super){.version = KEEP_VERSION,
		.block_bytes = KEEP_BLOCK_BYTES,
		.created_ns = get_realtime_ns()};
	memcpy(super->magic, KEEP_MAGIC, sizeof(super->magic));
	if (getrandom(super->file_id, sizeof(super->file_id), 0) !=
		(ssize_t)sizeof(super->file_id)) {
		return fail(w, -EIO, "no random number: %s", strerror(errno));
	}
	super->sum = XXH3_64bits(super, offsetof(struct keep_super, sum));
	rc = write_all(w->fd, parts, 2, 0);
	if (rc == 0 && fdatasync(w->fd) < 0) {
		rc = -errno;
	}
	if (rc == 0) {
		rc = sync_directory(path);
	}
	return rc < 0 ? fail(w, rc, "'%s': cannot make it: %s", path, strerror(-rc)) : 0;
}

/* Has the disk promise room for the whole file. Where it cannot, the file is grown all the same. */
static int reserve(struct keep_writer *w, const char *path, uint64_t before_bytes) {
	int rc = fallocate(w->fd, 0, 0, (off_t)w->size_bytes) < 0 ? -errno : 0;

	w->is_reserved = rc == 0;
	if (rc == -EOPNOTSUPP || rc == -ENOSYS) {
		rc = ftruncate(w->fd, (off_t)w->size_bytes) < 0 ? -errno : 0;
	}
	if (rc == 0) {
		return 0;
	}
	(void)!ftruncate(w->fd, (off_t)before_bytes);
	if (rc == -ENOSPC || rc == -EDQUOT) {
		return fail(w, rc, "'%s': no room for %llu MiB on its disk", path,
			(unsigned long long)(w->size_bytes >> 20));
	}
	return fail(w, rc, "'%s': cannot reserve %llu MiB: %s", path,
		(unsigned long long)(w->size_bytes >> 20), strerror(-rc));
}

static int check_size(struct keep_writer *w, const char *path, uint64_t is, uint64_t wanted) {
	w->size_bytes = is;
	if (wanted == 0 && w->is_new) {
		return fail(w, -EINVAL, "'%s' is not there yet: --size says how large to make it",
			path);
	}
	if (wanted != 0 && wanted < KEEP_MIN_BYTES) {
		return fail(w, -EINVAL, "'%s': --size: at least 64KiB", path);
	}
	if (wanted > INT64_MAX) {
		return fail(w, -EFBIG, "'%s': --size: too large", path);
	}
	if (wanted != 0 && wanted / KEEP_BLOCK_BYTES < is / KEEP_BLOCK_BYTES) {
		return fail(w, -EINVAL,
			"'%s' has %llu bytes already: it can grow, not shrink to %llu", path,
			(unsigned long long)is, (unsigned long long)wanted);
	}
	if (wanted != 0) {
		w->size_bytes = wanted / KEEP_BLOCK_BYTES * KEEP_BLOCK_BYTES;
	}
	return 0;
}

static void remember_last(struct keep_writer *w, const struct keep_frame *kept) {
	static const uint8_t unknown[sizeof(w->boot_id)];

	w->session = kept->session + 1;
	w->last.seq = kept->frame.seq;
	w->last.publish_ns = kept->frame.publish_ns;
	w->last.is_same_boot = memcmp(w->boot_id, kept->boot_id, sizeof(w->boot_id)) == 0 &&
			       memcmp(w->boot_id, unknown, sizeof(unknown)) != 0;
	memcpy(w->last.stream, kept->stream, sizeof(w->last.stream));
}

/* Takes over what is there: the superblock, the records, the number of the youngest. */
static int adopt(struct keep_writer *w, const char *path) {
	struct keep_file file;
	struct keep_frame kept;
	int rc = keep_file_open_fd(&file, w->fd);

	if (rc < 0) {
		fail(w, rc, "'%s': %s", path, file.error);
		keep_file_close(&file);
		return rc;
	}
	w->super = file.super;
	if (file.n_entries > 0) {
		w->number = file.entries[file.n_entries - 1].number;
		if (keep_file_look(&file, file.n_entries - 1, &kept) == 0) {
			remember_last(w, &kept);
		}
	}
	rc = w->number == UINT64_MAX
		     ? fail(w, -EINVAL, "'%s': its records have no numbers left", path)
		     : keep_space_init(&w->space, &file, w->size_bytes / KEEP_BLOCK_BYTES);
	keep_file_close(&file);
	return rc == -ENOMEM ? fail(w, rc, "'%s': out of memory", path) : rc;
}

static int open_and_lock(struct keep_writer *w, const char *path) {
	const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

	w->fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	w->is_made = w->fd >= 0;
	if (w->fd < 0 && errno == EEXIST) {
		w->fd = open(path, flags);
	}
	if (w->fd < 0) {
		return fail(w, -errno, "'%s': cannot open it: %s", path, strerror(errno));
	}
	if (flock(w->fd, LOCK_EX | LOCK_NB) < 0) {
		return errno == EWOULDBLOCK
			       ? fail(w, -EBUSY, "'%s': another zoe keep writes it", path)
			       : fail(w, -errno, "'%s': cannot lock it: %s", path, strerror(errno));
	}
	return 0;
}

static int open_file(struct keep_writer *w, const char *path, uint64_t size_bytes) {
	struct stat st;
	int rc = open_and_lock(w, path);

	if (rc < 0) {
		return rc;
	}
	if (fstat(w->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		return fail(w, -EINVAL, "'%s': not a regular file", path);
	}
	rc = check_blank(w->fd, (uint64_t)st.st_size);
	if (rc < 0) {
		return fail(w, rc, "'%s': cannot read it: %s", path, strerror(-rc));
	}
	w->is_new = rc > 0;
	rc = check_size(w, path, (uint64_t)st.st_size, size_bytes);
	if (rc == 0 && w->is_new) {
		rc = make_super(w, path);
	}
	if (rc == 0) {
		rc = adopt(w, path);
	}
	return rc < 0 ? rc : reserve(w, path, (uint64_t)st.st_size);
}

static void release(struct keep_writer *w) {
	if (w->fd >= 0) {
		close(w->fd);
	}
	keep_space_finish(&w->space);
	free(w->front);
	w->fd = -1;
	w->front = NULL;
}

int keep_writer_open(struct keep_writer *w, const char *path, uint64_t size_bytes) {
	int rc;

	*w = (struct keep_writer){.fd = -1, .session = 1};
	read_boot_id(w->boot_id);
	w->front = malloc(FRONT_BYTES);
	rc = w->front == NULL ? fail(w, -ENOMEM, "out of memory") : open_file(w, path, size_bytes);
	if (rc < 0) {
		if (w->is_made) {
			unlink(path);
		}
		release(w);
	}
	return rc;
}

static void fill_format(struct keep_head *head, const struct zoe_format *f) {
	head->fourcc = f->fourcc;
	head->width = f->width;
	head->height = f->height;
	head->n_planes = f->n_planes;
	head->modifier = f->modifier;
	head->payload_bytes = f->size_bytes;
	head->transform = f->transform;
	head->alpha = f->alpha;
	head->primaries = f->primaries;
	head->transfer = f->transfer;
	head->matrix = f->matrix;
	head->range = f->range;
	head->chroma_site = f->chroma_site;
	head->field = f->field;
	memcpy(head->stride, f->stride, sizeof(head->stride));
	memcpy(head->offset, f->offset, sizeof(head->offset));
}

static void fill_head(struct keep_writer *w, const struct keep_item *item, struct keep_head *head) {
	const struct zoe_frame *f = item->frame;

	*head = (struct keep_head){.magic = KEEP_HEAD_MAGIC,
		.head_bytes = sizeof(*head),
		.number = w->number + 1,
		.meta_bytes = item->meta_bytes,
		.meta_sum = XXH3_64bits(item->meta, item->meta_bytes),
		.session = w->session,
		.realtime_ns = get_realtime_ns(),
		.seq = f->seq,
		.lost = item->lost,
		.pts_ns = f->pts_ns,
		.publish_ns = f->publish_ns,
		.duration_ns = f->duration_ns,
		.source_seq = f->source_seq,
		.user = {f->user[0], f->user[1]},
		.clock = f->clock,
		.flags = f->flags,
		.generation = f->generation,
		.rate_num = f->rate_num,
		.rate_den = f->rate_den};
	fill_format(head, &f->format);
	memcpy(head->file_id, w->super.file_id, sizeof(head->file_id));
	memcpy(head->boot_id, w->boot_id, sizeof(head->boot_id));
	snprintf(head->stream, sizeof(head->stream), "%s", item->stream);
}

/* Lays out and writes the record at head->block. Returns: 0; -errno. */
static int write_record(struct keep_writer *w, const struct keep_item *item, struct keep_head *head,
	uint64_t n_blocks) {
	size_t front = (size_t)keep_get_payload_offset(item->meta_bytes);
	const uint8_t *payload = item->frame->plane[0] - item->frame->format.offset[0];
	size_t size = (size_t)item->frame->format.size_bytes;
	struct iovec parts[3] = {make_part(w->front, front), make_part(payload, size),
		make_part(zeros, (size_t)(n_blocks * KEEP_BLOCK_BYTES) - front - size)};

	head->payload_sum = XXH3_64bits(payload, size);
	head->sum = XXH3_64bits(head, offsetof(struct keep_head, sum));
	memset(w->front, 0, front);
	memcpy(w->front, head, sizeof(*head));
	if (item->meta_bytes > 0) {
		memcpy(w->front + sizeof(*head), item->meta, item->meta_bytes);
	}
	w->is_dirty = true;
	return write_all(w->fd, parts, 3, (off_t)(head->block * KEEP_BLOCK_BYTES));
}

int keep_writer_put(struct keep_writer *w, const struct keep_item *item) {
	uint64_t size = item->frame->format.size_bytes;
	struct keep_entry entry = {.n_blocks = keep_get_n_blocks(item->meta_bytes, size)};
	struct keep_head head;
	int rc;

	if (item->meta_bytes > KEEP_MAX_META) {
		return fail(w, -EFBIG, "a frame has more than 1 MiB of tags");
	}
	fill_head(w, item, &head);
	entry.realtime_ns = head.realtime_ns;
	rc = keep_space_take(&w->space, &entry);
	if (rc == -EFBIG) {
		return fail(w, rc,
			"a frame of %llu bytes needs a file of at least %llu MiB: --size",
			(unsigned long long)size,
			(unsigned long long)(((2 * entry.n_blocks + 1) * KEEP_BLOCK_BYTES >> 20) +
					     1));
	}
	if (rc < 0) {
		return fail(w, rc, "out of memory");
	}
	head.block = entry.block;
	rc = write_record(w, item, &head, entry.n_blocks);
	w->number++; /* also of one that failed: no two records ever have one number */
	if (rc < 0) {
		keep_space_avoid(&w->space);
		return fail(w, rc, "cannot write: %s", strerror(-rc));
	}
	w->last = (struct keep_last){
		.seq = head.seq, .publish_ns = head.publish_ns, .is_same_boot = true};
	memcpy(w->last.stream, head.stream, sizeof(w->last.stream));
	return 0;
}

int keep_writer_sync(struct keep_writer *w) {
	if (!w->is_dirty) {
		return 0;
	}
	if (fdatasync(w->fd) < 0) {
		return fail(w, -errno, "cannot write: %s", strerror(errno));
	}
	w->is_dirty = false;
	return 0;
}

int keep_writer_close(struct keep_writer *w) {
	int rc = w->fd >= 0 ? keep_writer_sync(w) : 0;

	release(w);
	return rc;
}

bool keep_meta_add(uint8_t *meta, uint32_t size, uint32_t *used, uint32_t tag, const void *data,
	size_t bytes) {
	struct keep_tlv tlv = {.tag = tag, .size = (uint32_t)bytes};
	uint64_t padded = keep_round_up(bytes, 8);

	if (bytes > size || sizeof(tlv) + padded > size - *used) {
		return false;
	}
	memset(meta + *used, 0, sizeof(tlv) + padded);
	memcpy(meta + *used, &tlv, sizeof(tlv));
	memcpy(meta + *used + sizeof(tlv), data, bytes);
	*used += (uint32_t)(sizeof(tlv) + padded);
	return true;
}
