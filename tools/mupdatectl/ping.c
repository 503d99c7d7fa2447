/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/session.h"

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct mupdate_text text_or_empty(const char *string)
{
    return ctl_text(string ? string : "");
}

static json_t *to_json(const struct mupdate_client_banner *banner, double connect_ms,
                       double noop_ms)
{
    json_t *object = json_object();

    if (!object)
        return NULL;
    if (json_set_text(object, "server", text_or_empty(banner->hostname)) &&
        json_set_text(object, "implementation", text_or_empty(banner->implementation)) &&
        json_set_text(object, "version", text_or_empty(banner->version)) &&
        json_set_text(object, "role", text_or_empty(banner->role)) &&
        json_object_set_new(object, "connect_us", json_integer((json_int_t)(connect_ms * 1e3))) ==
            0 &&
        json_object_set_new(object, "noop_us", json_integer((json_int_t)(noop_ms * 1e3))) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static void print(const struct mupdate_client_banner *banner, double connect_ms, double noop_ms)
{
    ctl_write_escaped(stdout, text_or_empty(banner->hostname));
    fputs(": ", stdout);
    ctl_write_escaped(stdout, text_or_empty(banner->implementation));
    putchar(' ');
    ctl_write_escaped(stdout, text_or_empty(banner->version));
    putchar(' ');
    ctl_write_escaped(stdout, text_or_empty(banner->role));
    printf(", ready for commands in %.1f ms, NOOP answered in %.2f ms\n", connect_ms, noop_ms);
}

static int ping(struct ctl *ctl, int argc, char **argv)
{
    const struct mupdate_client_banner *banner;
    double started;
    double connected;
    double answered;
    int status;

    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    started = now_ms();
    status = ctl_connect(ctl);
    if (status)
        return status;
    connected = now_ms();
    status = ctl_finish(ctl, mupdate_client_noop(ctl_client(ctl)), NULL, NULL);
    if (status)
        return status;
    answered = now_ms();
    banner = mupdate_client_banner(ctl_client(ctl));
    if (ctl->json)
        status = ctl_print_json(to_json(banner, connected - started, answered - connected));
    else
        print(banner, connected - started, answered - connected);
    return status ? status : ctl_flush();
}

const struct ctl_command ctl_ping_command = {
    .name = "ping",
    .arguments = "",
    .summary = "log in and say who answers, how fast",
    .help = "Connect, log in and send a NOOP; show who answers and how long that took. The time\n"
            "to be ready includes the typing of a password.\n",
    .run = ping,
    .maximum = 0,
};
