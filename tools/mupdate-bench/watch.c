/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "watch.h"

/* Rows are chosen at random, so the first that come to a place are a fair choice. */
static struct watch_row *place_of(struct watch *watch, uint64_t row)
{
    return &watch->rows[row % WATCH_ROWS];
}

void watch_sent(struct watch *watch, uint64_t row, uint64_t mark)
{
    struct watch_row *place = place_of(watch, row);
    if (place->oldest != 0 && place->row != row) {
        return;
    }
    place->row = row;
    place->oldest = place->in_flight == 0 ? mark : place->oldest;
    place->in_flight++;
}

void watch_done(struct watch *watch, uint64_t row)
{
    struct watch_row *place = place_of(watch, row);
    if (place->row == row && place->in_flight > 0) {
        place->in_flight--;
    }
}
