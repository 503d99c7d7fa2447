/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <sysexits.h>

#include "tools/mupdatectl/output.h"
#include "tools/mupdatectl/session.h"

enum { OPTION_LOCATION = CTL_OWN_OPTION };

/* What the rows of a FIND or LIST are printed as, and how many came. */
struct printing {
    bool json;
    size_t rows;
};

static int print_row(void *context, const struct mupdate_row *row)
{
    struct printing *printing = context;

    printing->rows++;
    return ctl_print_row(printing->json, row);
}

static int find_one(struct ctl *ctl, const char *name)
{
    struct printing printing = {.json = ctl->json};
    int status =
        ctl_finish(ctl, mupdate_client_find(ctl_client(ctl), ctl_text(name)), print_row, &printing);

    return !status && !printing.rows ? CTL_EXIT_ABSENT : status;
}

static int find(struct ctl *ctl, int argc, char **argv)
{
    int result = 0;
    int status;
    int i;

    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    status = ctl_connect(ctl);
    if (status)
        return status;
    for (i = optind; i < argc; i++) {
        status = find_one(ctl, argv[i]);
        if (status == CTL_EXIT_ABSENT)
            result = status;
        else if (status)
            return status;
    }
    status = ctl_flush();
    return status ? status : result;
}

const struct ctl_command ctl_find_command = {
    .name = "find",
    .arguments = "NAME ...",
    .summary = "show mailboxes by name",
    .help = "Show where mailboxes are. The exit status is 1 if one of them is not known.\n"
            "\n"
            "NAME is the internal name, e.g. user.john^doe or example.org!user.jane.Sent.\n",
    .run = find,
    .minimum = 1,
    .maximum = -1,
};

static int list(struct ctl *ctl, int argc, char **argv)
{
    struct printing printing = {.json = false};
    struct mupdate_text prefix = {NULL, 0};
    int option;
    int status;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        prefix = ctl_text(optarg);
    }
    status = ctl_connect(ctl);
    if (status)
        return status;
    printing.json = ctl->json;
    status = ctl_finish(ctl, mupdate_client_list(ctl_client(ctl), prefix), print_row, &printing);
    return status ? status : ctl_flush();
}

static const struct option list_options[] = {
    {"location", required_argument, NULL, OPTION_LOCATION},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_list_command = {
    .name = "list",
    .arguments = "[--location PREFIX]",
    .summary = "show all mailboxes, or those of a server",
    .help = "Show all mailboxes, in the order of the server.\n"
            "\n"
            "      --location PREFIX      only those whose location begins so; to get the\n"
            "                             mailboxes of one server, write SERVER!\n",
    .run = list,
    .options = list_options,
    .maximum = 0,
};
