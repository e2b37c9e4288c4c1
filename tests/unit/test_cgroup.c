/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroup.h"

/* A tree of cgroups: DIR/self names DIR/root/outer/inner. */
struct tree {
	char dir[64];
};

static void put(const struct tree *tree, const char *name, const char *text) {
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", tree->dir, name);
	if (!text) {
		assert_int_equal(mkdir(path, 0700), 0);
		return;
	}
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state) {
	struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree) {
		return -1;
	}
	snprintf(tree->dir, sizeof(tree->dir), "/tmp/zoe-cgroup-XXXXXX");
	*state = tree;
	if (!mkdtemp(tree->dir)) {
		return -1;
	}
	put(tree, "root", NULL);
	put(tree, "root/outer", NULL);
	put(tree, "root/outer/inner", NULL);
	put(tree, "self", "1:name=systemd:/old\n0::/outer/inner\n");
	return 0;
}

static int teardown(void **state) {
	static const char *const names[] = {"root/outer/inner/memory.max", "root/outer/memory.max",
		"memory.max", "self", "root/outer/inner", "root/outer", "root", ""};
	struct tree *tree = *state;
	char path[128];
	int r = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", tree->dir, names[i]);
		r = remove(path);
	}
	free(tree);
	return r;
}

static uint64_t get(const struct tree *tree) {
	char self[128], root[128];

	snprintf(self, sizeof(self), "%s/self", tree->dir);
	snprintf(root, sizeof(root), "%s/root", tree->dir);
	return cgroup_get_memory_max(self, root);
}

static void test_cgroup_without_limit_has_none(void **state) {
	assert_true(get(*state) == UINT64_MAX);
	put(*state, "root/outer/memory.max", "max\n");
	assert_true(get(*state) == UINT64_MAX);
}

static void test_cgroup_limit_is_the_lowest_on_the_way_up(void **state) {
	put(*state, "root/outer/inner/memory.max", "2000000\n");
	assert_int_equal(get(*state), 2000000);
	put(*state, "root/outer/memory.max", "1000000\n");
	assert_int_equal(get(*state), 1000000);
	put(*state, "memory.max", "1\n"); /* outside of the mount */
	assert_int_equal(get(*state), 1000000);
	put(*state, "root/outer/memory.max", "3000000\n");
	assert_int_equal(get(*state), 2000000);
}

static void test_cgroup_of_another_version_or_none_has_no_limit(void **state) {
	put(*state, "root/outer/inner/memory.max", "2000000\n");
	put(*state, "self", "4:memory:/outer/inner\n");
	assert_true(get(*state) == UINT64_MAX);
	put(*state, "self", "");
	assert_true(get(*state) == UINT64_MAX);
	assert_true(cgroup_get_memory_max("/nowhere/self", "/nowhere") == UINT64_MAX);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_cgroup_without_limit_has_none, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_cgroup_limit_is_the_lowest_on_the_way_up, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_cgroup_of_another_version_or_none_has_no_limit, setup, teardown),
	};

	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
