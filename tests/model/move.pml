/* SPDX-License-Identifier: MIT */
/*
 * Moving a stream from generation to generation while producers publish and consumers read:
 * daemon/move.c, sdk/slot.c (frames carried over), sdk/consumer.c and take.c (views). What happens
 * within one ring is ring.pml's: here a claim with its look at the pins is one step, so is a commit
 * with the slot's state. Steps carry the labels of the code.
 *
 *   NP F0 F1   producers and their frames     NC    consumers: reliable ones, or (GROUP=1) the
 *   GENS       generations: GENS - 1 moves          members of a lossless queue group
 *   NS         slots of each                  DIE   producer 0 may die at any step
 *   LATE       the last consumer joins at any time between moves
 *   JUMP       consumer 0 may go to the newest frame at any time (zoe_consumer_latest)
 * RULE switches one rule off, see tests/model/mutants. Not here: [C], [D], [H] to [M], which only a
 * broker that dies can break.
 */
#ifndef NP
#define NP 1
#endif
#ifndef F0
#define F0 3
#endif
#ifndef F1
#define F1 1
#endif
#ifndef NC
#define NC 1
#endif
#ifndef GENS
#define GENS 2
#endif
#ifndef NS
#define NS 2
#endif
#ifndef GROUP
#define GROUP 0
#endif
#ifndef DIE
#define DIE 0
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef JUMP
#define JUMP 0
#endif
#ifndef RULE
#define RULE 0
#endif
#define DEPTH 1
#define NID (F0 + F1 + 1)
#define D 8				/* order[] holds all numbers here */
#define NONE 200

#define FREE 0
#define PUBLISHED 1
#define WRITING 2

/* generation g: slot i is g * NS + i, number s is g * D + s, seat of c is g * NC + c */
#define SLOT(g, i) ((g) * NS + (i))
#define NUMBER(g, s) ((g) * D + (s) % D)
#if defined(SAME_SEAT)
#define SEAT(g, c) (c)			/* rule [11]: a page a consumer and generation */
#else
#define SEAT(g, c) ((g) * NC + (c))
#endif

byte head[GENS], start[GENS];
bit closed[GENS], order_set[GENS * D];
byte order_slot[GENS * D];
byte kind[GENS * NS], owner[GENS * NS], seq[GENS * NS], content[GENS * NS];
byte pin[GENS * NC], cursor[GENS * NC], tail[GENS];
bit member[GENS * NC];
byte told_producer[NP], told_consumer[NC], joined_in[NC], begin[NC];
bit has_joined[NC], dead[NP], repaired[NP], finished[NP], moves_done;
/* ghosts */
byte n_published[NID], holder[GENS * NC], n_taken[GENS * D];

#define COUNT(g, s) atomic { \
	if :: head[g] == s && !closed[g] -> \
		n_published[content[SLOT(g, order_slot[NUMBER(g, s)])]]++; \
		assert(n_published[content[SLOT(g, order_slot[NUMBER(g, s)])]] == 1); \
		head[g] = s + 1 \
	:: else fi }

/* Does a seat let the frame in slot i of g go; does it let anything go? */
#define UNPINNED(g, i, c) (!member[SEAT(g, c)] || pin[SEAT(g, c)] != i + 1)
#if GROUP
#define FLOOR_OK(g, c) (!member[SEAT(g, c)] || tail[g] + DEPTH >= head[g])
#else
#define FLOOR_OK(g, c) (!member[SEAT(g, c)] || cursor[SEAT(g, c)] + DEPTH >= head[g])
#endif
#if NC > 1
#define ALL_UNPINNED(g, i) (UNPINNED(g, i, 0) && UNPINNED(g, i, 1))
#define ALL_FLOOR_OK(g) (FLOOR_OK(g, 0) && FLOOR_OK(g, 1))
#else
#define ALL_UNPINNED(g, i) UNPINNED(g, i, 0)
#define ALL_FLOOR_OK(g) FLOOR_OK(g, 0)
#endif
#define SPACE_IN(g, i) (kind[SLOT(g, i)] == FREE || \
	(kind[SLOT(g, i)] == PUBLISHED && seq[SLOT(g, i)] + DEPTH < head[g] && ALL_UNPINNED(g, i)))
#if NS > 2
#define SPACE(g) (ALL_FLOOR_OK(g) && (SPACE_IN(g, 0) || SPACE_IN(g, 1) || SPACE_IN(g, 2)))
#else
#define SPACE(g) (ALL_FLOOR_OK(g) && (SPACE_IN(g, 0) || SPACE_IN(g, 1)))
#endif
#define MAY_LOOK(g) (closed[g] || SPACE(g))

inline nobody_looks(g, i) {
	for (z : 0 .. NC - 1) { assert(holder[(g) * NC + z] != i + 1) }
}

proctype producer(byte p; byte n_frames) {
	byte g, from, i, source, s, limit, n, id, c, z;
	bit carries, good, seen[NC];
	{
	do
	:: n == n_frames -> break
	:: else ->
	n++; id = p * F0 + n; carries = 0;
	goto acquire;
wait:	(MAY_LOOK(g));							/* {wait.sleep} */
acquire:
	atomic { limit = head[g]; if :: closed[g] -> goto next :: else fi };	/* {acq.limit} {acq.ended} */
	atomic { c = 0; do :: c < NC -> seen[c] = member[SEAT(g, c)]; c++ :: else -> break od };	/* {acq.roster} */
	good = 1; c = 0;
	do
	:: c < NC ->
#if GROUP
		if :: seen[c] && tail[g] + DEPTH < limit -> good = 0 :: else fi;	/* {acq.tail} */
#else
		if :: seen[c] && cursor[SEAT(g, c)] + DEPTH < limit -> good = 0 :: else fi;	/* {acq.cursor} */
#endif
		c++
	:: else -> break
	od;
	if :: !good -> goto wait :: else fi;
	atomic { i = 0; do :: i < NS - 1 -> i++ :: break od };
	atomic {							/* {claim.state} {claim.pins} {claim.own} {claim.free} */
		if
		:: kind[SLOT(g, i)] == FREE
		:: kind[SLOT(g, i)] == PUBLISHED && seq[SLOT(g, i)] + DEPTH < limit ->
			c = 0;
			do
			:: c < NC -> if :: seen[c] && pin[SEAT(g, c)] == i + 1 -> goto wait :: else fi; c++
			:: else -> break
			od
		:: else -> goto wait
		fi;
		kind[SLOT(g, i)] = WRITING; owner[SLOT(g, i)] = p + 1; seq[SLOT(g, i)] = 0;
		nobody_looks(g, i);
		if :: carries -> assert(content[SLOT(from, source)] == id) :: else fi;
		content[SLOT(g, i)] = id
	};
publish:
	atomic { s = head[g]; if :: closed[g] -> goto moved :: else fi };	/* {pub.head} */
	if
	:: order_set[NUMBER(g, s)] -> COUNT(g, s); goto publish		/* {help.count} */
	:: else
	fi;
	atomic {							/* {pub.bid} {pub.commit} {pub.state} */
		if
		:: order_set[NUMBER(g, s)] -> goto publish
		:: else ->
			assert(kind[SLOT(g, i)] == WRITING && owner[SLOT(g, i)] == p + 1);
			order_set[NUMBER(g, s)] = 1; order_slot[NUMBER(g, s)] = i;
			kind[SLOT(g, i)] = PUBLISHED; owner[SLOT(g, i)] = 0; seq[SLOT(g, i)] = s
		fi
	};
	COUNT(g, s);							/* {pub.count} */
#if RULE == 42
	if :: closed[g] -> goto moved :: else -> goto next_frame fi;	/* also where a helper has counted it */
#else
	atomic { if :: head[g] == s && closed[g] -> goto moved :: else -> goto next_frame fi };
#endif
moved:	/* the frame lies in the closed ring: carried over, or dropped where that takes too long */
	if
	:: carries -> goto next_frame		/* one move a call */
	:: !carries -> from = g; source = i; carries = 1
	:: goto next_frame
	fi;
next:
	(told_producer[p] > g);
	g = told_producer[p];
	goto acquire;
next_frame:
	skip
	od
	} unless { dead[p] };
	finished[p] = 1
}

proctype releaser(byte me) {
	byte g;
end:	do
	:: atomic { holder[me] != 0 -> g = 0 }; atomic { holder[me] = 0; pin[SEAT(0, me)] = 0 }	/* {unpin.pin} */
	:: atomic { holder[NC + me] != 0 -> g = 1 }; atomic { holder[NC + me] = 0; pin[SEAT(1, me)] = 0 }
#if GENS > 2
	:: atomic { holder[2 * NC + me] != 0 -> g = 2 }; atomic { holder[2 * NC + me] = 0; pin[SEAT(2, me)] = 0 }
#endif
	od
}

#define ALL_FINISHED (moves_done && finished[0] && finished[NP - 1] && (!dead[0] || repaired[0]))
#define MAY_TAKE(g) (pin[SEAT(g, me)] == 0 && holder[(g) * NC + me] == 0)
#if GROUP
#define WANTED(g) tail[g]
#else
#define WANTED(g) want
#endif

proctype consumer(byte me) {
	byte g, want, slot;
	bit has_won;
	(has_joined[me]);
	atomic { g = joined_in[me]; want = begin[me] };
	do
	:: atomic { MAY_TAKE(g) && WANTED(g) < head[g] -> want = WANTED(g) };	/* {take.head} {queue.tail} */
		atomic { assert(order_set[NUMBER(g, want)]); slot = order_slot[NUMBER(g, want)] };	/* {take.order} */
		pin[SEAT(g, me)] = slot + 1;				/* {take.pin} */
		has_won = 1;
		atomic {						/* {take.state} */
			if
			:: kind[SLOT(g, slot)] == PUBLISHED && seq[SLOT(g, slot)] == want
			:: else -> has_won = 0; assert(GROUP && tail[g] > want)	/* never lost to us */
			fi
		};
#if GROUP
		atomic {						/* {queue.take} */
			if
			:: has_won && tail[g] == want ->
				tail[g] = want + 1;
				n_taken[NUMBER(g, want)]++;
				assert(n_taken[NUMBER(g, want)] == 1)
			:: else -> has_won = 0
			fi
		};
#endif
		if
		:: has_won ->
			atomic {
				holder[g * NC + me] = slot + 1;
#if !GROUP
				n_taken[NUMBER(g, want)]++;
#endif
				want++
			};
#if !GROUP
			cursor[SEAT(g, me)] = want			/* {take.cursor} */
#endif
		:: else -> pin[SEAT(g, me)] = 0				/* {unpin.pin} */
		fi
#if JUMP
	:: atomic { me == 0 && g + 1 < GENS && told_consumer[me] > g && head[g + 1] > want ->	/* zoe_consumer_latest() */
		g = g + 1; want = head[g] };
		if :: RULE == 43 -> skip :: else -> cursor[SEAT(g, me)] = want fi	/* {take.cursor} */
#endif
#if RULE == 44
	:: atomic { closed[g] && told_consumer[me] > g -> g = g + 1; want = start[g] }	/* before G is read to its end */
#elif RULE == 45
	:: atomic { closed[g] && told_consumer[me] > g && WANTED(g) >= head[g] -> g = told_consumer[me]; want = start[g] }
#else
	:: atomic { closed[g] && told_consumer[me] > g && WANTED(g) >= head[g] ->
		assert(GROUP || JUMP || want == start[g + 1]); g = g + 1; want = start[g] }
#endif
	:: atomic { ALL_FINISHED && g == GENS - 1 && WANTED(g) >= head[g] -> break }
	od;
#if !JUMP && !LATE
	for (slot : 1 .. head[GENS - 1] - 1) {			/* every number, in whichever generation */
		assert(n_taken[NUMBER(0, slot)] + n_taken[NUMBER(1, slot)]
#if GENS > 2
			+ n_taken[NUMBER(2, slot)]
#endif
			>= 1)
	}
#endif
}

inline join(g) {
	cursor[SEAT(g, NC - 1)] = 0;
	member[SEAT(g, NC - 1)] = 1;					/* {join.roster} */
	h = head[g];							/* {join.head} */
	cursor[SEAT(g, NC - 1)] = h;					/* {join.cursor} */
	atomic { joined_in[NC - 1] = g; begin[NC - 1] = h; told_consumer[NC - 1] = g; has_joined[NC - 1] = 1 }
}

inline set_starts(g) {						/* step 4 */
	c = 0;
	do
	:: c < NC ->
		if
		:: member[SEAT(g - 1, c)] || RULE == 46 ->
			if :: RULE == 47 -> cursor[SEAT(g, c)] = NONE :: else -> cursor[SEAT(g, c)] = h fi	/* {join.cursor} */
		:: else
		fi;
		c++
	:: else -> break
	od;
	tail[g] = h;							/* {join.tail} */
	start[g] = h;
	head[g] = h							/* {move.start} */
}

inline list_seats(g) {						/* step 1 */
	c = 0;
	do :: c < NC -> member[SEAT(g, c)] = member[SEAT(g - 1, c)]; c++ :: else -> break od
}

inline tell_consumers(g) {						/* step 5 */
	c = 0;
	do :: c < NC -> if :: member[SEAT(g - 1, c)] -> told_consumer[c] = g :: else fi; c++ :: else -> break od
}

inline tell_producers(g) {						/* step 7 */
	c = 0;
	do :: c < NP -> told_producer[c] = g; c++ :: else -> break od
}

proctype broker() {
	byte g, h, s, c, i;
	g = 1;
	do
	:: g < GENS ->
#if LATE
		if :: !has_joined[NC - 1] -> join(g - 1) :: skip fi;
#endif
		if :: RULE == 46 -> skip :: else -> list_seats(g) fi;	/* {join.roster} */
#if RULE == 48
		h = head[g - 1]; closed[g - 1] = 1;			/* a number that was read, not the one that won */
#else
close:		s = head[g - 1];					/* {close.head} */
		if :: order_set[NUMBER(g - 1, s)] -> COUNT(g - 1, s); goto close :: else fi;	/* {help.count} */
		atomic { if :: head[g - 1] == s -> closed[g - 1] = 1; h = s :: else -> goto close fi };	/* {close.bit} */
#endif
		set_starts(g);
		if :: RULE == 46 -> tell_producers(g); list_seats(g) :: else fi;
		tell_consumers(g);
		tell_producers(g);
		g++
#if DIE
	:: dead[0] && !repaired[0] ->	/* in the open ring only */
		i = 0;
		do
		:: i < NS ->
			atomic {					/* {repair.free} */
				if
				:: kind[SLOT(g - 1, i)] == WRITING && owner[SLOT(g - 1, i)] == 1 ->
					kind[SLOT(g - 1, i)] = FREE; owner[SLOT(g - 1, i)] = 0
				:: else
				fi
			};
			i++
		:: else -> break
		od;
		s = head[g - 1];					/* {repair.head} */
		if :: order_set[NUMBER(g - 1, s)] -> COUNT(g - 1, s) :: else fi;
		repaired[0] = 1
#endif
	:: g == GENS && (!dead[0] || repaired[0]) && !(DIE && !finished[0]) -> break
	od;
#if LATE
	if :: !has_joined[NC - 1] -> join(GENS - 1) :: else fi;
#endif
	moves_done = 1
}

proctype death() {
	atomic { if :: !finished[0] -> dead[0] = 1 :: skip fi }
}

init {
	byte c;
	atomic {
		head[0] = 1; start[0] = 1; tail[0] = 1;
		for (c : 0 .. NC - 1) {
			begin[c] = 1; cursor[SEAT(0, c)] = 1; member[SEAT(0, c)] = 1; has_joined[c] = 1
		}
#if LATE
		member[SEAT(0, NC - 1)] = 0; has_joined[NC - 1] = 0;
#endif
		run producer(0, F0);
#if NP > 1
		run producer(1, F1);
#endif
		run broker();
		for (c : 0 .. NC - 1) { run consumer(c); run releaser(c) }
#if DIE
		run death()
#endif
	}
}
