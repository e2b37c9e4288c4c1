/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frame_layout.h"
#include "ring_layout.h"

static char config[] = "version: 1\n"
		       "defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
		       "streams:\n"
		       "  cam: {max_frame: 64x64 XR24, slots: 4, producers: 2, hold: 3}\n";

/* A mapping of this process. Returns: NULL if there is none. */
static void *find_mapping(const char *name, const char *rights, size_t *size) {
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], has[8];
	void *found = NULL;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		unsigned long begin, end;

		if (sscanf(line, "%lx-%lx %7s", &begin, &end, has) == 3 && strstr(line, name) &&
			strcmp(has, rights) == 0) {
			found = (void *)begin;
			*size = end - begin;
		}
	}
	fclose(maps);
	return found;
}

/* One lie about a frame that is sane otherwise. */
typedef void (*lie_fn)(struct zoe_frame_header *header);

static void lie_size(struct zoe_frame_header *header) {
	header->size = UINT32_MAX;
}
static void lie_width(struct zoe_frame_header *header) {
	header->width = UINT32_MAX;
}
static void lie_height(struct zoe_frame_header *header) {
	header->height = 65535;
}
static void lie_stride(struct zoe_frame_header *header) {
	header->stride[0] = UINT32_MAX;
}
static void lie_offset(struct zoe_frame_header *header) {
	header->offset[0] = UINT32_MAX - 15;
}
static void lie_planes(struct zoe_frame_header *header) {
	header->n_planes = 255;
}
static void lie_fourcc(struct zoe_frame_header *header) {
	header->fourcc = 0xdeadbeef;
}
static void lie_tags(struct zoe_frame_header *header) {
	header->meta_size = UINT32_MAX;
}
static void lie_all(struct zoe_frame_header *header) {
	uint64_t seq = header->seq;

	memset(header, 0xff, sizeof(*header));
	header->seq = seq;
}

/* The header of the frame just published: the one with the largest number. */
static struct zoe_frame_header *find_newest(const struct zoe_ring *ring) {
	struct zoe_frame_header *newest = NULL;

	for (uint32_t i = 0; i < ring->geo.n_slots; i++) {
		struct zoe_frame_header *header = (void *)zoe_ring_get_header(ring, i);

		if (!newest || header->seq > newest->seq) {
			newest = header;
		}
	}
	return newest;
}

static void test_lies_of_a_producer_cost_their_frame_only(void **state) {
	static const lie_fn lies[] = {lie_size, lie_width, lie_height, lie_stride, lie_offset,
		lie_planes, lie_fourcc, lie_tags, lie_all};
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	const struct zoe_control_page *control;
	const struct zoe_frame *frame;
	struct zoe_ring ring = {0};
	size_t size;

	control = find_mapping("memfd:cam#1.control", "r--s", &size);
	ring.ring = find_mapping("memfd:cam#1.ring", "rw-s", &size);
	assert_non_null(control);
	assert_non_null(ring.ring);
	ring.geo = control->geometry;
	for (uint64_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		assert_int_equal(publish(p, 2 * i), 0);
		lies[i](find_newest(&ring));
		assert_int_equal(zoe_consumer_next(s, &frame, DEADLINE_MS), -EBADMSG);
		assert_non_null(strstr(zoe_client_get_error(c), "'cam'"));
		assert_int_equal(publish(p, 2 * i + 1), 0);
		frame = take(s);
		assert_int_equal(frame->user[0], 2 * i + 1);
		zoe_frame_release(frame);
	}
	zoe_client_destroy(c);
}

/* A frame's words of order and head are lies: the consumer may be told nothing, but lives. */
static void test_lies_of_head_and_order_are_survived(void **state) {
	static const uint64_t heads[] = {
		0, 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 48, UINT64_C(1) << 40};
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *s = consume(other, "cam", ZOE_EVERY, 1);
	struct stream_state now;
	const struct zoe_frame *frame;
	struct zoe_ring ring = {0};
	size_t size;

	ring.ring = find_mapping("memfd:cam#1.ring", "rw-s", &size);
	assert_non_null(ring.ring);
	assert_int_equal(publish(p, 1), 0);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		atomic_store_explicit(
			&zoe_ring_get_page(&ring)->head, heads[i], memory_order_release);
		if (zoe_consumer_next(s, &frame, 0) == 0) {
			zoe_frame_release(frame);
		}
		if (zoe_consumer_latest(s, &frame) == 0) {
			zoe_frame_release(frame);
		}
		assert_int_equal(stream_get_state(*state, "cam", &now), 0);
	}
	memset(ring.ring, 0xff, size);
	for (int i = 0; i < 10; i++) {
		assert_true(zoe_consumer_next(s, &frame, 0) < 0);
		assert_int_equal(stream_get_state(*state, "cam", &now), 0);
	}
	zoe_client_destroy(c);
	zoe_client_destroy(other);
	stream_wait(*state, "cam", &(struct stream_state){0});
}

static void test_lies_of_mprotect_are_refused(void **state) {
	static const char *const names[] = {
		"memfd:cam#1.ring", "memfd:cam#1.frames", "memfd:cam#1.control"};
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	const struct zoe_frame *frame;

	assert_int_equal(publish(p, 1), 0);
	frame = take(s);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t size = 0;
		void *map = find_mapping(names[i], "r--s", &size);

		assert_non_null(map);
		assert_int_equal(mprotect(map, size, PROT_READ | PROT_WRITE), -1);
		assert_int_equal(errno, EACCES);
	}
	zoe_frame_release(frame);
	zoe_client_destroy(c);
}

static void test_lies_of_a_borrowed_memfd_cannot_cut_it(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_slot *slot = NULL;
	uint64_t offset = 0;
	int fd;

	assert_int_equal(zoe_producer_acquire(p, NULL, &slot, DEADLINE_MS), 0);
	fd = zoe_slot_get_memfd(slot, &offset);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, INT64_C(1) << 32), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
	zoe_producer_cancel(p, slot);
	zoe_client_destroy(c);
}

/* What a consumer was sent: ring, frames, control. */
static void expect_read_only(int fd) {
	char path[64], byte = 1;
	int again;

	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_true(errno == EINVAL || errno == EPERM || errno == EBADF);
	assert_int_equal(pwrite(fd, &byte, 1, 0), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EACCES);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (geteuid() != 0) {
		return; /* its owner may change the mode, and is not kept out by it */
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0) {
		print_message("root may open it anew for writing: no immutable flag here\n");
		close(again);
	}
}

static void test_lies_with_a_consumers_descriptors_are_refused(void **state) {
	static struct zoe_packet packet;
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_msg_consume msg;
	int fd = raw_open(*state);

	assert_int_equal(publish(p, 1), 0);
	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_CONSUME, 2);
	zoe_wire_set_text(msg.name, sizeof(msg.name), "cam");
	assert_int_equal(raw_send(fd, &msg, sizeof(msg)), 0);
	assert_int_equal(raw_receive(fd, &packet), 0);
	assert_int_equal(packet.header.status, 0);
	assert_int_equal(packet.n_fds, 4);
	for (int i = 0; i < 3; i++) {
		expect_read_only(packet.fds[i]);
	}
	zoe_packet_finish(&packet);
	close(fd);
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_lies_of_a_producer_cost_their_frame_only, config),
		BROKER_TEST(test_lies_of_head_and_order_are_survived, config),
		BROKER_TEST(test_lies_of_mprotect_are_refused, config),
		BROKER_TEST(test_lies_of_a_borrowed_memfd_cannot_cut_it, config),
		BROKER_TEST(test_lies_with_a_consumers_descriptors_are_refused, config),
	};

	return cmocka_run_group_tests_name("lies", tests, NULL, NULL);
}
