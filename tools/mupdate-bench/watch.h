/*
 * Some of the changed rows, and which marks they may have at the end: a server
 * that acknowledges a change has kept it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_WATCH_H
#define MUPDATE_BENCH_WATCH_H

#include <stdint.h>

enum { WATCH_ROWS = 100 };

/* A row whose changes are watched from its first one on. */
struct watch_row {
    uint64_t row;
    uint64_t in_flight; /* changes of it that are not acknowledged */
    /*
     * The mark of the first change that was sent when none was in flight. It and
     * those after it may have been carried out in any order; all before are past.
     */
    uint64_t oldest; /* 0: no row is here */
};

/* What is all zero watches nothing yet. */
struct watch {
    struct watch_row rows[WATCH_ROWS];
};

/* A change of the row is sent. Marks, which are not 0, rise from one to the next. */
void watch_sent(struct watch *watch, uint64_t row, uint64_t mark);

/* A change of the row was acknowledged. A row that is not watched is no matter. */
void watch_done(struct watch *watch, uint64_t row);

#endif
