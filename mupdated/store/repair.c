/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/store/agree.h"
#include "mupdated/store/build.h"
#include "mupdated/store/private.h"

/* The later ones win where two are of the same change. */
enum origin { FROM_BASE, FROM_ROWS, FROM_CHANGES };

/* What something says that a name is. */
struct witness {
    const struct change *change;
    enum origin origin;
};

/* On what it rests that no row is missing. */
enum proof {
    PROOF_NONE,
    PROOF_ROWS,    /* all rows could be read */
    PROOF_CHANGES, /* the log of changes reaches back to the begin of everything */
    PROOF_BASE,    /* it reaches back to the dump or backup */
};

struct repair {
    const struct repair_options *options;
    struct repair_summary *summary;
    struct store_error *error;
    struct salvage salvage;
    struct salvage_list base;
    struct witness *witnesses;
    size_t count;
    size_t log_begin; /* index of the first change behind which none is missing */
    uint64_t first;   /* its number; last + 1 when there is none */
    uint64_t last;
    enum proof proof;
    bool doubtful;
};

__attribute__((format(printf, 3, 4))) static void tell(struct repair *repair, bool lost,
                                                      const char *format, ...)
{
    char text[768];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (lost)
        repair->doubtful = true;
    repair->options->said(repair->options->context, lost, text);
}

static void on_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    const struct repair *repair = context;

    if (repair->options->progress)
        repair->options->progress(repair->options->context, what, done, total);
}

/* What is said while the table is read: what is lost there may make the new one another. */
static void on_said(void *context, bool lost, const char *text)
{
    tell(context, lost, "%s", text);
}

__attribute__((format(printf, 3, 4))) static enum store_result
refuse(struct repair *repair, enum store_result result, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(repair->error->text, sizeof repair->error->text, format, arguments);
    va_end(arguments);
    (void)snprintf(repair->error->reason, sizeof repair->error->reason, "it cannot be repaired");
    repair->error->again = false;
    return result;
}

static enum store_result no_memory(struct repair *repair)
{
    return refuse(repair, STORE_REFUSED, "%s", strerror(ENOMEM));
}

/* --- what is known of the log of changes --- */

/* The changes up to the last one without a gap, and what the last one is. */
static void measure_log(struct repair *repair)
{
    const struct salvage *salvage = &repair->salvage;
    struct change *const *changes = salvage->changes.changes;
    size_t count = salvage->changes.count;
    uint64_t seen = salvage->meta.base;

    if (count && changes[count - 1]->now.sequence > seen)
        seen = changes[count - 1]->now.sequence;
    repair->log_begin = count;
    if (count && salvage->end_is_known && changes[count - 1]->now.sequence > salvage->meta.base) {
        repair->log_begin = count - 1;
        while (repair->log_begin > 0 &&
               changes[repair->log_begin - 1]->now.sequence + 1 ==
                   changes[repair->log_begin]->now.sequence &&
               changes[repair->log_begin - 1]->now.sequence > salvage->meta.base)
            repair->log_begin--;
    }
    repair->last = seen;
    repair->first = repair->log_begin < count ? changes[repair->log_begin]->now.sequence : seen + 1;
    if (!salvage->end_is_known) {
        tell(repair, true,
            "the end of the log of changes cannot be read; %" PRIu64
            " is the last change that can: later ones may be lost",
            seen);
    } else if (repair->log_begin > 0) {
        tell(repair, false, "changes up to %" PRIu64 " are missing in part and are left out",
            repair->first - 1);
    }
    for (size_t i = 0; i < salvage->rows.count; i++)
        if (salvage->rows.changes[i]->now.sequence > repair->last)
            repair->last = salvage->rows.changes[i]->now.sequence;
    if (repair->last > seen && salvage->end_is_known)
        tell(repair, true,
            "there are rows of up to change %" PRIu64 ", and the log of changes ends at %" PRIu64,
            repair->last, seen);
}

static bool base_is_of_this_table(const struct repair *repair)
{
    const struct repair_base *base = repair->options->base;

    return repair->salvage.meta.has_history &&
           memcmp(repair->salvage.meta.history, base->history, STORE_HISTORY_BYTES) == 0;
}

/* What all rows must be. False: nothing that can be read tells. */
static bool told_digest(const struct repair *repair, struct digest *digest)
{
    const struct salvage_list *changes = &repair->salvage.changes;
    const struct change *last = changes->count ? changes->changes[changes->count - 1] : NULL;

    if (!repair->salvage.end_is_known)
        return false;
    if (!last)
        return meta_digest(&repair->salvage.meta, digest);
    *digest = last->digest;
    return last->has_digest;
}

/* Whether the rows that could be read, which are all that there are, are those that must be. */
static bool rows_are_right(const struct repair *repair)
{
    const struct salvage_list *rows = &repair->salvage.rows;
    struct digest must;
    struct digest are = {0};

    if (!told_digest(repair, &must))
        return true;
    for (size_t i = 0; i < rows->count; i++)
        digest_add(&are, &rows->changes[i]->now.mupdate);
    return digest_equal(&are, &must);
}

static enum store_result choose_proof(struct repair *repair)
{
    const struct salvage *salvage = &repair->salvage;
    const struct repair_base *base = repair->options->base;
    bool reaches_begin = repair->first == 1 && salvage->end_is_known && salvage->meta.base == 0 &&
                         salvage->identified;
    bool reaches_base = base && base_is_of_this_table(repair) &&
                        base->sequence + 1 >= repair->first && base->sequence <= repair->last &&
                        salvage->end_is_known;

    if (base && salvage->meta.has_history && !base_is_of_this_table(repair))
        return refuse(repair, STORE_BROKEN,
                      "the dump or backup is of another history: its changes are not those of "
                      "this table; use it with mupdatectl load or restore");
    /* Nothing tells whether rows or changes are wrong: a disk may have lost a write of either. */
    if (salvage->rows_are_whole && !rows_are_right(repair))
        tell(repair, true,
            "the rows are not those that the last change left: rows are missing, wrong or too "
            "many, or changes are missing behind change %" PRIu64, repair->last);
    else if (salvage->rows_are_whole)
        repair->proof = PROOF_ROWS;
    else if (reaches_begin)
        repair->proof = PROOF_CHANGES;
    else if (reaches_base)
        repair->proof = PROOF_BASE;
    if (base && (repair->proof == PROOF_ROWS || repair->proof == PROOF_CHANGES))
        tell(repair, false, "the dump or backup is not needed");
    if (repair->proof == PROOF_NONE && !reaches_begin && !reaches_base)
        tell(repair, true,
            base ? "rows may be lost, or be there that were deleted: the log of changes does not "
                   "reach back to the dump or backup"
                 : "rows may be lost that were made before change %" PRIu64
                   ": a dump or backup of the same history from after that has them (--dump, "
                   "--backup)",
            repair->first);
    return STORE_OK;
}

/* --- rows --- */

static enum store_result read_base(struct repair *repair)
{
    const struct repair_base *base = repair->options->base;
    struct row row;

    while (base->next(base->context, &row, &repair->summary->base_status)) {
        struct change change = {.now = row};

        if (!salvage_list_add(&repair->base, &change))
            return no_memory(repair);
        if (row.sequence > repair->last)
            repair->last = row.sequence;
    }
    return repair->summary->base_status == 0
               ? STORE_OK
               : refuse(repair, STORE_REFUSED, "the dump or backup cannot be read");
}

static void add_witnesses(struct repair *repair, const struct salvage_list *list,
                          enum origin origin)
{
    for (size_t i = 0; i < list->count; i++)
        repair->witnesses[repair->count++] = (struct witness){list->changes[i], origin};
}

/* By name; the newest first. */
static int compare_witnesses(const void *a, const void *b)
{
    const struct witness *left = a;
    const struct witness *right = b;
    const struct row *one = &left->change->now;
    const struct row *other = &right->change->now;
    int order = text_compare(one->mupdate.name, other->mupdate.name);

    if (order == 0)
        order = (one->sequence < other->sequence) - (one->sequence > other->sequence);
    return order ? order : (int)right->origin - (int)left->origin;
}

static enum store_result gather(struct repair *repair)
{
    const struct salvage *salvage = &repair->salvage;
    enum store_result result = STORE_OK;

    if (repair->options->base &&
        (repair->proof == PROOF_BASE || repair->proof == PROOF_NONE))
        result = read_base(repair);
    if (result != STORE_OK)
        return result;
    repair->witnesses = calloc(salvage->rows.count + salvage->changes.count + repair->base.count +
                                   1,
                               sizeof *repair->witnesses);
    if (!repair->witnesses)
        return no_memory(repair);
    add_witnesses(repair, &salvage->rows, FROM_ROWS);
    add_witnesses(repair, &salvage->changes, FROM_CHANGES);
    add_witnesses(repair, &repair->base, FROM_BASE);
    if (repair->count)
        qsort(repair->witnesses, repair->count, sizeof *repair->witnesses, compare_witnesses);
    return repair->count || salvage->identified
               ? STORE_OK
               : refuse(repair, STORE_ABSENT,
                        "nothing that could be read is left of the table: see mupdatectl restore "
                        "and load");
}

static bool same_row(const struct row *a, const struct row *b)
{
    return a->mupdate.state == b->mupdate.state && a->time_us == b->time_us &&
           text_equal(a->mupdate.location, b->mupdate.location) &&
           text_equal(a->mupdate.acl, b->mupdate.acl) && text_equal(a->who, b->who);
}

/* All that is said of one name, the newest first. */
struct name_witnesses {
    const struct witness *row;    /* the newest of each origin; NULL: none */
    const struct witness *change;
    const struct witness *base;
};

/*
 * Whether a row of the old table cannot be: all changes that could have made it are known. NULL
 * when it can.
 */
static const char *row_is_wrong(const struct repair *repair, const struct name_witnesses *all)
{
    const struct row *row = &all->row->change->now;
    const struct row *change = all->change ? &all->change->change->now : NULL;

    if (change && change->sequence == row->sequence)
        return same_row(row, change) ? NULL : "it is not what its newest change made it";
    if (change && change->sequence > row->sequence)
        return change->mupdate.state == MUPDATE_ABSENT ? "its newest change deleted it"
                                                       : "it is older than its newest change";
    if (repair->salvage.end_is_known && row->sequence >= repair->first)
        return "no change made it";
    return NULL;
}

/* The newer one of two, of which either may be NULL; the first when they are of the same change. */
static const struct witness *newer(const struct witness *one, const struct witness *other)
{
    if (!one || !other)
        return one ? one : other;
    return one->change->now.sequence >= other->change->now.sequence ? one : other;
}

/* Rows and log were recovered together, all rows could be read, and yet they contradict. */
static void check_contradiction(struct repair *repair, const struct name_witnesses *all,
                                const char *wrong)
{
    char quoted[160];

    if (!repair->salvage.rows_are_whole)
        return;
    if (!all->row && all->change && all->change->change->now.mupdate.state != MUPDATE_ABSENT &&
        all->change->change->now.sequence >= repair->first)
        wrong = "it is missing";
    if (wrong)
        tell(repair, true, "row %s: %s; the log of changes is believed",
            store_quote((all->row ? all->row : all->change)->change->now.mupdate.name, quoted,
                        sizeof quoted),
            wrong);
}

/*
 * What the log of changes tells of a name; NULL: nothing. Behind a change before a gap there may
 * have been another, such as a deletion: where all else is sure only a row that it contradicts
 * makes it count.
 */
static const struct witness *told_by_log(const struct repair *repair,
                                         const struct name_witnesses *all, const char *wrong)
{
    const struct witness *change = all->change;
    bool sure = repair->proof != PROOF_NONE && repair->salvage.log_is_whole;

    if (!change || !sure || change->change->now.sequence >= repair->first ||
        (wrong && repair->proof == PROOF_ROWS))
        return change;
    return NULL;
}

/* What a name is in the new table; NULL: it is not there. */
static const struct witness *decide(struct repair *repair, const struct name_witnesses *all)
{
    struct repair_summary *summary = repair->summary;
    const char *wrong = all->row ? row_is_wrong(repair, all) : NULL;
    const struct witness *chosen = newer(told_by_log(repair, all, wrong), all->base);
    bool row_counts = repair->proof == PROOF_ROWS || repair->proof == PROOF_NONE;
    bool kept;

    check_contradiction(repair, all, wrong);
    if (all->row && !wrong && row_counts)
        chosen = newer(all->row, chosen);
    if (chosen && chosen->change->now.mupdate.state == MUPDATE_ABSENT)
        chosen = NULL;
    kept = chosen && all->row && !wrong &&
           all->row->change->now.sequence == chosen->change->now.sequence;
    summary->dropped += all->row && !chosen;
    summary->rows += chosen != NULL;
    summary->kept += kept;
    summary->from_log += chosen && !kept && chosen->origin == FROM_CHANGES;
    summary->from_base += chosen && !kept && chosen->origin == FROM_BASE;
    return chosen;
}

/* The next name: *at is moved behind it. */
static struct name_witnesses take_name(const struct repair *repair, size_t *at)
{
    struct name_witnesses all = {NULL, NULL, NULL};
    struct mupdate_text name = repair->witnesses[*at].change->now.mupdate.name;

    for (; *at < repair->count &&
           text_equal(repair->witnesses[*at].change->now.mupdate.name, name);
         ++*at) {
        const struct witness *witness = &repair->witnesses[*at];
        const struct witness **place = witness->origin == FROM_ROWS      ? &all.row
                                       : witness->origin == FROM_CHANGES ? &all.change
                                                                         : &all.base;

        if (!*place)
            *place = witness;
    }
    return all;
}

/* Leave the witnesses that become rows. */
static void decide_all(struct repair *repair)
{
    size_t rows = 0;
    size_t at = 0;

    while (at < repair->count) {
        struct name_witnesses all = take_name(repair, &at);
        const struct witness *chosen = decide(repair, &all);

        if (chosen)
            repair->witnesses[rows++] = *chosen;
    }
    repair->count = rows;
}

/* --- the new table --- */

static bool on_disagreement(void *context, enum agree_about about, struct mupdate_text name,
                            uint64_t sequence, const char *wrong)
{
    char quoted[160];

    if (about == AGREE_ROWS)
        tell(context, true, "the new table: %s", wrong);
    else if (about == AGREE_ROW)
        tell(context, true, "row %s: %s", store_quote(name, quoted, sizeof quoted), wrong);
    else
        tell(context, true, "change %" PRIu64 ": %s", sequence, wrong);
    return true;
}

/* Whether the changes that are left agree with each other and with the rows. */
static enum store_result check_agreement(struct repair *repair)
{
    const struct salvage_list *changes = &repair->salvage.changes;
    struct digest begin;
    bool is_told = meta_digest(&repair->salvage.meta, &begin);
    struct agree *agree =
        agree_new(repair->first, is_told ? &begin : NULL, on_disagreement, repair);
    int code = agree ? 0 : ENOMEM;

    for (size_t i = repair->log_begin; i < changes->count && code == 0; i++)
        code = agree_change(agree, changes->changes[i]);
    for (size_t i = 0; i < repair->count && code == 0; i++)
        code = agree_row(agree, &repair->witnesses[i].change->now);
    if (code == 0)
        code = agree_missing(agree);
    if (code == 0)
        code = agree_digest(agree);
    agree_free(agree);
    return code == 0 ? STORE_OK : no_memory(repair);
}

static enum store_result build(struct repair *repair)
{
    const struct salvage *salvage = &repair->salvage;
    struct repair_summary *summary = repair->summary;
    struct store_build *build;
    enum store_result result =
        store_build_begin(&build, repair->options->target, repair->last, repair->error);

    for (size_t i = 0; i < repair->count && result == STORE_OK; i++) {
        on_progress(repair, "building", i, repair->count);
        result = store_build_row(build, &repair->witnesses[i].change->now, repair->error);
    }
    if (result == STORE_OK && summary->same) {
        struct store_position position = {.term = salvage->meta.term};

        memcpy(position.history, salvage->meta.history, STORE_HISTORY_BYTES);
        for (size_t i = repair->log_begin; i < salvage->changes.count && result == STORE_OK; i++)
            result = store_build_change(build, salvage->changes.changes[i], repair->error);
        store_build_same(build, &position, salvage->meta.base, salvage->meta.confirmed);
        summary->changes = salvage->changes.count - repair->log_begin;
    }
    if (result == STORE_OK)
        return store_build_end(build, repair->error);
    store_build_abandon(build);
    return result;
}

static enum store_result make(struct repair *repair)
{
    enum store_result result = choose_proof(repair);

    if (result == STORE_OK)
        result = gather(repair);
    if (result != STORE_OK)
        return result;
    decide_all(repair);
    if (repair->salvage.end_is_known)
        result = check_agreement(repair);
    if (result != STORE_OK)
        return result;
    repair->summary->last = repair->last;
    repair->summary->same = !repair->doubtful;
    repair->summary->confirmed = repair->summary->same && repair->salvage.meta.confirmed;
    return build(repair);
}

enum store_result store_repair(const struct repair_options *options,
                               struct repair_summary *summary, struct store_error *error)
{
    struct repair repair = {.options = options, .summary = summary, .error = error};
    enum store_result result;

    memset(summary, 0, sizeof *summary);
    repair.salvage = (struct salvage){.directory = options->directory,
                                      .work = options->work,
                                      .policy = options->policy,
                                      .said = on_said,
                                      .progress = on_progress,
                                      .context = &repair};
    result = salvage_read(&repair.salvage, error);
    if (result != STORE_OK)
        return result;
    measure_log(&repair);
    result = make(&repair);
    free(repair.witnesses);
    for (size_t i = 0; i < repair.base.count; i++)
        free(repair.base.changes[i]);
    free(repair.base.changes);
    salvage_free(&repair.salvage);
    return result;
}
