/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_PROBE_H
#define ZOE_CORE_PROBE_H
/*
 * Static probes (USDT) of the provider "zoetrope", for bpftrace, perf and systemtap: what they tell
 * is in zoetrope-probes(7).
 * Owns:     nothing.
 * Threads:  any.
 * Includes: <sys/sdt.h> where it was there to build with, which is a header alone; else nothing.
 * A probe is one nop and a note that says where its arguments stand. Who is not traced pays the
 * nop: so an argument must be a value that is at hand, in a register or in memory.
 */
#ifdef HAVE_SDT
#include <sys/sdt.h>
#define ZOE_PROBE3(name, a, b, c) STAP_PROBE3(zoetrope, name, a, b, c)
#define ZOE_PROBE4(name, a, b, c, d) STAP_PROBE4(zoetrope, name, a, b, c, d)
#else
#define ZOE_PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define ZOE_PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif
#endif
