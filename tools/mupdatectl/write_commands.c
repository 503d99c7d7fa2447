/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <sysexits.h>

#include "tools/mupdatectl/acl.h"
#include "tools/mupdatectl/session.h"

enum { OPTION_EXACT_ACL = CTL_OWN_OPTION };

static int change(struct ctl *ctl, enum mupdate_verb verb, const char *name, const char *location,
                  const char *acl)
{
    const struct mupdate_row row = {
        .name = ctl_text(name),
        .location = ctl_text(location),
        .acl = ctl_text(acl),
    };
    int status = ctl_connect(ctl);

    if (status)
        return status;
    return ctl_finish_change(ctl, mupdate_client_set(ctl_client(ctl), verb, &row), name);
}

static int activate(struct ctl *ctl, int argc, char **argv)
{
    bool exact = false;
    int option;
    int status;
    char *acl;

    while ((option = ctl_option(ctl, argc, argv)) != CTL_END) {
        if (option == CTL_STOP)
            return ctl->status;
        exact = true;
    }
    switch (ctl_acl_from_words(argc - optind - 2, argv + optind + 2, exact, &acl)) {
    case CTL_ACL_OK:
        break;
    case CTL_ACL_NO_MEMORY:
        return ctl_complain(EX_OSERR, "out of memory");
    case CTL_ACL_UNEVEN:
        return ctl_complain(EX_USAGE,
                            "activate: an ACL is pairs of identifier and rights, as in "
                            "\"jane lrswipkxtecda anyone lrs\"; see mupdatectl activate --help");
    }
    status = change(ctl, MUPDATE_ACTIVATE, argv[optind], argv[optind + 1], acl);
    free(acl);
    return status;
}

static const struct option activate_options[] = {
    {"exact-acl", no_argument, NULL, OPTION_EXACT_ACL},
    {NULL, 0, NULL, 0},
};

const struct ctl_command ctl_activate_command = {
    .name = "activate",
    .arguments = "NAME LOCATION ACL ...",
    .summary = "store a mailbox as active",
    .help = "Store that the mailbox NAME is served at LOCATION (SERVER!PARTITION) with this\n"
            "access control list, whatever was stored for the name before.\n"
            "\n"
            "ACL is pairs of identifier and rights: jane lrswipkxtecda anyone lrs, as words or\n"
            "as one argument. One argument that has a tab, or is empty, is sent as it is.\n"
            "\n"
            "      --exact-acl            send the one argument ACL as it is in any case\n",
    .run = activate,
    .options = activate_options,
    .minimum = 3,
    .maximum = -1,
};

static int reserve(struct ctl *ctl, int argc, char **argv)
{
    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    return change(ctl, MUPDATE_RESERVE, argv[optind], argv[optind + 1], "");
}

const struct ctl_command ctl_reserve_command = {
    .name = "reserve",
    .arguments = "NAME LOCATION",
    .summary = "reserve a name for a server",
    .help = "Reserve the name of a mailbox for LOCATION (SERVER!PARTITION). Refused when another\n"
            "location holds it.\n",
    .run = reserve,
    .minimum = 2,
    .maximum = 2,
};

static int deactivate(struct ctl *ctl, int argc, char **argv)
{
    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    return change(ctl, MUPDATE_DEACTIVATE, argv[optind], argv[optind + 1], "");
}

const struct ctl_command ctl_deactivate_command = {
    .name = "deactivate",
    .arguments = "NAME LOCATION",
    .summary = "make an active mailbox a reserved name",
    .help = "Make an active mailbox a reservation of LOCATION (SERVER!PARTITION), without ACL.\n"
            "Nobody can open it then. Refused when the mailbox is not active.\n",
    .run = deactivate,
    .minimum = 2,
    .maximum = 2,
};

static int delete_row(struct ctl *ctl, int argc, char **argv)
{
    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    return change(ctl, MUPDATE_DELETE, argv[optind], "", "");
}

const struct ctl_command ctl_delete_command = {
    .name = "delete",
    .arguments = "NAME",
    .summary = "remove a mailbox or a reservation",
    .help = "Remove the entry of a mailbox. The mailbox itself, on its server, is not touched;\n"
            "that server enters it again with ctl_mboxlist -m.\n",
    .run = delete_row,
    .minimum = 1,
    .maximum = 1,
};
