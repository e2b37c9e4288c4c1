/* SPDX-License-Identifier: MIT */
#include "keep_summary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "stream_text.h"

int keep_summary_open(struct keep_file *file, const char *path, int *fd) {
	/* Not to wait for the writer of a pipe: what is no regular file is refused anyway. */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0) {
		return tool_fail("'%s': %s", path, strerror(errno));
	}
	if (keep_file_open_fd(file, *fd) < 0) {
		tool_fail("'%s': %s", path, file->error);
		keep_file_close(file);
		close(*fd);
		*fd = -1;
		return TOOL_FAILED;
	}
	return 0;
}

static void add_frame(struct keep_summary *s, const struct keep_frame *kept, bool is_gap) {
	if (s->n_frames == 0) {
		s->first_seq = kept->frame.seq;
		s->first_ns = kept->realtime_ns;
		s->first_session = kept->session;
	} else {
		s->n_lost += kept->frame.lost;
		s->n_gaps += is_gap;
	}
	s->last_seq = kept->frame.seq;
	s->last_ns = kept->realtime_ns;
	s->last_session = kept->session;
	s->n_frames++;
	s->n_bytes += kept->frame.format.size_bytes;
	s->format = kept->frame.format;
	memcpy(s->stream, kept->stream, sizeof(s->stream));
}

int keep_summary_take(struct keep_summary *s, struct keep_file *file, const char *path) {
	struct keep_frame kept;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < file->n_entries; i++) {
		int rc = keep_file_look(file, i, &kept);

		if (rc == -ESTALE) {
			continue; /* a zoe keep writes it just now */
		}
		if (rc < 0) {
			return tool_fail("'%s': %s", path, file->error);
		}
		add_frame(s, &kept,
			i > 0 && file->entries[i].number != file->entries[i - 1].number + 1);
	}
	return 0;
}

const char *keep_summary_get_time(uint64_t realtime_ns, char *buf, size_t size) {
	time_t seconds = (time_t)(realtime_ns / 1000000000U);
	struct tm when;
	size_t len;

	if (localtime_r(&seconds, &when) == NULL ||
		(len = strftime(buf, size, "%F %T", &when)) == 0) {
		snprintf(buf, size, "?");
		return buf;
	}
	snprintf(buf + len, size - len, ".%03u", (unsigned)(realtime_ns / 1000000U % 1000U));
	return buf;
}

static double get_span(const struct keep_summary *s) {
	return s->last_ns > s->first_ns ? (double)(s->last_ns - s->first_ns) / 1e9 : 0;
}

void keep_summary_print(const struct keep_summary *s, const struct keep_file *file, FILE *to) {
	char word[WORD_SIZE], stream[KEEP_STREAM_SIZE], from[64], until[64];

	fprintf(to, "size     %.1f MiB, made %s\n",
		(double)file->n_blocks * KEEP_BLOCK_BYTES / 1048576,
		keep_summary_get_time(file->super.created_ns, from, sizeof(from)));
	if (s->n_frames == 0) {
		fprintf(to, "frames   none\n");
		return;
	}
	fprintf(to, "stream   %s, %s\n", tool_printable(s->stream, stream, sizeof(stream)),
		word_format(word, &s->format));
	fprintf(to,
		"frames   %" PRIu64 " (%" PRIu64 " to %" PRIu64 "), %.1f MB, %" PRIu64 " lost\n",
		s->n_frames, s->first_seq, s->last_seq, (double)s->n_bytes / 1e6, s->n_lost);
	fprintf(to, "time     %s to %s, %.1f s\n",
		keep_summary_get_time(s->first_ns, from, sizeof(from)),
		keep_summary_get_time(s->last_ns, until, sizeof(until)), get_span(s));
	fprintf(to, "sessions %u\n", s->last_session - s->first_session + 1);
	fprintf(to, "torn     %" PRIu64 ", gaps %" PRIu64 "\n", file->n_torn, s->n_gaps);
}

void keep_summary_print_json(const struct keep_summary *s, const struct keep_file *file, FILE *to) {
	fprintf(to,
		"\"size\": %" PRIu64 ", \"created_ns\": %" PRIu64 ", \"frames\": %" PRIu64
		", \"bytes\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"torn\": %" PRIu64
		", \"gaps\": %" PRIu64,
		file->n_blocks * KEEP_BLOCK_BYTES, file->super.created_ns, s->n_frames, s->n_bytes,
		s->n_lost, file->n_torn, s->n_gaps);
	if (s->n_frames > 0) {
		fprintf(to,
			", \"first_seq\": %" PRIu64 ", \"last_seq\": %" PRIu64
			", \"first_realtime_ns\": %" PRIu64 ", \"last_realtime_ns\": %" PRIu64
			", \"sessions\": %u, \"stream\": ",
			s->first_seq, s->last_seq, s->first_ns, s->last_ns,
			s->last_session - s->first_session + 1);
		tool_print_json_string(to, s->stream);
	}
}

void keep_summary_print_frame(const struct keep_frame *kept, FILE *to) {
	char word[WORD_SIZE], when[64];

	fprintf(to, "%10" PRIu64 "  %s  %-18s %10" PRIu64 " bytes", kept->frame.seq,
		keep_summary_get_time(kept->realtime_ns, when, sizeof(when)),
		word_format(word, &kept->frame.format), kept->frame.format.size_bytes);
	if (kept->frame.lost > 0) {
		fprintf(to, "  %" PRIu64 " lost before", kept->frame.lost);
	}
	fputc('\n', to);
}

void keep_summary_print_frame_json(const struct keep_frame *kept, const char *file, FILE *to) {
	const struct zoe_frame *f = &kept->frame;

	fprintf(to, "{\"record\": %" PRIu64 ", \"stream\": ", kept->number);
	tool_print_json_string(to, kept->stream);
	fprintf(to,
		", \"session\": %u, \"seq\": %" PRIu64 ", \"lost\": %" PRIu64
		", \"pts_ns\": %" PRIu64 ", \"publish_ns\": %" PRIu64 ", \"realtime_ns\": %" PRIu64
		", \"duration_ns\": %" PRIu64 ", \"source_seq\": %" PRIu64 ", \"flags\": %u"
		", \"width\": %u, \"height\": %u, \"format\": \"%s\", \"bytes\": %" PRIu64,
		kept->session, f->seq, f->lost, f->pts_ns, f->publish_ns, kept->realtime_ns,
		f->duration_ns, f->source_seq, f->flags, f->format.width, f->format.height,
		zoe_format_get_name(f->format.fourcc), f->format.size_bytes);
	if (file != NULL) {
		fprintf(to, ", \"file\": ");
		tool_print_json_string(to, file);
	}
	fputc('}', to);
}
