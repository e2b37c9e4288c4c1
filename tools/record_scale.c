/* SPDX-License-Identifier: MIT */
#include "record_scale.h"

#include <errno.h>
#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

struct record_scaler {
	struct SwsContext *context;
	AVFrame *frame;
};

static const struct pixels {
	uint32_t fourcc;
	enum AVPixelFormat format;
} known[] = {
	{ZOE_FORMAT_XR24, AV_PIX_FMT_BGR0},
	{ZOE_FORMAT_AR24, AV_PIX_FMT_BGRA},
	{ZOE_FORMAT_XB24, AV_PIX_FMT_RGB0},
	{ZOE_FORMAT_AB24, AV_PIX_FMT_RGBA},
	{ZOE_FORMAT_RG24, AV_PIX_FMT_BGR24},
	{ZOE_FORMAT_BG24, AV_PIX_FMT_RGB24},
	{ZOE_FORMAT_XR30, AV_PIX_FMT_X2RGB10LE},
	{ZOE_FORMAT_RG16, AV_PIX_FMT_RGB565LE},
	{ZOE_FORMAT_R8, AV_PIX_FMT_GRAY8},
	{ZOE_FORMAT_YUYV, AV_PIX_FMT_YUYV422},
	{ZOE_FORMAT_UYVY, AV_PIX_FMT_UYVY422},
	{ZOE_FORMAT_NV12, AV_PIX_FMT_NV12},
	{ZOE_FORMAT_P010, AV_PIX_FMT_P010LE},
	{ZOE_FORMAT_YU12, AV_PIX_FMT_YUV420P},
	{RECORD_YU16, AV_PIX_FMT_YUV422P},
	{RECORD_YU24, AV_PIX_FMT_YUV444P},
};

int record_scale_find(uint32_t fourcc) {
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].fourcc == fourcc) {
			return known[i].format;
		}
	}
	return -1;
}

static bool is_rgb(enum AVPixelFormat format) {
	return (av_pix_fmt_desc_get(format)->flags & AV_PIX_FMT_FLAG_RGB) != 0;
}

/* RGB becomes BT.709 of limited range; YCbCr keeps what it is. */
static void set_colours(struct record_scaler *scaler, const struct zoe_format *from,
	enum AVPixelFormat source, enum AVPixelFormat to) {
	const int *matrix = sws_getCoefficients(SWS_CS_ITU709);
	int is_full = from->range == ZOE_RANGE_FULL;

	if (!is_rgb(source) && from->matrix > 2) {
		matrix = sws_getCoefficients(from->matrix);
	}
	if (is_rgb(source)) {
		is_full = 1;
	}
	sws_setColorspaceDetails(scaler->context, matrix, is_full, matrix,
		is_rgb(to) || (is_full && !is_rgb(source)), 0, 1 << 16, 1 << 16);
}

static bool is_listed(const enum AVPixelFormat *list, enum AVPixelFormat format) {
	for (; list != NULL && *list != AV_PIX_FMT_NONE; list++) {
		if (*list == format) {
			return true;
		}
	}
	return list == NULL;
}

/* What an encoder or NUT is given for a format it does not take: for FFV1 and NUT one with all the
 * same values, for H.264 what every player shows. */
static enum AVPixelFormat choose_lossless(enum AVPixelFormat from) {
	switch ((int)from) {
	case AV_PIX_FMT_X2RGB10LE:
		return AV_PIX_FMT_GBRP10LE;
	case AV_PIX_FMT_RGBA:
		return AV_PIX_FMT_BGRA;
	case AV_PIX_FMT_NV12:
		return AV_PIX_FMT_YUV420P;
	case AV_PIX_FMT_P010LE:
		return AV_PIX_FMT_YUV420P10LE;
	case AV_PIX_FMT_YUYV422:
	case AV_PIX_FMT_UYVY422:
		return AV_PIX_FMT_YUV422P;
	default:
		return AV_PIX_FMT_BGR0;
	}
}

int record_scale_choose(const struct zoe_format *f, const AVCodec *codec) {
	enum AVPixelFormat from = (enum AVPixelFormat)record_scale_find(f->fourcc);

	if (codec == NULL) {
		return avcodec_pix_fmt_to_codec_tag(from) != 0 ? from : choose_lossless(from);
	}
	if (codec->id == AV_CODEC_ID_H264) {
		if (from == AV_PIX_FMT_GRAY8 || f->width % 2 != 0 || f->height % 2 != 0) {
			return from == AV_PIX_FMT_GRAY8 ? from : AV_PIX_FMT_YUV444P;
		}
		return AV_PIX_FMT_YUV420P;
	}
	return is_listed(codec->pix_fmts, from) ? from : choose_lossless(from);
}

/* 0 is "unknown" in a stream and something else in H.273, whose word for it is 2. */
static int get_code(uint8_t code) {
	return code != 0 ? code : 2;
}

void record_scale_set_colours(const struct zoe_format *f, AVCodecParameters *to) {
	enum AVPixelFormat written = (enum AVPixelFormat)to->format;
	bool was_rgb = is_rgb((enum AVPixelFormat)record_scale_find(f->fourcc));

	to->color_primaries = (enum AVColorPrimaries)get_code(f->primaries);
	to->color_trc = (enum AVColorTransferCharacteristic)get_code(f->transfer);
	to->color_space = (enum AVColorSpace)get_code(f->matrix);
	to->color_range = (enum AVColorRange)f->range; /* the same numbers */
	to->chroma_location = (enum AVChromaLocation)f->chroma_site;
	if (is_rgb(written)) {
		to->color_space = f->matrix != 0 ? AVCOL_SPC_RGB : AVCOL_SPC_UNSPECIFIED;
	} else if (was_rgb && written != AV_PIX_FMT_GRAY8) { /* as set_colours() does */
		to->color_space = AVCOL_SPC_BT709;
		to->color_range = AVCOL_RANGE_MPEG;
	}
}

int record_scaler_create(struct record_scaler **out, const struct zoe_format *from, int to) {
	enum AVPixelFormat source = (enum AVPixelFormat)record_scale_find(from->fourcc);
	enum AVPixelFormat target = (enum AVPixelFormat)to;
	int width = (int)from->width, height = (int)from->height;
	struct record_scaler *scaler;

	if (source < 0 || target < 0) {
		return -ENOTSUP;
	}
	scaler = calloc(1, sizeof(*scaler));
	if (scaler == NULL) {
		return -ENOMEM;
	}
	scaler->frame = av_frame_alloc();
	scaler->context = sws_getContext(width, height, source, width, height, target,
		SWS_POINT | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
	if (scaler->frame == NULL || scaler->context == NULL) {
		record_scaler_destroy(scaler);
		return -ENOTSUP;
	}
	scaler->frame->format = target;
	scaler->frame->width = width;
	scaler->frame->height = height;
	if (av_frame_get_buffer(scaler->frame, 0) < 0) {
		record_scaler_destroy(scaler);
		return -ENOMEM;
	}
	set_colours(scaler, from, source, target);
	*out = scaler;
	return 0;
}

const AVFrame *record_scaler_run(
	struct record_scaler *scaler, const struct record_picture *picture) {
	AVFrame *frame = scaler->frame;

	/* An encoder may still hold the picture before. */
	if (av_frame_make_writable(frame) < 0) {
		return NULL;
	}
	if (sws_scale(scaler->context, picture->plane, picture->stride, 0,
		    (int)picture->format.height, frame->data, frame->linesize) < 0) {
		return NULL;
	}
	return frame;
}

void record_scale_get_planes(const AVFrame *frame, const uint8_t *plane[4], int stride[4]) {
	for (int i = 0; i < 4; i++) {
		plane[i] = frame->data[i];
		stride[i] = frame->linesize[i];
	}
}

void record_scaler_destroy(struct record_scaler *scaler) {
	if (scaler == NULL) {
		return;
	}
	av_frame_free(&scaler->frame);
	sws_freeContext(scaler->context);
	free(scaler);
}
