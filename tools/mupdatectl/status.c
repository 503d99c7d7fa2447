/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/status.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tools/mupdatectl/local.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/when.h"

enum {
    OPTION_WATCH = CTL_OWN_OPTION,
    OPTION_CHECK,
    OPTION_LAG,
    OPTION_FREE,
    OPTION_RESERVED_FOR,
};

#define WATCH_MS 2000

struct asking {
    struct ctl *ctl;
    bool check;
    bool limited; /* one of limits was given */
    int watch_ms; /* 0: once */
    struct ctl_status_limits limits;
};

static int count_item(void *context, const json_t *item)
{
    int64_t *count = context;

    (void)item;
    ++*count;
    return 0;
}

/* Ask for the state, to be released, and, if it is a check, for the stale reservations. */
static int ask(const struct asking *asking, struct ctl_local *local, json_t **status_object,
               int64_t *stale)
{
    json_t *answer;
    int status = ctl_local_connect(local);

    if (!status)
        status = ctl_local_ask(local, json_pack("{ss}", "do", "status"), &answer);
    if (status)
        return status;
    *status_object = json_incref(json_object_get(answer, "status"));
    json_decref(answer);
    if (!*status_object) {
        (void)snprintf(local->text, sizeof local->text, "what listens at %s is no mupdated",
                       local->path);
        return EX_PROTOCOL;
    }
    /* To look for them is a walk of the whole table. */
    if (asking->check && ctl_status_number(*status_object, "table", "reserved") > 0)
        status = ctl_local_list(
            local,
            json_pack("{sssI}", "do", "reservations", "before_us",
                      (json_int_t)(ctl_now_us() - asking->limits.reserved_us)),
            "reservations", count_item, stale);
    if (status)
        json_decref(*status_object);
    return status;
}

/* --- once --- */

static int check(const struct asking *asking, struct ctl_local *local)
{
    json_t *object;
    int64_t stale = 0;
    int status = ask(asking, local, &object, &stale);
    enum ctl_status_verdict verdict = CTL_STATUS_CRITICAL;

    ctl_local_close(local);
    if (status) {
        printf("MUPDATE CRITICAL - %s\n", local->text);
    } else {
        verdict = ctl_status_check(stdout, object, stale, &asking->limits);
        json_decref(object);
    }
    status = ctl_flush();
    return status ? status : (int)verdict;
}

static int show(const struct asking *asking, struct ctl_local *local)
{
    json_t *object;
    int status = ask(asking, local, &object, NULL);

    ctl_local_close(local);
    if (status)
        return ctl_local_failed(local, status);
    if (asking->ctl->json)
        status = ctl_print_json(object);
    else {
        ctl_status_screen(stdout, object, 0);
        json_decref(object);
    }
    return status ? status : ctl_flush();
}

/* --- again and again --- */

/* Print the screen in place of the one before: lines cut to the terminal's size. */
static void draw(const char *text, const struct winsize *size)
{
    int line = 0;

    (void)fputs("\033[H", stdout);
    while (*text && (size->ws_row == 0 || ++line < size->ws_row)) {
        size_t len = strcspn(text, "\n");
        size_t shown = size->ws_col > 0 && len > size->ws_col ? size->ws_col : len;

        (void)fwrite(text, 1, shown, stdout);
        (void)fputs(shown < size->ws_col || size->ws_col == 0 ? "\033[K\n" : "\n", stdout);
        text += len + (text[len] == '\n');
    }
    (void)fputs("\033[J", stdout);
}

static int show_in_place(const struct asking *asking, struct ctl_local *local)
{
    struct winsize size = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    json_t *object;
    int status;

    if (!memory)
        return ctl_complain(EX_OSERR, "out of memory");
    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    status = ask(asking, local, &object, NULL);
    ctl_local_close(local);
    if (status) {
        /* It may be started again meanwhile: that is what an operator looks for here. */
        (void)fprintf(memory, "%s\n", local->text);
    } else {
        ctl_status_screen(memory, object, size.ws_row);
        json_decref(object);
    }
    if (fclose(memory) == 0)
        draw(text, &size);
    free(text);
    return ctl_flush();
}

static int watch(const struct asking *asking, struct ctl_local *local)
{
    bool terminal = !asking->ctl->json && isatty(STDOUT_FILENO) == 1;
    struct timespec pause = {.tv_sec = asking->watch_ms / 1000,
                             .tv_nsec = asking->watch_ms % 1000 * 1000000L};
    int status;

    if (terminal)
        (void)fputs("\033[2J", stdout);
    for (;;) {
        status = terminal ? show_in_place(asking, local) : show(asking, local);
        if (status)
            return status;
        (void)nanosleep(&pause, NULL);
        if (!terminal && !asking->ctl->json)
            (void)putchar('\n');
    }
}

/* --- options --- */

static int take_watch(struct asking *asking, const char *value)
{
    asking->watch_ms = value ? ctl_seconds(value) : WATCH_MS;
    return asking->watch_ms > 0
               ? 0
               : ctl_complain(EX_USAGE, "--watch %s: give seconds, from 0.001 to 86400", value);
}

static int take_option(struct asking *asking, int option, const char *value)
{
    switch (option) {
    case OPTION_WATCH:
        return take_watch(asking, value);
    case OPTION_CHECK:
        asking->check = true;
        return 0;
    case OPTION_LAG:
        asking->limits.lag_seconds = (double)ctl_duration_us(value) / 1e6;
        if (asking->limits.lag_seconds < 0)
            return ctl_complain(EX_USAGE, "--lag %s: give seconds, or a time such as 5m", value);
        break;
    case OPTION_FREE:
        asking->limits.free_octets = ctl_size_octets(value);
        if (asking->limits.free_octets < 0)
            return ctl_complain(EX_USAGE, "--free %s: give octets, as in 500M or 2G", value);
        break;
    default:
        asking->limits.reserved_us = ctl_duration_us(value);
        if (asking->limits.reserved_us < 0)
            return ctl_complain(EX_USAGE, "--reserved-for %s: give a time such as 10m", value);
        break;
    }
    asking->limited = true;
    return 0;
}

/* False when ctl->status is the end of it. */
static bool take_options(struct asking *asking, int argc, char **argv)
{
    struct ctl *ctl = asking->ctl;
    int option;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return false;
        ctl->status = take_option(asking, option, optarg);
        if (ctl->status)
            return false;
    }
    if (optind < argc)
        ctl->status = asking->watch_ms
                          ? take_watch(asking, argv[optind])
                          : ctl_complain(EX_USAGE, "status: too many arguments: it takes none");
    else if (asking->limited && !asking->check)
        ctl->status =
            ctl_complain(EX_USAGE, "--lag, --free and --reserved-for go with --check only");
    else if (asking->check && (asking->watch_ms || ctl->json))
        ctl->status = ctl_complain(EX_USAGE, "--check does not go with --watch and --json");
    return ctl->status == 0;
}

static int show_status(struct ctl *ctl, int argc, char **argv)
{
    struct asking asking = {
        .ctl = ctl,
        .limits = {.lag_seconds = 60, .free_octets = 1000000000, .reserved_us = 600000000},
    };
    struct ctl_local local;
    int status;

    if (!take_options(&asking, argc, argv))
        return ctl->status;
    status = ctl_local_find_alone(&local, ctl);
    if (status)
        return ctl_local_failed(&local, status);
    if (asking.check)
        return check(&asking, &local);
    return asking.watch_ms ? watch(&asking, &local) : show(&asking, &local);
}

static const struct option status_options[] = {
    {"watch", optional_argument, NULL, OPTION_WATCH},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"lag", required_argument, NULL, OPTION_LAG},
    {"free", required_argument, NULL, OPTION_FREE},
    {"reserved-for", required_argument, NULL, OPTION_RESERVED_FOR},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_status_command = {
    .name = "status",
    .arguments = "[--watch [SECONDS] | --check]",
    .summary = "how the master on this host is",
    .help = "Show the state of the mupdated on this host: its table, changes, disk, connections\n"
            "and subscribers.\n"
            "\n"
            "      --watch [SECONDS]      again and again, in place on a terminal (default 2)\n"
            "      --check                print one line for a monitoring system. The exit status\n"
            "                             is 0: good; 1: a warning; 2: critical, that is,\n"
            "                             mupdated does not answer, refuses changes, or has a\n"
            "                             table that is not confirmed. It warns when\n"
            "      --lag TIME             a subscriber is so far behind (default 60s)\n"
            "      --free OCTETS          less is free on the disk (default 1G)\n"
            "      --reserved-for TIME    a name is reserved for longer (default 10m)\n",
    .run = show_status,
    .options = status_options,
    .maximum = 1,
};
