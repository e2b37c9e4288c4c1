/* SPDX-License-Identifier: MIT */
/*
 * Are depth + producers * open + consumers * hold slots enough, whoever is stopped while holding?
 * Whole calls are single steps here: what matters is who holds what. An acquire that is not held
 * back by a reliable reader must find a slot; the newest DEPTH frames must stay readable.
 *
 *   P OPEN       producers, and slots that each may hold      C HOLD   consumers, frames held
 *   RELIABLE     1: consumer 0 is reliable, with the floor of ring_write.c
 *   MISSING      slots fewer than the sum                     LAST     numbers published
 * RULE 4: a frame may go one step too early.
 */
#ifndef P
#define P 2
#endif
#ifndef OPEN
#define OPEN 1
#endif
#ifndef C
#define C 2
#endif
#ifndef HOLD
#define HOLD 1
#endif
#ifndef DEPTH
#define DEPTH 2
#endif
#ifndef RELIABLE
#define RELIABLE 0
#endif
#ifndef MISSING
#define MISSING 0
#endif
#ifndef LAST
#define LAST 7
#endif
#ifndef RULE
#define RULE 0
#endif
#define NS (DEPTH + P * OPEN + C * HOLD - MISSING)
#define OWN 100

byte head = 1, cursor = 1;
byte slot[NS];				/* 0 free, s published, OWN + p a loan */
byte n_open[P];
byte pin[C * HOLD];			/* slot + 1 */

#if RULE == 4
#define MAY_GO(s) ((s) + DEPTH <= head)
#else
#define MAY_GO(s) ((s) + DEPTH < head)
#endif
#define IS_OWED (RELIABLE && cursor + DEPTH < head)

inline is_pinned(i) {
	bad = 0; k = 0;
	do :: k < C * HOLD -> if :: pin[k] == i + 1 -> bad = 1 :: else fi; k++ :: else -> break od
}

inline check_window() {
	k = (head > DEPTH -> head - DEPTH : 1);
	do
	:: k < head ->
		j = 0;
		do :: j < NS && slot[j] != k -> j++ :: else -> break od;
		assert(j < NS);
		k++
	:: else -> break
	od
}

active [P] proctype producer() {
	byte p = _pid, i, j, k, found;
	bit bad;
end:	do
	:: atomic { n_open[p] < OPEN && head < LAST && !IS_OWED ->	/* acquire: any candidate may be tried first */
		i = 0; found = 0;
		do
		:: i < NS ->
			if
			:: slot[i] == 0 -> found = i + 1
			:: slot[i] > 0 && slot[i] < OWN && MAY_GO(slot[i]) ->
				is_pinned(i); if :: !bad -> found = i + 1; if :: break :: skip fi :: else fi
			:: else
			fi;
			i++
		:: else -> break
		od;
		assert(found > 0);
		slot[found - 1] = OWN + p; n_open[p]++; found = 0; i = 0;
		check_window(); j = 0; k = 0; bad = 0 }
	:: atomic { n_open[p] > 0 && head < LAST ->			/* publish one of them, in any order */
		i = 0;
		do :: slot[i] != OWN + p -> i++ :: else -> break od;
		slot[i] = head; head++; n_open[p]--; i = 0;
		check_window(); j = 0; k = 0 }
	:: atomic { n_open[p] > 0 ->					/* cancel */
		i = 0;
		do :: slot[i] != OWN + p -> i++ :: else -> break od;
		slot[i] = 0; n_open[p]--; i = 0 }
	od
}

active [C] proctype consumer() {
	byte c = _pid - P, k, i;
end:	do
	:: atomic { k < HOLD && pin[c * HOLD + k] == 0 ->		/* takes a frame that is there: any */
		i = 0;
		do :: i < NS - 1 -> i++ :: break od;
		if
		:: slot[i] > 0 && slot[i] < OWN && (!(RELIABLE && c == 0) || slot[i] == cursor) ->
			pin[c * HOLD + k] = i + 1;
			if :: RELIABLE && c == 0 -> cursor = slot[i] + 1 :: else fi
		:: else
		fi;
		i = 0 }
	:: atomic { pin[c * HOLD + k] != 0 -> pin[c * HOLD + k] = 0 }
	:: HOLD > 1 -> atomic { k = (k + 1) % HOLD }
	od
}
