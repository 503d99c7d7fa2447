/*
 * Memory that may have held a password, given back.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef WIRE_WIPE_H
#define WIRE_WIPE_H

#include <stddef.h>

/* As free() and realloc(), with all that is given back overwritten before. */
void wipe_free(void *memory);
void *wipe_realloc(void *memory, size_t size);

/*
 * Overwrite the stack where the functions that were called last had theirs. For
 * libraries that leave passwords in local variables.
 */
void wipe_stack(void);

#endif
