/* SPDX-License-Identifier: MIT */
#include "patience.h"

enum { REFILL = 10 }; /* a tenth of real time */

static void bucket_refill(struct zoe_patience *p, uint32_t seat, uint64_t now_ns) {
	uint64_t back = (now_ns - p->updated_ns[seat]) / REFILL;

	p->used_ns[seat] -= back < p->used_ns[seat] ? back : p->used_ns[seat];
	p->updated_ns[seat] = now_ns;
}

/* Charges the time since the last look to the seat that has blocked meanwhile. */
static void bucket_charge(struct zoe_patience *p, uint64_t now_ns) {
	p->used_ns[p->seat] += now_ns - p->since_ns;
	p->updated_ns[p->seat] = now_ns;
	p->since_ns = now_ns;
}

bool zoe_patience_block(struct zoe_patience *p, uint32_t seat, uint64_t now_ns) {
	if (p->since_ns != 0) {
		bucket_charge(p, now_ns);
	}
	if (p->since_ns == 0 || p->seat != seat) {
		bucket_refill(p, seat, now_ns);
		p->reported_ns = 0;
	}
	p->seat = seat;
	p->since_ns = now_ns;
	return p->used_ns[seat] >= p->longest_ns;
}

void zoe_patience_pass(struct zoe_patience *p, uint64_t now_ns) {
	if (p->since_ns != 0) {
		bucket_charge(p, now_ns);
		p->since_ns = 0;
		p->reported_ns = 0;
	}
}

uint64_t zoe_patience_get_left(const struct zoe_patience *p) {
	return p->since_ns == 0 || p->used_ns[p->seat] >= p->longest_ns
		       ? 0
		       : p->longest_ns - p->used_ns[p->seat];
}

void zoe_patience_forget(struct zoe_patience *p, uint32_t seat) {
	p->used_ns[seat] = 0;
	if (p->seat == seat) {
		p->since_ns = 0;
		p->reported_ns = 0;
	}
}
