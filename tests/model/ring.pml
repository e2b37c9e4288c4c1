/* SPDX-License-Identifier: MIT */
/*
 * One generation of a ring: what sdk/core/ring_write.c, ring_read.c, ring_check.c and the joining
 * and leaving of daemon/roster.c, consumer.c do, one access to shared memory a step, in the order
 * of the code (sequentially consistent: orders weaker than that are the business of tests/stress).
 * {name} is the label of a step; the code has the same label in the comment of its access.
 *
 * Candidates for a claim are looked at in any order, of which the code's is one; a lossy consumer
 * takes any frame that there is, of which every, latest, at and at_time are cases.
 * A producer that finds nothing waits here until there is something: sleeping is in wait.pml.
 *
 *   NP producers, F0 F1 frames of each   NC consumers, H pins each   NS slots   K depth   D order[]
 *   REL, GRP   bit c: consumer c is reliable; is a member of the queue group
 *   LATE       bit c: consumer c joins later, at any time
 *   TURNS=1    producer 1 begins when 0 has left or is dead, and is repaired
 *   SOLE=1     producers believe to be alone and use plain stores
 *   KILLP=1 KILLC=1   one producer, one consumer may die at any step
 *   CLOSE=1    the broker closes the ring at any time    DEMOTE=1  it demotes consumer 0 at any time
 *   LOCAL=1    a producer demotes consumer 0 by itself (broker gone)
 *   CANCEL=1   a producer may cancel     RELEASER=1  another thread releases
 * M_... switches one rule off; tests/model/mutants says which must be caught.
 */
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
#ifndef H
#define H 1
#endif
#ifndef NS
#define NS 3
#endif
#ifndef K
#define K 1
#endif
#ifndef D
#define D 4
#endif
#ifndef REL
#define REL 0
#endif
#ifndef GRP
#define GRP 0
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef TURNS
#define TURNS 0
#endif
#ifdef M_SOLETWO
#define SOLE 1 /* although there are two */
#endif
#ifndef SOLE
#define SOLE 0
#endif
#ifndef KILLP
#define KILLP 0
#endif
#ifndef KILLC
#define KILLC 0
#endif
#ifndef CLOSE
#define CLOSE 0
#endif
#ifndef DEMOTE
#define DEMOTE 0
#endif
#ifndef LOCAL
#define LOCAL 0
#endif
#ifndef CANCEL
#define CANCEL 0
#endif
#ifndef RELEASER
#define RELEASER 0
#endif

/* Words as in sdk/core/ring_layout.h, with fewer bits. */
#define HEAD(s) ((s) << 1)
#define SEQ(h) ((h) >> 1)
#define CLOSED(h) ((h) & 1)
#define ENTRY(s, i) ((s) << 3 | (i))
#define ESEQ(e) ((e) >> 3)
#define ESLOT(e) ((e) & 7)
#define STATE(k, o, s) ((k) << 8 | (o) << 5 | (s))
#define KIND(v) ((v) >> 8)
#define OWNER(v) ((v) >> 5 & 7)
#define VSEQ(v) ((v) & 31)
#define PUB 1
#define CLM 2
#define WRT 3
#define BIT(m, c) ((m) >> (c) & 1)

byte head = HEAD(1);
byte order[D];
short state[NS];
byte roster = 1;
byte tail;
byte pin[NC * H];
byte cursor[NC];

/* The broker's books, and what its messages say: seats, which of them are reliable, under which
 * roster. */
byte said_on, said_rel, said_roster = 1;
bit started[NC], joined[NC], removed[NC], gone[NC];
byte start[NC];
byte kill, killc;
bit fin[NP], rep[NP], begun[NP];
byte cdone;

/* The consumers' own books. */
bit in_use[NC * H];

/* What nobody sees: who writes into a slot, whose frame lies there, who reads it. */
byte writer[NS], hseq[NS], com;
bit torn[NS], demoted[NC];
byte held[NC * H];
int got;

#define CAS(word, from, to, won)                                                                   \
	d_step {                                                                                   \
		won = (word == (from));                                                            \
		if                                                                                 \
		:: won -> word = to                                                                \
		:: else                                                                            \
		fi                                                                                 \
	}

#define INTACT(i, s) (hseq[i] == (s) && !torn[i] && writer[i] == 0)

/* [STATE] to PUBLISHED: the payload must be whole and be the one of this number. */
inline publish_state(zi, zfrom, zs) {
	d_step {
		if
		:: state[zi] == (zfrom) ->
			state[zi] = STATE(PUB, 0, zs);
			writer[zi] = 0;
			assert(hseq[zi] == zs && !torn[zi])
		:: else
		fi
	}
}

/* [PUB] counts frame zs. */
inline count_frame(zs) {
	d_step {
		if
		:: head == HEAD(zs) ->
			assert(state[ESLOT(order[(zs) % D])] == STATE(PUB, 0, zs));
			head = HEAD(zs + 1)
		:: else
		fi
	}
}

/* zoe_ring_help(); uses e, v. */
inline help(zs) {
	e = order[(zs) % D]; /* {help.order} */
	if
	:: ESEQ(e) == zs ->
		v = state[ESLOT(e)]; /* {help.state} */
		if
#ifdef M_HELP
		:: KIND(v) == WRT -> publish_state(ESLOT(e), v, zs)
#else
		:: KIND(v) == WRT && VSEQ(v) == zs -> publish_state(ESLOT(e), v, zs) /* {help.publish} */
#endif
		:: else
		fi;
		count_frame(zs) /* {help.count} */
	:: else
	fi
}

inline nobody_reads(zi) {
	zc = 0;
	do
	:: zc < NC * H -> assert(held[zc] != zi + 1); zc++
	:: else -> break
	od;
	zc = 0
}

#define CAN(i) (state[i] == 0 || (KIND(state[i]) == PUB && VSEQ(state[i]) + K < SEQ(head)))
#if NS == 2
#define CAN_ANY (CAN(0) || CAN(1))
#elif NS == 3
#define CAN_ANY (CAN(0) || CAN(1) || CAN(2))
#elif NS == 4
#define CAN_ANY (CAN(0) || CAN(1) || CAN(2) || CAN(3))
#else
#define CAN_ANY (CAN(0) || CAN(1) || CAN(2) || CAN(3) || CAN(4))
#endif

proctype P(byte p; byte frames) {
	byte i, c, zc, n, lim, on, rel, known, s, e;
	short v, mine;
	bit won, bad;

	{
		begun[p] = 1;
		do
		:: n == frames -> break
		:: else ->
sync:			atomic { on = said_on; rel = said_rel; known = said_roster };
acquire:		atomic { lim = 0; e = 0; v = 0; c = 0; bad = 0; i = 0; s = 0; mine = 0 };
			(CAN_ANY || CLOSED(head) || roster != known);
#if LOCAL
			if
			:: rel & 1 -> d_step { rel = rel & ~1; demoted[0] = 1 }
			:: skip
			fi;
#endif
#ifndef M_LIMIT
			lim = head; /* {acq.limit} */
#endif
			if
			:: roster != known -> goto sync /* {acq.roster} */
			:: else
			fi;
#ifdef M_LIMIT
			lim = head;
#endif
			if
			:: CLOSED(lim) -> goto out
			:: else -> lim = SEQ(lim)
			fi;
#ifndef M_FLOOR
			do
			:: c < NC ->
				if
				:: BIT(rel, c) && BIT(GRP, c) && tail + K < lim -> bad = 1 /* {acq.tail} */
				:: BIT(rel, c) && !BIT(GRP, c) && cursor[c] + K < lim -> bad = 1 /* {acq.cursor} */
				:: else
				fi;
				c++
			:: else -> break
			od;
			c = 0;
			if
			:: bad -> goto acquire
			:: else
			fi;
#endif
			/* Any candidate, {claim.order} or the next one: {claim.look}. */
			atomic {
				i = 0;
				do
				:: i < NS - 1 -> i++
				:: break
				od;
				v = state[i]
			};
			if
			:: v == 0 -> /* {claim.look} */
				CAS(state[i], 0, STATE(WRT, p + 1, 0), won); /* {claim.free} */
				if
				:: won -> goto own
				:: else -> goto acquire
				fi
#ifdef M_WINDOW
			:: KIND(v) == PUB
#else
			:: KIND(v) == PUB && VSEQ(v) + K < lim
#endif
			:: else -> goto acquire
			fi;
			s = VSEQ(v);
#ifdef M_PINSFIRST
			do
			:: c < NC * H ->
				bad = bad || (BIT(on, c / H) && pin[c] == i + 1);
				c++
			:: else -> break
			od;
			c = 0;
			if
			:: bad -> goto acquire
			:: else
			fi;
#endif
			CAS(state[i], v, STATE(CLM, p + 1, s), won); /* {claim.state} */
			if
			:: !won -> goto acquire
			:: else -> v = 0
			fi;
#ifndef M_ROSTER
			if
			:: roster != known -> bad = 1 /* {claim.roster} */
			:: else
			fi;
#endif
#ifndef M_PINSFIRST
			do
			:: c < NC * H && !bad ->
				bad = BIT(on, c / H) && pin[c] == i + 1; /* {claim.pins} */
				c++
			:: else -> break
			od;
			c = 0;
#endif
			if
			:: bad ->
				CAS(state[i], STATE(CLM, p + 1, s), STATE(PUB, 0, s), won); /* {claim.undo} */
				goto sync
			:: else
			fi;
			won = (state[i] == STATE(CLM, p + 1, s)); /* {own.look} */
			assert(won);
			state[i] = STATE(WRT, p + 1, 0); /* {claim.own} */
own:			atomic { /* the payload, first byte to last */
				assert(writer[i] == 0);
				writer[i] = p + 1;
				torn[i] = 1;
				nobody_reads(i)
			};
			d_step {
				assert(writer[i] == p + 1);
				torn[i] = 0;
				nobody_reads(i);
				mine = STATE(WRT, p + 1, 0);
				v = 0
			};
#if CANCEL
			if
			:: skip
			:: d_step { /* {cancel.state} */
				assert(state[i] == STATE(WRT, p + 1, 0));
				state[i] = 0;
				writer[i] = 0
			   };
			   goto next
			fi;
#endif
publish:		atomic { e = 0; v = 0; lim = head }; /* {pub.head} */
			if
			:: CLOSED(lim) -> goto out
			:: else -> s = SEQ(lim)
			fi;
			e = order[s % D]; /* {pub.order} */
			if
			:: ESEQ(e) == s -> help(s); goto publish
#ifndef M_STALE
			:: ESEQ(e) > s -> goto publish
#endif
			:: else
			fi;
			hseq[i] = s;
			won = (state[i] == mine); /* {own.look} */
			assert(won);
#ifndef M_NOBID
			d_step { mine = STATE(WRT, p + 1, s); state[i] = mine }; /* {pub.bid} */
#endif
#if SOLE
			d_step { /* {pub.commit} a plain store */
				assert(s > com);
				com = s;
				order[s % D] = ENTRY(s, i)
			};
			d_step { /* {pub.state} a plain store */
				state[i] = STATE(PUB, 0, s);
				writer[i] = 0
			};
#else
			d_step { /* {pub.commit} */
				won = (order[s % D] == e);
				if
				:: won ->
					assert(s > com);
					com = s;
					order[s % D] = ENTRY(s, i)
				:: else
				fi
			};
			if
			:: !won -> goto publish
			:: else
			fi;
			publish_state(i, mine, s); /* {pub.state} */
#endif
			count_frame(s); /* {pub.count} lost to the close: MOVED, the next look at head says so */
next:			n++
		od;
out:		skip
	} unless { kill == p + 1 };
	fin[p] = 1
}

inline unpin(zx) {
#ifdef M_LOANEARLY
	d_step { assert(INTACT(held[zx] - 1, hseq[held[zx] - 1])); held[zx] = 0; in_use[zx] = 0 };
	pin[zx] = 0
#else
	d_step { assert(!torn[held[zx] - 1] && writer[held[zx] - 1] == 0); held[zx] = 0; pin[zx] = 0 }; /* {unpin.pin} */
	in_use[zx] = 0
#endif
}

#if H == 1
#define FREE_PIN(c) (!in_use[c])
#else
#define FREE_PIN(c) (!in_use[(c) * H] || !in_use[(c) * H + 1])
#endif
#if NP == 1
#define QUIET (rep[0] && fin[0])
#else
#define QUIET (rep[0] && fin[0] && rep[1] && fin[1])
#endif
#define WANTED(c, want) (BIT(GRP, c) -> tail : want)

/* A frame that a consumer was promised is gone. */
inline lose(zc) {
	assert(!BIT(REL, zc) || demoted[zc])
}

proctype C(byte c) {
	byte want, h, e, x, i;
	short v;
	bit won;

	{
		(started[c]);
		want = start[c];
		do
		:: atomic { WANTED(c, want) >= SEQ(head) && QUIET -> break }
		:: atomic { WANTED(c, want) < SEQ(head) && FREE_PIN(c) ->
				x = c * H + ((H > 1 && in_use[c * H]) -> 1 : 0) };
			if
			:: BIT(GRP, c) -> want = tail /* {queue.tail} */
			:: else
			fi;
			h = SEQ(head); /* {take.head} */
			if
			:: BIT(GRP, c) && want >= h -> assert(want == h); goto next
			:: !BIT(GRP, c) && (!BIT(REL, c) || demoted[c]) ->
				atomic {
					do
					:: want + 1 < h -> want++
					:: break
					od
				}
			:: else
			fi;
			e = order[want % D]; /* {take.order} */
			if
			:: ESEQ(e) != want -> goto lost
			:: else
			fi;
			i = ESLOT(e);
#ifdef M_CURSOR
			if
			:: BIT(REL, c) && !BIT(GRP, c) -> cursor[c] = want + 1
			:: else
			fi;
#endif
#ifdef M_TAILFIRST
			if
			:: BIT(GRP, c) -> CAS(tail, want, want + 1, won); if :: won :: else -> goto next fi
			:: else
			fi;
#endif
			pin[x] = i + 1; /* {take.pin} */
#ifdef M_NOVERIFY
			v = STATE(PUB, 0, want);
#else
			v = state[i]; /* {take.state} */
#endif
			if
			:: v == STATE(PUB, 0, want)
			:: else ->
				pin[x] = 0; /* {unpin.pin} */
				if
				:: KIND(v) == CLM && VSEQ(v) == want -> /* being evicted, or looked at only: once more */
					assert(!BIT(REL, c) || demoted[c] || (BIT(GRP, c) && tail > want));
					goto next
				:: else -> goto lost
				fi
			fi;
#ifndef M_TAILFIRST
			if
			:: BIT(GRP, c) ->
				CAS(tail, want, want + 1, won); /* {queue.take} */
#ifndef M_KEEP
				if
				:: !won -> pin[x] = 0; goto next
				:: else
				fi
#endif
			:: else
			fi;
#endif
			d_step {
				assert(INTACT(i, want));
				assert(!BIT(GRP, c) || !BIT(got, want));
				got = (BIT(GRP, c) -> got | 1 << want : got);
				held[x] = i + 1;
				in_use[x] = 1
			};
#ifndef M_CURSOR
			if
			:: BIT(REL, c) && !BIT(GRP, c) -> cursor[c] = want + 1 /* {take.cursor} */
			:: else
			fi;
#endif
			want++;
#if !RELEASER
			unpin(x);
#endif
			goto next;
lost:			if
			:: BIT(GRP, c) ->
				d_step { /* {queue.skip} */
					e = (h > K + want + 1 -> h - K : want + 1);
					if
					:: tail == want -> tail = e; lose(c)
					:: else
					fi
				}
			:: else ->
				lose(c);
				want++;
				if
				:: BIT(REL, c) -> cursor[c] = want
				:: else
				fi
			fi;
next:			atomic { h = 0; e = 0; x = 0; i = 0; v = 0; won = 0; want = (BIT(GRP, c) -> 0 : want) }
		od
	} unless { killc == c + 1 };
	atomic {
		if
		:: killc == c + 1 ->
			for (x : 0 .. H - 1) {
				held[c * H + x] = 0
			}
			gone[c] = 1
		:: else
		fi;
		want = 0; h = 0; e = 0; x = 0; i = 0; v = 0; won = 0;
		cdone++
	}
}

#if RELEASER
/* Another thread of consumer c, which has the frames and is done with them at any time. */
proctype R(byte c) {
end:	do
	:: atomic { held[c * H] != 0 -> skip }; unpin(c * H)
#if H > 1
	:: atomic { held[c * H + 1] != 0 -> skip }; unpin(c * H + 1)
#endif
	od
}
#endif

/* slot_repair() of zoe_ring_repair(); uses i, s, e, v, won. */
inline repair(zo) {
	i = 0;
	do
	:: i < NS ->
		v = state[i]; /* {repair.state} */
		s = VSEQ(v);
		if
		:: OWNER(v) == zo && KIND(v) == CLM ->
#ifdef M_REPAIR
			CAS(state[i], v, 0, won)
#else
			CAS(state[i], v, STATE(PUB, 0, s), won) /* {repair.undo} */
#endif
		:: OWNER(v) == zo && KIND(v) == WRT ->
			e = order[s % D]; /* {repair.order} */
			if
			:: s != 0 && e == ENTRY(s, i) ->
				publish_state(i, v, s); /* {repair.publish} */
				count_frame(s) /* {repair.count} */
#ifdef M_REPAIRZERO
			:: s == 0 && e == ENTRY(s, i) -> publish_state(i, v, s)
#endif
			:: else ->
				d_step { /* {repair.free} */
					if
					:: state[i] == v -> state[i] = 0; writer[i] = 0; torn[i] = 0
					:: else
					fi
				}
			fi
		:: else
		fi;
		i++
	:: else -> break
	od;
#ifndef M_FINISH
	s = SEQ(head); /* {repair.head} */
	help(s);
#endif
	atomic { i = 0; s = 0; e = 0; v = 0; won = 0 }
}

/* roster_count(): the messages first, then the word. */
inline roster_count() {
	said_roster = said_roster + 1;
	roster = said_roster /* {join.roster} */
}

inline join(zc) {
	cursor[zc] = 0;
#ifdef M_JOIN
	s = SEQ(head);
#endif
	d_step {
		said_on = said_on | 1 << zc;
		said_rel = said_rel | (REL & 1 << zc);
		said_roster++
	};
	roster = said_roster; /* {join.roster} */
#ifndef M_JOIN
	s = SEQ(head); /* {join.head} */
#endif
	if
	:: BIT(GRP, zc) && tail == 0 -> tail = s /* {join.tail} */
	:: BIT(GRP, zc) && tail != 0
	:: !BIT(GRP, zc) && BIT(REL, zc) -> cursor[zc] = s /* {join.cursor} */
	:: else -> s = 1
	fi;
	d_step { start[zc] = s; started[zc] = 1; joined[zc] = 1; s = 0 }
}

/* zoe_ring_close(). */
inline close() {
	do
	:: s = SEQ(head); /* {close.head} */
		e = 0;
		help(s);
		if
		:: ESEQ(e) == s
		:: else ->
			CAS(head, HEAD(s), HEAD(s) | 1, won); /* {close.bit} */
			if
			:: won -> break
			:: else
			fi
		fi
	od;
	atomic { s = 0; e = 0; v = 0; won = 0 }
}

/* The broker does one thing at a time. */
proctype B() {
	byte i, s, e, closes = CLOSE, demotes = DEMOTE;
	short v;
	bit won;

	do
	:: atomic { fin[0] && !rep[0] -> skip };
		if
		:: !CLOSED(head) -> repair(1)
		:: else
		fi;
		rep[0] = 1
#if NP > 1
	:: atomic { fin[1] && !rep[1] -> skip };
		if
		:: !CLOSED(head) -> repair(2)
		:: else
		fi;
		rep[1] = 1
#endif
#if LATE & 1
	:: atomic { !joined[0] -> skip }; join(0)
#endif
#if LATE & 2
	:: atomic { !joined[1] -> skip }; join(1)
#endif
#if CLOSE
	:: atomic { closes -> closes = 0 }; close()
#endif
#if DEMOTE
	:: atomic { demotes -> demotes = 0 };
		d_step { said_rel = said_rel & ~1; said_roster++; demoted[0] = 1 };
		roster = said_roster
#endif
#if KILLC
	:: atomic { gone[0] && !removed[0] -> removed[0] = 1; said_on = said_on & ~1; said_rel = said_rel & ~1; said_roster++ };
		roster = said_roster
#if NC > 1
	:: atomic { gone[1] && !removed[1] -> removed[1] = 1; said_on = said_on & ~2; said_rel = said_rel & ~2; said_roster++ };
		roster = said_roster
#endif
#endif
#ifdef M_EOF
	/* Its connection is gone, it is not: and it is taken for dead. */
	:: atomic { begun[0] && !fin[0] && !rep[0] -> skip }; repair(1); rep[0] = 1
#endif
#ifdef M_SUCCESSOR
	/* The next producer gets its turn while the last one is alive. */
	:: atomic { begun[0] && !fin[0] && !rep[0] -> rep[0] = 1 }
#endif
	:: atomic { QUIET && (LATE & 1) <= joined[0] && cdone == NC -> break }
	od;
	/* All is quiet: nothing is half done, and nothing was lost. */
	if
	:: CLOSED(head)
	:: else ->
		assert(com < SEQ(head));
		for (i : 0 .. NS - 1) {
			assert(state[i] == 0 || KIND(state[i]) == PUB)
		}
#if GRP && GRP == (GRP & REL) && !KILLC && !DEMOTE && !LOCAL
		for (i : 1 .. SEQ(head) - 1) {
			assert(BIT(got, i) || i < start[0])
		}
#endif
	fi
}

#if KILLP || KILLC
proctype X() {
#if KILLP
	if
	:: kill = 1
#if NP > 1
	:: (begun[1]); kill = 2
#endif
	:: skip
	fi;
#endif
#if KILLC
	if
	:: killc = 1
#if NC > 1
	:: killc = 2
#endif
	:: skip
	fi
#endif
}
#endif

#if TURNS
proctype Next() {
	(rep[0]);
	run P(1, F1)
}
#endif

init {
	atomic {
		byte c;

		for (c : 0 .. NC - 1) {
			if
			:: BIT(LATE, c)
			:: else ->
				said_on = said_on | 1 << c;
				said_rel = said_rel | (REL & 1 << c);
				start[c] = 1;
				cursor[c] = 1;
				tail = (BIT(GRP, c) -> 1 : tail);
				started[c] = 1;
				joined[c] = 1
			fi
		}
		c = 0;
		run P(0, F0);
#if TURNS
		run Next();
#elif NP > 1
		run P(1, F1);
#endif
		run C(0);
#if NC > 1
		run C(1);
#endif
#if RELEASER
		run R(0);
#if NC > 1
		run R(1);
#endif
#endif
		run B();
#if KILLP || KILLC
		run X()
#endif
	}
}
