/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/table/rule.h"

#include <stdio.h>
#include <string.h>

static bool holds(struct mupdate_text text, char octet)
{
    return text.len > 0 && memchr(text.data, octet, text.len) != NULL;
}

const char *rule_check_name(const struct rule_policy *policy, struct mupdate_text name)
{
    if (name.len == 0)
        return "mailbox name is empty";
    if (name.len > policy->name_bytes)
        return "mailbox name is too long";
    if (holds(name, '\0') || holds(name, '\r') || holds(name, '\n'))
        return "mailbox name contains NUL, CR or LF";
    return NULL;
}

static const char *check_location(const struct rule_policy *policy, struct mupdate_text location)
{
    if (location.len == 0)
        return "location is empty";
    if (location.len > policy->location_bytes)
        return "location is too long";
    if (holds(location, '\0') || holds(location, '\r') || holds(location, '\n'))
        return "location contains NUL, CR or LF";
    struct mupdate_text server = location_server(location);
    if (server.len == 0)
        return "location names no server";
    if (server.len < location.len) {
        struct mupdate_text partition = {location.data + server.len + 1,
                                         location.len - server.len - 1};
        if (holds(partition, '!'))
            return "location contains more than one \"!\"";
    }
    return NULL;
}

static const char *check_acl(const struct rule_policy *policy, struct mupdate_text acl)
{
    if (acl.len > policy->acl_bytes)
        return "ACL is too long";
    /* Cyrus's clients would take what stands before a NUL for the whole ACL. */
    if (holds(acl, '\0'))
        return "ACL contains NUL";
    return NULL;
}

const char *rule_check_row(const struct rule_policy *policy, const struct mupdate_row *row)
{
    const char *wrong = rule_check_name(policy, row->name);
    if (wrong == NULL)
        wrong = check_location(policy, row->location);
    if (wrong == NULL)
        wrong = check_acl(policy, row->acl);
    if (wrong == NULL && row->state == MUPDATE_RESERVED && row->acl.len > 0)
        wrong = "a reserved row has an ACL";
    return wrong;
}

static const char *check_request(const struct rule_policy *policy,
                                 const struct rule_request *request)
{
    const char *wrong = rule_check_name(policy, request->name);
    if (wrong == NULL && request->verb != MUPDATE_DELETE)
        wrong = check_location(policy, request->location);
    if (wrong == NULL && request->verb == MUPDATE_ACTIVATE)
        wrong = check_acl(policy, request->acl);
    return wrong;
}

static void answer_no(struct rule_outcome *outcome, enum rule_verdict verdict, const char *text)
{
    outcome->verdict = verdict;
    outcome->moved = false;
    snprintf(outcome->text, sizeof(outcome->text), "%s", text);
}

static void refuse(struct rule_outcome *outcome, const char *text)
{
    answer_no(outcome, RULE_REFUSED, text);
}

/* Append octets that every client can read in a quoted string. */
static void say_too(struct rule_outcome *outcome, struct mupdate_text place)
{
    size_t used = strlen(outcome->text);
    for (size_t i = 0; i < place.len && used + 1 < sizeof(outcome->text); i++) {
        char octet = place.data[i];
        bool plain = octet >= ' ' && octet <= '~' && octet != '"' && octet != '\\';
        outcome->text[used++] = (char)(plain ? octet : '?');
    }
    outcome->text[used] = '\0';
}

/* Refuse, and say where the mailbox is. */
static void refuse_held(struct rule_outcome *outcome, const char *text,
                        struct mupdate_text location)
{
    refuse(outcome, text);
    say_too(outcome, location);
}

static void store(struct rule_outcome *outcome, enum mupdate_state state,
                  const struct rule_request *request)
{
    outcome->verdict = RULE_STORE;
    outcome->row.state = state;
    outcome->row.name = request->name;
    if (state != MUPDATE_ABSENT)
        outcome->row.location = request->location;
    if (state == MUPDATE_ACTIVE)
        outcome->row.acl = request->acl;
}

static void reserve(const struct mupdate_row *now, const struct rule_request *request,
                    struct rule_outcome *outcome)
{
    bool elsewhere = now != NULL && !text_equal(now->location, request->location);
    if (now == NULL || (elsewhere && now->state == MUPDATE_RESERVED && request->seizes))
        store(outcome, MUPDATE_RESERVED, request);
    else if (elsewhere)
        refuse_held(outcome, "mailbox is held by ", now->location);
}

static void activate(const struct rule_policy *policy, const struct mupdate_row *now,
                     const struct rule_request *request, struct rule_outcome *outcome)
{
    if (now != NULL && now->state == MUPDATE_ACTIVE) {
        if (text_equal(now->location, request->location) && text_equal(now->acl, request->acl))
            return;
        outcome->moved =
            !text_equal(location_server(now->location), location_server(request->location));
        if (outcome->moved && policy->deny_location_conflict && !request->seizes) {
            refuse_held(outcome, "mailbox is active at ", now->location);
            return;
        }
    }
    store(outcome, MUPDATE_ACTIVE, request);
}

static void deactivate(const struct mupdate_row *now, const struct rule_request *request,
                       struct rule_outcome *outcome)
{
    if (now == NULL)
        refuse(outcome, "mailbox doesn't exist");
    else if (now->state != MUPDATE_ACTIVE)
        refuse(outcome, "mailbox not currently active");
    else
        store(outcome, MUPDATE_RESERVED, request);
}

static void decide(const struct rule_policy *policy, const struct mupdate_row *now,
                   const struct rule_request *request, struct rule_outcome *outcome)
{
    /* A row that came in under wider limits must not be there for ever. */
    if (now != NULL && request->verb == MUPDATE_DELETE) {
        store(outcome, MUPDATE_ABSENT, request);
        return;
    }
    const char *wrong = check_request(policy, request);
    if (wrong != NULL) {
        refuse(outcome, wrong);
        return;
    }
    switch (request->verb) {
    case MUPDATE_RESERVE:
        reserve(now, request, outcome);
        break;
    case MUPDATE_ACTIVATE:
        activate(policy, now, request, outcome);
        break;
    case MUPDATE_DEACTIVATE:
        deactivate(now, request, outcome);
        break;
    case MUPDATE_DELETE:
        refuse(outcome, "mailbox doesn't exist");
        break;
    }
}

static bool writes(const struct rule_servers *servers, struct mupdate_text location)
{
    struct mupdate_text server = location_server(location);
    if (servers->all)
        return true;
    for (size_t i = 0; i < servers->count; i++) {
        struct mupdate_text name = {servers->names[i], strlen(servers->names[i])};
        if (text_equal(name, server))
            return true;
    }
    return false;
}

static void forbid(struct rule_outcome *outcome, struct mupdate_text location)
{
    answer_no(outcome, RULE_FORBIDDEN, "this user may not write mailboxes of server ");
    say_too(outcome, location_server(location));
}

/* Of what everybody could do, not all is for everybody. */
static void check_rights(const struct mupdate_row *now, const struct rule_request *request,
                         struct rule_outcome *outcome)
{
    const struct rule_servers *servers = &request->writes;
    bool takes_over = request->verb == MUPDATE_ACTIVATE && now != NULL &&
                      now->state == MUPDATE_RESERVED;

    if (!servers->all && servers->count == 0)
        answer_no(outcome, RULE_FORBIDDEN, RULE_READ_ONLY);
    else if (request->verb != MUPDATE_DELETE && !writes(servers, request->location))
        forbid(outcome, request->location);
    else if (now != NULL && !takes_over && !writes(servers, now->location))
        forbid(outcome, now->location);
}

void rule_apply(const struct rule_policy *policy, const struct mupdate_row *now,
                const struct rule_request *request, struct rule_outcome *outcome)
{
    *outcome = (struct rule_outcome){.verdict = RULE_UNCHANGED, .text = "done"};
    if (now != NULL && now->state == MUPDATE_ABSENT)
        now = NULL;
    decide(policy, now, request, outcome);
    if (outcome->verdict != RULE_REFUSED)
        check_rights(now, request, outcome);
}
