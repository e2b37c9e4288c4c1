/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "link.h"
#include "ring_wait.h"
#include "watch.h"

const char *zoe_get_version(void) {
	return ZOETROPE_VERSION;
}

int zoe_client_fail(struct zoe_client *c, int error, const char *format, ...) {
	va_list args;

	va_start(args, format);
	vsnprintf(c->error, sizeof(c->error), format, args);
	va_end(args);
	return error;
}

int zoe_client_fail_forked(struct zoe_client *c) {
	return zoe_client_fail(
		c, -ECHILD, "this client was made before fork(): make a new one in the child");
}

int zoe_client_fail_packet(struct zoe_client *c, const struct zoe_packet *packet) {
	const struct zoe_msg_error *msg = zoe_packet_get(packet, sizeof(*msg));
	int status = packet->header.status;

	if (status >= 0 || status < -4095) {
		status = -EPROTO;
	}
	if (!msg || !zoe_wire_text_is_ok(msg->text, sizeof(msg->text)) || !msg->text[0]) {
		return zoe_client_fail(c, status, "the broker refused: %s", strerror(-status));
	}
	return zoe_client_fail(c, status, "%s", msg->text);
}

void zoe_refusal_set(struct zoe_refusal *refusal, struct zoe_client *c) {
	refusal->error = zoe_client_fail_packet(c, c->packet);
	zoe_wire_set_text(refusal->text, sizeof(refusal->text), c->error);
}

int zoe_refusal_fail(const struct zoe_refusal *refusal, struct zoe_client *c) {
	return zoe_client_fail(c, refusal->error, "%s", refusal->text);
}

int zoe_options_copy(void *to, size_t size, const void *from, size_t least) {
	size_t given;

	memset(to, 0, size);
	if (!from) {
		return 0;
	}
	memcpy(&given, from, sizeof(given)); /* struct_size is the first member */
	if (given < least || given > 65536) {
		return -EINVAL;
	}
	for (size_t i = size; i < given; i++) {
		if (((const unsigned char *)from)[i]) {
			return -EINVAL;
		}
	}
	memcpy(to, from, given < size ? given : size);
	return 0;
}

struct zoe_deadline zoe_deadline_init(int timeout_ms) {
	struct zoe_deadline d = {.end_ns = timeout_ms < 0 ? UINT64_MAX : 0};

	if (timeout_ms > 0) {
		d.end_ns = zoe_now_ns() + (uint64_t)timeout_ms * 1000000;
	}
	return d;
}

int64_t zoe_deadline_left(const struct zoe_deadline *d) {
	uint64_t now;

	if (d->end_ns == 0 || d->end_ns == UINT64_MAX) {
		return d->end_ns ? INT64_MAX : 0;
	}
	now = zoe_now_ns();
	return now < d->end_ns ? (int64_t)(d->end_ns - now) : 0;
}

int zoe_deadline_poll_ms(const struct zoe_deadline *d, int longest_ms) {
	int64_t left = zoe_deadline_left(d);

	return left / 1000000 >= longest_ms ? longest_ms : (int)((left + 999999) / 1000000);
}

void zoe_handle_add(struct zoe_client *c, struct zoe_handle *handle) {
	handle->next = c->handles;
	handle->link_to = &c->handles;
	if (c->handles) {
		c->handles->link_to = &handle->next;
	}
	c->handles = handle;
}

void zoe_handle_remove(struct zoe_handle *handle) {
	*handle->link_to = handle->next;
	if (handle->next) {
		handle->next->link_to = handle->link_to;
	}
}

static const uint32_t *guard_create(void) {
	uint32_t *guard =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (guard == MAP_FAILED) {
		return NULL;
	}
	*guard = 1;
	madvise(guard, 4096, MADV_WIPEONFORK);
	return guard;
}

static void client_free(struct zoe_client *c) {
	void *guard;

	memcpy(&guard, &c->guard, sizeof(guard));
	if (guard) {
		munmap(guard, 4096);
	}
	if (c->link) {
		zoe_link_finish(c->link);
	}
	zoe_watch_destroy(c->watch);
	free(c->link);
	free(c->packet);
	free(c);
}

void zoe_client_ref(struct zoe_client *c) {
	/* [REFS] relaxed: the caller holds one already. */
	atomic_fetch_add_explicit(&c->n_refs, 1, memory_order_relaxed);
}

void zoe_client_unref(struct zoe_client *c) {
	/* [REFS] acq_rel: the last one sees what all the others did. */
	if (atomic_fetch_sub_explicit(&c->n_refs, 1, memory_order_acq_rel) == 1) {
		client_free(c);
	}
}

static void app_name_set(struct zoe_client *c, const char *name) {
	zoe_wire_set_text(
		c->app, sizeof(c->app), name && name[0] ? name : program_invocation_short_name);
}

int zoe_client_create(struct zoe_client **out, const struct zoe_client_options *opt) {
	struct zoe_client_options o;
	struct zoe_client *c;

	if (zoe_options_copy(&o, sizeof(o), opt, sizeof(o)) != 0 ||
		(o.socket && strlen(o.socket) >= sizeof(c->socket))) {
		return -EINVAL;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		return -ENOMEM;
	}
	atomic_init(&c->n_refs, 1);
	c->guard = guard_create();
	c->packet = calloc(1, sizeof(*c->packet));
	c->link = calloc(1, sizeof(*c->link));
	if (c->link) {
		zoe_link_init(c->link, c); /* before client_free() sees it: 0 is a descriptor */
	}
	if (!c->guard || !c->packet || !c->link) {
		client_free(c);
		return -ENOMEM;
	}
	zoe_wire_set_text(c->socket, sizeof(c->socket), o.socket ? o.socket : "");
	app_name_set(c, o.app_name);
	*out = c;
	return 0;
}

int zoe_client_connect(struct zoe_client *c, int timeout_ms) {
	struct zoe_deadline deadline = zoe_deadline_init(timeout_ms);

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	c->link->retry_ns = 0; /* asked for by name: no back-off */
	return zoe_link_connect(c->link, &deadline);
}

void zoe_client_destroy(struct zoe_client *c) {
	if (!c || zoe_client_is_forked(c)) {
		return; /* a child's copy: its memory goes with the process */
	}
	while (c->handles) {
		c->handles->close(c->handles);
	}
	zoe_link_finish(c->link);
	zoe_client_unref(c);
}

const char *zoe_client_get_error(const struct zoe_client *c) {
	return c->error;
}
