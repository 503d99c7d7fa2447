/*
 * What a monitoring system asks the daemon over HTTP (key metrics_listen): its
 * metrics, whether it lives, and whether it serves. mupdate-metrics(7).
 *
 * The HTTP server has a thread of its own (http.h says why). A request there
 * becomes a question to the loop, one at a time: the thread looks at the disk,
 * which may take its time, and waits; the loop makes the whole answer between two
 * other things that it does. Metrics may take a twentieth of the loop's time at
 * most, however often they are asked for: after each the thread waits for so long, up to a
 * second.
 *
 * Functions are for the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stddef.h>

#include "mupdated/config.h"

struct master;
struct metrics;

/* How long a question waits for the loop before it is answered that the loop hangs. */
#define METRICS_PATIENCE_MS 2000

/* The descriptors that are needed for it. */
size_t metrics_descriptors(const struct config *config);

/*
 * Take the address that the configuration names; nobody is listened to yet. NULL: there is none,
 * or it cannot be had, which is logged: mail goes on without it.
 */
struct metrics *metrics_bind(const struct config *config);

/*
 * Listen, from now until metrics_close(); the loop need not run yet. Whoever asks is told that the
 * master starts, until metrics_serve(), and from metrics_stopping() on that it stops. metrics may
 * be NULL, here and below.
 */
void metrics_start(struct metrics *metrics, struct master *master);
void metrics_serve(struct metrics *metrics);
void metrics_stopping(struct metrics *metrics);

/* Cut off who is connected. metrics is freed by the loop. */
void metrics_close(struct metrics *metrics);

#endif
