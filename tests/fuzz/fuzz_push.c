/* SPDX-License-Identifier: MIT */
/*
 * What is piped into `zoe push`: Y4M, or raw frames of a format that the user named.
 * Input: u8 0 = Y4M, else a raw format, two more bytes for its size; then the stream.
 * Stands in for the tool's messages and waits, so that each failure can be asked for its sentence.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "push_input.h"

enum { MAX_FRAMES = 20, MAX_FRAME_BYTES = 1 << 18, PADDING = 24 };

static unsigned n_sentences;

int tool_fail(const char *format, ...) {
	char sentence[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	must(n > 0 && (size_t)n < sizeof(sentence) && !strchr(sentence, '\n'));
	n_sentences++;
	return TOOL_FAILED;
}

int tool_wait_until(int fd, uint64_t time_ns) {
	must(fd >= 0 && time_ns == UINT64_MAX);
	return 1;
}

/* The same picture in rows with padding, as a slot may have it. */
static void format_pad(struct zoe_format *f, uint32_t padding) {
	uint64_t size = 0;

	for (unsigned p = 0; p < f->n_planes; p++) {
		uint32_t row_bytes, n_rows;

		must(zoe_format_get_plane(f, p, &row_bytes, &n_rows) == 0);
		f->stride[p] = row_bytes + padding;
		f->offset[p] = (uint32_t)size;
		size += (uint64_t)f->stride[p] * n_rows;
	}
	f->size_bytes = size;
}

/* Returns: whether there may be another one. */
static bool read_frame(struct push_input *in, const struct zoe_format *f) {
	uint8_t *payload = malloc((size_t)f->size_bytes), *plane[4] = {NULL};
	unsigned before = n_sentences;
	int r = push_input_begin(in);

	must(payload);
	for (unsigned p = 0; p < f->n_planes; p++) {
		plane[p] = payload + f->offset[p];
	}
	if (r == 0) {
		r = push_input_read(in, f, plane);
		must(r == 0 || r == -EIO);
	}
	must(r == 0 || r == -ENODATA || r == -EINVAL || r == -EIO);
	must(n_sentences - before == (r == -EINVAL || r == -EIO));
	free(payload);
	return r == 0;
}

static void push(int fd, const struct zoe_format *raw, uint32_t padding) {
	struct push_input in;
	struct zoe_format f;
	unsigned before = n_sentences;
	int r = push_input_init(&in, fd, raw);

	must(r == 0 || r == TOOL_FAILED);
	must(n_sentences - before == (r != 0));
	if (r != 0) {
		return;
	}
	must(zoe_format_check(&in.format, UINT32_MAX) == 0);
	must((in.rate_num == 0) == (in.rate_den == 0));
	f = in.format;
	if (f.size_bytes > MAX_FRAME_BYTES) {
		return;
	}
	format_pad(&f, padding);
	for (unsigned i = 0; i < MAX_FRAMES && read_frame(&in, &f); i++) {
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static int fd = -1;
	struct input in = {data, size};
	unsigned how = input_u8(&in), n_known = 0;
	struct zoe_format raw;

	if (fd < 0) {
		fd = memfd_create("stdin", MFD_CLOEXEC);
		must(fd >= 0);
	}
	while (zoe_format_get_known(n_known, NULL)) {
		n_known++;
	}
	if (how != 0 && zoe_format_init(&raw, zoe_format_get_known(how % n_known, NULL),
				input_u8(&in), input_u8(&in) % 64) != 0) {
		return 0;
	}
	must(ftruncate(fd, 0) == 0);
	must(pwrite(fd, in.at, in.left, 0) == (ssize_t)in.left);
	must(lseek(fd, 0, SEEK_SET) == 0);
	push(fd, how != 0 ? &raw : NULL, size % 3 ? PADDING : 0);
	return 0;
}
