/*
 * What an import or an export does not take, and why: counted by reason, the first ones told,
 * and all of them written to a report when there is one.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_LEFT_OUT_H
#define MUPDATECTL_LEFT_OUT_H

#include <jansson.h>

#include "mupdated/table/row.h"
#include "tools/mupdatectl/output_file.h"

#define LEFT_OUT_REASONS 32
#define LEFT_OUT_FIRST 10

/* What tells all of an import's or an export's. */
#define LEFT_OUT_REPORT "--report writes all of them"

struct ctl_left_out {
    bool json;                /* the report: an object a line */
    struct ctl_output_file report;
    bool reporting;
    struct {
        const char *why;      /* static */
        uint64_t count;
    } reasons[LEFT_OUT_REASONS];
    size_t count;
    uint64_t total;
    uint64_t harmless;        /* of them: what is no mailbox */
    char *first[LEFT_OUT_FIRST]; /* lines of text */
};

/* report NULL: none. Exit status. */
int ctl_left_out_init(struct ctl_left_out *left, const char *report, bool json);

/*
 * Nothing more comes: with status 0 the report is made durable, else removed. Returns the exit
 * status of it all.
 */
int ctl_left_out_end(struct ctl_left_out *left, int status);
void ctl_left_out_free(struct ctl_left_out *left);

/*
 * where: "FILE:LINE" or so; why: static, in words; harmless: as it should be, nothing is lost by
 * it; other: more to be told, may be empty. Exit status.
 */
int ctl_left_out_add(struct ctl_left_out *left, const char *where, const char *why, bool harmless,
                     struct mupdate_text name, const char *other);

/*
 * How many by reason, and the first of them; nothing when there are none. all: what tells the
 * others, in words.
 */
void ctl_left_out_print(const struct ctl_left_out *left, const char *all, FILE *file);

/* How many of them may be wanted. */
uint64_t ctl_left_out_wanted(const struct ctl_left_out *left);

/* A list of {"reason": ..., "count": ...}; NULL: out of memory. */
json_t *ctl_left_out_json(const struct ctl_left_out *left);

#endif
