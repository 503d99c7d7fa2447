/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/wipe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Cyrus-SASL's longest way down, to a sasldb or to saslauthd, takes about a third of it. */
#define STACK_BYTES 32768

void wipe_free(void *memory)
{
    if (!memory)
        return;
    explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

void *wipe_realloc(void *memory, size_t size)
{
    size_t held = memory ? malloc_usable_size(memory) : 0;
    void *moved = malloc(size);

    if (!moved)
        return NULL;
    if (memory)
        memcpy(moved, memory, held < size ? held : size);
    wipe_free(memory);
    return moved;
}

__attribute__((noinline)) void wipe_stack(void)
{
    char below[STACK_BYTES];

    explicit_bzero(below, sizeof below);
}
