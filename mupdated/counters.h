/*
 * What happened since the process started, counted where it happens. Plain
 * numbers of the loop's thread; they only grow. control/stats.h shows them.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_COUNTERS_H
#define MUPDATED_COUNTERS_H

#include <mupdate/server.h>

struct counters {
    uint64_t accepted;          /* connections taken */
    uint64_t turned_away;       /* and sent away at once, by a limit */
    uint64_t logins;
    uint64_t bad_logins;
    uint64_t commands[MUPDATE_SERVER_LOGOUT + 1]; /* by enum mupdate_server_event_type */
    uint64_t stored;            /* changes that became durable */
    uint64_t changes_refused;   /* answered NO */
    uint64_t changes_uncertain; /* closed without an answer */
    uint64_t subscriptions;     /* begun */
    uint64_t subscribers_lost;  /* dropped because they were too far behind */
};

#endif
