/*
 * A bar with rate and time left, on standard error, of work that takes longer
 * than a second, when standard error is a terminal. Else nothing.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_PROGRESS_H
#define MUPDATECTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct ctl_progress {
    const char *what; /* "checking", at the begin of the line */
    const char *unit; /* "rows"; "MB": octets are counted and shown as megabytes */
    uint64_t total;   /* 0: not known */
    uint64_t next;    /* not before so much is done the clock is looked at */
    int64_t begun_ms;
    int64_t shown_ms; /* when the bar was drawn last */
    bool terminal;
    bool shown;
};

/* The texts must stay until the end. */
void ctl_progress_begin(struct ctl_progress *progress, const char *what, const char *unit,
                        uint64_t total);

/* So much is done in all. Cheap. */
void ctl_progress_step(struct ctl_progress *progress, uint64_t done);

/* Take the bar away; also before a message. It comes back with the next step. */
void ctl_progress_end(struct ctl_progress *progress);

/*
 * The line that is drawn, without its begin: "[####    ]  50 %  1.2 M rows/s  0:03 left". For
 * elapsed_ms since the begin. Returns text.
 */
const char *ctl_progress_text(const struct ctl_progress *progress, uint64_t done,
                              int64_t elapsed_ms, char *text, int size);

#endif
