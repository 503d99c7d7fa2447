/*
 * Subscribers on the side of a measurement, in a process of their own so that
 * they take none of the measuring loop's time. They check what they are sent, too.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_SIDE_H
#define MUPDATE_BENCH_SIDE_H

#include <sys/types.h>

#include "options.h"

/* What they brought about. */
struct side_result {
    uint64_t dumps;  /* complete ones */
    uint64_t octets; /* of dumps and streams */
    uint64_t rows;   /* of the streams that follow the dumps */
    uint64_t closed; /* how often the server gave up one that was slow or stuck */
};

struct side {
    pid_t pid;
    int orders;
    int answers;
};

/*
 * Make the process, with options->subscribers subscribers that do nothing yet.
 * To be called before connections are made, so that it does not hold them. It
 * ends with this process. SIDE_FOLLOW: the last change has the mark last.
 */
void side_open(struct side *side, const struct options *options, enum side_kind kind,
               uint64_t last);

/* Let them begin, and return when all have sent UPDATE (SIDE_FOLLOW: have the table). */
void side_begin(struct side *side);

/*
 * End them, SIDE_FOLLOW when each was sent the last change. Ends the process if
 * one of them got a wrong answer.
 */
void side_end(struct side *side, struct side_result *result);

#endif
