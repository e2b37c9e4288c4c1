/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_TYPES_H
#define ZOE_CORE_TYPES_H
/*
 * The one integer type of shared memory and of packets that C does not give us.
 * Includes: <stdint.h> only.
 */
#include <stdint.h>

/* i386 aligns a uint64_t in a struct to 4, x86-64 and ARM64 to 8: here it is 8 everywhere, so that
 * 32- and 64-bit programs see the same layout. */
typedef uint64_t zoe_u64 __attribute__((aligned(8)));
#endif
