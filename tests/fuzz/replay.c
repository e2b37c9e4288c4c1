/* SPDX-License-Identifier: MIT */
/*
 * Runs kept inputs through a target, where no fuzzer is linked: TARGET FILE|DIRECTORY...
 * Exit: 0 all went well; 1 an input cannot be read, or there is none; a crash is a crash. A
 * directory may be missing: a target without a past has no regressions.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { MAX_INPUT_BYTES = 1 << 20 };

static unsigned n_replayed;

static int replay_file(const char *path) {
	uint8_t *bytes = malloc(MAX_INPUT_BYTES), *exact;
	FILE *file = fopen(path, "re");
	size_t n = file && bytes ? fread(bytes, 1, MAX_INPUT_BYTES, file) : 0;

	if (!file || !bytes) {
		fprintf(stderr, "%s: cannot be read\n", path);
		free(bytes);
		return 1;
	}
	fclose(file);
	/* A block of just that size: whoever reads past its end is caught. */
	exact = malloc(n ? n : 1);
	if (exact) {
		memcpy(exact, bytes, n);
		LLVMFuzzerTestOneInput(exact, n);
		n_replayed++;
	}
	free(exact);
	free(bytes);
	return exact ? 0 : 1;
}

static int replay_directory(const char *path) {
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), result = n < 0;

	for (int i = 0; i < n; i++) {
		char full[4096];

		snprintf(full, sizeof(full), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.') {
			result |= replay_file(full);
		}
		free(names[i]);
	}
	if (n >= 0) {
		free(names);
	}
	return result;
}

int main(int argc, char **argv) {
	struct stat st = {0};
	int result = 0;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) < 0 && errno == ENOENT) {
			continue;
		}
		result |= S_ISDIR(st.st_mode) ? replay_directory(argv[i]) : replay_file(argv[i]);
	}
	printf("%u inputs\n", n_replayed);
	return n_replayed > 0 ? result : 1;
}
