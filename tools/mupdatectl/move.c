/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/mupdatectl/local.h"
#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/progress.h"

enum {
    OPTION_FROM = CTL_OWN_OPTION,
    OPTION_TO,
    OPTION_RATE,
    OPTION_DRY_RUN,
    OPTION_YES,
};

#define RATE_MAX 10000

struct moving {
    struct ctl_local local;
    const char *from;
    const char *to;
    json_int_t rate; /* 0: as mupdated likes it */
    bool dry_run;
    bool yes;
    bool json;
};

struct counts {
    unsigned long long active;
    unsigned long long reserved;
};

static struct counts counts_of(const json_t *answer, const char *key)
{
    const json_t *counts = json_object_get(answer, key);

    return (struct counts){
        (unsigned long long)json_integer_value(json_object_get(counts, "active")),
        (unsigned long long)json_integer_value(json_object_get(counts, "reserved")),
    };
}

static json_t *request(const struct moving *moving, bool dry_run)
{
    json_t *object = json_pack("{sssb}", "do", "move", "dry_run", (int)dry_run);

    if (object &&
        json_set_text(object, "from", (struct mupdate_text){moving->from, strlen(moving->from)}) &&
        json_set_text(object, "to", (struct mupdate_text){moving->to, strlen(moving->to)}) &&
        (moving->rate == 0 ||
         json_object_set_new(object, "rate", json_integer(moving->rate)) == 0))
        return object;
    json_decref(object);
    return NULL;
}

/* --- what would be moved --- */

static void print_server(const char *server)
{
    ctl_write_escaped(stdout, (struct mupdate_text){server, strlen(server)});
}

static void print_row(const json_t *row)
{
    fputs("  ", stdout);
    ctl_write_member(stdout, row, "state");
    putchar('\t');
    ctl_write_member(stdout, row, "name");
    putchar('\t');
    ctl_write_member(stdout, row, "location");
    fputs(" -> ", stdout);
    ctl_write_member(stdout, row, "to");
    putchar('\n');
}

static int print_plan(const struct moving *moving, const json_t *answer)
{
    struct counts moves = counts_of(answer, "moves");
    struct counts target = counts_of(answer, "target");
    const json_t *first = json_object_get(answer, "first");

    printf("%llu active and %llu reserved mailboxes are to go from ", moves.active,
           moves.reserved);
    print_server(moving->from);
    fputs(" to ", stdout);
    print_server(moving->to);
    printf(", which has %llu.\n", target.active + target.reserved);
    for (size_t i = 0; i < json_array_size(first); i++)
        print_row(json_array_get(first, i));
    if (moves.active + moves.reserved > json_array_size(first))
        puts("  ...");
    return ctl_flush();
}

/* Ask what there is to move; *total is how much, and *answer to be released. */
static int look(struct moving *moving, uint64_t *total, json_t **answer)
{
    struct counts moves;
    int status = ctl_local_ask(&moving->local, request(moving, true), answer);

    if (status)
        return ctl_local_failed(&moving->local, status);
    moves = counts_of(*answer, "moves");
    *total = moves.active + moves.reserved;
    return 0;
}

/* --- whether to --- */

static int confirm(void)
{
    char line[16];

    if (!isatty(STDIN_FILENO))
        return ctl_complain(EX_USAGE, "nothing was moved: say --yes where nobody can be asked");
    fputs("Move them? Write yes: ", stderr);
    if (fgets(line, sizeof line, stdin) && strcmp(line, "yes\n") == 0)
        return 0;
    return ctl_complain(EX_UNAVAILABLE, "nothing was moved");
}

/* --- moving --- */

/* The last line of the answer, to be released. */
static int move_rows(struct moving *moving, uint64_t total, json_t **answer)
{
    struct ctl_progress progress;
    int status = ctl_local_send(&moving->local, request(moving, false));

    *answer = NULL;
    ctl_progress_begin(&progress, "moving", "rows", total);
    while (!status) {
        status = ctl_local_next(&moving->local, answer);
        if (status || !moving->local.more)
            break;
        ctl_progress_step(&progress, (uint64_t)json_integer_value(json_object_get(
                                         json_object_get(*answer, "progress"), "done")));
        json_decref(*answer);
        *answer = NULL;
    }
    ctl_progress_end(&progress);
    return status ? ctl_local_failed(&moving->local, status) : 0;
}

static int report(const struct moving *moving, json_t *answer)
{
    struct counts moved = counts_of(answer, "moved");
    json_int_t changed = json_integer_value(json_object_get(answer, "changed"));
    int status = 0;

    if (moving->json) {
        status = ctl_print_json(json_pack("{sOsO}", "moved", json_object_get(answer, "moved"),
                                          "changed", json_object_get(answer, "changed")));
    } else {
        printf("Moved %llu active and %llu reserved mailboxes.\n", moved.active, moved.reserved);
        if (changed > 0)
            printf("%lld were changed by others at the same moment and stay as these made them: "
                   "run it again.\n",
                   (long long)changed);
        status = ctl_flush();
    }
    return status ? status : changed > 0 ? CTL_EXIT_FOUND : 0;
}

static int print_dry_run(const struct moving *moving, json_t *answer)
{
    int status;

    if (moving->json)
        return ctl_print_json(json_pack("{sOsOsO}", "moves", json_object_get(answer, "moves"),
                                        "target", json_object_get(answer, "target"), "first",
                                        json_object_get(answer, "first")));
    status = print_plan(moving, answer);
    if (!status)
        puts("Nothing was changed.");
    return status ? status : ctl_flush();
}

static int move_all(struct moving *moving)
{
    uint64_t total = 0;
    json_t *answer;
    int status = look(moving, &total, &answer);

    if (status)
        return status;
    if (moving->dry_run) {
        status = print_dry_run(moving, answer);
        json_decref(answer);
        return status;
    }
    if (total > 0 && !moving->yes) {
        status = print_plan(moving, answer);
        if (!status)
            status = confirm();
    }
    json_decref(answer);
    if (!status)
        status = move_rows(moving, total, &answer);
    if (status)
        return status;
    status = report(moving, answer);
    json_decref(answer);
    return status;
}

/* --- the command --- */

static bool take_rate(struct moving *moving, const char *text)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    moving->rate = strtoll(text, &end, 10);
    return !*end && moving->rate >= 1 && moving->rate <= RATE_MAX;
}

static int take_option(struct moving *moving, int option)
{
    switch (option) {
    case OPTION_FROM:
        moving->from = optarg;
        return 0;
    case OPTION_TO:
        moving->to = optarg;
        return 0;
    case OPTION_DRY_RUN:
        moving->dry_run = true;
        return 0;
    case OPTION_YES:
        moving->yes = true;
        return 0;
    default:
        return take_rate(moving, optarg)
                   ? 0
                   : ctl_complain(EX_USAGE, "--rate %s: give mailboxes a second, from 1 to %d",
                                  optarg, RATE_MAX);
    }
}

static int move(struct ctl *ctl, int argc, char **argv)
{
    struct moving moving = {.dry_run = false};
    int option;
    int status = 0;

    while (!status && (option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        status = take_option(&moving, option);
    }
    if (status)
        return status;
    if (!moving.from || !moving.to)
        return ctl_complain(EX_USAGE, "move: say --from and --to; see mupdatectl move --help");
    moving.json = ctl->json;
    status = ctl_local_open(&moving.local, ctl);
    if (status)
        return status;
    status = move_all(&moving);
    ctl_local_close(&moving.local);
    return status;
}

static const struct option move_options[] = {
    {"from", required_argument, NULL, OPTION_FROM},
    {"to", required_argument, NULL, OPTION_TO},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"yes", no_argument, NULL, OPTION_YES},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_move_command = {
    .name = "move",
    .arguments = "--from SERVER --to SERVER",
    .summary = "give a retired server's mailboxes to another",
    .help = "Change the location of all mailboxes of a server to another server, where their\n"
            "mail is by now: no mail is moved. Their partition, ACL and state stay. mupdated must\n"
            "run. Each mailbox is a change of its own, which front-ends see and the log tells;\n"
            "one that is changed by others at the same moment is left alone, and the exit status\n"
            "is 1. To run it again does no harm, also when it was interrupted.\n"
            "\n"
            "      --from SERVER          the server, or SERVER!PARTITION\n"
            "      --to SERVER            the new server, or SERVER!PARTITION\n"
            "      --rate NUMBER          mailboxes a second, so that front-ends keep up (default\n"
            "                             1000; up to 10000)\n"
            "      --dry-run              change nothing; show how many there are, and some\n"
            "      --yes                  do not ask\n",
    .run = move,
    .options = move_options,
    .maximum = 0,
};
