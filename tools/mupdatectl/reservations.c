/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/local.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/when.h"

enum { OPTION_OLDER_THAN = CTL_OWN_OPTION };

struct listing {
    bool json;
    int64_t now_us;
    uint64_t count;
};

/*
 * Take the options: --older-than leaves in *before_us the moment that many before now_us, which
 * stays as it is without. False: ctl->status is the exit status.
 */
static bool take_options(struct ctl *ctl, int argc, char **argv, int64_t now_us, int64_t *before_us)
{
    int option;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        int64_t age_us;

        if (option == CTL_STOP)
            return false;
        age_us = ctl_duration_us(optarg);
        if (age_us < 0) {
            ctl->status = ctl_complain(
                EX_USAGE, "--older-than %s: give a time such as 90s, 10m or 2h", optarg);
            return false;
        }
        *before_us = now_us - age_us;
    }
    return true;
}

static int print_reservation(void *context, const json_t *item)
{
    struct listing *listing = context;
    int64_t made_us = json_integer_value(json_object_get(item, "time_us"));
    char made[CTL_WHEN_BYTES];
    char age[CTL_WHEN_BYTES];

    listing->count++;
    if (listing->json)
        return ctl_print_json(json_deep_copy(item));
    (void)printf("%s\t%s\t", ctl_moment_text(made_us, made),
                 ctl_duration_text((double)(listing->now_us - made_us) / 1e6, age));
    ctl_write_member(stdout, item, "who");
    (void)putchar('\t');
    ctl_write_member(stdout, item, "name");
    (void)putchar('\t');
    ctl_write_member(stdout, item, "location");
    (void)putchar('\n');
    return 0;
}

static int reservations(struct ctl *ctl, int argc, char **argv)
{
    struct listing listing = {.now_us = ctl_now_us()};
    int64_t before_us = INT64_MAX;
    bool stale_only;
    struct ctl_local local;
    int status;

    if (!take_options(ctl, argc, argv, listing.now_us, &before_us))
        return ctl->status;
    stale_only = before_us != INT64_MAX;
    listing.json = ctl->json;
    status = ctl_local_open(&local, ctl);
    if (status)
        return status;
    status = ctl_local_list(&local,
                            json_pack("{sssI}", "do", "reservations", "before_us",
                                      (json_int_t)before_us),
                            "reservations", print_reservation, &listing);
    if (status)
        (void)ctl_local_failed(&local, status);
    ctl_local_close(&local);
    if (!status)
        status = ctl_flush();
    return status ? status : stale_only && listing.count > 0 ? CTL_EXIT_FOUND : 0;
}

static const struct option reservations_options[] = {
    {"older-than", required_argument, NULL, OPTION_OLDER_THAN},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_reservations_command = {
    .name = "reservations",
    .arguments = "[--older-than TIME]",
    .summary = "which names are reserved",
    .help = "Show the names that are reserved: since when, for how long, by whom, for which\n"
            "location. A reservation that is minutes old was left by a creation that died.\n"
            "\n"
            "      --older-than TIME      only those that are older: 90s, 10m, 2h, 1d. The exit\n"
            "                             status is 1 if there are any\n",
    .run = reservations,
    .options = reservations_options,
    .maximum = 0,
};

static json_t *release_request(const char *name, int64_t before_us)
{
    json_t *request = json_pack("{sssI}", "do", "release", "before_us", (json_int_t)before_us);

    if (request && json_set_text(request, "name", (struct mupdate_text){name, strlen(name)}))
        return request;
    json_decref(request);
    return NULL;
}

static int release(struct ctl *ctl, int argc, char **argv)
{
    int64_t before_us = INT64_MAX;
    struct ctl_local local;
    json_t *answer;
    int status;

    if (!take_options(ctl, argc, argv, ctl_now_us(), &before_us))
        return ctl->status;
    status = ctl_local_open(&local, ctl);
    if (status)
        return status;
    status = ctl_local_ask(&local, release_request(argv[optind], before_us), &answer);
    ctl_local_close(&local);
    if (status == EX_UNAVAILABLE)
        return ctl_complain(status, "not released: %s", local.text);
    if (status)
        return ctl_local_failed(&local, status);
    json_decref(answer);
    return 0;
}

const struct ctl_command ctl_release_command = {
    .name = "release",
    .arguments = "[--older-than TIME] NAME",
    .summary = "free a reserved name",
    .help = "Free a name that a creation that died has left reserved. Nothing is changed if it\n"
            "is not reserved, or was changed at the same time. The log of mupdated tells who\n"
            "freed it.\n"
            "\n"
            "      --older-than TIME      only if it was reserved that long ago: 90s, 10m, 2h\n",
    .run = release,
    .options = reservations_options,
    .minimum = 1,
    .maximum = 1,
};
