/*
 * Whether the master lives, and whether it serves, in a status of HTTP and one
 * line. Pure: any thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef METRICS_VERDICT_H
#define METRICS_VERDICT_H

#include "mupdated/control/stats.h"
#include "wire/buffer.h"

#define VERDICT_OK 200
#define VERDICT_UNAVAILABLE 503

/* How long one batch may take before the writer counts as dead: a disk that does not answer. */
#define VERDICT_BATCH_SECONDS 30

/* How long after a change that could not be stored the master does not count as ready. */
#define VERDICT_REFUSED_SECONDS 60

struct verdict_figures {
    bool confirmed;
    struct writer_stats writer;
    struct stats_disk disk; /* all zero: it could not be asked, and counts as good */
    uint64_t now_ns;        /* of uv_hrtime() */
};

/* Append a line to body. Returns status. */
__attribute__((format(printf, 3, 4)))
unsigned verdict_say(struct buffer *body, unsigned status, const char *format, ...);

/* The writer lives. Appends a line; returns VERDICT_OK or VERDICT_UNAVAILABLE. */
unsigned verdict_health(const struct verdict_figures *figures, struct buffer *body);

/* It does, and questions and changes are answered. As above. */
unsigned verdict_ready(const struct verdict_figures *figures, struct buffer *body);

#endif
