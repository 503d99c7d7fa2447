/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/feed/heal.h"

#include <stdlib.h>
#include <string.h>

enum round_state {
    ROUND_GATHERS, /* takes members */
    ROUND_LOOKS,
    ROUND_KNOWS,   /* its ranges are whole */
};

struct heal_round {
    enum round_state state;
    size_t members;
    uint64_t since;
    struct walk walk;           /* while it looks */
    struct departed_walk risks;
    bool in_range;
    struct buffer ranges;       /* the name before the first row, the last row's, and so on */
    bool is_cut;                /* they end where walk stands: the rest was not looked at */
};

struct heal {
    const struct table *table;
    struct departed *departed;
    size_t slice_rows;
    struct heal_round *gathers; /* or NULL, as the next */
    struct heal_round *looks;
    uint64_t looked;
};

struct heal *heal_new(const struct table *table, struct departed *departed, size_t slice_rows)
{
    struct heal *heal = calloc(1, sizeof *heal);

    if (!heal)
        return NULL;
    heal->table = table;
    heal->departed = departed;
    heal->slice_rows = slice_rows;
    return heal;
}

void heal_free(struct heal *heal)
{
    free(heal);
}

uint64_t heal_looks(const struct heal *heal)
{
    return heal->looked;
}

static struct mupdate_text buffer_text(const struct buffer *buffer)
{
    return (struct mupdate_text){(const char *)buffer_bytes(buffer), buffer_len(buffer)};
}

/* --- members --- */

bool heal_join(struct heal *heal, struct heal_member *member, uint64_t since)
{
    struct heal_round *round = heal->gathers;

    if (!round) {
        round = calloc(1, sizeof *round);
        if (!round)
            return false;
        round->since = since;
        heal->gathers = round;
    }
    if (round->since > since)
        round->since = since;
    round->members++;
    *member = (struct heal_member){.heal = heal, .round = round};
    return true;
}

void heal_leave(struct heal_member *member)
{
    struct heal_round *round = member->round;
    struct heal *heal = member->heal;

    if (!round)
        return;
    walk_close(&member->walk);
    departed_walk_end(&member->risks);
    *member = (struct heal_member){0};
    if (--round->members > 0)
        return;
    if (heal->gathers == round)
        heal->gathers = NULL;
    if (heal->looks == round)
        heal->looks = NULL;
    walk_close(&round->walk);
    departed_walk_end(&round->risks);
    buffer_free(&round->ranges);
    free(round);
}

/* --- looking --- */

static void put_name(struct buffer *ranges, struct mupdate_text name)
{
    buffer_append(ranges, &name.len, sizeof name.len);
    buffer_append(ranges, name.data, name.len);
}

static struct mupdate_text name_at(const struct buffer *ranges, size_t *passed)
{
    const uint8_t *at = buffer_bytes(ranges) + *passed;
    struct mupdate_text name;

    memcpy(&name.len, at, sizeof name.len);
    name.data = (const char *)at + sizeof name.len;
    *passed += sizeof name.len + name.len;
    return name;
}

static void begin_to_look(struct heal *heal)
{
    struct heal_round *round = heal->gathers;

    heal->gathers = NULL;
    heal->looks = round;
    heal->looked++;
    round->state = ROUND_LOOKS;
    departed_walk_start(&round->risks, heal->departed, round->since);
}

static void end_to_look(struct heal *heal, bool is_cut)
{
    struct heal_round *round = heal->looks;

    heal->looks = NULL;
    round->state = ROUND_KNOWS;
    round->is_cut = is_cut;
    if (!is_cut)
        departed_walk_end(&round->risks);
}

/* The row behind last: ranges begin and end where the risk does. */
static void look_at(struct heal_round *round, struct mupdate_text last, struct mupdate_text name)
{
    if (departed_walk_at_risk(&round->risks, name) == round->in_range)
        return;
    round->in_range = !round->in_range;
    put_name(&round->ranges, last);
}

static bool is_full(const struct heal_round *round)
{
    return !round->in_range && buffer_len(&round->ranges) >= HEAL_RANGES_BYTES;
}

static bool look(struct heal *heal)
{
    struct heal_round *round = heal->looks;
    /* Before the first row: no row has an empty name. */
    struct mupdate_text last = buffer_text(&round->walk.last);
    struct table_cursor cursor;
    struct row row;
    bool is_end = false;

    table_seek(heal->table, &last, &cursor);
    for (size_t rows = 0; rows < heal->slice_rows && !is_full(round); rows++) {
        is_end = !table_next(&cursor, &row);
        if (is_end)
            break;
        look_at(round, last, row.mupdate.name);
        last = row.mupdate.name;
    }
    if (is_end && round->in_range)
        put_name(&round->ranges, last);
    if (!walk_stand(&round->walk, last) || round->ranges.failed)
        return false;
    if (is_end || is_full(round))
        end_to_look(heal, !is_end);
    return true;
}

/* --- sending --- */

/* Set the member before its next range, or before the rest; false when there is none. */
static bool next_range(struct heal_member *member, bool *failed)
{
    struct heal_round *round = member->round;
    bool is_rest = member->passed == buffer_len(&round->ranges);

    if (is_rest && (!round->is_cut || member->risks.departed))
        return false;
    if (is_rest) {
        /* From where the round stands: from the beginning, it would pass all names at once. */
        departed_walk_copy(&member->risks, &round->risks);
        *failed = !walk_stand(&member->walk, buffer_text(&round->walk.last));
    } else {
        *failed = !walk_stand(&member->walk, name_at(&round->ranges, &member->passed));
        member->last = name_at(&round->ranges, &member->passed);
    }
    return true;
}

static bool is_in_range(const struct heal_member *member, struct mupdate_text name)
{
    return member->risks.departed ||
           order_compare(table_order(member->heal->table), name, member->last) <= 0;
}

/* Up to so many rows of the range. */
static enum walk_progress send_range(struct heal_member *member, struct mupdate_server *session,
                                     size_t *rows)
{
    struct mupdate_text last = buffer_text(&member->walk.last);
    enum walk_progress progress = WALK_MORE;
    struct table_cursor cursor;
    struct row row;

    table_seek(member->heal->table, &last, &cursor);
    for (; *rows > 0; --*rows) {
        const uint8_t *output;

        if (mupdate_server_output(session, &output) >= WALK_OUTPUT_BYTES) {
            progress = WALK_FULL;
            break;
        }
        if (!table_next(&cursor, &row) || !is_in_range(member, row.mupdate.name)) {
            progress = WALK_DONE;
            break;
        }
        last = row.mupdate.name;
        if (member->risks.departed && !departed_walk_at_risk(&member->risks, last))
            continue;
        if (!mupdate_server_row(session, &row.mupdate))
            return WALK_FAILED;
        member->sent_any = true;
    }
    return walk_stand(&member->walk, last) ? progress : WALK_FAILED;
}

static enum walk_progress send_ranges(struct heal_member *member, struct mupdate_server *session)
{
    size_t rows = member->heal->slice_rows;
    bool failed = false;

    while (rows > 0) {
        enum walk_progress progress;

        if (!member->walk.started && !next_range(member, &failed))
            return WALK_DONE;
        if (failed)
            return WALK_FAILED;
        progress = send_range(member, session, &rows);
        if (progress == WALK_FULL || progress == WALK_FAILED)
            return progress;
        if (progress == WALK_DONE) {
            member->walk.started = false;
            rows--; /* for having looked for it */
        }
    }
    return WALK_MORE;
}

enum walk_progress heal_run(struct heal_member *member, struct mupdate_server *session)
{
    struct heal *heal = member->heal;

    if (member->round->state == ROUND_KNOWS)
        return send_ranges(member, session);
    if (!heal->looks)
        begin_to_look(heal);
    return look(heal) ? WALK_MORE : WALK_FAILED;
}
