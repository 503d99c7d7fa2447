/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/audit.h"

#include <string.h>

#include "mupdated/log.h"
#include "mupdated/net/connection.h"

#define TEXT_VALUE(text) LOG_VALUE((text).data, (text).len)

static const char *const verbs[] = {
    [MUPDATE_RESERVE] = "RESERVE",
    [MUPDATE_ACTIVATE] = "ACTIVATE",
    [MUPDATE_DEACTIVATE] = "DEACTIVATE",
    [MUPDATE_DELETE] = "DELETE",
};

static const char *const states[] = {
    [MUPDATE_ABSENT] = "absent",
    [MUPDATE_RESERVED] = "reserved",
    [MUPDATE_ACTIVE] = "active",
};

/* "[address] port=N user=NAME", and by whom if that is another. */
struct actor {
    char text[sizeof(((struct connection *)0)->peer) + (size_t)2 * LOG_VALUE_BYTES + 16];
};

static const char *actor_of(struct actor *actor, const struct connection *connection)
{
    const char *by = connection->authenticated;

    /* cppcheck-suppress ctuuninitvar ; it is filled here */
    (void)snprintf(actor->text, sizeof actor->text, "%s user=%s%s%s", connection->peer,
                   LOG_VALUE(connection->user, strlen(connection->user)), by ? " by=" : "",
                   by ? LOG_VALUE(by, strlen(by)) : "");
    return actor->text;
}

static void log_change(const char *actor, const struct writer_request *request,
                       const struct table *table)
{
    const struct change *change = request->change;
    const struct mupdate_row *now = &change->now.mupdate;
    struct row old = {.mupdate.state = MUPDATE_ABSENT};

    (void)table_find(table, now->name, &old);
    log_notice("audit: %s sequence=%llu command=%s mailbox=%s old_state=%s old_location=%s "
               "old_acl=%s new_state=%s new_location=%s new_acl=%s acl_changed=%s",
               actor, (unsigned long long)change->now.sequence,
               verbs[request->rule.verb], TEXT_VALUE(now->name), states[change->old_state],
               TEXT_VALUE(change->old_location), TEXT_VALUE(old.mupdate.acl), states[now->state],
               TEXT_VALUE(now->location), TEXT_VALUE(now->acl),
               text_equal(old.mupdate.acl, now->acl) ? "no" : "yes");
}

void audit_change(const struct connection *connection, const struct writer_request *request,
                  const struct table *table)
{
    struct actor actor;

    log_change(actor_of(&actor, connection), request, table);
}

void audit_operator_change(const char *who, const struct writer_request *request,
                           const struct table *table)
{
    struct actor actor;

    (void)snprintf(actor.text, sizeof actor.text, "[control] user=%s", who);
    log_change(actor.text, request, table);
}

static void log_moved(const struct change *change, const char *client)
{
    const struct mupdate_row *row = &change->now.mupdate;

    log_notice("moved: mailbox=%s from=%s to=%s user=%s client=%s", TEXT_VALUE(row->name),
               TEXT_VALUE(change->old_location), TEXT_VALUE(row->location),
               TEXT_VALUE(change->now.who), client);
}

void audit_moved(const struct connection *connection, const struct change *change)
{
    log_moved(change, connection->peer);
}

void audit_operator_moved(const struct change *change)
{
    log_moved(change, "[control]");
}

void audit_revoked(const struct connection *connection)
{
    struct actor actor;

    log_notice("revoked: %s", actor_of(&actor, connection));
}

void audit_refusals_end(struct connection *connection)
{
    struct audit_refusals *refusals = &connection->refusals;
    struct actor actor;

    if (refusals->unlogged > 0)
        log_notice("refused: %s unlogged=%llu", actor_of(&actor, connection),
                   (unsigned long long)refusals->unlogged);
    refusals->unlogged = 0;
}

void audit_refused(struct connection *connection, const struct rule_request *rule,
                   const char *reason)
{
    struct audit_refusals *refusals = &connection->refusals;
    uint64_t now = uv_now(connection->master->loop);
    struct actor actor;

    if (now - refusals->since_ms >= AUDIT_REFUSALS_MS) {
        audit_refusals_end(connection);
        *refusals = (struct audit_refusals){.since_ms = now};
    }
    if (refusals->lines == AUDIT_REFUSALS) {
        refusals->unlogged++;
        return;
    }
    refusals->lines++;
    log_notice("refused: %s command=%s mailbox=%s location=%s reason=%s",
               actor_of(&actor, connection), verbs[rule->verb], TEXT_VALUE(rule->name),
               TEXT_VALUE(rule->location), LOG_VALUE(reason, strlen(reason)));
}
