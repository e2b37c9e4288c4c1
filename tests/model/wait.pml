/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking: consumers that sleep on head or wait for their doorbell, producers that sleep
 * for space, everybody who owes them a wake-up, and the patience of producers with reliable readers.
 * sdk/core/ring_wait.c, the scan of ring_write.c, the bell of ring_read.c, daemon/consumer.c. A frame's
 * way through the slots is ring.pml's: here a claim is one step, a commit another, the count a third.
 * When nothing moves any more the judge looks: nobody may sleep on something that is due. Sleeps have
 * no bound here, which the code's have (500 ms). Steps carry the labels of the code.
 *
 *   NP F F1    producers, frames of each (F1: of producer 1)     NC     consumers
 *   POLL       bit c: consumer c waits for its doorbell in the place of sleeping on head
 *   RELIABLE   bit c: consumer c is reliable     STUCK  consumer 0 takes one frame and no more: if
 *                                                       reliable, it loses the right to be
 *   NS         slots                             DIE    producer 0 may die at any step
 *   FAIL       consumers may pin a slot for a take that fails
 *   CANCEL     a producer may give its slot back instead of publishing
 * RULE switches one rule off, see tests/model/mutants.
 */
#ifndef NP
#define NP 1
#endif
#ifndef F
#define F 2
#endif
#ifndef F1
#define F1 F
#endif
#ifndef NC
#define NC 1
#endif
#ifndef NS
#define NS 2
#endif
#ifndef POLL
#define POLL 0
#endif
#ifndef RELIABLE
#define RELIABLE 1
#endif
#ifndef STUCK
#define STUCK 0
#endif
#ifndef DIE
#define DIE 0
#endif
#ifndef FAIL
#define FAIL 0
#endif
#ifndef CANCEL
#define CANCEL 0
#endif
#ifndef RULE
#define RULE 0
#endif
#define DEPTH 1
#define OWN 100			/* slot: 0 free, s published, OWN + p a producer's */
#define IS_RELIABLE(c) ((RELIABLE >> (c)) & 1)
#define POLLS(c) ((POLL >> (c)) & 1)

byte head = 1, committed = 0;	/* committed: the newest number in order[] */
byte space, space_waiting;	/* bit = lane */
byte slot[NS];
byte pin[NC], cursor[NC], bell[NC], arm[NC], rings[NC];
bit waiting[NC], member[NC], reliable[NC];
bit producer_sleeps[NP], consumer_sleeps[NC];
bit dead[NP], repaired[NP], finished[NP], reported[NC];
byte roster;

#define WAKE_HEAD atomic { \
	c2 = 0; do :: c2 < NC -> consumer_sleeps[c2] = 0; c2++ :: else -> break od; \
	c2 = 0; do :: c2 < NP -> if :: RULE != 61 -> producer_sleeps[c2] = 0 :: else fi; c2++ :: else -> break od }
#define WAKE_SPACE atomic { \
	c2 = 0; do :: c2 < NP -> producer_sleeps[c2] = 0; c2++ :: else -> break od }

/* One pass over the slots. took: the slot is ours. owed: by whom it is held back. */
inline try_acquire() {
	took = 0; owed = 0; blocker = 0; i = 0;
	limit = head;						/* {acq.limit} */
	c = 0;
	do
	:: c < NC ->
		if
		:: member[c] && reliable[c] && cursor[c] + DEPTH < limit -> owed = 1; blocker = c	/* {acq.cursor} */
		:: else
		fi;
		c++
	:: else -> break
	od;
	do
	:: i < NS && !took && !owed ->
		atomic { q = slot[i] };				/* {claim.look} */
		if
		:: q == 0 -> atomic { if :: slot[i] == 0 -> slot[i] = OWN + p; took = 1 :: else -> i++ fi }	/* {claim.free} */
		:: q > 0 && q < OWN && q + DEPTH < limit ->
			atomic {				/* {claim.state} {claim.pins} {claim.own} */
				bad = (slot[i] != q); c = 0;
				do
				:: c < NC -> if :: member[c] && pin[c] == i + 1 -> bad = 1 :: else fi; c++
				:: else -> break
				od;
				if :: bad -> i++ :: else -> slot[i] = OWN + p; took = 1 fi
			}
		:: else -> i++
		fi
	:: else -> break
	od
}

proctype producer(byte p) {
	byte n, s, i, q, c, c2, limit, seen_head, seen_space, seen_bell[NC], seen_arm[NC], blocker, known;
	bit took, owed, bad;
	{
	do
	:: n == (p == 1 -> F1 : F) -> break
	:: else ->
acquire:
	try_acquire();
	if
	:: !took ->
		atomic { space_waiting = space_waiting | (1 << p) };	/* {wait.space_waiting} */
		if :: RULE == 62 -> try_acquire() :: else fi;	/* the last try before the look: too early */
		seen_head = head;				/* {wait.head} */
		seen_space = space;				/* {wait.space} */
		c = 0; do :: c < NC -> seen_bell[c] = bell[c]; c++ :: else -> break od;	/* {wait.bell} */
		if :: RULE == 62 -> skip :: else -> try_acquire() fi;
		if
		:: !took && owed && !reported[blocker] -> reported[blocker] = 1	/* REPORT: its patience is used up */
		:: else
		fi;
		if
		:: !took ->
			atomic {				/* {wait.sleep} futex_waitv: all values as seen */
				bad = (seen_space != space) || (RULE != 61 && seen_head != head); c = 0;
				do
				:: c < NC -> if :: seen_bell[c] != bell[c] -> bad = 1 :: else fi; c++
				:: else -> break
				od;
				if :: !bad -> producer_sleeps[p] = 1 :: else fi
			};
			(!producer_sleeps[p])
		:: else
		fi;
		atomic { space_waiting = space_waiting & ~(1 << p) };	/* {wait.done} */
		if :: !took -> goto acquire :: else fi
	:: else
	fi;
#if CANCEL
	if
	:: slot[i] = 0;						/* {cancel.state} */
		if
		:: RULE == 67 -> skip
		:: else ->
			space++;				/* {signal.space} */
			if :: space_waiting != 0 -> WAKE_SPACE :: else fi	/* {signal.space_waiting} */
		fi;
		n++;
		goto next
	:: skip
	fi;
#endif
publish:
	s = head;						/* {pub.head} */
	if
	:: committed == s ->					/* helps */
		atomic { if :: head == s -> head = s + 1 :: else fi };	/* {help.count} */
		goto publish
	:: else
	fi;
	atomic { if :: committed == s - 1 && head == s -> committed = s; slot[i] = s :: else -> goto publish fi };	/* {pub.commit} */
	atomic { if :: head == s -> head = s + 1 :: else fi };	/* {pub.count} */
	/* the scan */
	bad = (space_waiting != 0);				/* {scan.space_waiting} */
	c = 0;
	do
	:: c < NC ->
		if
		:: member[c] ->
			if :: waiting[c] -> bad = 1 :: else fi;	/* {scan.waiting} */
			if :: arm[c] != seen_arm[c] -> seen_arm[c] = arm[c]; atomic { if :: rings[c] < 2 -> rings[c]++ :: else fi } :: else fi	/* {scan.arm} */
		:: else
		fi;
		c++
	:: else -> break
	od;
	if :: bad -> WAKE_HEAD; if :: space_waiting != 0 -> WAKE_SPACE :: else fi :: else fi;
	n++;
next:	skip
	od
	} unless { dead[p] };
	finished[p] = 1
}

inline let_go(me) {
	pin[me] = 0;						/* {unpin.pin} */
	if
	:: RULE == 8 -> skip
	:: else ->
		bell[me]++;					/* {unpin.bell} */
		if :: space_waiting != 0 -> WAKE_SPACE :: else fi	/* {unpin.space_waiting} */
	fi
}

#define LEFT_TO_READ(me) (cursor[me] < head)

proctype consumer(byte me) {
	byte h, i, c2, n_taken;
	do
	:: STUCK && me == 0 && n_taken == 1 -> break
	:: else ->
		h = head;					/* {take.head} */
		if
		:: cursor[me] < h ->
			atomic {				/* {take.order} {take.pin} {take.state}, if it is still there */
				i = 0; do :: i < NS && slot[i] != cursor[me] -> i++ :: else -> break od;
				assert(i < NS || !reliable[me]);
				if :: i < NS -> pin[me] = i + 1 :: else fi
			};
			cursor[me] = cursor[me] + 1;		/* {take.cursor} */
			n_taken++;
			if :: i < NS -> let_go(me) :: else fi
		:: else ->
#if FAIL
			if
			:: n_taken < 3 ->			/* a take that fails all the same holds a slot for a moment */
				n_taken++;
				atomic { i = 0; do :: i < NS - 1 -> i++ :: break od }; pin[me] = i + 1;
				let_go(me)
			:: skip
			fi;
#endif
			if
			:: POLLS(me) ->
				if :: RULE == 63 -> skip :: else -> arm[me]++ fi;	/* {poll.arm} */
				h = head;			/* {take.head} */
				if
				:: cursor[me] < h
				:: else ->
					if :: RULE == 63 -> arm[me]++ :: else fi;
end_ring:				(rings[me] > 0);
					rings[me] = 0
				fi
			:: else ->
				if :: RULE == 64 -> skip :: else -> waiting[me] = 1 fi;	/* {sleep.waiting} */
				h = head;			/* {sleep.head} */
				if :: RULE == 64 -> waiting[me] = 1 :: else fi;
				if
				:: cursor[me] < h
				:: else ->
					atomic { if :: head == h || RULE == 64 -> consumer_sleeps[me] = 1 :: else fi };	/* {sleep.futex} */
end_sleep:				(!consumer_sleeps[me])
				fi;
				waiting[me] = 0			/* {sleep.done} */
			fi
		fi
	od
}

/* A REPORT: the broker looks for itself whether that seat is behind. */
inline judge_seat() {
	reported[c] = 0;
	if
	:: cursor[c] + DEPTH < head ->				/* {report.cursor} {report.head} */
		reliable[c] = 0;
		roster++;					/* {join.roster} */
		if :: RULE == 66 -> skip :: else -> space++; WAKE_SPACE fi	/* {roster.space} */
	:: else -> skip
	fi
}

proctype broker() {
	byte i, c, c2;
end:	do
#if DIE
	:: atomic { dead[0] && finished[0] && !repaired[0] -> repaired[0] = 1 };
		i = 0;
		do
		:: i < NS -> atomic { if :: slot[i] == OWN -> slot[i] = 0 :: else fi }; i++	/* {repair.free} */
		:: else -> break
		od;
		atomic { if :: committed == head && RULE != 13 -> head = head + 1 :: else fi };	/* {repair.head} {help.count} */
		atomic { space_waiting = space_waiting & ~1 };	/* {repair.space_waiting} */
		space++;					/* {repair.space} */
		if :: RULE == 65 -> skip :: else ->
			WAKE_SPACE; WAKE_HEAD;
			c = 0; do :: c < NC -> atomic { if :: rings[c] < 2 -> rings[c]++ :: else fi }; c++ :: else -> break od
		fi
#endif
	:: atomic { reported[0] && reliable[0] -> c = 0 }; judge_seat()
#if NC > 1
	:: atomic { reported[1] && reliable[1] -> c = 1 }; judge_seat()
#endif
	od
}

proctype death() {
	atomic { if :: !finished[0] -> dead[0] = 1 :: skip fi }
}

/* When nothing moves any more: no producer sleeps on, no consumer on a frame. */
proctype judge() {
	byte c;
	timeout;
	for (c : 0 .. NP - 1) { assert(finished[c]) }
	for (c : 0 .. NC - 1) { assert((STUCK && c == 0) || cursor[c] == head) }
	assert(committed < head)
}

init {
	byte c;
	atomic {
		for (c : 0 .. NC - 1) { cursor[c] = 1; member[c] = 1; reliable[c] = IS_RELIABLE(c) }
		for (c : 0 .. NP - 1) { run producer(c) }
		run broker();
		for (c : 0 .. NC - 1) { run consumer(c) }
		run judge();
#if DIE
		run death()
#endif
	}
}
