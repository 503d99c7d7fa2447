/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/local.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/when.h"

struct listing {
    bool json;
    const char *user; /* NULL: all */
};

static int print_connection(void *context, const json_t *item)
{
    const struct listing *listing = context;
    const char *user = json_string_value(json_object_get(item, "user"));
    const json_t *subscription = json_object_get(item, "subscription");
    char age[CTL_WHEN_BYTES];
    char idle[CTL_WHEN_BYTES];

    if (listing->user && (!user || strcmp(user, listing->user) != 0))
        return 0;
    if (listing->json)
        return ctl_print_json(json_deep_copy(item));
    (void)printf("%10lld ",
                 (long long)json_integer_value(json_object_get(item, "connection")));
    ctl_write_column(stdout, item, "client", 36);
    ctl_write_column(stdout, item, "user", 16);
    ctl_write_column(stdout, item, "activity", 9);
    ctl_write_column(stdout, item, "tls", 7);
    (void)printf("%12s %12s",
                 ctl_duration_text(json_number_value(json_object_get(item, "age_seconds")), age),
                 ctl_duration_text(json_number_value(json_object_get(item, "idle_seconds")), idle));
    if (subscription)
        (void)printf(" %8lld\n",
                     (long long)json_integer_value(json_object_get(subscription, "behind")));
    else
        (void)printf(" %8s\n", "-");
    return 0;
}

static int connections(struct ctl *ctl, int argc, char **argv)
{
    struct listing listing = {0};
    struct ctl_local local;
    int status;

    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    listing.json = ctl->json;
    listing.user = ctl->connect.user;
    status = ctl_local_open(&local, ctl);
    if (status)
        return status;
    if (!listing.json)
        (void)printf("%10s %-36s %-16s %-9s %-7s %12s %12s %8s\n", "CONNECTION", "CLIENT", "USER",
                     "ACTIVITY", "TLS", "AGE", "IDLE", "BEHIND");
    status = ctl_local_list(&local, json_pack("{ss}", "do", "connections"), "connections",
                            print_connection, &listing);
    if (status)
        (void)ctl_local_failed(&local, status);
    ctl_local_close(&local);
    return status ? status : ctl_flush();
}

const struct ctl_command ctl_connections_command = {
    .name = "connections",
    .arguments = "[--user USER]",
    .summary = "who is connected, and does what",
    .help = "Show the connections of the mupdated on this host, newest first: number, client,\n"
            "user, what it does, TLS, age, time since it said something, changes that a\n"
            "subscriber is behind.\n"
            "\n"
            "  -u, --user USER            only this user's\n",
    .run = connections,
    .maximum = 0,
};

/* The number of a connection; 0 for anything else. */
static json_int_t connection_number(const char *text)
{
    char *end;
    long long number = strtoll(text, &end, 10);

    return *text && !*end && number > 0 ? number : 0;
}

static json_t *kick_request(const char *user, json_int_t connection)
{
    json_t *request = json_pack("{ss}", "do", "kick");
    bool good = user ? json_set_text(request, "user", (struct mupdate_text){user, strlen(user)})
                     : json_object_set_new(request, "connection",
                                           json_integer(connection)) == 0;

    if (request && good)
        return request;
    json_decref(request);
    return NULL;
}

static int kick(struct ctl *ctl, int argc, char **argv)
{
    const char *user;
    struct ctl_local local;
    json_t *answer;
    json_int_t number = 0;
    json_int_t kicked;
    int status;

    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    /* Nobody logs in here: so it is whose connections are meant. */
    user = ctl->connect.user;
    if ((argc - optind == 1) == (user != NULL))
        return ctl_complain(EX_USAGE, user && argc > optind
                                          ? "kick: give the number of a connection or --user "
                                            "(-u), and not both"
                                          : "kick: give the number of a connection, or a user "
                                            "with --user");
    if (!user && (number = connection_number(argv[optind])) == 0)
        return ctl_complain(EX_USAGE, "kick %s: give the number that connections shows",
                            argv[optind]);
    status = ctl_local_open(&local, ctl);
    if (status)
        return status;
    status = ctl_local_ask(&local, kick_request(user, number), &answer);
    if (status)
        (void)ctl_local_failed(&local, status);
    ctl_local_close(&local);
    if (status)
        return status;
    kicked = json_integer_value(json_object_get(answer, "kicked"));
    json_decref(answer);
    if (ctl->json)
        status = ctl_print_json(json_pack("{sI}", "kicked", kicked));
    else
        (void)printf(kicked == 1 ? "closed %lld connection\n" : "closed %lld connections\n",
                     (long long)kicked);
    if (!status)
        status = ctl_flush();
    return status ? status : kicked > 0 ? 0 : CTL_EXIT_ABSENT;
}

const struct ctl_command ctl_kick_command = {
    .name = "kick",
    .arguments = "CONNECTION | --user USER",
    .summary = "close connections",
    .help = "Close the connection of this number, which mupdatectl connections shows, or all of a\n"
            "user. The client may come again at once. The exit status is 1 if there was none.\n"
            "\n"
            "  -u, --user USER            all connections of this user\n",
    .run = kick,
    .maximum = 1,
};
