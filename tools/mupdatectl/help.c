/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/mupdatectl/command.h"

static const struct ctl_command *const commands[] = {
    &ctl_find_command,
    &ctl_list_command,
    &ctl_watch_command,
    &ctl_reserve_command,
    &ctl_activate_command,
    &ctl_deactivate_command,
    &ctl_delete_command,
    &ctl_ping_command,
    &ctl_dump_command,
    &ctl_load_command,
    &ctl_backup_command,
    &ctl_restore_command,
    &ctl_confirm_command,
    &ctl_import_command,
    &ctl_export_command,
    &ctl_verify_command,
    &ctl_repair_command,
    &ctl_compact_command,
    &ctl_trim_command,
    &ctl_status_command,
    &ctl_connections_command,
    &ctl_kick_command,
    &ctl_log_command,
    &ctl_reservations_command,
    &ctl_release_command,
    &ctl_move_command,
};
/* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
static const size_t COMMANDS = sizeof commands / sizeof *commands;

static const char shared_help[] =
    "\n"
    "Options of all commands, before or behind the command's name:\n"
    "      --json                 output as JSON, one object a line\n"
    "      --help, --version\n"
    "\n"
    "Options of those that work on the master's own host:\n"
    "  -C, --config FILE          the master's configuration (default: " CTL_DEFAULT_CONFIG ")\n"
    "      --database DIR         the master's database (default: as the configuration says)\n"
    "      --socket PATH          the master's control socket (default: as the configuration\n"
    "                             says, or \"control\" in the database)\n"
    "\n"
    "Options of those that talk to a server:\n"
    "  -h, --host HOST[:PORT][/tls]\n"
    "                             the server: name, address, [::1]:3905 or unix:/path\n"
    "                             (default localhost, port 3905); /tls: its port begins\n"
    "                             with TLS\n"
    "  -u, --user USER            who logs in (default: your own login name)\n"
    "      --authorize USER       act as this user instead\n"
    "      --password-file FILE   the password is its first line; only you may read it.\n"
    "                             Without this option you are asked on the terminal\n"
    "  -m, --mechanism NAME       SASL mechanism (default: the strongest)\n"
    "      --tls WHEN             require, try (if the server offers it; the default) or never\n"
    "      --ca FILE              CA certificates to check the server's with\n"
    "                             (default: the system's)\n"
    "      --accept-any-certificate\n"
    "                             do not check the server's certificate\n"
    "      --cert FILE            show this certificate; without -u and -m it logs in by\n"
    "                             itself (EXTERNAL)\n"
    "      --key FILE             the key of the certificate (default: in its file)\n"
    "      --compress             compress if the server offers it\n"
    "      --timeout SECONDS      longest wait for each answer (default 30)\n"
    "\n"
    "The exit status is one of sysexits(3); mupdatectl(8) lists them.\n";

const struct ctl_command *ctl_command_find(const char *name)
{
    size_t i;

    for (i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* Behind arguments that need more than their column the summary has a line of its own. */
static void print_line(const struct ctl_command *command)
{
    enum { NAME_WIDTH = 12, ARGUMENTS_WIDTH = 34 };

    if (strlen(command->arguments) > ARGUMENTS_WIDTH)
        printf("  %-*s %s\n  %*s %s\n", NAME_WIDTH, command->name, command->arguments,
               NAME_WIDTH + 1 + ARGUMENTS_WIDTH, "", command->summary);
    else
        printf("  %-*s %-*s %s\n", NAME_WIDTH, command->name, ARGUMENTS_WIDTH, command->arguments,
               command->summary);
}

int ctl_help(const struct ctl_command *command)
{
    size_t i;

    if (command) {
        printf("Usage: mupdatectl [OPTION ...] %s %s\n\n%s", command->name, command->arguments,
               command->help);
    } else {
        printf("Usage: mupdatectl [OPTION ...] COMMAND [ARGUMENT ...]\n\n"
               "See, save and change the mailbox list of a MUPDATE server.\n\nCommands:\n");
        for (i = 0; i < COMMANDS; i++)
            print_line(commands[i]);
        printf("\nmupdatectl COMMAND --help tells more of each.\n");
    }
    fputs(shared_help, stdout);
    return fflush(stdout) == 0 ? 0 : ctl_complain(EX_IOERR, "cannot write to standard output");
}
