/*
 * What mupdatectl status makes of the object that mupdated answers.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_STATUS_H
#define MUPDATECTL_STATUS_H

#include <jansson.h>
#include <stdio.h>

/*
 * Write the screen: all of it, or, with rows, lists cut so that it has at most so many lines.
 */
void ctl_status_screen(FILE *file, const json_t *status, int rows);

/* What is worth a warning. */
struct ctl_status_limits {
    double lag_seconds;
    int64_t free_octets;
    int64_t reserved_us; /* a reservation older than this is stale */
};

/* As monitoring systems know them. */
enum ctl_status_verdict { CTL_STATUS_OK, CTL_STATUS_WARNING, CTL_STATUS_CRITICAL };

/*
 * Write one line, with the figures behind a bar as Nagios takes them. stale: reservations
 * that are older than the limit.
 */
enum ctl_status_verdict ctl_status_check(FILE *file, const json_t *status, int64_t stale,
                                         const struct ctl_status_limits *limits);

/* A number in the object: ctl_status_number(status, "table", "rows"). 0 if it is not there. */
int64_t ctl_status_number(const json_t *status, const char *group, const char *key);
double ctl_status_real(const json_t *status, const char *group, const char *key);

#endif
