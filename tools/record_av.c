/* SPDX-License-Identifier: MIT */
/*
 * NUT and Matroska files, by libavformat. NUT keeps time to the nanosecond and pixels as they are;
 * Matroska keeps milliseconds, and by default compresses without loss (FFV1).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>

#include "record_scale.h"

struct av_sink {
	struct record_sink base;
	AVFormatContext *muxer;
	AVStream *stream;        // borrowed from muxer
	AVCodecContext *encoder; // NULL: pixels are written as they are
	AVFrame *frame;
	AVPacket *packet;
	struct record_scaler *scaler; // NULL: the stream's own format is kept
	enum AVPixelFormat pixels;    // of what is written
	int64_t last_pts;
	uint64_t whole_bytes; // up to the end of the last packet written whole
	bool has_header, is_cut;
};

static struct av_sink *get_av(struct record_sink *sink) {
	return (struct av_sink *)(void *)sink; /* its first member */
}

static int fail(struct av_sink *av, int rc, const char *what) {
	const char *path = av->base.target.path;
	char cause[AV_ERROR_MAX_STRING_SIZE];

	if (rc == AVERROR(ENOSPC)) {
		return record_fail(&av->base, -ENOSPC,
			"cannot write '%s': the disk is full; the file ends there", path);
	}
	av_strerror(rc, cause, sizeof(cause));
	return record_fail(&av->base, rc > -4096 ? rc : -EIO, "cannot %s '%s': %s", what,
		strcmp(path, "-") == 0 ? "stdout" : path, cause);
}

static const char *get_codec(const struct record_target *target) {
	if (target->codec != NULL) {
		return target->codec;
	}
	return target->container == RECORD_MKV ? "ffv1" : "raw";
}

static int set_parameters(struct av_sink *av, const struct zoe_format *f, enum AVCodecID id) {
	AVCodecParameters *parameters = av->stream->codecpar;

	parameters->codec_type = AVMEDIA_TYPE_VIDEO;
	parameters->codec_id = id;
	parameters->format = av->pixels;
	parameters->width = (int)f->width;
	parameters->height = (int)f->height;
	if (id == AV_CODEC_ID_RAWVIDEO) {
		parameters->codec_tag = avcodec_pix_fmt_to_codec_tag(av->pixels);
	}
	record_scale_set_colours(f, parameters);
	return 0;
}

static void set_encoder_options(struct av_sink *av, const AVCodec *codec) {
	AVCodecContext *encoder = av->encoder;

	encoder->thread_count = 0; /* one a processor */
	if (codec->id == AV_CODEC_ID_FFV1) {
		encoder->level = 3;
		encoder->thread_type = FF_THREAD_SLICE;
		return;
	}
	encoder->max_b_frames = 0;
	av_opt_set(encoder->priv_data, "preset", "veryfast", 0);
	av_opt_set(encoder->priv_data, "crf", "18", 0);
}

static int open_encoder(struct av_sink *av, const AVCodec *codec) {
	AVCodecContext *encoder;
	int rc;

	av->encoder = encoder = avcodec_alloc_context3(codec);
	if (encoder == NULL) {
		return record_fail(&av->base, -ENOMEM, "out of memory");
	}
	avcodec_parameters_to_context(encoder, av->stream->codecpar);
	encoder->time_base = av->stream->time_base;
	encoder->framerate = (AVRational){0, 1}; /* as it comes */
	if ((av->muxer->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
		encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
	}
	set_encoder_options(av, codec);
	rc = avcodec_open2(encoder, codec, NULL);
	if (rc < 0) {
		return fail(av, rc, "start the encoder for");
	}
	return avcodec_parameters_from_context(av->stream->codecpar, encoder);
}

static int find_encoder(struct av_sink *av, const AVCodec **out) {
	const char *name = get_codec(&av->base.target);

	*out = NULL;
	if (strcmp(name, "raw") == 0) {
		return av->base.target.container == RECORD_NUT
			       ? 0
			       : record_fail(&av->base, -ENOTSUP,
					 "Matroska files hold no raw pictures: --codec ffv1 or "
					 "h264");
	}
	*out = avcodec_find_encoder_by_name(strcmp(name, "h264") == 0 ? "libx264" : name);
	return *out != NULL ? 0
			    : record_fail(&av->base, -ENOTSUP, "this libavcodec has no %s encoder",
				      name);
}

static int open_muxer(struct av_sink *av) {
	const struct record_target *target = &av->base.target;
	const char *url = strcmp(target->path, "-") == 0 ? "pipe:1" : target->path;
	char *file = av_asprintf("%s%s", strcmp(url, target->path) == 0 ? "file:" : "", url);
	int rc;

	rc = avformat_alloc_output_context2(
		&av->muxer, NULL, target->container == RECORD_MKV ? "matroska" : "nut", NULL);
	if (rc < 0 || file == NULL) {
		av_free(file);
		return record_fail(&av->base, -ENOTSUP, "this libavformat cannot write the file");
	}
	rc = avio_open(&av->muxer->pb, file, AVIO_FLAG_WRITE);
	av_free(file);
	if (rc < 0) {
		return fail(av, rc, "create");
	}
	av->muxer->flush_packets = 1; /* whatever happens, the file is whole up to there */
	av->stream = avformat_new_stream(av->muxer, NULL);
	if (av->stream == NULL) {
		return record_fail(&av->base, -ENOMEM, "out of memory");
	}
	av->stream->time_base = target->container == RECORD_MKV ? (AVRational){1, 1000}
								: (AVRational){1, 1000000000};
	return 0;
}

static int open_scaler(struct av_sink *av, const struct zoe_format *f) {
	int rc = 0;

	if (av->pixels != (enum AVPixelFormat)record_scale_find(f->fourcc)) {
		rc = record_scaler_create(&av->scaler, f, av->pixels);
	}
	return rc < 0 ? record_fail(&av->base, rc, "cannot convert %s for '%s'",
				zoe_format_get_name(f->fourcc), av->base.target.path)
		      : 0;
}

static int open_codec(struct av_sink *av, const struct zoe_format *f) {
	const AVCodec *codec;
	int rc, from = record_scale_find(f->fourcc);

	if (from < 0) {
		return record_fail(&av->base, -ENOTSUP,
			"%s has no place in this kind of file; --format raw keeps it",
			zoe_format_get_name(f->fourcc));
	}
	rc = find_encoder(av, &codec);
	if (rc < 0) {
		return rc;
	}
	av->pixels = (enum AVPixelFormat)record_scale_choose(f, codec);
	set_parameters(av, f, codec != NULL ? codec->id : AV_CODEC_ID_RAWVIDEO);
	rc = open_scaler(av, f);
	if (rc == 0 && codec != NULL) {
		rc = open_encoder(av, codec);
	}
	return rc;
}

static int av_open(struct record_sink *sink, const struct record_picture *first) {
	struct av_sink *av = get_av(sink);
	int rc;

	av_log_set_level(AV_LOG_QUIET); /* what went wrong is told by us, once */
	av->last_pts = -1;
	av->frame = av_frame_alloc();
	av->packet = av_packet_alloc();
	if (av->frame == NULL || av->packet == NULL) {
		return record_fail(sink, -ENOMEM, "out of memory");
	}
	rc = open_muxer(av);
	if (rc == 0) {
		rc = open_codec(av, &first->format);
	}
	if (rc < 0) {
		return rc;
	}
	rc = avformat_write_header(av->muxer, NULL);
	if (rc < 0) {
		return fail(av, rc, "write");
	}
	av->has_header = true;
	return 0;
}

/* Writes av->packet, whose times are in the encoder's base. */
static int write_packet(struct av_sink *av, AVRational base) {
	int rc;

	av_packet_rescale_ts(av->packet, base, av->stream->time_base);
	av->packet->stream_index = av->stream->index;
	rc = av_write_frame(av->muxer, av->packet);
	if (rc >= 0 && av->muxer->pb->error < 0) {
		rc = av->muxer->pb->error;
	}
	av_packet_unref(av->packet);
	if (rc < 0) {
		av->is_cut = true;
		return fail(av, rc, "write");
	}
	av->base.n_bytes = av->whole_bytes = (uint64_t)avio_tell(av->muxer->pb);
	return 0;
}

static int write_raw(struct av_sink *av, const struct record_picture *picture, int64_t pts) {
	const uint8_t *plane[4];
	int stride[4], size, rc;

	memcpy(plane, picture->plane, sizeof(plane));
	memcpy(stride, picture->stride, sizeof(stride));
	if (av->scaler != NULL) {
		const AVFrame *frame = record_scaler_run(av->scaler, picture);

		if (frame == NULL) {
			return record_fail(&av->base, -ENOMEM, "cannot convert a picture");
		}
		record_scale_get_planes(frame, plane, stride);
	}
	size = av_image_get_buffer_size(
		av->pixels, (int)picture->format.width, (int)picture->format.height, 1);
	rc = av_new_packet(av->packet, size);
	if (rc < 0) {
		return fail(av, rc, "write");
	}
	av_image_copy_to_buffer(av->packet->data, size, plane, stride, av->pixels,
		(int)picture->format.width, (int)picture->format.height, 1);
	av->packet->pts = av->packet->dts = pts;
	av->packet->flags |= AV_PKT_FLAG_KEY;
	return write_packet(av, av->stream->time_base);
}

static int drain_encoder(struct av_sink *av) {
	int rc;

	while ((rc = avcodec_receive_packet(av->encoder, av->packet)) >= 0) {
		rc = write_packet(av, av->encoder->time_base);
		if (rc < 0) {
			return rc;
		}
	}
	return rc == AVERROR(EAGAIN) || rc == AVERROR_EOF ? 0 : fail(av, rc, "encode");
}

/* Lays the picture's memory under av->frame; the encoder copies what it keeps. */
static void borrow_planes(struct av_sink *av, const struct record_picture *picture) {
	for (int i = 0; i < 4; i++) {
		/* The encoder only reads; AVFrame has no pointer to const. */
		memcpy(&av->frame->data[i], &picture->plane[i], sizeof(av->frame->data[i]));
		av->frame->linesize[i] = picture->stride[i];
	}
	av->frame->format = av->pixels;
	av->frame->width = (int)picture->format.width;
	av->frame->height = (int)picture->format.height;
}

static int write_encoded(struct av_sink *av, const struct record_picture *picture, int64_t pts) {
	int rc;

	av_frame_unref(av->frame);
	if (av->scaler != NULL) {
		const AVFrame *scaled = record_scaler_run(av->scaler, picture);

		if (scaled == NULL || av_frame_ref(av->frame, scaled) < 0) {
			return record_fail(&av->base, -ENOMEM, "cannot convert a picture");
		}
	} else {
		borrow_planes(av, picture);
	}
	av->frame->pts = pts;
	av->frame->color_range = av->encoder->color_range;
	rc = avcodec_send_frame(av->encoder, av->frame);
	av_frame_unref(av->frame);
	return rc < 0 ? fail(av, rc, "encode") : drain_encoder(av);
}

static int av_write(struct record_sink *sink, const struct record_picture *picture) {
	struct av_sink *av = get_av(sink);
	AVRational base = av->encoder != NULL ? av->encoder->time_base : av->stream->time_base;
	int64_t pts;

	pts = av_rescale_q(picture->time_ns, (AVRational){1, 1000000000}, base);
	if (pts <= av->last_pts) { /* two within one tick of the container's clock */
		pts = av->last_pts + 1;
	}
	av->last_pts = pts;
	return av->encoder != NULL ? write_encoded(av, picture, pts) : write_raw(av, picture, pts);
}

/* After a write that failed: NUT ends with the last whole packet. Matroska writes many pictures at
 * once, and players read what there is of the last lot. */
static void end_cut_file(struct av_sink *av) {
	const struct record_target *target = &av->base.target;

	if (target->container != RECORD_NUT || av->whole_bytes == 0 ||
		strcmp(target->path, "-") == 0 ||
		truncate(target->path, (off_t)av->whole_bytes) < 0) {
		return;
	}
	av->base.n_bytes = av->whole_bytes;
}

static int av_finish(struct record_sink *sink) {
	struct av_sink *av = get_av(sink);
	int rc = 0, trailer_rc = 0;

	if (av->muxer == NULL) {
		return 0;
	}
	if (av->has_header && !av->is_cut) {
		if (av->encoder != NULL) {
			avcodec_send_frame(av->encoder, NULL);
			rc = drain_encoder(av);
		}
		trailer_rc = av_write_trailer(av->muxer);
		if (trailer_rc >= 0 && av->muxer->pb->error < 0) {
			trailer_rc = av->muxer->pb->error;
		}
		av->base.n_bytes = (uint64_t)avio_tell(av->muxer->pb);
	}
	avio_closep(&av->muxer->pb);
	if (av->is_cut) {
		end_cut_file(av);
	}
	avformat_free_context(av->muxer);
	av->muxer = NULL;
	if (rc == 0 && trailer_rc < 0) {
		rc = fail(av, trailer_rc, "finish");
	}
	return rc;
}

static void av_destroy(struct record_sink *sink) {
	struct av_sink *av = get_av(sink);

	av_finish(sink);
	avcodec_free_context(&av->encoder);
	av_frame_free(&av->frame);
	av_packet_free(&av->packet);
	record_scaler_destroy(av->scaler);
	free(av);
}

static const struct record_sink_ops av_ops = {av_open, av_write, av_finish, av_destroy};

struct record_sink *record_av_create(void) {
	struct av_sink *av = calloc(1, sizeof(*av));

	if (av == NULL) {
		return NULL;
	}
	av->base.ops = &av_ops;
	return &av->base;
}
