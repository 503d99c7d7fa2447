/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/table/allocations.h"

#include <stdbool.h>

/* The linker's names for the functions and for those that take their place. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *old);

static long countdown = -1;
static size_t refused;
static size_t live;

void allocations_fail_after(long count)
{
    countdown = count;
    refused = 0;
}

size_t allocations_refused(void)
{
    return refused;
}

size_t allocations_live(void)
{
    return live;
}

static bool refuse(void)
{
    if (countdown == 0) {
        refused++;
        return true;
    }
    if (countdown > 0)
        countdown--;
    return false;
}

static void *count(void *allocated)
{
    if (allocated != NULL)
        live++;
    return allocated;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t members, size_t size)
{
    return refuse() ? NULL : count(__real_calloc(members, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (refuse())
        return NULL;
    void *allocated = __real_realloc(old, size);
    return old == NULL ? count(allocated) : allocated;
}

void __wrap_free(void *old)
{
    if (old != NULL)
        live--;
    __real_free(old);
}
