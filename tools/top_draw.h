/* SPDX-License-Identifier: MIT */
#ifndef TOP_DRAW_H
#define TOP_DRAW_H
/*
 * zoe top's picture: from what is known to characters on the terminal.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: top_screen.h; ncurses in top_draw.c.
 */
#include "top_screen.h"

/* Colours, if the terminal has them and the user wants any ($NO_COLOR). Returns: whether. */
bool draw_init_colours(void);

/* Draws all anew; the terminal gets the differences only. Scrolls so that the selected stream is
 * seen, and no further than there is something. */
void draw_screen(struct screen *screen);
#endif
