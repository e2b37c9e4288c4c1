/* SPDX-License-Identifier: MIT */
/*
 * The file of `zoe keep`, written by its writer and cut short in every way. The writer's pwritev()
 * and fdatasync() are those below (the linker's --wrap): they keep a log, from which the test lays
 * out the disk as a kill or a power cut would have left it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "keep_file.h"
#include "keep_writer.h"

enum {
	FILE_BLOCKS = 40,
	FILE_BYTES = FILE_BLOCKS * KEEP_BLOCK_BYTES,
	MAX_FRAME = 5 * KEEP_BLOCK_BYTES,
	MAX_SEQ = 4000,
	SECTOR_BYTES = 512
};

ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int n_parts, off_t offset);
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int n_parts, off_t offset);
int __wrap_fdatasync(int fd);

/* What the writer did last: one write at most is of interest at a time, and all since a sync. */
struct write_log {
	struct logged {
		uint64_t offset, size;
		uint8_t bytes[MAX_FRAME + 2 * KEEP_BLOCK_BYTES];
	} writes[16];
	unsigned n_writes, n_syncs;
	int error;           // of the next write; 0 = none
	uint64_t most_bytes; // that a call writes before that error; 0 = all
};
static struct write_log log_;

static uint64_t random_state;

static uint64_t get_random(uint64_t below) {
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return (random_state >> 33) % below;
}

ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int n_parts, off_t offset) {
	struct logged *w = &log_.writes[log_.n_writes % 16];
	uint64_t size = 0;

	if (log_.error != 0 && log_.most_bytes == 0) {
		errno = log_.error;
		return -1;
	}
	for (int i = 0; i < n_parts; i++) {
		assert_true(size + parts[i].iov_len <= sizeof(w->bytes));
		memcpy(w->bytes + size, parts[i].iov_base, parts[i].iov_len);
		size += parts[i].iov_len;
	}
	if (log_.most_bytes != 0 && log_.most_bytes < size) {
		size = log_.most_bytes;
		log_.most_bytes = 0;
	}
	w->offset = (uint64_t)offset;
	w->size = size;
	log_.n_writes++;
	return pwrite(fd, w->bytes, size, offset);
}

/* What pwritev() is called where off_t can be chosen. */
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int n_parts, off_t offset) {
	return __wrap_pwritev(fd, parts, n_parts, offset);
}

int __wrap_fdatasync(int fd) {
	(void)fd;
	log_.n_syncs++;
	return 0;
}

struct fixture {
	char path[64];
	struct keep_writer writer;
	uint8_t payload[MAX_FRAME];
};

/* A frame's size, bytes and words all follow from its number. */
static uint32_t get_frame_size(uint64_t seq) {
	return (uint32_t)(XXH3_64bits(&seq, sizeof(seq)) % MAX_FRAME) + 1;
}

static void fill_payload(uint8_t *to, uint64_t seq) {
	uint64_t word = seq;

	for (uint32_t i = 0, size = get_frame_size(seq); i < size; i++) {
		word = word * 6364136223846793005U + 1442695040888963407U;
		to[i] = (uint8_t)(word >> 56);
	}
}

static struct zoe_frame make_frame(struct fixture *fix, uint64_t seq) {
	struct zoe_frame frame = {.seq = seq,
		.pts_ns = seq * 1000,
		.publish_ns = seq * 1000 + 7,
		.duration_ns = seq ^ 1,
		.source_seq = seq + 5,
		.user = {seq * 3, ~seq},
		.clock = 1,
		.flags = ZOE_DISCONT,
		.generation = 4,
		.rate_num = 60,
		.rate_den = 1,
		.plane = {fix->payload}};

	assert_int_equal(
		zoe_format_init(&frame.format, ZOE_FORMAT_BLOB, get_frame_size(seq), 1), 0);
	fill_payload(fix->payload, seq);
	return frame;
}

static int put(struct fixture *fix, uint64_t seq) {
	struct zoe_frame frame = make_frame(fix, seq);
	uint8_t meta[64];
	uint32_t used = 0;
	struct keep_item item = {.frame = &frame, .stream = "desk", .meta = meta, .lost = seq % 3};

	assert_true(keep_meta_add(meta, sizeof(meta), &used, ZOE_TAG_DAMAGE, "damage of it", 12));
	assert_true(keep_meta_add(meta, sizeof(meta), &used, ZOE_TAG_USER, &seq, sizeof(seq)));
	item.meta_bytes = used;
	return keep_writer_put(&fix->writer, &item);
}

/* Is the frame what put() wrote under its number, every word of it? */
static void expect_true_frame(const struct keep_frame *kept) {
	static uint8_t payload[MAX_FRAME];
	uint64_t seq = kept->frame.seq, tag;
	size_t size = 0;
	const void *found;

	assert_true(seq > 0 && seq < MAX_SEQ);
	assert_int_equal(kept->frame.format.size_bytes, get_frame_size(seq));
	fill_payload(payload, seq);
	assert_memory_equal(kept->frame.plane[0], payload, get_frame_size(seq));
	assert_null(kept->frame.plane[1]);
	assert_int_equal(kept->frame.pts_ns, seq * 1000);
	assert_int_equal(kept->frame.publish_ns, seq * 1000 + 7);
	assert_int_equal(kept->frame.duration_ns, seq ^ 1);
	assert_int_equal(kept->frame.source_seq, seq + 5);
	assert_int_equal(kept->frame.user[1], ~seq);
	assert_int_equal(kept->frame.lost, seq % 3);
	assert_int_equal(kept->frame.generation, 4);
	assert_int_equal(kept->frame.rate_num, 60);
	assert_string_equal(kept->stream, "desk");
	found = keep_frame_find(kept, ZOE_TAG_USER, &size);
	assert_non_null(found);
	memcpy(&tag, found, sizeof(tag));
	assert_true(size == 8 && tag == seq);
	assert_non_null(keep_frame_find(kept, ZOE_TAG_DAMAGE, &size));
	assert_int_equal(size, 12);
	assert_null(keep_frame_find(kept, ZOE_TAG_CURSOR, &size));
}

/* Which frames are whole, by number; each was looked at. */
struct set {
	bool has[MAX_SEQ];
	unsigned n;
	uint64_t last;
};

static void read_file(struct keep_file *file, struct set *set) {
	struct keep_frame kept;

	memset(set, 0, sizeof(*set));
	for (size_t i = 0; i < file->n_entries; i++) {
		assert_int_equal(keep_file_read(file, i, &kept), 0);
		expect_true_frame(&kept);
		assert_true(kept.frame.seq > set->last);
		assert_false(set->has[kept.frame.seq]);
		set->has[kept.frame.seq] = true;
		set->last = kept.frame.seq;
		set->n++;
	}
}

static void read_bytes(const uint8_t *bytes, size_t size, struct set *set) {
	struct keep_file file;

	assert_int_equal(keep_file_open_bytes(&file, bytes, size), 0);
	read_file(&file, set);
	keep_file_close(&file);
}

static void read_path(const char *path, struct set *set) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct keep_file file;

	assert_true(fd >= 0);
	assert_int_equal(keep_file_open_fd(&file, fd), 0);
	read_file(&file, set);
	keep_file_close(&file);
	close(fd);
}

static size_t load(const char *path, uint8_t *to, size_t size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = pread(fd, to, size, 0);

	assert_true(fd >= 0 && n >= 0);
	close(fd);
	return (size_t)n;
}

static void start(struct fixture *fix, uint64_t size) {
	int rc = keep_writer_open(&fix->writer, fix->path, size);

	if (rc != 0) {
		print_error("%s\n", fix->writer.error);
	}
	assert_int_equal(rc, 0);
}

static void put_all(struct fixture *fix, uint64_t from, uint64_t to) {
	for (uint64_t seq = from; seq <= to; seq++) {
		assert_int_equal(put(fix, seq), 0);
	}
}

static int setup(void **state) {
	struct fixture *fix = calloc(1, sizeof(*fix));
	int fd;

	memset(&log_, 0, sizeof(log_));
	random_state = 1;
	snprintf(fix->path, sizeof(fix->path), "/tmp/keep.XXXXXX");
	fd = mkstemp(fix->path);
	if (fd < 0) {
		return -1;
	}
	close(fd);
	fix->writer.fd = -1;
	*state = fix;
	return 0;
}

static int teardown(void **state) {
	struct fixture *fix = *state;

	keep_writer_close(&fix->writer);
	unlink(fix->path);
	free(fix);
	return 0;
}

static void test_keep_gives_back_every_word(void **state) {
	struct fixture *fix = *state;
	static struct set set;

	start(fix, FILE_BYTES);
	put_all(fix, 1, 5);
	read_path(fix->path, &set);
	assert_int_equal(set.n, 5);
}

static void test_keep_holds_the_last_moments(void **state) {
	struct fixture *fix = *state;
	static struct set set;

	start(fix, FILE_BYTES);
	for (uint64_t seq = 1; seq < 600; seq++) {
		uint64_t blocks = 0;

		assert_int_equal(put(fix, seq), 0);
		read_path(fix->path, &set);
		assert_int_equal(set.last, seq);
		/* A ring of records of at most 6 blocks: less than that is wasted at its end. */
		for (uint64_t back = seq; back > 0; back--) {
			blocks += keep_get_n_blocks(40, get_frame_size(back));
			if (blocks > FILE_BLOCKS - 1 - 12) {
				break;
			}
			assert_true(set.has[back]);
		}
	}
}

static void test_keep_goes_on_after_a_restart(void **state) {
	struct fixture *fix = *state;
	static struct set set;
	uint64_t next = 1;

	for (unsigned round = 0; round < 50; round++) {
		uint64_t to = next + get_random(9);

		start(fix, FILE_BYTES);
		assert_int_equal(fix->writer.session, round + 1);
		assert_int_equal(fix->writer.last.seq, next - 1);
		assert_int_equal(fix->writer.last.is_same_boot, round > 0);
		put_all(fix, next, to);
		assert_int_equal(keep_writer_close(&fix->writer), 0);
		read_path(fix->path, &set);
		assert_int_equal(set.last, to);
		assert_true(set.n >= 5 || to < 5);
		next = to + 1;
	}
}

static void test_keep_grows_and_loses_nothing(void **state) {
	struct fixture *fix = *state;
	static struct set before, after;
	uint64_t next = 100;

	start(fix, FILE_BYTES);
	put_all(fix, 1, next - 1);
	for (unsigned round = 1; round < 6; round++) {
		assert_int_equal(keep_writer_close(&fix->writer), 0);
		read_path(fix->path, &before);
		start(fix, FILE_BYTES + round * 20 * KEEP_BLOCK_BYTES);
		put_all(fix, next, next + 2); /* less than there was added */
		next += 3;
		read_path(fix->path, &after);
		for (uint64_t seq = 1; seq < MAX_SEQ; seq++) {
			assert_true(after.has[seq] || !before.has[seq]);
		}
		assert_int_equal(after.n, before.n + 3);
		put_all(fix, next, next + 60);
		next += 61;
		read_path(fix->path, &after);
		assert_int_equal(after.last, next - 1);
		assert_true(after.n * 6 > (FILE_BLOCKS + round * 20) - 12);
	}
}

static void test_keep_refuses_to_shrink(void **state) {
	struct fixture *fix = *state;
	struct stat st;

	start(fix, FILE_BYTES);
	keep_writer_close(&fix->writer);
	assert_int_equal(
		keep_writer_open(&fix->writer, fix->path, FILE_BYTES - KEEP_BLOCK_BYTES), -EINVAL);
	assert_non_null(strstr(fix->writer.error, "not shrink"));
	assert_int_equal(stat(fix->path, &st), 0);
	assert_int_equal(st.st_size, FILE_BYTES);
}

static void test_keep_has_one_writer(void **state) {
	struct fixture *fix = *state;
	struct keep_writer other;

	start(fix, FILE_BYTES);
	assert_int_equal(keep_writer_open(&other, fix->path, FILE_BYTES), -EBUSY);
	assert_non_null(strstr(other.error, "another zoe keep"));
}

static void test_keep_touches_no_other_file(void **state) {
	struct fixture *fix = *state;
	static char text[KEEP_BLOCK_BYTES * 2] = "precious", is[sizeof(text)];
	int fd = open(fix->path, O_RDWR | O_CLOEXEC);

	assert_int_equal(pwrite(fd, text, sizeof(text), 0), sizeof(text));
	assert_int_equal(keep_writer_open(&fix->writer, fix->path, FILE_BYTES), -EINVAL);
	assert_non_null(strstr(fix->writer.error, "not a file of zoe keep"));
	assert_int_equal(pwrite(fd, "short", 5, 0), 5);
	assert_int_equal(ftruncate(fd, 5), 0);
	assert_int_equal(keep_writer_open(&fix->writer, fix->path, FILE_BYTES), -EINVAL);
	assert_int_equal(load(fix->path, (uint8_t *)is, sizeof(is)), 5);
	assert_memory_equal(is, "short", 5);
	close(fd);
}

/* A kill: everything up to some byte of the last write is in the file. */
static void test_keep_loses_one_frame_by_a_kill(void **state) {
	static uint8_t image[FILE_BYTES], cut[FILE_BYTES];
	static struct set before, after, found;
	struct fixture *fix = *state;

	start(fix, FILE_BYTES);
	for (uint64_t seq = 1; seq < 120; seq++) {
		struct logged *w = &log_.writes[log_.n_writes % 16];

		assert_int_equal(load(fix->path, image, FILE_BYTES), FILE_BYTES);
		read_bytes(image, FILE_BYTES, &before);
		assert_int_equal(put(fix, seq), 0);
		assert_true(w->size > get_frame_size(seq));
		read_path(fix->path, &after);
		for (uint64_t n = 0; n < w->size; n += 1 + get_random(n < 700 ? 3 : 900)) {
			memcpy(cut, image, FILE_BYTES);
			memcpy(cut + w->offset, w->bytes, n);
			read_bytes(cut, FILE_BYTES, &found);
			for (uint64_t i = 1; i < seq; i++) {
				assert_true(found.has[i] || !before.has[i] || !after.has[i]);
			}
		}
	}
}

/* A power cut: of what was written since the last sync, any sectors in any of their states. */
static void cut_power(uint8_t *image, const struct logged *writes, unsigned n_writes) {
	for (uint64_t at = 0; at < FILE_BYTES; at += SECTOR_BYTES) {
		uint64_t n_states = 1 + get_random(n_writes + 1), state = 0;

		for (unsigned i = 0; i < n_writes && state + 1 < n_states; i++) {
			const struct logged *w = &writes[i];

			if (at >= w->offset && at < w->offset + w->size) {
				memcpy(image + at, w->bytes + (at - w->offset), SECTOR_BYTES);
				state++;
			}
		}
	}
}

/* Syncs after every `period` frames, and cuts the power many times between. */
static void check_power(struct fixture *fix, unsigned period) {
	static uint8_t synced[FILE_BYTES], cut[FILE_BYTES];
	static struct set before, after, found;

	start(fix, FILE_BYTES);
	for (uint64_t seq = 1; seq < 200;) {
		assert_int_equal(keep_writer_sync(&fix->writer), 0);
		assert_int_equal(load(fix->path, synced, FILE_BYTES), FILE_BYTES);
		read_bytes(synced, FILE_BYTES, &before);
		log_.n_writes = 0;
		for (unsigned i = 0; i < period; i++) {
			assert_int_equal(put(fix, seq++), 0);
		}
		assert_int_equal(log_.n_writes, period);
		read_path(fix->path, &after);
		for (unsigned round = 0; round < 20; round++) {
			memcpy(cut, synced, FILE_BYTES);
			cut_power(cut, log_.writes, log_.n_writes);
			read_bytes(cut, FILE_BYTES, &found);
			for (uint64_t i = 1; i < seq - period; i++) {
				assert_true(found.has[i] || !before.has[i] || !after.has[i]);
			}
		}
	}
	assert_true(log_.n_syncs >= 198 / period);
}

static void test_keep_loses_one_frame_by_a_power_cut(void **state) {
	check_power(*state, 1);
}

static void test_keep_loses_what_was_not_synced_by_a_power_cut(void **state) {
	check_power(*state, 7);
}

/* After a power cut the file is taken up again, over what is torn. */
static void test_keep_goes_on_after_a_power_cut(void **state) {
	static uint8_t image[FILE_BYTES];
	static struct set set, before;
	struct fixture *fix = *state;
	uint64_t seq = 1;

	for (unsigned round = 0; round < 200; round++) {
		int fd;

		start(fix, FILE_BYTES);
		assert_int_equal(load(fix->path, image, FILE_BYTES), FILE_BYTES);
		log_.n_writes = 0;
		put_all(fix, seq, seq + 4);
		seq += 5;
		assert_int_equal(keep_writer_close(&fix->writer), 0);
		cut_power(image, log_.writes, log_.n_writes);
		read_bytes(image, FILE_BYTES, &before);
		fd = open(fix->path, O_WRONLY | O_CLOEXEC);
		assert_int_equal(pwrite(fd, image, FILE_BYTES, 0), FILE_BYTES);
		close(fd);
		start(fix, FILE_BYTES);
		assert_int_equal(put(fix, seq++), 0);
		read_path(fix->path, &set);
		assert_int_equal(set.last, seq - 1);
		/* One record of at most 6 blocks goes over no more than 6 old ones. */
		assert_true(set.n + 6 > before.n);
		keep_writer_close(&fix->writer);
	}
}

static void test_keep_loses_one_frame_by_a_full_disk(void **state) {
	static struct set before, after;
	struct fixture *fix = *state;

	start(fix, FILE_BYTES);
	put_all(fix, 1, 30);
	for (uint64_t seq = 31; seq < 300; seq++) {
		read_path(fix->path, &before);
		log_.error = ENOSPC;
		log_.most_bytes = get_random(3) == 0 ? 0 : 1 + get_random(9000);
		if (put(fix, seq) < 0) {
			assert_non_null(strstr(fix->writer.error, "No space"));
		}
		log_.error = 0;
		log_.most_bytes = 0;
		read_path(fix->path, &after);
		for (uint64_t i = 1; i < seq; i++) {
			if (before.has[i] && !after.has[i]) {
				before.n--;
			}
		}
		assert_true(before.n + 6 > after.n - after.has[seq]);
		seq++;
		assert_int_equal(put(fix, seq), 0);
		read_path(fix->path, &after);
		assert_int_equal(after.last, seq);
	}
}

static void test_keep_leaves_the_place_that_cannot_be_written(void **state) {
	struct fixture *fix = *state;
	uint64_t failed, next;

	start(fix, FILE_BYTES);
	put_all(fix, 1, 40);
	failed = fix->writer.space.pos;
	log_.error = EIO;
	assert_int_equal(put(fix, 41), -EIO);
	log_.error = 0;
	assert_int_equal(put(fix, 42), 0);
	next = fix->writer.space.pos;
	assert_true(next < failed || next > failed + keep_get_n_blocks(40, get_frame_size(42)));
}

static void test_keep_refuses_a_frame_of_more_than_half_the_file(void **state) {
	static struct set set;
	struct fixture *fix = *state;

	start(fix, KEEP_MIN_BYTES);
	put_all(fix, 1, 3);
	fix->writer.space.n_blocks = 4;
	for (uint64_t seq = 4; seq < 60; seq++) {
		bool fits = keep_get_n_blocks(40, get_frame_size(seq)) <= 1;

		assert_int_equal(put(fix, seq), fits ? 0 : -EFBIG);
	}
	assert_non_null(strstr(fix->writer.error, "--size"));
	read_path(fix->path, &set);
	assert_true(set.n > 0);
}

static void test_keep_never_gives_a_wrong_frame(void **state) {
	static uint8_t image[FILE_BYTES], bad[FILE_BYTES];
	struct fixture *fix = *state;
	static struct set whole, found;

	start(fix, FILE_BYTES);
	put_all(fix, 1, 60);
	assert_int_equal(load(fix->path, image, FILE_BYTES), FILE_BYTES);
	read_bytes(image, FILE_BYTES, &whole);
	for (unsigned round = 0; round < 6000; round++) {
		struct keep_file file;
		uint64_t at = get_random(FILE_BYTES);

		if (get_random(2) == 0) { /* a head */
			at = at / KEEP_BLOCK_BYTES * KEEP_BLOCK_BYTES + get_random(600);
		}
		memcpy(bad, image, FILE_BYTES);
		bad[at] ^= (uint8_t)(1U << get_random(8));
		if (keep_file_open_bytes(&file, bad, FILE_BYTES) == 0) {
			read_file(&file, &found);
			assert_true(found.n + 1 >= whole.n);
		} else {
			assert_true(at < sizeof(struct keep_super));
			assert_true(strlen(file.error) > 10);
		}
		keep_file_close(&file);
	}
}

static void test_keep_reads_what_is_left_of_a_truncated_file(void **state) {
	static uint8_t image[FILE_BYTES];
	static struct set whole, found;
	struct fixture *fix = *state;

	start(fix, FILE_BYTES);
	put_all(fix, 1, 60);
	assert_int_equal(load(fix->path, image, FILE_BYTES), FILE_BYTES);
	read_bytes(image, FILE_BYTES, &whole);
	for (size_t size = FILE_BYTES; size >= KEEP_BLOCK_BYTES; size -= 1 + get_random(99)) {
		read_bytes(image, size, &found);
		for (uint64_t i = 0; i < MAX_SEQ; i++) {
			assert_true(whole.has[i] || !found.has[i]);
		}
	}
	assert_int_equal(found.n, 0);
	for (size_t size = 0; size < KEEP_BLOCK_BYTES; size++) {
		struct keep_file file;

		assert_int_equal(keep_file_open_bytes(&file, image, size), -EINVAL);
		keep_file_close(&file);
	}
}

static void test_keep_knows_other_versions(void **state) {
	static uint8_t image[FILE_BYTES];
	struct fixture *fix = *state;
	struct keep_file file;
	struct keep_super super;

	start(fix, FILE_BYTES);
	load(fix->path, image, FILE_BYTES);
	memcpy(&super, image, sizeof(super));
	super.version = 2;
	memcpy(image, &super, sizeof(super));
	assert_int_equal(keep_file_open_bytes(&file, image, FILE_BYTES), -EINVAL);
	assert_string_equal(file.error, "is of version 2, this zoe knows version 1");
	keep_file_close(&file);
}

/* A liar signs what he says. */
static void sign(uint8_t *image, uint64_t block, void (*lie)(struct keep_head *)) {
	struct keep_head head;

	memcpy(&head, image + block * KEEP_BLOCK_BYTES, sizeof(head));
	lie(&head);
	head.block = block;
	head.sum = XXH3_64bits(&head, offsetof(struct keep_head, sum));
	memcpy(image + block * KEEP_BLOCK_BYTES, &head, sizeof(head));
}

static void lie_payload(struct keep_head *head) {
	head->payload_bytes = UINT64_MAX - 5;
}
static void lie_payload_past_the_end(struct keep_head *head) {
	head->payload_bytes = (FILE_BLOCKS - 1) * KEEP_BLOCK_BYTES;
}
static void lie_meta(struct keep_head *head) {
	head->meta_bytes = UINT32_MAX;
}
static void lie_offset(struct keep_head *head) {
	head->offset[0] = 1;
}
static void lie_width(struct keep_head *head) {
	head->width += 1;
}
static void lie_planes(struct keep_head *head) {
	head->n_planes = 400;
}
static void lie_name(struct keep_head *head) {
	memset(head->stream, 'x', sizeof(head->stream));
}
static void lie_number(struct keep_head *head) {
	head->number = 0;
}

static void test_keep_believes_no_signed_lie(void **state) {
	static void (*const lies[])(struct keep_head *) = {lie_payload, lie_payload_past_the_end,
		lie_meta, lie_offset, lie_width, lie_planes, lie_name, lie_number};
	static uint8_t image[FILE_BYTES], bad[FILE_BYTES];
	static struct set found;
	struct fixture *fix = *state;

	start(fix, FILE_BYTES);
	put_all(fix, 1, 4);
	load(fix->path, image, FILE_BYTES);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		memcpy(bad, image, FILE_BYTES);
		sign(bad, 1, lies[i]);
		read_bytes(bad, FILE_BYTES, &found);
		assert_int_equal(found.n, 3);
		assert_false(found.has[1]);
	}
}

static void make_youngest(struct keep_head *head) {
	head->number = 1000;
}

/* After a power cut an old head may stand where its younger one did not arrive, and what was
 * written behind that one within the old one's room. */
static void test_keep_finds_the_whole_within_the_torn(void **state) {
	static uint8_t image[FILE_BYTES];
	struct fixture *fix = *state;
	struct keep_entry small = {.n_blocks = 9}, large = {.n_blocks = 0};
	struct keep_frame kept;
	struct keep_file file;

	start(fix, FILE_BYTES);
	put_all(fix, 1, 30);
	load(fix->path, image, FILE_BYTES);
	assert_int_equal(keep_file_open_bytes(&file, image, FILE_BYTES), 0);
	for (size_t i = 0; i < file.n_entries; i++) {
		small = file.entries[i].n_blocks < small.n_blocks ? file.entries[i] : small;
		large = file.entries[i].n_blocks > large.n_blocks ? file.entries[i] : large;
	}
	keep_file_close(&file);
	assert_true(large.n_blocks > small.n_blocks + 1);
	memcpy(image + (large.block + 1) * KEEP_BLOCK_BYTES, image + small.block * KEEP_BLOCK_BYTES,
		small.n_blocks * KEEP_BLOCK_BYTES);
	sign(image, large.block + 1, make_youngest);
	assert_int_equal(keep_file_open_bytes(&file, image, FILE_BYTES), 0);
	assert_int_equal(file.n_torn, 1);
	assert_int_equal(file.entries[file.n_entries - 1].block, large.block + 1);
	assert_int_equal(keep_file_read(&file, file.n_entries - 1, &kept), 0);
	expect_true_frame(&kept);
	keep_file_close(&file);
}

static void lie_large(struct keep_head *head) {
	head->fourcc = ZOE_FORMAT_BLOB;
	head->payload_bytes = head->width = head->stride[0] = 48 << 20;
}

/* Each of many blocks promises 48 MiB that are not there. */
static void test_keep_gives_up_on_a_file_that_lies_all_over(void **state) {
	const size_t size = 100U << 20;
	uint8_t *image = calloc(1, size);
	struct fixture *fix = *state;
	struct keep_file file;

	assert_non_null(image);
	start(fix, FILE_BYTES);
	put_all(fix, 1, 1);
	load(fix->path, image, FILE_BYTES);
	for (uint64_t block = 1; block < 10000; block++) {
		memcpy(image + block * KEEP_BLOCK_BYTES, image + KEEP_BLOCK_BYTES,
			sizeof(struct keep_head));
		sign(image, block, lie_large);
	}
	assert_int_equal(keep_file_open_bytes(&file, image, size), -EBADMSG);
	assert_true(file.n_torn > 1 && file.n_torn < 20);
	keep_file_close(&file);
	free(image);
}

static void test_keep_takes_no_record_of_another_file(void **state) {
	static uint8_t image[FILE_BYTES], other[FILE_BYTES];
	static struct set found;
	struct fixture *fix = *state;

	start(fix, FILE_BYTES);
	put_all(fix, 1, 9);
	load(fix->path, image, FILE_BYTES);
	keep_writer_close(&fix->writer);
	assert_int_equal(truncate(fix->path, 0), 0);
	start(fix, FILE_BYTES);
	load(fix->path, other, FILE_BYTES);
	memcpy(image, other, KEEP_BLOCK_BYTES);
	read_bytes(image, FILE_BYTES, &found);
	assert_int_equal(found.n, 0);
}

/* A reader of a file that goes on being written is told what has gone meanwhile. */
static void test_keep_tells_a_reader_what_was_written_over(void **state) {
	struct fixture *fix = *state;
	struct keep_file file;
	struct keep_frame kept;
	unsigned n_gone = 0;
	int fd;

	start(fix, FILE_BYTES);
	put_all(fix, 1, 50);
	fd = open(fix->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(keep_file_open_fd(&file, fd), 0);
	put_all(fix, 51, 53);
	for (size_t i = 0; i < file.n_entries; i++) {
		int rc = keep_file_read(&file, i, &kept);

		assert_true(rc == 0 || rc == -ESTALE);
		assert_true(rc == 0 || i < 18);
		n_gone += rc == -ESTALE;
		if (rc == 0) {
			expect_true_frame(&kept);
		}
	}
	assert_true(n_gone > 0 && n_gone < file.n_entries);
	keep_file_close(&file);
	close(fd);
}

static void test_keep_finds_no_tag_past_the_end(void **state) {
	uint8_t meta[24] = {0};
	struct keep_frame kept = {.meta = meta};
	uint32_t size = 0;
	size_t found;

	(void)state;
	assert_true(keep_meta_add(meta, sizeof(meta), &size, ZOE_TAG_USER, "abc", 3));
	assert_false(keep_meta_add(meta, sizeof(meta), &size, ZOE_TAG_USER, "abc", 3));
	assert_int_equal(size, 16);
	for (kept.meta_bytes = 0; kept.meta_bytes <= 16; kept.meta_bytes++) {
		const void *data = keep_frame_find(&kept, ZOE_TAG_USER, &found);

		assert_int_equal(data != NULL, kept.meta_bytes >= 11);
	}
	memset(meta + 4, 0xff, 4);
	kept.meta_bytes = 16;
	assert_null(keep_frame_find(&kept, ZOE_TAG_USER, &found));
	assert_null(keep_frame_find(&kept, ZOE_TAG_CURSOR, &found));
}

#define KEEP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		KEEP_TEST(test_keep_gives_back_every_word),
		KEEP_TEST(test_keep_holds_the_last_moments),
		KEEP_TEST(test_keep_goes_on_after_a_restart),
		KEEP_TEST(test_keep_grows_and_loses_nothing),
		KEEP_TEST(test_keep_refuses_to_shrink),
		KEEP_TEST(test_keep_has_one_writer),
		KEEP_TEST(test_keep_touches_no_other_file),
		KEEP_TEST(test_keep_loses_one_frame_by_a_kill),
		KEEP_TEST(test_keep_loses_one_frame_by_a_power_cut),
		KEEP_TEST(test_keep_loses_what_was_not_synced_by_a_power_cut),
		KEEP_TEST(test_keep_goes_on_after_a_power_cut),
		KEEP_TEST(test_keep_loses_one_frame_by_a_full_disk),
		KEEP_TEST(test_keep_leaves_the_place_that_cannot_be_written),
		KEEP_TEST(test_keep_refuses_a_frame_of_more_than_half_the_file),
		KEEP_TEST(test_keep_never_gives_a_wrong_frame),
		KEEP_TEST(test_keep_reads_what_is_left_of_a_truncated_file),
		KEEP_TEST(test_keep_knows_other_versions),
		KEEP_TEST(test_keep_believes_no_signed_lie),
		KEEP_TEST(test_keep_finds_the_whole_within_the_torn),
		KEEP_TEST(test_keep_gives_up_on_a_file_that_lies_all_over),
		KEEP_TEST(test_keep_takes_no_record_of_another_file),
		KEEP_TEST(test_keep_tells_a_reader_what_was_written_over),
		KEEP_TEST(test_keep_finds_no_tag_past_the_end),
	};

	return cmocka_run_group_tests_name("keep_file", tests, NULL, NULL);
}
