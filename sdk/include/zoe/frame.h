/* SPDX-License-Identifier: MIT */
#ifndef ZOE_FRAME_H
#define ZOE_FRAME_H
/*
 * What a picture looks like: pixel formats, plane geometry, colour and flags, as plain values.
 * Owns:     nothing; every struct here is the caller's memory.
 * Threads:  all functions are pure and may be called from any thread.
 * Includes: the C library's headers only. Knows no client, ring or socket.
 * Formats carry DRM's fourcc codes (drm_fourcc.h); colour codes are those of ITU-T H.273;
 * transforms are wl_output's (wayland.xml). This header compiles as C17 and as C++11.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ZOE_EXPORT __attribute__((visibility("default")))
#else
#define ZOE_EXPORT
#endif

/* A fourcc code from four characters, as in drm_fourcc.h. */
#define ZOE_FOURCC(a, b, c, d)                                                                     \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* Byte orders are those in memory on a little-endian machine. */
#define ZOE_FORMAT_XR24 ZOE_FOURCC('X', 'R', '2', '4') /* B G R x, 32 bit */
#define ZOE_FORMAT_AR24 ZOE_FOURCC('A', 'R', '2', '4') /* B G R A, 32 bit */
#define ZOE_FORMAT_XB24 ZOE_FOURCC('X', 'B', '2', '4') /* R G B x, 32 bit */
#define ZOE_FORMAT_AB24 ZOE_FOURCC('A', 'B', '2', '4') /* R G B A, 32 bit */
#define ZOE_FORMAT_RG24 ZOE_FOURCC('R', 'G', '2', '4') /* B G R, 24 bit */
#define ZOE_FORMAT_BG24 ZOE_FOURCC('B', 'G', '2', '4') /* R G B, 24 bit */
#define ZOE_FORMAT_XR30 ZOE_FOURCC('X', 'R', '3', '0') /* x:R:G:B 2:10:10:10 in a u32 */
#define ZOE_FORMAT_RG16 ZOE_FOURCC('R', 'G', '1', '6') /* R:G:B 5:6:5 in a u16 */
#define ZOE_FORMAT_R8 ZOE_FOURCC('R', '8', ' ', ' ')   /* one channel, 8 bit: grey */
#define ZOE_FORMAT_YUYV ZOE_FOURCC('Y', 'U', 'Y', 'V') /* 4:2:2 packed, Y0 Cb Y1 Cr */
#define ZOE_FORMAT_UYVY ZOE_FOURCC('U', 'Y', 'V', 'Y') /* 4:2:2 packed, Cb Y0 Cr Y1 */
#define ZOE_FORMAT_NV12 ZOE_FOURCC('N', 'V', '1', '2') /* 4:2:0, Y plane + CbCr plane */
#define ZOE_FORMAT_P010 ZOE_FOURCC('P', '0', '1', '0') /* NV12 with 10 bits high in a u16 */
#define ZOE_FORMAT_YU12 ZOE_FOURCC('Y', 'U', '1', '2') /* 4:2:0, Y, Cb, Cr planes (I420) */
#define ZOE_FORMAT_AB4H ZOE_FOURCC('A', 'B', '4', 'H') /* R G B A, binary16 each */
#define ZOE_FORMAT_BLOB ZOE_FOURCC('B', 'L', 'O', 'B') /* any bytes: width = bytes, height = 1 */

enum zoe_range { ZOE_RANGE_UNKNOWN = 0, ZOE_RANGE_LIMITED = 1, ZOE_RANGE_FULL = 2 };
enum zoe_alpha {
	ZOE_ALPHA_UNKNOWN = 0,
	ZOE_ALPHA_NONE = 1,
	ZOE_ALPHA_PREMULTIPLIED = 2,
	ZOE_ALPHA_STRAIGHT = 3
};

/* What a picture looks like. 0 in any of the byte-sized members means "unknown" (or, for
 * transform, "as it stands"; for field, "progressive"). */
struct zoe_format {
	uint32_t fourcc;        /* ZOE_FORMAT_*, a DRM fourcc */
	uint32_t width, height; /* pixels; a BLOB has width = bytes, height = 1 */
	uint32_t n_planes;      /* 1-4 */
	uint32_t stride[4];     /* bytes from one row to the next, per plane */
	uint32_t offset[4];     /* bytes from the first byte of the payload to the plane */
	uint64_t modifier;      /* DRM format modifier; 0 = linear, the only one accepted */
	uint64_t size_bytes;    /* payload, padding included */
	uint8_t transform;      /* wl_output.transform, 0-7: how the picture is turned or flipped */
	uint8_t alpha;          /* enum zoe_alpha */
	uint8_t primaries, transfer,
		matrix;      /* H.273 code points: ColourPrimaries, Transfer-, Matrix- */
	uint8_t range;       /* enum zoe_range */
	uint8_t chroma_site; /* H.273 ChromaLocType + 1; 0 = unknown */
	uint8_t field;       /* 0 progressive, 1 top field first, 2 bottom field first */
};

/* A picture in the caller's memory, to be pushed. plane[i] points at the first row of plane i;
 * format.stride is the source's own, format.offset is ignored. */
struct zoe_picture {
	struct zoe_format format;
	const void *plane[4];
	uint64_t pts_ns; /* capture time, CLOCK_MONOTONIC ns; 0 = now */
};

enum zoe_frame_flags {
	ZOE_CORRUPT = 1,        /* known to be damaged */
	ZOE_DISCONT = 2,        /* does not follow the frame before: numbers or time may jump */
	ZOE_FORMAT_CHANGED = 4, /* differs in format from the frame before */
	ZOE_FULL_DAMAGE = 8,    /* everything may have changed; DAMAGE need not be looked at */
	ZOE_EOS = 16,           /* the producer's last frame */
	ZOE_STILL = 32          /* shown until the next one comes, however long */
};

/* Extra data of a frame, type-length-value after the header. */
enum zoe_tag {
	ZOE_TAG_DAMAGE =
		1,      /* int32_t x, y, width, height each: what changed since the frame before */
	ZOE_TAG_CURSOR, /* struct zoe_cursor, then width * height * 4 bytes AR24 if it changed */
	ZOE_TAG_SOURCE, /* UTF-8 "key=value" lines: pid, window, exe, title */
	ZOE_TAG_TIMECODE, /* UTF-8 "HH:MM:SS:FF", SMPTE ST 12-1 */
	ZOE_TAG_LOGICAL,  /* uint32_t width, height: size before any output scale */
	ZOE_TAG_USER      /* UTF-8 "key=value" lines: captions and the like */
};

struct zoe_cursor {
	int32_t x, y;           /* hot spot's place in the picture, pixels */
	uint32_t hot_x, hot_y;  /* hot spot within the cursor's image */
	uint32_t width, height; /* of the image; 0 = hidden */
	uint32_t serial;        /* changes when the image does */
	uint32_t has_image;     /* 1: the image follows, AR24, tight, premultiplied */
};

/* Fills f with the tight layout of a picture: planes back to back, no row padding, modifier
 * linear, every colour member 0. width and height are pixels, 1-65535 (BLOB: width is bytes up to
 * 2^32 - 1, height 1). Odd sizes round chroma up.
 * Returns: 0; -EINVAL unknown fourcc, zero size, a BLOB higher than 1; -EOVERFLOW a side beyond
 * 65535 or a payload of 4 GiB or more. */
ZOE_EXPORT int zoe_format_init(
	struct zoe_format *f, uint32_t fourcc, uint32_t width, uint32_t height);

/* Parses "1920x1080 XR24" ("XR24" may be left out: XR24), "640x480 NV12" or "BLOB 4096" (bytes).
 * The format may be spelt in DRM's, FFmpeg's, GStreamer's or V4L2's way, in any case
 * (zoe_format_find_fourcc). f is tight, as by zoe_format_init, and written only on success.
 * Returns: 0; -EINVAL not understood; -EOVERFLOW too large. */
ZOE_EXPORT int zoe_format_parse(struct zoe_format *f, const char *text);

/* The fourcc that a name stands for: DRM's ("XR24", "XRGB8888"), FFmpeg's ("bgr0"), GStreamer's
 * ("BGRx"), V4L2's ("XR24", "BGR3"), in any case. Where two worlds clash the table in zoetrope(3)
 * decides.
 * Returns: the fourcc; 0 = unknown. */
ZOE_EXPORT uint32_t zoe_format_find_fourcc(const char *name);

/* DRM's spelling, "XR24". Returns: a static string; NULL = unknown. */
ZOE_EXPORT const char *zoe_format_get_name(uint32_t fourcc);

/* Lists the known formats. Returns: the i-th fourcc, 0 past the last. *spellings (may be NULL)
 * is set to a static list of its other names, "XRGB8888,BGRx,bgr0". */
ZOE_EXPORT uint32_t zoe_format_get_known(unsigned i, const char **spellings);

/* Bytes of the pixels of one row of a plane, and rows of that plane. Looks only at fourcc, width
 * and height. Returns: 0 and both values; -EINVAL unknown format or plane, impossible size. */
ZOE_EXPORT int zoe_format_get_plane(
	const struct zoe_format *f, unsigned plane, uint32_t *row_bytes, uint32_t *rows);

/* Checks that f is sane: known fourcc and linear, its number of planes, sizes 1-65535 (BLOB: as
 * zoe_format_init), each stride at least the row, each plane's end (64-bit, overflow-checked)
 * within size_bytes, transform, alpha, range, chroma_site and field within what they can say, and
 * size_bytes <= capacity_bytes. The last row of a plane needs no padding.
 * Returns: 0; -EINVAL; -EMSGSIZE larger than capacity_bytes, or 4 GiB or more. */
ZOE_EXPORT int zoe_format_check(const struct zoe_format *f, uint64_t capacity_bytes);

#ifdef __cplusplus
}
#endif
#endif
