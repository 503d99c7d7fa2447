/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/reserve.h"

#include <stdlib.h>

#include "mupdated/log.h"

static void *held;
static bool missing;
static size_t allowed_bytes; /* since the last look */

/* The compiler may leave out a malloc() of which it sees nothing but the free(). */
static bool is_there(size_t bytes)
{
    void *volatile probe = malloc(bytes);
    bool there = probe != NULL;

    free(probe);
    return there;
}

static void note_missing(bool now)
{
    if (now && !missing)
        log_error("memory: changes and new connections are being refused: none is left for them");
    else if (!now && missing)
        log_notice("memory: changes and new connections are taken again");
    missing = now;
}

bool reserve_allows(size_t bytes)
{
    allowed_bytes += bytes;
    if (held && !missing && allowed_bytes < RESERVE_STEP_BYTES)
        return true;
    allowed_bytes = 0;
    if (!held)
        held = malloc(RESERVE_BYTES);
    note_missing(!held || !is_there(RESERVE_BYTES));
    return !missing;
}

bool reserve_spend(void)
{
    bool spent = held != NULL;

    free(held);
    held = NULL;
    return spent;
}
