/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_H
#define FUZZ_H
/*
 * What all fuzz targets share: values taken from the input, claims, and a look at descriptors.
 * A target is one file with LLVMFuzzerTestOneInput(). With clang's libFuzzer it is fed by the
 * fuzzer; elsewhere replay.c feeds it the files that are kept.
 * Owns:     nothing; the input is borrowed.
 * Threads:  one.
 * Includes: the C library only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

/* Returns: 0; -1 the input is of no use as a seed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input. Past its end everything is 0. */
struct input {
	const uint8_t *at;
	size_t left;
};

void input_copy(struct input *in, void *to, size_t size);
uint8_t input_u8(struct input *in);
uint16_t input_u16(struct input *in);
uint32_t input_u32(struct input *in);
uint64_t input_u64(struct input *in);
/* A number below n, which is not 0. */
uint32_t input_below(struct input *in, uint32_t n);

/* A claim about the code under test: as assert(), in every build. */
#define must(claim) ((claim) ? (void)0 : must_fail(#claim, __FILE__, __LINE__))
noreturn void must_fail(const char *claim, const char *file, int line);

/* Looks at a byte of memory that may not be there, so that the compiler cannot leave it out. */
void touch(const void *at, size_t size);

/* How many of the first 256 descriptors are open. */
unsigned fds_count(void);

/* Makes sealed memory of that size, mapped for writing. Ends the program where it cannot. */
int memory_make(size_t size, void **map);

/* Makes a directory for this run, in memory where that can be had: thousands of sockets a second
 * are made there. Ends the program where it cannot. The caller removes it. */
void temporary_make(char *path, size_t size);
#endif
