/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/deflate.h"
#include "mupdated/log.h"
#include "mupdated/net/audit.h"
#include "mupdated/net/secure.h"
#include "mupdated/net/traffic.h"
#include "mupdated/net/unconfirmed.h"
#include "mupdated/reserve.h"

/* One text for a wrong user, a wrong password and a broken exchange. */
#define REFUSED_TEXT "authentication failed"

#define NO_MEMORY_TEXT "not stored: out of memory"

/* What a change takes in memory but for its texts. */
#define CHANGE_BYTES 512

/* Pauses end at such times only, so that a thousand of them end with a few looks at the list. */
#define PAUSE_STEP_MS 50

static void authentication_ends(struct connection *connection)
{
    auth_exchange_close(connection->auth);
    connection->auth = NULL;
}

/* what is "badlogin", or something that makes no filter shut the client out. */
static void log_no_login(struct connection *connection, const char *what,
                         const struct auth_answer *answer, size_t unlogged)
{
    const char *mechanism = auth_exchange_mechanism(connection->auth);
    const char *user = answer->user;
    const char *by = answer->authenticated;
    bool as_other = user && by && strcmp(user, by) != 0;
    char more[48] = "";

    if (unlogged > 0)
        snprintf(more, sizeof more, " unlogged=%zu", unlogged);
    log_notice("%s: %s mechanism=%s user=%s%s%s reason=%s%s", what, connection->peer,
               LOG_VALUE(mechanism, strlen(mechanism)), user ? LOG_VALUE(user, strlen(user)) : "-",
               as_other ? " by=" : "", as_other ? LOG_VALUE(by, strlen(by)) : "",
               LOG_VALUE(answer->reason, strlen(answer->reason)), more);
}

static void log_bad_login(struct connection *connection, const struct auth_answer *answer)
{
    log_no_login(connection, "badlogin", answer, 0);
}

/* How a login ended whose exchange is still there. */
static void count_login(struct connection *connection, enum counters_login result)
{
    counters_login(&connection->master->counters, auth_exchange_mechanism(connection->auth),
                   result);
}

static void count_failure(struct connection *connection)
{
    connection->failed_logins++;
    count_login(connection, COUNTERS_LOGIN_REFUSED);
    if (connection->from)
        peers_failed(connection->from, uv_now(connection->master->loop));
}

static void pause_login(struct connection *connection)
{
    uint64_t end = uv_now(connection->master->loop) +
                   (uint64_t)connection->master->config->failedloginpause_ms;

    connection_wake_at(connection, (end + PAUSE_STEP_MS - 1) / PAUSE_STEP_MS * PAUSE_STEP_MS);
}

/* text is static. */
static void answer_no_login(struct connection *connection, const char *text)
{
    authentication_ends(connection);
    connection->delayed_no = text;
    if (connection->master->config->failedloginpause_ms > 0)
        pause_login(connection);
    else
        connection_schedule(connection);
}

static void refuse_login(struct connection *connection, const char *text)
{
    count_failure(connection);
    answer_no_login(connection, text);
}

/* False: none is taken any more. */
static bool may_try_again(struct connection *connection)
{
    if (connection->failed_logins < connection->master->config->failed_logins_max)
        return true;
    mupdate_server_bye(connection->session, "too many failed logins");
    connection_drain(connection, "too many failed logins");
    return false;
}

void commands_say_delayed_no(struct connection *connection)
{
    if (connection->state >= CONNECTION_DRAINING)
        connection->delayed_no = NULL;
    if (!connection->delayed_no || connection->wake_at_ms || connection->stores > 0)
        return;
    mupdate_server_no(connection->session, connection->delayed_no);
    connection->delayed_no = NULL;
    if (!connection->user)
        may_try_again(connection);
}

static void grant_login(struct connection *connection, const struct auth_answer *answer)
{
    char secured[SECURE_TEXT_BYTES];
    char layer[24] = "";
    bool as_other = strcmp(answer->user, answer->authenticated) != 0;
    bool named;

    connection->user = strdup(answer->user);
    if (as_other)
        connection->authenticated = strdup(answer->authenticated);
    named = connection->user && (!as_other || connection->authenticated);
    if (!named || !connection_learn_rights(connection) ||
        !mupdate_server_authenticated(connection->session, "Authenticated")) {
        if (answer->layer)
            answer->layer->ops->free(answer->layer);
        connection_close(connection, "the login could not be completed");
        return;
    }
    count_login(connection, COUNTERS_LOGIN_ACCEPTED);
    admission_logged_in(connection);
    if (answer->layer)
        snprintf(layer, sizeof layer, " layer=%u", sasl_layer_bits(answer->layer));
    log_notice("login: %s user=%s mechanism=%s%s%s%s%s", connection->peer,
               LOG_VALUE(answer->user, strlen(answer->user)),
               auth_exchange_mechanism(connection->auth), layer,
               secure_describe(connection, secured, sizeof secured), as_other ? " by=" : "",
               as_other ? LOG_VALUE(answer->authenticated, strlen(answer->authenticated)) : "");
    authentication_ends(connection);
    if (answer->layer) {
        if (!traffic_turn(connection) ||
            !layer_stack_push(&connection->layers, answer->layer)) {
            answer->layer->ops->free(answer->layer);
            connection_close(connection, "the security layer cannot start");
            return;
        }
    }
}

static void authentication_answered(void *context, const struct auth_answer *answer)
{
    struct connection *connection = context;
    size_t unlogged;

    switch (answer->result) {
    case AUTH_CHALLENGE:
        mupdate_server_challenge(connection->session, answer->out, answer->out_len);
        connection_schedule(connection);
        return;
    case AUTH_GRANTED:
        grant_login(connection, answer);
        connection_schedule(connection);
        return;
    case AUTH_NO_RIGHT:
        log_bad_login(connection, answer);
        refuse_login(connection, "this user has no right to use this server");
        return;
    case AUTH_REFUSED:
        log_bad_login(connection, answer);
        refuse_login(connection, REFUSED_TEXT);
        return;
    case AUTH_UNDECIDED:
        /* Nothing was guessed, so that the address is not blamed; but it has its pause. */
        if (admission_logs_undecided(connection, &unlogged))
            log_no_login(connection, "nologin", answer, unlogged);
        connection->failed_logins++;
        count_login(connection, COUNTERS_LOGIN_UNDECIDED);
        answer_no_login(connection, answer->text);
        return;
    }
}

static bool start_login(struct connection *connection, const struct mupdate_server_event *event)
{
    struct master *master = connection->master;
    struct sasl_endpoint endpoint;
    struct auth_answer known;
    const void *initial = NULL;

    if (master->config->tls_required && !layer_stack_get(&connection->layers, LAYER_TLS))
        return mupdate_server_no(connection->session, "STARTTLS is needed first");
    if (event->has_initial)
        initial = event->initial.len ? event->initial.data : "";
    connection_endpoint(connection, &endpoint);
    connection->auth =
        auth_exchange_begin(master->auth, &endpoint, event->mechanism, initial, event->initial.len,
                            authentication_answered, connection);
    if (!connection->auth)
        return false;
    if (auth_exchange_known(connection->auth, &known))
        grant_login(connection, &known);
    return true;
}

/*
 * Where many logins fail, all have to wait before they are looked at: so those who
 * guess get no more answers by opening more connections, and those who can log in still do.
 * A login that the password cache knows waits like all: an answer at once would tell that each
 * guess without one is wrong.
 */
static bool must_wait(const struct connection *connection)
{
    const struct master *master = connection->master;

    return connection->from && master->config->failedloginpause_ms > 0 &&
           peers_must_wait(connection->from, uv_now(master->loop));
}

static bool authenticate(struct connection *connection, const struct mupdate_server_event *event)
{
    if (!must_wait(connection))
        return start_login(connection, event);
    connection->login = *event;
    connection->login_waits = true;
    pause_login(connection);
    return true;
}

bool commands_resume_login(struct connection *connection)
{
    if (connection->state >= CONNECTION_DRAINING)
        connection->login_waits = false;
    if (!connection->login_waits || connection->wake_at_ms)
        return true;
    connection->login_waits = false;
    return start_login(connection, &connection->login);
}

bool commands_are_held(const struct connection *connection)
{
    return connection->login_waits || connection->delayed_no;
}

static bool starttls(struct connection *connection)
{
    if (!connection->master->tls)
        return mupdate_server_no(connection->session, "TLS is not configured here");
    return mupdate_server_ok(connection->session, "Begin TLS negotiation now") &&
           traffic_turn(connection) && secure_start(connection);
}

static bool compress(struct connection *connection)
{
    struct layer *layer = deflate_layer_new();

    if (!layer)
        return mupdate_server_no(connection->session, "out of memory");
    if (!mupdate_server_ok(connection->session, "DEFLATE active") ||
        !traffic_turn(connection) || !layer_stack_push(&connection->layers, layer)) {
        layer->ops->free(layer);
        return false;
    }
    return true;
}

static bool find(struct connection *connection, struct mupdate_text name)
{
    struct rule_policy policy;
    struct row row;
    const char *wrong;

    master_policy(connection->master->config, &policy);
    wrong = rule_check_name(&policy, name);
    if (wrong)
        return mupdate_server_no(connection->session, wrong);
    if (table_find(connection->master->table, name, &row) &&
        !mupdate_server_row(connection->session, &row.mupdate))
        return false;
    return mupdate_server_ok(connection->session, "Search completed");
}

static bool list(struct connection *connection, const struct mupdate_server_event *event)
{
    struct master *master = connection->master;
    struct listing *listing = calloc(1, sizeof *listing);

    if (!listing)
        return mupdate_server_no(connection->session, "out of memory");
    walk_init(&listing->walk);
    if (event->host_count && event->hosts[0].len)
        buffer_append(&listing->prefix, event->hosts[0].data, event->hosts[0].len);
    if (listing->prefix.failed) {
        free(listing);
        return mupdate_server_no(connection->session, "out of memory");
    }
    if (buffer_len(&listing->prefix) == 0)
        dump_start(&listing->dump, master->slices, table_sequence(master->table));
    connection->listing = listing;
    connection_schedule(connection);
    return true;
}

static void on_stored(void *owner, const struct writer_request *request)
{
    const struct connection *connection = owner;

    if (connection->master->config->audit)
        audit_change(connection, request, connection->master->table);
}

/* The writer decided a request of this connection: answer it. */
static void on_decided(void *owner, const struct writer_request *request)
{
    struct connection *connection = owner;

    connection->stores--;
    connection->store_bytes -= writer_request_bytes(request);
    if (request->result == WRITER_FORBIDDEN)
        audit_refused(connection, &request->rule, request->text);
    if (request->moved && request->change)
        audit_moved(connection, request->change);
    if (connection->state >= CONNECTION_DRAINING) {
        connection_release(connection);
        return;
    }
    switch (request->result) {
    case WRITER_OK:
        mupdate_server_ok(connection->session, request->text);
        break;
    case WRITER_NO:
    case WRITER_FORBIDDEN:
        mupdate_server_no(connection->session, request->text);
        break;
    case WRITER_UNCERTAIN:
        connection_close(connection, "the store does not know whether a change is durable");
        return;
    }
    connection_schedule(connection);
}

static const struct writer_answer answer = {.stored = on_stored, .decided = on_decided};

static bool set(struct connection *connection, const struct mupdate_server_event *event)
{
    struct master *master = connection->master;
    struct rule_request rule = {
        .verb = event->verb,
        .name = event->row.name,
        .location = event->row.location,
        .acl = event->row.acl,
        .writes = connection->rights.writes,
    };
    struct mupdate_text who = {connection->user, strlen(connection->user)};
    struct writer_request *request = NULL;

    /*
     * The row need not be looked at; but a session that was a back-end's until a
     * reload may have changes before this one, which are answered first.
     */
    if (connection->rights.role == CONFIG_ROLE_READER && connection->stores == 0) {
        audit_refused(connection, &rule, RULE_READ_ONLY);
        master->counters.changes[event->verb][COUNTERS_FORBIDDEN]++;
        return mupdate_server_no(connection->session, RULE_READ_ONLY);
    }
    if (!master->writer)
        return false;
    if (reserve_allows(CHANGE_BYTES + rule.name.len + rule.location.len + rule.acl.len))
        request = writer_request_new(&rule, who, connection);
    if (!request) {
        master->counters.changes[event->verb][COUNTERS_REFUSED]++;
        connection->delayed_no = NO_MEMORY_TEXT;
        commands_say_delayed_no(connection);
        return true;
    }
    request->answer = &answer;
    connection->stores++;
    connection->store_bytes += writer_request_bytes(request);
    writer_submit(master->writer, request);
    return true;
}

static bool update(struct connection *connection, const struct mupdate_server_event *event)
{
    struct master *master = connection->master;
    const struct config *config = master->config;
    const struct subscription_sources from = {
        .feed = master->feed,
        .table = master->table,
        .slices = master->slices,
        .stream = master->stream,
        .departed = master->departed,
        .heal = master->heal,
    };
    struct subscription *subscription = malloc(sizeof *subscription);

    if (!subscription)
        return false;
    if (!subscription_start(subscription, connection, &from, event->hosts, event->host_count,
                            config->heal_resync ? config->heal_delay_ms : -1)) {
        free(subscription);
        return false;
    }
    connection->subscription = subscription;
    master->counters.subscriptions++;
    log_info("subscriber: %s user=%s sequence=%llu%s", connection->peer,
             LOG_VALUE(connection->user, strlen(connection->user)),
             (unsigned long long)feed_sequence(master->feed), event->host_count ? " partial" : "");
    connection_schedule(connection);
    return true;
}

bool commands_handle(struct connection *connection, const struct mupdate_server_event *event)
{
    counters_command(&connection->master->counters, event);
    if (unconfirmed_refuses(connection, event))
        return true;
    switch (event->type) {
    case MUPDATE_SERVER_AUTHENTICATE:
        return authenticate(connection, event);
    case MUPDATE_SERVER_AUTH_RESPONSE:
        return auth_exchange_step(connection->auth, event->initial.data, event->initial.len);
    case MUPDATE_SERVER_AUTH_CANCELLED:
        log_bad_login(connection,
                      &(struct auth_answer){.user = auth_exchange_user(connection->auth),
                                            .reason = "cancelled"});
        count_failure(connection);
        authentication_ends(connection);
        may_try_again(connection);
        return true;
    case MUPDATE_SERVER_STARTTLS:
        return starttls(connection);
    case MUPDATE_SERVER_COMPRESS:
        return compress(connection);
    case MUPDATE_SERVER_FIND:
        return find(connection, event->row.name);
    case MUPDATE_SERVER_LIST:
        return list(connection, event);
    case MUPDATE_SERVER_SET:
        return set(connection, event);
    case MUPDATE_SERVER_UPDATE:
        return update(connection, event);
    case MUPDATE_SERVER_NOOP:
        if (!connection->subscription)
            return mupdate_server_ok(connection->session, "Noop done");
        subscription_noop(connection->subscription);
        connection_schedule(connection);
        return true;
    case MUPDATE_SERVER_LOGOUT:
        return true;
    }
    return false;
}
