/* SPDX-License-Identifier: MIT */
#ifndef LABEL_H
#define LABEL_H
/*
 * Strangers' words, as they may stand in logs, status and error sentences.
 * Owns:     nothing.
 * Threads:  any.
 * Includes: libc only.
 */

/* Leaves UTF-8 without controls, and without marks that turn the direction of a text or hide; a '?'
 * for each byte of the rest. */
void label_clean(char *text);
#endif
