/*
 * What a connection does when it runs: it goes on with its long answer, takes
 * commands, sends, and ends when all is said.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "mupdated/net/commands.h"
#include "mupdated/net/traffic.h"

/* Commands taken in one slice, so that a pipelining client delays nobody else. */
#define SLICE_EVENTS 64

/* No command is taken while changes of this size wait for the writer: they are few then. */
#define STORE_BYTES 1048576

static void on_shut_down(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status;
}

/*
 * All is said. To close now, with bytes of the client unread, would reset the
 * connection and could take the last words from the client: so this half ends,
 * and what still comes is thrown away until the client ends his.
 */
static void linger(struct connection *connection)
{
    if (connection->state == CONNECTION_DRAINING) {
        layer_stack_finish(&connection->layers, &connection->raw);
        connection_move(connection, CONNECTION_LINGERING);
        if (!traffic_flush(connection))
            return;
    }
    if (connection->peer_ended) {
        connection_close(connection, connection->reason);
    } else if (traffic_all_sent(connection) && !connection->shut_down) {
        connection->shut_down = true;
        if (uv_shutdown(&connection->shutdown, &connection->socket.stream, on_shut_down) != 0 ||
            !traffic_start_reading(connection))
            connection_close(connection, connection->reason);
    }
}

static bool listing_filter(void *context, const struct row *row)
{
    const struct listing *listing = context;
    size_t len = buffer_len(&listing->prefix);

    return row->mupdate.location.len >= len &&
           (len == 0 ||
            /* gcc-analyzer(null-argument): a buffer that holds octets has data */
            memcmp(row->mupdate.location.data, buffer_bytes(&listing->prefix), len) == 0);
}

static enum walk_progress list(struct connection *connection)
{
    struct listing *listing = connection->listing;

    if (listing->dump.slices)
        return dump_run(&listing->dump, connection->session);
    return walk_run(&listing->walk, connection->master->table, connection->session, listing_filter,
                    listing);
}

/* Go on with the long answer under way. Sets *again when it could go on at once. */
static bool produce(struct connection *connection, bool *again, bool *full)
{
    if (connection->subscription) {
        switch (subscription_run(connection->subscription, connection->session,
                                 uv_now(connection->master->loop))) {
        case SUBSCRIPTION_IDLE:
            if (connection->subscription->wake_at_ms)
                connection_wake_at(connection, connection->subscription->wake_at_ms);
            return true;
        case SUBSCRIPTION_MORE:
            *again = true;
            return true;
        case SUBSCRIPTION_FULL:
            *full = true;
            return true;
        case SUBSCRIPTION_FAILED:
            return false;
        }
    }
    if (connection->listing) {
        switch (list(connection)) {
        case WALK_DONE:
            connection_listing_ends(connection);
            return mupdate_server_ok(connection->session, "List complete");
        case WALK_MORE:
            *again = true;
            return true;
        case WALK_FULL:
            *full = true;
            return true;
        case WALK_FAILED:
            return false;
        }
    }
    return true;
}

enum taken { TAKEN_ALL, TAKEN_BLOCKED, TAKEN_MORE, TAKEN_CLOSED, TAKEN_FAILED };

static enum taken take_commands(struct connection *connection)
{
    struct mupdate_server_event event;

    for (int events = 0; events < SLICE_EVENTS;) {
        size_t taken;

        if (connection->store_bytes >= STORE_BYTES || commands_are_held(connection))
            return TAKEN_BLOCKED;
        taken = mupdate_server_input(connection->session, buffer_bytes(&connection->plain),
                                     buffer_len(&connection->plain));
        buffer_consume(&connection->plain, taken);
        switch (mupdate_server_next(connection->session, &event)) {
        case MUPDATE_SERVER_EVENT:
            if (!commands_handle(connection, &event))
                return TAKEN_FAILED;
            if (connection->state == CONNECTION_CLOSED)
                return TAKEN_ALL;
            events++;
            break;
        case MUPDATE_SERVER_WAIT:
            if (layer_stack_pending(&connection->layers)) {
                if (!traffic_receive(connection, NULL, 0))
                    return TAKEN_ALL;
                events += SLICE_EVENTS / 8; /* a small input may unpack to a long nothing */
            } else if (buffer_len(&connection->plain) == 0) {
                return TAKEN_ALL;
            } else {
                events++; /* the session has room again: it takes more in the next round */
            }
            break;
        case MUPDATE_SERVER_BLOCKED:
            return TAKEN_BLOCKED;
        case MUPDATE_SERVER_CLOSED:
            return TAKEN_CLOSED;
        }
    }
    return TAKEN_MORE;
}

/* The client ended its half: it gets the answers that are still due. */
static bool is_finished(const struct connection *connection)
{
    if (!connection->peer_ended)
        return false;
    /* Who left while his login had to wait is not looked at. */
    if (connection->login_waits)
        return true;
    /* In an exchange it may be the client's turn, who will say nothing. */
    if (connection->auth)
        return !auth_exchange_runs(connection->auth);
    return mupdate_server_unanswered(connection->session) == 0 && !commands_are_held(connection);
}

void connection_run(struct connection *connection)
{
    bool again = false;
    bool full = false;
    enum taken taken = TAKEN_ALL;
    bool had_output;

    if (connection->state == CONNECTION_CLOSED)
        return;
    commands_say_delayed_no(connection);
    if (!commands_resume_login(connection) || !produce(connection, &again, &full)) {
        connection_close(connection, "out of memory");
        return;
    }
    if (connection->state == CONNECTION_OPEN)
        taken = take_commands(connection);
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (taken == TAKEN_FAILED) {
        connection_close(connection, "a command could not be carried out");
        return;
    }
    if (taken == TAKEN_CLOSED)
        connection_drain(connection, "session closed");
    had_output = traffic_has_output(connection);
    if (!traffic_flush(connection))
        return;
    if (connection->state >= CONNECTION_DRAINING) {
        if (connection->state == CONNECTION_LINGERING || traffic_all_sent(connection))
            linger(connection);
        return;
    }
    /* With output to send, blocked means that commands wait for room, and are still due. */
    if (taken != TAKEN_MORE && !(taken == TAKEN_BLOCKED && had_output) && is_finished(connection)) {
        connection_drain(connection, "the client ended the connection");
        return;
    }
    /* What waited for room in the output goes on at once when all of it left. */
    if (again || taken == TAKEN_MORE || buffer_len(&connection->unread) > 0 ||
        ((full || taken == TAKEN_BLOCKED) && had_output && traffic_all_sent(connection)))
        connection_schedule(connection);
    if (connection->state == CONNECTION_OPEN && !traffic_choose_reading(connection))
        connection_close(connection, "cannot read");
}
