/*
 * Free a reserved name. It is deleted by the writer as any other row is, if it is still the
 * reservation that was looked at.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mupdated/control/json.h"
#include "mupdated/control/requests.h"
#include "mupdated/log.h"
#include "mupdated/net/audit.h"
#include "mupdated/reserve.h"

/* A change and its request, without their texts. */
#define CHANGE_BYTES 2048

struct release_task {
    struct control_task task;
    struct control_session *session; /* NULL: its client is gone */
    struct master *master;
    bool decided;
    enum writer_result result;
    char text[RULE_TEXT_BYTES];
    char who[sizeof((struct control_session *)0)->who + 16];
};

static void on_stored(void *owner, const struct writer_request *request)
{
    const struct release_task *releasing = owner;
    const struct table *table = releasing->master->table;
    const struct change *change = request->change;
    struct row old = {.mupdate.state = MUPDATE_ABSENT};

    if (releasing->master->config->audit)
        audit_operator_change(releasing->who, request, table);
    (void)table_find(table, change->now.mupdate.name, &old);
    log_notice("released: mailbox=%s location=%s reserved_by=%s reserved=%llu sequence=%llu by=%s",
               LOG_VALUE(old.mupdate.name.data, old.mupdate.name.len),
               LOG_VALUE(old.mupdate.location.data, old.mupdate.location.len),
               LOG_VALUE(old.who.data, old.who.len), (unsigned long long)old.sequence,
               (unsigned long long)change->now.sequence, releasing->who);
}

static void on_decided(void *owner, const struct writer_request *request)
{
    struct release_task *releasing = owner;

    releasing->decided = true;
    releasing->result = request->result;
    memcpy(releasing->text, request->text, sizeof releasing->text);
    if (releasing->session)
        control_session_wake(releasing->session);
    else
        free(releasing);
}

static const struct writer_answer answer = {.stored = on_stored, .decided = on_decided};

static enum control_progress run(struct control_task *task, struct control_session *session)
{
    const struct release_task *releasing = (const struct release_task *)task;
    bool said = false;

    if (!releasing->decided)
        return CONTROL_WAIT;
    switch (releasing->result) {
    case WRITER_OK:
        said = control_say(session, json_pack("{s:b}", "released", 1), false);
        break;
    case WRITER_NO:
    case WRITER_FORBIDDEN:
        said = control_refuse(session, "refused", releasing->text);
        break;
    case WRITER_UNCERTAIN:
        said = control_refuse(session, "store", "the store does not know whether it is released");
        break;
    }
    return said ? CONTROL_DONE : CONTROL_FAILED;
}

static void close_task(struct control_task *task)
{
    struct release_task *releasing = (struct release_task *)task;

    releasing->session = NULL;
    if (releasing->decided)
        free(releasing);
}

/* Why it is not to be released; NULL when it is, with *sequence. */
static const char *look(const struct master *master, struct mupdate_text name, int64_t before_us,
                        uint64_t *sequence)
{
    struct row row;

    if (!table_find(master->table, name, &row))
        return "there is no such mailbox";
    if (row.mupdate.state != MUPDATE_RESERVED)
        return "it is not reserved: it is active";
    if (row.time_us > before_us)
        return "it was reserved later than that";
    if (!master->writer)
        return "mupdated takes no changes at this moment";
    *sequence = row.sequence;
    return NULL;
}

/* False: out of memory. */
static bool submit(struct control_session *session, struct mupdate_text name, uint64_t sequence)
{
    struct master *master = session->master;
    const struct rule_request rule = {
        .verb = MUPDATE_DELETE,
        .name = name,
        .writes = {.all = true},
    };
    struct release_task *releasing = calloc(1, sizeof *releasing);
    struct writer_request *request = NULL;

    if (!releasing)
        return false;
    (void)snprintf(releasing->who, sizeof releasing->who, "control:%s", session->who);
    if (reserve_allows(CHANGE_BYTES + name.len))
        request = writer_request_new(
            &rule, (struct mupdate_text){releasing->who, strlen(releasing->who)}, releasing);
    if (!request) {
        free(releasing);
        return false;
    }
    request->answer = &answer;
    request->only_sequence = sequence;
    releasing->task.run = run;
    releasing->task.close = close_task;
    releasing->session = session;
    releasing->master = master;
    writer_submit(master->writer, request);
    control_session_begin(session, &releasing->task);
    return true;
}

bool control_release(struct control_session *session, const json_t *request)
{
    const json_t *before = json_object_get(request, "before_us");
    int64_t before_us = before ? json_integer_value(before) : INT64_MAX;
    uint64_t sequence = 0;
    const char *wrong;
    char *name;
    size_t len;
    bool good;

    if (before && !json_is_integer(before))
        return control_refuse(session, "syntax", "before_us is a number of microseconds");
    if (!json_get_text(request, "name", &name, &len))
        return false;
    if (!name)
        return control_refuse(session, "syntax", "name says which one");
    wrong = look(session->master, (struct mupdate_text){name, len}, before_us,
                 &sequence);
    good = wrong ? control_refuse(session, "refused", wrong)
                 : submit(session, (struct mupdate_text){name, len}, sequence);
    free(name);
    return good;
}
