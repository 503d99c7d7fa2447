/*
 * Counts the allocations of the code under test and makes them fail: the unit
 * tests are linked with --wrap for malloc(), calloc(), realloc() and free().
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

#include <stddef.h>

/* Let so many allocations succeed and all after them fail; -1: none fails. */
void allocations_fail_after(long count);

/* How many allocations were refused since allocations_fail_after(). */
size_t allocations_refused(void);

/* Allocations that were not freed yet. */
size_t allocations_live(void);

#endif
