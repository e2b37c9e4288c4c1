/* SPDX-License-Identifier: MIT */
#include "push_input.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "y4m.h"

/* Returns: bytes; 0 the end; -ECANCELED; -EIO with its sentence. */
static ssize_t read_some(struct push_input *in, void *to, size_t size) {
	for (;;) {
		ssize_t n;

		if (tool_wait_until(in->fd, UINT64_MAX) < 0) {
			return -ECANCELED;
		}
		n = read(in->fd, to, size);
		if (n >= 0) {
			return n;
		}
		if (errno != EINTR && errno != EAGAIN) {
			tool_fail("stdin: cannot read: %s", strerror(errno));
			return -EIO;
		}
	}
}

/* Fills the empty buffer. Returns: as read_some(). */
static ssize_t refill(struct push_input *in) {
	ssize_t n = read_some(in, in->buf, sizeof(in->buf));

	in->pos = 0;
	in->len = n > 0 ? (size_t)n : 0;
	return n;
}

static int fail_cut(const struct push_input *in) {
	tool_fail("stdin: cut short within frame %" PRIu64, in->n_frames);
	return -EIO;
}

/* Returns: 0; -ENODATA the end before its first byte; -EINVAL too long, or cut short, or a NUL in
 * it: nothing is said; -ECANCELED, -EIO. */
static int read_line(struct push_input *in, char *line, size_t size) {
	for (size_t len = 0; len < size; len++) {
		ssize_t n = in->pos < in->len ? 1 : refill(in);
		uint8_t byte;

		if (n <= 0) {
			return n < 0 ? (int)n : len == 0 ? -ENODATA : -EINVAL;
		}
		byte = in->buf[in->pos++];
		if (byte == '\n') {
			line[len] = '\0';
			return 0;
		}
		if (byte == '\0') {
			return -EINVAL;
		}
		line[len] = (char)byte;
	}
	return -EINVAL;
}

/* Returns: 0; -EIO, -ECANCELED with their sentences. */
static int read_full(struct push_input *in, uint8_t *to, size_t size) {
	size_t n_buffered = in->len - in->pos < size ? in->len - in->pos : size;

	memcpy(to, in->buf + in->pos, n_buffered);
	in->pos += n_buffered;
	for (size_t done = n_buffered; done < size;) {
		ssize_t n = read_some(in, to + done, size - done);

		if (n <= 0) {
			return n < 0 ? (int)n : fail_cut(in);
		}
		done += (size_t)n;
	}
	return 0;
}

static int read_header(struct push_input *in) {
	char line[Y4M_MAX_LINE], error[160] = "not Y4M (for raw frames say --size and --format)";
	struct y4m_header header;
	int rc = read_line(in, line, sizeof(line));

	if (rc == -ENODATA) {
		return tool_fail("stdin: empty");
	}
	if (rc == 0) {
		rc = y4m_parse_header(&header, line, error, sizeof(error));
	}
	if (rc == -EINVAL) {
		return tool_fail("stdin: %s", error);
	}
	if (rc < 0) {
		return rc == -ECANCELED ? TOOL_STOPPED : TOOL_FAILED;
	}
	in->format = header.format;
	in->rate_num = header.rate_num;
	in->rate_den = header.rate_den;
	return 0;
}

int push_input_init(struct push_input *in, int fd, const struct zoe_format *raw) {
	*in = (struct push_input){.fd = fd, .is_y4m = raw == NULL};
	if (isatty(fd)) {
		return tool_fail("stdin is a terminal: pipe Y4M or raw frames into it");
	}
	if (raw != NULL) {
		in->format = *raw;
		return 0;
	}
	return read_header(in);
}

int push_input_begin(struct push_input *in) {
	char line[Y4M_MAX_LINE];
	int rc;

	in->n_frames++;
	if (!in->is_y4m) {
		ssize_t n = in->pos < in->len ? 1 : refill(in);

		return n > 0 ? 0 : n == 0 ? -ENODATA : (int)n;
	}
	rc = read_line(in, line, sizeof(line));
	if (rc == -EINVAL || (rc == 0 && !y4m_is_frame(line))) {
		tool_fail("stdin: no FRAME line before frame %" PRIu64, in->n_frames);
		return -EINVAL;
	}
	return rc;
}

int push_input_read(struct push_input *in, const struct zoe_format *f, uint8_t *const plane[4]) {
	for (unsigned p = 0; p < f->n_planes; p++) {
		uint32_t row_bytes, n_rows;
		int rc = zoe_format_get_plane(f, p, &row_bytes, &n_rows);

		if (rc == 0 && f->stride[p] == row_bytes) {
			rc = read_full(in, plane[p], (size_t)row_bytes * n_rows);
			n_rows = 0;
		}
		for (uint32_t y = 0; rc == 0 && y < n_rows; y++) {
			rc = read_full(in, plane[p] + (size_t)y * f->stride[p], row_bytes);
		}
		if (rc < 0) {
			return rc;
		}
	}
	return 0;
}
