/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/mupdatectl/command.h"
#include "tools/mupdatectl/session.h"

/*
 * Without this a socket could get the number of a closed standard output, and
 * rows would be written to the server. Writing to what is opened here fails.
 */
static bool keep_standard_descriptors(void)
{
    int fd;

    for (fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR) != fd)
            return false;
    return true;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    int status = ctl_options_init(ctl);

    if (status)
        return status;
    if (ctl_option(ctl, argc, argv) == CTL_STOP)
        return ctl->status;
    if (optind == argc)
        return ctl_complain(EX_USAGE, "which command? See mupdatectl --help");
    ctl->command = ctl_command_find(argv[optind]);
    if (!ctl->command)
        return ctl_complain(EX_USAGE, "there is no command %s; see mupdatectl --help",
                            argv[optind]);
    argc -= optind;
    argv += optind;
    /* glibc: start anew with another argument list. */
    optind = 0;
    return ctl->command->run(ctl, argc, argv);
}

int main(int argc, char **argv)
{
    struct ctl ctl;
    int status;

    if (!keep_standard_descriptors())
        return EX_OSERR;
    /* A reader of our output that goes away is an error of write(), not the end. */
    signal(SIGPIPE, SIG_IGN);
    /* A limit on the size of files is a full disk, not an end without a word. */
    signal(SIGXFSZ, SIG_IGN);
    status = run(&ctl, argc, argv);
    ctl_disconnect(&ctl);
    ctl_options_free(&ctl);
    return status;
}
