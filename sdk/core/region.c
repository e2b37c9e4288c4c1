/* SPDX-License-Identifier: MIT */
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attr.h"
#include "ring_check.h"

static int map_sealed(void **map, int fd, uint64_t size, bool is_writable) {
	int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int seals = fcntl(fd, F_GET_SEALS); /* -1 has all bits set */
	struct stat st;
	void *at;

	if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &st) < 0 || st.st_size < 0 ||
		(uint64_t)st.st_size < size || size > SIZE_MAX) {
		return -EPROTO;
	}
	at = mmap(NULL, (size_t)size, is_writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
		fd, 0);
	if (at == MAP_FAILED) {
		return errno == ENOMEM ? -ENOMEM : -EPROTO;
	}
	madvise(at, (size_t)size, MADV_DONTFORK);
	*map = at;
	return 0;
}

static int keep_fds(struct zoe_region *region, const int *fds) {
	int *const kept[] = {&region->ring_fd, &region->frames_fd, &region->control_fd};

	for (unsigned i = 0; i < n_elements(kept); i++) {
		*kept[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (*kept[i] < 0) {
			return -errno;
		}
	}
	return 0;
}

int zoe_region_open(struct zoe_region *region, const struct zoe_msg_region *msg, const int *fds,
	bool is_producer) {
	struct zoe_region r = ZOE_REGION_NONE;
	int error = zoe_geometry_check(&msg->geometry);

	if (error) {
		return error;
	}
	r.ring.geo = msg->geometry;
	r.generation = msg->generation;
	r.lineage = msg->lineage;
	r.start = msg->start;
	error = map_sealed(&r.ring_map, fds[0], msg->geometry.ring_bytes, is_producer);
	if (!error) {
		error = map_sealed(&r.frames_map, fds[1], msg->geometry.frames_bytes, is_producer);
	}
	if (!error) {
		error = map_sealed(&r.control_map, fds[2], sizeof(struct zoe_control_page), false);
	}
	if (!error && is_producer) {
		error = keep_fds(&r, fds);
	}
	if (error) {
		zoe_region_close(&r);
		return error;
	}
	r.ring.ring = r.ring_map;
	r.ring.frames = r.frames_map;
	r.ring.control = r.control_map;
	*region = r;
	return 0;
}

void zoe_region_close(struct zoe_region *region) {
	if (region->ring_map) {
		munmap(region->ring_map, (size_t)region->ring.geo.ring_bytes);
	}
	if (region->frames_map) {
		munmap(region->frames_map, (size_t)region->ring.geo.frames_bytes);
	}
	if (region->control_map) {
		munmap(region->control_map, sizeof(struct zoe_control_page));
	}
	cleanup_fd_fn(&region->ring_fd);
	cleanup_fd_fn(&region->frames_fd);
	cleanup_fd_fn(&region->control_fd);
	*region = ZOE_REGION_NONE;
}

int zoe_seat_map(void **page, int fd, bool is_writable) {
	return map_sealed(page, fd, ZOE_SEAT_PAGE_BYTES, is_writable);
}

void zoe_seat_unmap(void *page) {
	if (page) {
		munmap(page, ZOE_SEAT_PAGE_BYTES);
	}
}
