/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/session.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/password.h"

/* How the wait for a command ended, when its reply did not come. */
struct failure {
    int status;
    char text[sizeof((struct mupdate_connect_error *)0)->text];
};

struct mupdate_text ctl_text(const char *string)
{
    return (struct mupdate_text){.data = string, .len = strlen(string)};
}

struct mupdate_client *ctl_client(struct ctl *ctl)
{
    return mupdate_connection_client(ctl->connection);
}

int ctl_exit_status(enum mupdate_connect_kind kind)
{
    switch (kind) {
    case MUPDATE_CONNECT_OK:
        return EX_OK;
    case MUPDATE_CONNECT_USAGE:
        return EX_USAGE;
    case MUPDATE_CONNECT_NO_HOST:
        return EX_NOHOST;
    case MUPDATE_CONNECT_TLS:
    case MUPDATE_CONNECT_PROTOCOL:
        return EX_PROTOCOL;
    case MUPDATE_CONNECT_DENIED:
        return EX_NOPERM;
    case MUPDATE_CONNECT_MEMORY:
        return EX_OSERR;
    case MUPDATE_CONNECT_UNREACHABLE:
    case MUPDATE_CONNECT_LOST:
    case MUPDATE_CONNECT_TIMEOUT:
        return EX_TEMPFAIL;
    }
    return EX_SOFTWARE;
}

int ctl_connect(struct ctl *ctl)
{
    struct mupdate_connect_error error;
    struct ctl_password password = {.ctl = ctl};
    int status = ctl_options_complete(ctl);

    if (status)
        return status;
    if (ctl->password_file && !ctl->password) {
        status = ctl_password_read(ctl->password_file, &ctl->password);
        if (status)
            return status;
    }
    ctl->connect.password = ctl_password_give;
    ctl->connect.context = &password;
    ctl->connection = mupdate_connect(&ctl->connect, &error);
    ctl->connect.context = NULL;
    if (ctl->connection)
        return 0;
    /* Why there is no password was said already; here comes what else was tried. */
    if (password.status)
        return ctl_complain(password.status, "%s", error.text);
    return ctl_complain(
        ctl_exit_status(error.kind), "%s%s", error.text,
        error.kind == MUPDATE_CONNECT_TLS
            ? " (see --ca, --cert, --accept-any-certificate and --tls)"
            : "");
}

void ctl_disconnect(struct ctl *ctl)
{
    mupdate_connection_close(ctl->connection);
    ctl->connection = NULL;
}

int ctl_refused(enum mupdate_reply reply, struct mupdate_text text)
{
    fputs("mupdatectl: ", stderr);
    fputs(reply == MUPDATE_BYE   ? "the server ends the connection: "
          : reply == MUPDATE_BAD ? "the server does not understand the command: "
                                 : "refused: ",
          stderr);
    ctl_write_escaped(stderr, text);
    fputc('\n', stderr);
    return reply == MUPDATE_BYE ? EX_TEMPFAIL : reply == MUPDATE_BAD ? EX_PROTOCOL : EX_UNAVAILABLE;
}

static int fail(struct failure *failure, int status, const char *text)
{
    failure->status = status;
    snprintf(failure->text, sizeof failure->text, "%s", text);
    return status;
}

/*
 * Until the command ends. failure->status is set when its reply did not come;
 * all else was complained of.
 */
static int await(struct ctl *ctl, uint64_t command, ctl_row *on_row, void *context,
                 struct failure *failure)
{
    struct mupdate_client_event event;
    struct mupdate_connect_error error;
    int status;

    failure->status = 0;
    if (!command)
        return ctl_complain(EX_OSERR, "out of memory");
    for (;;) {
        int got = mupdate_connection_next(ctl->connection, &event, ctl->connect.timeout_ms, &error);

        if (got < 0)
            return fail(failure, ctl_exit_status(error.kind), error.text);
        if (got == 0)
            return fail(failure, EX_TEMPFAIL, "the server did not answer in time");
        /* Unlike NO and BAD, BYE does not say that nothing was changed. */
        if (event.type == MUPDATE_CLIENT_GOODBYE ||
            (event.type == MUPDATE_CLIENT_DONE && event.reply == MUPDATE_BYE)) {
            (void)ctl_refused(event.reply, event.text);
            return fail(failure, EX_TEMPFAIL, "the server ended the connection");
        }
        if (event.command != command)
            continue;
        if (event.type == MUPDATE_CLIENT_DONE)
            return event.reply == MUPDATE_OK ? 0 : ctl_refused(event.reply, event.text);
        if (event.type == MUPDATE_CLIENT_ROW && on_row) {
            status = on_row(context, &event.row);
            if (status)
                return status;
        }
    }
}

int ctl_finish(struct ctl *ctl, uint64_t command, ctl_row *on_row, void *context)
{
    struct failure failure;
    int status = await(ctl, command, on_row, context, &failure);

    if (failure.status)
        return ctl_complain(failure.status, "%s; the answer is incomplete, try again",
                            failure.text);
    return status;
}

int ctl_finish_change(struct ctl *ctl, uint64_t command, const char *name)
{
    struct failure failure;
    int status = await(ctl, command, NULL, NULL, &failure);

    if (!failure.status)
        return status;
    fprintf(stderr,
            "mupdatectl: %s; the change may be stored or not: see with "
            "\"mupdatectl find\" what is there for ",
            failure.text);
    ctl_write_escaped(stderr, ctl_text(name));
    fputc('\n', stderr);
    return EX_TEMPFAIL;
}
