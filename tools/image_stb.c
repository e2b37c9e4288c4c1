/* SPDX-License-Identifier: MIT */
/*
 * The body of stb_image_write.h, compiled apart: its warnings are not ours.
 */
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
