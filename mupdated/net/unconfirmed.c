/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/unconfirmed.h"

#include <string.h>

#include "mupdated/log.h"

/* A Murder of hundreds of servers tries again and again. */
#define LOG_AGAIN_MS 1000

void unconfirmed_warn(const struct master *master)
{
    if (!store_confirmed(master->store))
        log_warning("unconfirmed: the table was loaded and nobody has said that it is the right "
                    "one; FIND, LIST, UPDATE and RESERVE are not answered until: mupdatectl "
                    "confirm");
}

/* The command, if its answer would tell or use what the table holds; else NULL. */
static const char *command_of(const struct mupdate_server_event *event)
{
    switch (event->type) {
    case MUPDATE_SERVER_FIND:
        return "FIND";
    case MUPDATE_SERVER_LIST:
        return "LIST";
    case MUPDATE_SERVER_UPDATE:
        return "UPDATE";
    case MUPDATE_SERVER_SET:
        return event->verb == MUPDATE_RESERVE ? "RESERVE" : NULL;
    default:
        return NULL;
    }
}

bool unconfirmed_refuses(struct connection *connection, const struct mupdate_server_event *event)
{
    struct master *master = connection->master;
    const char *command;
    uint64_t now;

    if (store_confirmed(master->store))
        return false;
    command = command_of(event);
    if (!command)
        return false;
    master->counters.unconfirmed++;
    now = uv_now(master->loop);
    if (master->unconfirmed_log_ms != 0 && now - master->unconfirmed_log_ms < LOG_AGAIN_MS) {
        master->unconfirmed_unlogged++;
    } else {
        log_warning("unconfirmed: %s user=%s command=%s more=%llu: not answered", connection->peer,
                    LOG_VALUE(connection->user, strlen(connection->user)), command,
                    (unsigned long long)master->unconfirmed_unlogged);
        master->unconfirmed_log_ms = now;
        master->unconfirmed_unlogged = 0;
    }
    connection_close(connection, "the table is not confirmed");
    return true;
}
