/* SPDX-License-Identifier: MIT */
#ifndef LOOP_H
#define LOOP_H
/*
 * libev as the daemon uses it, without its names of old.
 * Includes: <ev.h>, which no other file of the daemon includes.
 */
#define EV_COMPAT3 0
#include <ev.h>
#endif
