/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/session.h"

enum { OPTION_SERVER = CTL_OWN_OPTION, OPTION_CHANGES_ONLY, OPTION_KEEPALIVE, OPTION_RECONNECT };

enum { KEEPALIVE_MS = 60000, FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 30000 };

/* Where a subscription stands; a NOOP may be on its way in the last. */
enum phase { PHASE_DUMP, PHASE_LIVE, PHASE_ASKED };

struct watch {
    struct ctl *ctl;
    struct mupdate_text *servers;
    size_t server_count;
    bool changes_only;
    bool reconnect;
    int keepalive_ms;

    enum phase phase;
    uint64_t update;
    int64_t heard_ms; /* when the server last said something, or was asked */
    size_t rows;      /* of the dump */
    int pause_ms;     /* before the next attempt to connect */
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

/* While it connects there is nothing to write out: then a signal may end the process at once. */
static void on_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Wait for the connection (fd; -1: none) to be readable. A signal that came
 * just before the wait ends it too, and so does the reader of a pipe that goes away.
 */
static int wait_for(int fd, int64_t timeout_ms)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
    struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};
    sigset_t blocked;
    sigset_t before;
    int ready = 0;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    if (!stopped)
        ready = ppoll(fds, 2, &timeout, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (ready > 0 && fds[1].revents & POLLERR)
        return EX_IOERR;
    return 0;
}

static int print_synchronized(const struct watch *watch)
{
    if (!watch->ctl->json) {
        printf("# %zu rows; changes follow\n", watch->rows);
        return ctl_flush();
    }
    return ctl_print_json(
        json_pack("{s:s, s:I}", "event", "synchronized", "rows", (json_int_t)watch->rows));
}

static int print_change(const struct watch *watch, const struct mupdate_row *row)
{
    json_t *object;

    if (!watch->ctl->json)
        return ctl_print_row(false, row);
    object = json_row(row);
    if (object &&
        json_object_set_new(object, "event",
                            json_string(watch->phase == PHASE_DUMP ? "row" : "change")) < 0) {
        json_decref(object);
        object = NULL;
    }
    return ctl_print_json(object);
}

/* The dump is complete. Who asks now, and so is live, is not told again what comes first. */
static int begin_live(struct watch *watch)
{
    if (!mupdate_client_noop(ctl_client(watch->ctl)))
        return ctl_complain(EX_OSERR, "out of memory");
    watch->phase = PHASE_ASKED;
    return print_synchronized(watch);
}

/* What the server says. Exit status; EX_TEMPFAIL when another connection may help. */
static int take(struct watch *watch, const struct mupdate_client_event *event)
{
    switch (event->type) {
    case MUPDATE_CLIENT_ROW:
        if (watch->phase == PHASE_DUMP) {
            watch->rows++;
            if (watch->changes_only)
                return 0;
        }
        return print_change(watch, &event->row);
    case MUPDATE_CLIENT_DONE:
        if (event->reply != MUPDATE_OK)
            return ctl_refused(event->reply, event->text);
        watch->pause_ms = FIRST_PAUSE_MS;
        watch->phase = PHASE_LIVE;
        return event->command == watch->update ? begin_live(watch) : 0;
    case MUPDATE_CLIENT_GOODBYE:
        (void)ctl_refused(event->reply, event->text);
        return EX_TEMPFAIL;
    case MUPDATE_CLIENT_BANNER:
    case MUPDATE_CLIENT_CHALLENGE:
        break;
    }
    return 0;
}

/* All was read: wait for more, and make sure that the server is still there. */
static int idle(struct watch *watch)
{
    struct ctl *ctl = watch->ctl;
    int64_t limit_ms = watch->phase == PHASE_LIVE ? watch->keepalive_ms : ctl->connect.timeout_ms;
    int64_t left_ms = watch->heard_ms + limit_ms - now_ms();
    int status = ctl_flush();

    if (status)
        return status;
    if (left_ms > 0)
        return wait_for(mupdate_connection_fd(ctl->connection), left_ms);
    if (watch->phase != PHASE_LIVE)
        return ctl_complain(EX_TEMPFAIL, "the server did not answer in time");
    if (!mupdate_client_noop(ctl_client(ctl)))
        return ctl_complain(EX_OSERR, "out of memory");
    watch->phase = PHASE_ASKED;
    watch->heard_ms = now_ms();
    return 0;
}

/* One connection, from UPDATE until it ends or the user has seen enough. Exit status. */
static int follow(struct watch *watch)
{
    struct ctl *ctl = watch->ctl;
    struct mupdate_client_event event;
    struct mupdate_connect_error error;
    int status = 0;

    if (watch->server_count && !mupdate_client_banner(ctl_client(ctl))->partial_update)
        return ctl_complain(EX_UNAVAILABLE,
                            "the server cannot select by server (PARTIAL-UPDATE): leave "
                            "out --server");
    watch->update = mupdate_client_update(ctl_client(ctl), watch->servers, watch->server_count);
    if (!watch->update)
        return ctl_complain(EX_OSERR, "out of memory");
    watch->phase = PHASE_DUMP;
    watch->rows = 0;
    watch->heard_ms = now_ms();
    while (!status && !stopped) {
        int got = mupdate_connection_next(ctl->connection, &event, 0, &error);

        if (got < 0)
            return ctl_complain(ctl_exit_status(error.kind), "%s", error.text);
        if (got == 0) {
            status = idle(watch);
        } else {
            watch->heard_ms = now_ms();
            status = take(watch, &event);
        }
    }
    return status;
}

static bool worth_another_try(const struct watch *watch, int status)
{
    return watch->reconnect && !stopped && (status == EX_TEMPFAIL || status == EX_NOHOST);
}

static int pause_between(struct watch *watch)
{
    int64_t until = now_ms() + watch->pause_ms;
    int64_t left_ms;
    int status = ctl_flush();

    (void)ctl_complain(0, "connecting again in %d s", watch->pause_ms / 1000);
    while (!status && !stopped && (left_ms = until - now_ms()) > 0)
        status = wait_for(-1, left_ms);
    watch->pause_ms =
        watch->pause_ms * 2 < LONGEST_PAUSE_MS ? watch->pause_ms * 2 : LONGEST_PAUSE_MS;
    return status;
}

static int watch_until_end(struct watch *watch)
{
    struct ctl *ctl = watch->ctl;
    int status = ctl_connect(ctl);

    while (!status) {
        on_signals(stop);
        status = follow(watch);
        ctl_disconnect(ctl);
        while (worth_another_try(watch, status)) {
            status = pause_between(watch);
            if (status || stopped)
                break;
            on_signals(SIG_DFL);
            status = ctl_connect(ctl);
        }
        if (stopped)
            break;
    }
    /* What was printed before a failure is still wanted. */
    if (status == EX_IOERR)
        return status;
    return ctl_flush() ? EX_IOERR : status;
}

static bool take_option(struct watch *watch, int option)
{
    switch (option) {
    case OPTION_SERVER:
        watch->servers[watch->server_count++] = ctl_text(optarg);
        return true;
    case OPTION_CHANGES_ONLY:
        watch->changes_only = true;
        return true;
    case OPTION_RECONNECT:
        watch->reconnect = true;
        return true;
    default:
        watch->keepalive_ms = ctl_seconds(optarg);
        return watch->keepalive_ms > 0;
    }
}

static int watch_run(struct ctl *ctl, int argc, char **argv)
{
    struct watch watch = {.ctl = ctl, .keepalive_ms = KEEPALIVE_MS, .pause_ms = FIRST_PAUSE_MS};
    int option;
    int status = 0;

    /* There cannot be more servers than arguments. */
    watch.servers = calloc((size_t)argc, sizeof *watch.servers);
    if (!watch.servers)
        return ctl_complain(EX_OSERR, "out of memory");
    while (!status && (option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP) {
            free(watch.servers);
            return ctl->status;
        }
        if (!take_option(&watch, option))
            status =
                ctl_complain(EX_USAGE, "--keepalive %s: give seconds, from 0.001 to 86400", optarg);
    }
    if (!status)
        status = watch_until_end(&watch);
    free(watch.servers);
    return status;
}

static const struct option watch_options[] = {
    {"server", required_argument, NULL, OPTION_SERVER},
    {"changes-only", no_argument, NULL, OPTION_CHANGES_ONLY},
    {"keepalive", required_argument, NULL, OPTION_KEEPALIVE},
    {"reconnect", no_argument, NULL, OPTION_RECONNECT},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_watch_command = {
    .name = "watch",
    .arguments = "[--changes-only] [--server NAME] ...",
    .summary = "show all mailboxes and then each change",
    .help = "Show all mailboxes, then a line \"# N rows; changes follow\", then each change as it\n"
            "happens, until interrupted.\n"
            "\n"
            "      --changes-only         do not show the mailboxes that are there already\n"
            "      --server NAME          only mailboxes that are, or were, on this server; may\n"
            "                             be given several times\n"
            "      --keepalive SECONDS    after so long without news ask whether the server is\n"
            "                             still there (default 60)\n"
            "      --reconnect            connect again when the connection is lost\n",
    .run = watch_run,
    .options = watch_options,
    .maximum = 0,
};
