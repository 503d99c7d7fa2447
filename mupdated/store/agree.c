/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/agree.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

/* The newest change of a name, as far as the log was read. */
struct newest {
    struct change *change;
    bool seen; /* its row came */
};

struct gap {
    uint64_t from;
    uint64_t to;
};

struct agree {
    uint64_t first;
    agree_found *found;
    void *context;
    void *names; /* of struct newest, for tsearch() */
    struct gap *gaps; /* in order */
    size_t gap_count;
    uint64_t last; /* change */
    bool has_digest;
    struct digest must; /* what the last change tells of all rows */
    struct digest rows; /* that came */
    uint64_t term;
    int64_t time_us;
    int code; /* of the walk */
};

static _Thread_local struct agree *walking; /* twalk_r() is not in every C library */

static int compare(const void *a, const void *b)
{
    const struct newest *left = a;
    const struct newest *right = b;

    return text_compare(left->change->now.mupdate.name, right->change->now.mupdate.name);
}

struct agree *agree_new(uint64_t first, const struct digest *begin, agree_found *found,
                        void *context)
{
    struct agree *agree = calloc(1, sizeof *agree);

    if (!agree)
        return NULL;
    agree->first = first;
    agree->last = first - 1;
    agree->has_digest = begin;
    if (begin)
        agree->must = *begin;
    agree->found = found;
    agree->context = context;
    agree->time_us = INT64_MIN;
    return agree;
}

static void newest_free(void *node)
{
    struct newest *newest = node;

    free(newest->change);
    free(newest);
}

void agree_free(struct agree *agree)
{
    if (!agree)
        return;
    tdestroy(agree->names, newest_free);
    free(agree->gaps);
    free(agree);
}

int agree_gap(struct agree *agree, uint64_t from, uint64_t to)
{
    struct gap *larger;

    if (agree->gap_count && agree->gaps[agree->gap_count - 1].to + 1 == from) {
        agree->gaps[agree->gap_count - 1].to = to;
        return 0;
    }
    larger = realloc(agree->gaps, (agree->gap_count + 1) * sizeof *larger);
    if (!larger)
        return ENOMEM;
    agree->gaps = larger;
    agree->gaps[agree->gap_count++] = (struct gap){from, to};
    return 0;
}

/* Whether a change behind one number, up to another, could not be read. */
static bool gap_between(const struct agree *agree, uint64_t behind, uint64_t to)
{
    for (size_t i = agree->gap_count; i-- > 0;)
        if (agree->gaps[i].from <= to && agree->gaps[i].to > behind)
            return true;
    return false;
}

static int wrong_change(const struct agree *agree, const struct change *change, const char *wrong)
{
    return agree->found(agree->context, AGREE_CHANGE, change->now.mupdate.name,
                        change->now.sequence, wrong)
               ? 0
               : ECANCELED;
}

static int wrong_row(const struct agree *agree, const struct row *row, const char *wrong)
{
    return agree->found(agree->context, AGREE_ROW, row->mupdate.name, row->sequence, wrong)
               ? 0
               : ECANCELED;
}

/* before: the last change of the same name, NULL when there is none. */
static int check_start(const struct agree *agree, const struct change *before,
                       const struct change *change)
{
    const struct row *was = before ? &before->now : NULL;

    if (gap_between(agree, was ? was->sequence : 0, change->now.sequence))
        return 0;
    if (!was) {
        /* Of a log that was never trimmed the begin of everything is known. */
        return agree->first != 1 || change->old_state == MUPDATE_ABSENT
                   ? 0
                   : wrong_change(agree, change,
                                  "it does not start from nothing, and is the first of its name");
    }
    if (was->mupdate.state == change->old_state &&
        (was->mupdate.state == MUPDATE_ABSENT ||
         text_equal(was->mupdate.location, change->old_location)))
        return 0;
    return wrong_change(agree, change, "it does not start from what the change before it left");
}

int agree_change(struct agree *agree, const struct change *change)
{
    struct newest *newest;
    struct newest **place;
    int code = 0;

    if (change->term < agree->term)
        code = wrong_change(agree, change, "its term goes back");
    else if (change->now.time_us < agree->time_us)
        code = wrong_change(agree, change, "its time goes back");
    if (code != 0)
        return code;
    agree->last = change->now.sequence;
    agree->has_digest = change->has_digest;
    agree->must = change->digest;
    agree->term = change->term;
    agree->time_us = change->now.time_us;

    newest = calloc(1, sizeof *newest);
    if (newest)
        newest->change = change_copy(change);
    place = newest && newest->change ? tsearch(newest, &agree->names, compare) : NULL;
    if (!place) {
        if (newest)
            newest_free(newest);
        return ENOMEM;
    }
    if (*place == newest)
        return check_start(agree, NULL, change);
    code = check_start(agree, (*place)->change, change);
    newest_free(*place);
    *place = newest;
    return code;
}

static bool same_row(const struct row *a, const struct row *b)
{
    return a->mupdate.state == b->mupdate.state && a->time_us == b->time_us &&
           text_equal(a->mupdate.location, b->mupdate.location) &&
           text_equal(a->mupdate.acl, b->mupdate.acl) && text_equal(a->who, b->who);
}

int agree_row(struct agree *agree, const struct row *row)
{
    struct change change = {.now = *row};
    struct newest key = {.change = &change};
    struct newest **place = tfind(&key, &agree->names, compare);
    const struct row *now;

    digest_add(&agree->rows, &row->mupdate);
    if (!place) {
        return row->sequence < agree->first ||
                       gap_between(agree, row->sequence - 1, row->sequence)
                   ? 0
                   : wrong_row(agree, row, "the change that made it is of another name");
    }
    now = &(*place)->change->now;
    (*place)->seen = true;
    /* It may be from a change that cannot be read. */
    if (row->sequence > now->sequence && gap_between(agree, row->sequence - 1, row->sequence))
        return 0;
    if (now->mupdate.state == MUPDATE_ABSENT)
        return wrong_row(agree, row, "its newest change deleted it");
    if (now->sequence != row->sequence)
        return wrong_row(agree, row, "it is not from the newest change of its name");
    return same_row(row, now) ? 0
                              : wrong_row(agree, row, "it is not what its newest change made it");
}

static void look_whether_missing(const void *node, VISIT visit, int depth)
{
    const struct newest *newest = *(struct newest *const *)node;
    const struct row *now = &newest->change->now;

    (void)depth;
    if ((visit != postorder && visit != leaf) || walking->code != 0 || newest->seen ||
        now->mupdate.state == MUPDATE_ABSENT ||
        gap_between(walking, now->sequence, UINT64_MAX))
        return;
    walking->code = wrong_row(walking, now, "it is missing, and the log of changes has it");
}

int agree_missing(struct agree *agree)
{
    agree->code = 0;
    walking = agree;
    twalk(agree->names, look_whether_missing);
    walking = NULL;
    return agree->code;
}

int agree_digest(struct agree *agree)
{
    char text[DIGEST_TEXT_BYTES];

    if (!agree->has_digest || gap_between(agree, agree->last, UINT64_MAX) ||
        digest_equal(&agree->rows, &agree->must))
        return 0;
    digest_explain(&agree->rows, &agree->must, text);
    return agree->found(agree->context, AGREE_ROWS, (struct mupdate_text){NULL, 0}, agree->last,
                        text)
               ? 0
               : ECANCELED;
}
