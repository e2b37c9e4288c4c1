/* SPDX-License-Identifier: MIT */
/*
 * The broker dies at any step of a move, of a join, of a repair, of going on with what another left
 * behind; its clients go on, come back in any order and hand in what they hold: daemon/adopt.c,
 * move.c, generation.c and the library's side of it. A ring is a list of numbered frames here: who
 * acquires takes away at once whatever no reliable seat holds back. Slots and pins are ring.pml's.
 * What was sent lies in the receiver's socket and outlives the sender; what was asked of a dead
 * broker is gone.
 *
 *   LIVES      of the broker; the last one stays        NP F0 F1   producers and their frames
 *   NC         reliable consumers                       LAG        frames one may owe
 *   MOVES      moves of the first broker (LATER=1: of any)   JOIN   the last consumer is yet to join
 *   DIE_P DIE_C  the last producer, consumer may die at any step
 *   SETTLE     0: nobody is given up while it lives; 1: any wait may be over at any time
 *   FRESH      the last producer has yet to attach
 *   LIAR       the last producer: 1 hands in region 0 for ever; 2 clears its closed bit, too, and
 *              publishes in it; 3 sets the closed bit of its ring; 4 forges the number in its head:
 *              then frames may be lost, and only the rest is looked at
 * What is asserted: a reliable consumer that lives gets each frame of a lineage once and in order,
 * and is told of loss only where a new lineage began or its place was given up; of a lineage one
 * ring goes on; a number stands for one frame; nothing is published after a ring that is not
 * given; no producer waits for ever. Rule [M], which is newer than the others: who is listed in the
 * adopted ring and comes back from before it is told of that ring, too.
 * RULE switches one rule off, see tests/model/mutants.
 */
#ifndef LIVES
#define LIVES 2
#endif
#ifndef NP
#define NP 2
#endif
#ifndef F0
#define F0 2
#endif
#ifndef F1
#define F1 1
#endif
#ifndef NC
#define NC 1
#endif
#ifndef LAG
#define LAG 1
#endif
#ifndef MOVES
#define MOVES 1
#endif
#ifndef LATER
#define LATER 0
#endif
#ifndef JOIN
#define JOIN 0
#endif
#ifndef DIE_P
#define DIE_P 0
#endif
#ifndef DIE_C
#define DIE_C 0
#endif
#ifndef SETTLE
#define SETTLE 0
#endif
#ifndef FRESH
#define FRESH 0
#endif
#ifndef LIAR
#define LIAR 0
#endif
#ifndef RULE
#define RULE 0
#endif
#define N_IDS (F0 + F1 + 1)
#define LIE N_IDS			/* what a liar puts into a ring that has ended */
#define D (F0 + F1 + 4)			/* order[] holds all numbers here */
#define R (MOVES + 2 * LIVES)		/* regions that can come to be */
#define LAST_P (NP - 1)
#define LAST_C (NC - 1)

#define DROP SETTLE
#define REGION 1
#define SEAT 2

/* region r: number s is r * D + s, the seat of c is r * NC + c; a region + 1: 0 is none */
#define NUMBER(r, s) ((r) * D + (s))
#define AT(r, c) ((r) * NC + (c))

byte head[R], start[R], ended[R], low[R], roster[R], lineage[R], before[R];
bit closed[R], given[R];
byte order[R * D];			/* what is committed at a number */
bit listed[R * NC], on[R * NC];		/* in the control page; for a producer that knows the roster */
byte cursor[R * NC];
byte n_regions = 1, n_lineages = 1;

byte alive = 1;				/* which broker */
bit dies, settling;
chan to_p[NP] = [3] of { byte, byte, byte };	/* kind, region, roster */
chan to_c[NC] = [3] of { byte };
byte asks_p[NP], asks_c[NC];		/* 1 without, r + 2 with a region handed in */
bit dead_p[NP], dead_c[NC];
byte n_finished, n_moves;
/* ghosts */
byte sent_p[NP], sent_c[NC];		/* the last region that was sent to each */
bit is_shut[R];			/* a broker has closed it */
bit held[R];				/* some producer has it, or it is on its way */
bit is_published[N_IDS + 1], has_got[NC * (N_IDS + 1)], is_told[NC], may_lose[NC];
byte number_of[N_IDS + 1], lineage_of[N_IDS + 1], first[NC], first_lineage[NC];
bit is_used[(LIVES + 1) * D];		/* numbers of a lineage */

/* One that was not yet counted is now part of the stream. */
inline count(r, s) {
	atomic {
		if
		:: head[r] == s && !closed[r] ->
			head[r] = s + 1;
			assert(!is_shut[r] || LIAR == 2);
			if
			:: order[NUMBER(r, s)] != LIE && !is_shut[r] ->
				assert(before[r] == 0 || given[before[r] - 1]);	/* no successor of a ring not given */
				assert(LIAR == 4 || !is_used[lineage[r] * D + s]);	/* a number stands for one frame */
				assert(LIAR == 4 || !is_published[order[NUMBER(r, s)]]);
				is_used[lineage[r] * D + s] = 1;
				is_published[order[NUMBER(r, s)]] = 1;
				number_of[order[NUMBER(r, s)]] = s;
				lineage_of[order[NUMBER(r, s)]] = lineage[r]
			:: else
			fi
		:: else
		fi
	}
}

#if RULE == 84				/* without the broker, and the seat that it has told of */
#define IS_CURRENT (knows == roster[g] || alive > connected)
#define HONOURS(r, c) (on[AT(r, c)] && (knows == roster[r] || c != LAST_C))
#else
#define IS_CURRENT (knows == roster[g])
#define HONOURS(r, c) on[AT(r, c)]
#endif

#define OWED(r, c) (HONOURS(r, c) && cursor[AT(r, c)] + LAG <= head[r])
#if NC > 1
#define HAS_ROOM(r) (!OWED(r, 0) && !OWED(r, 1))
#else
#define HAS_ROOM(r) (!OWED(r, 0))
#endif

inline evict(r) {
	low[r] = head[r];
	for (c : 0 .. LAST_C) {
		if :: HONOURS(r, c) && cursor[AT(r, c)] < low[r] -> low[r] = cursor[AT(r, c)] :: else fi
	}
}

/* The liar's part, at the moment it comes back. */
inline lie() {
#if LIAR == 1 || LIAR == 2
	asks_p[p] = 2;
#endif
#if LIAR == 2
	closed[0] = 0;
#elif LIAR == 3
	closed[g] = 1;
#elif LIAR == 4
	if
	:: head[g] > start[g] -> head[g] = head[g] - 1
	:: order[NUMBER(g, head[g])] == 0 -> order[NUMBER(g, head[g])] = LIE; head[g] = head[g] + 1
	:: skip
	fi;
	for (c : 0 .. LAST_C) { may_lose[c] = 1; is_told[c] = 1 };
#endif
	skip
}

#if RULE == 73
#define P_MAY_ASK (alive > connected)
#else
#define P_MAY_ASK (alive > connected && empty(to_p[p]))
#endif
proctype producer(byte p; byte n_frames) {
	byte connected = !(FRESH && p == LAST_P);
	byte g, knows = 1, n, s, c, type, x, y;
	bit has_region = connected;
	{
end:	do
	:: atomic { to_p[p]?type,x,y ->
		if
		:: type == REGION -> g = x; knows = y; has_region = 1
		:: type == SEAT && x == g -> knows = y
		:: else
		fi;
		type = 0; x = 0; y = 0 }
	:: atomic { P_MAY_ASK ->
		connected = alive;
#if RULE == 73
		do :: to_p[p]?type,x,y :: empty(to_p[p]) -> break od;
		type = 0; x = 0; y = 0;
#endif
		asks_p[p] = (has_region -> g + 2 : 1);
		if :: p == LAST_P && has_region -> lie() :: else fi }
#if LIAR == 2
	:: atomic { p == LAST_P && ended[0] && !closed[0] && head[0] <= ended[0] ->
		order[NUMBER(0, head[0])] = LIE; head[0] = head[0] + 1 }
#endif
	:: atomic { n < n_frames && has_region && IS_CURRENT && !closed[g] && !ended[g] && HAS_ROOM(g) ->
		evict(g); c = 0 };						/* {acq.limit} {acq.ended} {acq.roster} {acq.cursor} */
		if
		:: atomic { closed[g] -> skip }					/* {pub.head}: carried over */
		:: atomic { !closed[g] ->
			if :: order[NUMBER(g, head[g])] != 0 -> s = head[g]; count(g, s) :: else fi;	/* {help.count} */
			s = head[g]; order[NUMBER(g, s)] = p * F0 + n + 1	/* {pub.commit} */
#if DIE_P
			};
			atomic {
#else
			;
#endif
			count(g, s);						/* {pub.count} */
				if
				:: head[g] <= s && closed[g]
				:: else ->
					n++;
					if :: n == n_frames -> n_finished++ :: else fi
				fi;
				s = 0
			}
		fi
	od
	} unless { dead_p[p] };
	atomic { if :: n < n_frames -> n_finished++ :: else fi }
}

#if RULE == 74
#define C_MAY_ASK (alive > connected)
#else
#define C_MAY_ASK (alive > connected && empty(to_c[c]) && q2 == 0)
#endif

inline lose() {
	assert(may_lose[c]);			/* a reliable consumer that lives is told nothing else */
	is_told[c] = 1
}

inline shift() { g = q0 - 1; q0 = q1; q1 = q2; q2 = 0 }

/* How far region g is to be read: another may begin before what its head says. */
#define HAS_NEXT (q0 != 0 && lineage[q0 - 1] == lineage[g])
#define IS_BEFORE_NEXT (!HAS_NEXT || want < start[q0 - 1])

proctype consumer(byte c) {
	byte connected = !(JOIN && c == LAST_C);
	byte g, want = connected, id, q0, q1, q2;	/* q: regions it was told of, + 1 */
	bit has_region = connected;
	{
	do
	:: atomic { has_region && want < head[g] && IS_BEFORE_NEXT ->	/* {take.head} */
		if
		:: want < low[g] -> lose(); want = low[g]
		:: else ->
			id = order[NUMBER(g, want)];
			assert(id != 0);
			assert(LIAR == 2 || LIAR == 4 || !has_got[c * (N_IDS + 1) + id]);	/* none twice */
			has_got[c * (N_IDS + 1) + id] = 1;
			id = 0;
			want++;
			if :: on[AT(g, c)] -> cursor[AT(g, c)] = want :: else fi	/* {take.cursor} */
		fi }
	:: atomic { nempty(to_c[c]) && q2 == 0 ->
		to_c[c]?id;
		if
		:: !has_region -> has_region = 1; g = id; want = cursor[AT(g, c)];
			first[c] = want; first_lineage[c] = lineage[g]
		:: else -> if :: q0 == 0 -> q0 = id + 1 :: q0 != 0 && q1 == 0 -> q1 = id + 1 :: else -> q2 = id + 1 fi
		fi;
		id = 0 }
	:: atomic { C_MAY_ASK ->
		connected = alive;
#if RULE == 74
		do :: to_c[c]?id :: empty(to_c[c]) -> break od;
		id = 0;
#endif
		asks_c[c] = (q1 -> q1 : (q0 -> q0 : (has_region -> g + 1 : 0))) + 1 }
	:: atomic { HAS_NEXT && (want >= start[q0 - 1] || want >= head[g]) ->
		if
		:: want == start[q0 - 1]
		:: want < start[q0 - 1] -> lose(); want = start[q0 - 1]
		:: want > start[q0 - 1] ->
			assert(LIAR == 2 || LIAR == 4);
			is_told[c] = 1; want = start[q0 - 1]
		fi;
		shift();
		if :: on[AT(g, c)] -> cursor[AT(g, c)] = want :: else fi }
	:: atomic { q0 != 0 && lineage[q0 - 1] != lineage[g] && want >= head[g] ->
		lose(); shift(); want = cursor[AT(g, c)] }
	:: atomic { timeout && n_finished == NP && !settling && empty(to_c[c]) && q0 == 0 -> break }
	od;
	for (id : 1 .. N_IDS - 1) {
		assert(is_told[c] || !is_published[id] || has_got[c * (N_IDS + 1) + id] ||
			(number_of[id] < first[c] && lineage_of[id] == first_lineage[c]) ||
			lineage_of[id] < first_lineage[c])
	}
	} unless { dead_c[c] }
}

/* What else can happen between its steps is move.pml's. */
inline close_ring(r) {
	atomic {							/* {close.head} {close.bit} */
		s = head[r];
		if :: order[NUMBER(r, s)] != 0 -> count(r, s) :: else fi;
		closed[r] = 1; is_shut[r] = 1; h = head[r]
	}
}

inline send_p(p, type, x, y) {
	atomic { if :: attached[p] && !dead_p[p] -> to_p[p]!type,x,y :: !attached[p] || dead_p[p] fi }
}

/* Gives a region to a producer. */
inline give(p, x) {
	atomic {
		if
		:: attached[p] && !dead_p[p] ->
			to_p[p]!REGION,x,roster[x];
			held[x] = 1; sent_p[p] = x;
			for (y : 0 .. n_regions - 1) {			/* of a lineage one ring goes on */
				assert(y == x || !held[y] || lineage[y] != lineage[x] || ended[y])
			}
		:: else
		fi
	}
}

inline say_seat(x) {
	send_p(0, SEAT, x, roster[x] + 1);
#if NP > 1
	send_p(1, SEAT, x, roster[x] + 1)
#endif
}

inline give_all(x) {
#if NP > 1
	atomic { if :: p = 0 :: p = 1 fi };
	give(p, x);
	atomic { p = 1 - p; skip };
	give(p, x)
#else
	give(0, x)
#endif
}

/* Has c, by what it handed in, a seat in r? Then it knows r, or what was to follow r, or comes from
 * before r: then it is told of r too, which is closed by then. */
#define IS_BEFORE(c, r) (wants[c] - 2 != r && before[wants[c] - 2] != r + 1)
#if RULE == 85 || RULE == 71
#define HAS_SEAT(c, r) (wants[c] >= 2 && lineage[wants[c] - 2] == lineage[r] && listed[AT(r, c)] && !IS_BEFORE(c, r))
#else
#define HAS_SEAT(c, r) (wants[c] >= 2 && lineage[wants[c] - 2] == lineage[r] && listed[AT(r, c)])
#endif

/* Nobody keeps more than one ring for who is away. */
inline note_missed(c, r) {
	if :: IS_BEFORE(c, r) && before[r] != wants[c] - 1 && before[r] != sent_c[c] + 1 && sent_c[c] != r -> may_lose[c] = 1 :: else fi
}

inline tell(c, x) { if :: !dead_c[c] -> to_c[c]!x; sent_c[c] = x :: dead_c[c] fi }
inline tell_one(c, x) {
	atomic { if :: tells_old[c] -> tell(c, r); tells_old[c] = 0 :: else fi };
	atomic { if :: on[AT(x, c)] && seated[c] -> tell(c, x) :: else fi }
}
inline tell_all(x) {
	tell_one(0, x);
#if NC > 1
	tell_one(1, x)
#endif
}

inline seat_late(x, c) {
	atomic { cursor[AT(x, c)] = 0; listed[AT(x, c)] = 1 };
	say_seat(x);
	atomic { roster[x] = roster[x] + 1; on[AT(x, c)] = 1 };		/* {join.roster} */
	atomic { h = head[x]; cursor[AT(x, c)] = h };			/* {join.head} {join.cursor} */
	atomic { tell(c, x); seated[c] = 1; absent[c] = 0; wants[c] = 0 }
}

#define IS_BACK(c) (!listed[AT(adopted - 1, c)] || wants[c] || dead_c[c])
#if NC > 1
#define ALL_BACK (IS_BACK(0) && IS_BACK(1))
#else
#define ALL_BACK IS_BACK(0)
#endif
#if SETTLE
#define IS_OVER settling
#else
#define IS_OVER (timeout && settling)
#endif
#if RULE == 79
#define IS_STALE(r) 0
#else
#define IS_STALE(r) given[r]
#endif

/* Another ring than the stream's: nothing is published in it any more. */
inline shut(r) {
	if
	:: ended[r] == 0 -> close_ring(r); ended[r] = h + 1	/* {move.ended} */
	:: else
	fi;
	given[r] = 1							/* {adopt.shut} */
}

inline make_region(l, b, h) {
	x = n_regions; n_regions++;
	assert(n_regions <= R);
	lineage[x] = l; before[x] = b; roster[x] = 1;
	start[x] = h; head[x] = h; low[x] = h
}

inline sit(x, c, h) {
	listed[AT(x, c)] = 1; on[AT(x, c)] = 1; cursor[AT(x, c)] = h
}


proctype broker() {
	byte newest, adopted, stale, r, x, y, h, s, c, p, from, from_new;
	bit attached[NP], seated[NC], absent[NC], tells_old[NC];
	byte wants[NC];
	atomic {
		newest = 1;
		for (p : 0 .. LAST_P) { attached[p] = !(FRESH && p == LAST_P) };
		for (c : 0 .. LAST_C) { seated[c] = !(JOIN && c == LAST_C) }
	};
end_life:
	{
end:	do
	:: atomic { asks_p[0] != 0 -> p = 0; goto hand_in }
#if NP > 1
	:: atomic { asks_p[1] != 0 -> p = 1; goto hand_in }
#endif
	:: atomic { asks_c[0] != 0 -> c = 0; goto consume }
#if NC > 1
	:: atomic { asks_c[1] != 0 -> c = 1; goto consume }
#endif
	:: atomic { adopted != 0 && (ended[adopted - 1] || ALL_BACK) -> r = adopted - 1; goto move }
	:: atomic { adopted != 0 && IS_OVER -> r = adopted - 1; goto move }
	:: atomic { adopted == 0 && IS_OVER ->
#if !SETTLE && !FRESH
		for (y : 0 .. LAST_P) {					/* who lives has not got the last ring */
			assert(dead_p[y] || (LIAR && y == LAST_P) || given[sent_p[y]])
		};
#endif
		goto begin_anew }
#if MOVES
	:: atomic { newest != 0 && n_moves < MOVES && (alive == 1 || LATER) -> n_moves++; r = newest - 1; goto move }
#endif
#if DIE_P
	:: atomic { newest != 0 && dead_p[LAST_P] && attached[LAST_P] -> s = head[newest - 1] };	/* {repair.head} */
		if :: order[NUMBER(newest - 1, s)] != 0 -> count(newest - 1, s) :: else fi;	/* {repair.count} */
		attached[LAST_P] = 0
#endif
#if DIE_C || SETTLE
	:: atomic { newest != 0 && seated[LAST_C] && dead_c[LAST_C] && on[AT(newest - 1, LAST_C)] -> c = LAST_C; goto leave }
	:: atomic { newest != 0 && absent[0] && on[AT(newest - 1, 0)] && (dead_c[0] || DROP) -> c = 0; goto leave }
	:: atomic { newest != 0 && absent[LAST_C] && on[AT(newest - 1, LAST_C)] && (dead_c[LAST_C] || DROP) -> c = LAST_C; goto leave }
#endif
	od;

hand_in:
	atomic { r = asks_p[p]; asks_p[p] = 0; attached[p] = 1 };
	if
	:: newest != 0 ->
		if :: r >= 2 && r - 2 != newest - 1 -> r = r - 2; shut(r) :: else fi;
		give(p, newest - 1); goto done
	:: newest == 0 && r == 1 ->
		if :: adopted != 0 -> r = adopted - 1; goto move :: else -> goto begin_anew fi
	:: else -> r = r - 2
	fi;
	if
	:: adopted != 0 -> if :: r != adopted - 1 -> shut(r) :: else fi
	:: adopted == 0 && IS_STALE(r) -> stale = r + 1; settling = 1		/* {adopt.given} */
	:: else -> atomic { adopted = r + 1; stale = 0; settling = 1 }
	fi;
	goto done;

consume:
	atomic { wants[c] = asks_c[c]; asks_c[c] = 0; seated[c] = 0 };
	if
	:: newest == 0
	:: newest != 0 && absent[c] && HAS_SEAT(c, from) ->
		if :: IS_BEFORE(c, from) -> tell(c, from) :: else fi;
		atomic { x = from_new; seated[c] = 1; absent[c] = 0; note_missed(c, from); wants[c] = 0 };
		do
		:: x < n_regions -> tell(c, x); x++
		:: else -> break
		od
	:: else -> x = newest - 1; seat_late(x, c)
	fi;
	goto done;

leave:
	x = newest - 1;
	atomic { listed[AT(x, c)] = 0; may_lose[c] = 1 };
	say_seat(x);
	atomic {
		roster[x] = roster[x] + 1; on[AT(x, c)] = 0; seated[c] = 0; absent[c] = 0
	};
	goto done;

move:
#if RULE == 75
	close_ring(r);
#else
	if :: ended[r] != 0 -> h = ended[r] - 1 :: else -> close_ring(r) fi;	/* {adopt.ended} */
#endif
	atomic {
		ended[r] = h + 1;					/* {move.ended} */
		make_region(lineage[r], r + 1, h);
#if RULE == 76
		lineage[x] = n_lineages; n_lineages++;
#endif
		for (c : 0 .. LAST_C) {
			if
			:: !listed[AT(r, c)] -> skip
			:: listed[AT(r, c)] && adopted == 0 -> sit(x, c, h)
			:: listed[AT(r, c)] && adopted != 0 ->
				if
				:: HAS_SEAT(c, r) ->
					sit(x, c, h); seated[c] = 1;
					note_missed(c, r);
					tells_old[c] = IS_BEFORE(c, r);
					wants[c] = 0
				:: else ->
					if :: RULE == 77 -> skip :: else -> sit(x, c, h); absent[c] = 1 fi
				fi
			fi
		}
		if :: adopted != 0 -> from = r; from_new = x :: else fi
	};
#if RULE != 71
	tell_all(x);
#endif
#if RULE == 78
	if :: alive == 1 -> given[r] = 1 :: else fi;
#elif RULE != 72
	given[r] = 1;							/* {move.given} */
#endif
	give_all(x);
#if RULE == 72
	given[r] = 1;
#endif
#if RULE == 71
	tell_all(x);
#endif
	atomic { newest = x + 1; adopted = 0; stale = 0; settling = 0 };
	atomic { c = 0; if :: wants[0] && !seated[0] -> goto seat_0 :: else fi };
#if NC > 1
more:	atomic { c = 1; if :: wants[1] && !seated[1] -> goto seat_0 :: else -> goto done fi };
#endif
	goto done;
seat_0:	seat_late(x, c);
#if NC > 1
	if :: c == 0 -> goto more :: else fi;
#endif
	goto done;
	goto done;

begin_anew:
	atomic {
#if RULE == 80
		make_region(lineage[stale - 1], 0, ended[stale - 1] - 1);
#else
		make_region(n_lineages, 0, 1);
		n_lineages++;
#endif
		for (c : 0 .. LAST_C) {
			may_lose[c] = 1;
			if :: wants[c] -> sit(x, c, start[x]); seated[c] = 1; wants[c] = 0 :: else fi
		}
	};
	tell_all(x);
	give_all(x);
	atomic { newest = x + 1; stale = 0; settling = 0 };
done:	atomic { r = 0; x = 0; y = 0; h = 0; s = 0; c = 0; p = 0; goto end_life }

	} unless { dies };
	atomic {							/* all that it knew and was asked is gone */
		dies = 0; alive++; settling = 0;
		newest = 0; adopted = 0; stale = 0; r = 0; x = 0; y = 0; h = 0; s = 0; from = 0; from_new = 0;
		for (p : 0 .. LAST_P) { attached[p] = 0; asks_p[p] = 0 };
		for (c : 0 .. LAST_C) { seated[c] = 0; absent[c] = 0; tells_old[c] = 0; wants[c] = 0; asks_c[c] = 0 };
		p = 0; c = 0
	};
	goto end_life
}

proctype fate() {
	byte n = 1;
	do
	:: atomic { n < LIVES && !dies -> dies = 1; n++ }
#if DIE_P
	:: atomic { !dead_p[LAST_P] -> dead_p[LAST_P] = 1 }
#endif
#if DIE_C
	:: atomic { !dead_c[LAST_C] -> dead_c[LAST_C] = 1 }
#endif
	:: n == LIVES && !dies -> break
	od
}

init {
	byte c;
	atomic {
		head[0] = 1; start[0] = 1; low[0] = 1; roster[0] = 1; held[0] = 1;
		for (c : 0 .. LAST_C) {
			cursor[AT(0, c)] = 1; first[c] = 1;
			listed[AT(0, c)] = !(JOIN && c == LAST_C); on[AT(0, c)] = listed[AT(0, c)]
		}
		run producer(0, F0);
#if NP > 1
		run producer(1, F1);
#endif
		for (c : 0 .. LAST_C) { run consumer(c) }
		run broker();
		run fate()
	}
}
