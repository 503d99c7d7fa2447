/*
 * What a sub-command is, and the options that all of them share.
 *
 * Every function that returns an "exit status" returns 0 or a code of
 * <sysexits.h>, and has then said on standard error what is wrong and what to do.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_COMMAND_H
#define MUPDATECTL_COMMAND_H

#include <getopt.h>
#include <mupdate/connect.h>

#define CTL_DEFAULT_CONFIG MUPDATED_SYSCONFDIR "/mupdated.conf"

/* FIND of a name that is not there, as grep(1) says "no match". */
#define CTL_EXIT_ABSENT 1

/* Something was found that the operator should look at. */
#define CTL_EXIT_FOUND 1

/* One run of the program. */
struct ctl {
    const struct ctl_command *command;
    struct mupdate_connect_options connect;
    char *host;    /* what connect.host and connect.port point into */
    char *account; /* the caller's login name, the default user */
    bool tls_first; /* "/tls" stands behind the host */
    const char *config_file; /* NULL: the default one */
    const char *database;    /* --database; NULL: as the configuration says */
    const char *socket;      /* --socket; NULL: as the configuration and the database say */
    const char *password_file;
    char *password; /* once known; wiped at the end */
    bool json;
    int status; /* exit status, after ctl_option() returned CTL_STOP */
    struct mupdate_connection *connection;
};

struct ctl_command {
    const char *name;
    const char *arguments;                              /* "NAME LOCATION", for the usage line */
    const char *summary;                                /* one line of mupdatectl --help */
    const char *help;                                   /* the rest of mupdatectl COMMAND --help */
    int (*run)(struct ctl *ctl, int argc, char **argv); /* argv[0] is its name; exit status */
    const struct option *options; /* its own, values from CTL_OWN_OPTION or a letter; NULL: none */
    const char *letters;          /* those letters, as getopt(3) has them; NULL: none */
    int minimum;                  /* arguments */
    int maximum;                  /* -1: any number */
};

extern const struct ctl_command ctl_find_command;
extern const struct ctl_command ctl_list_command;
extern const struct ctl_command ctl_watch_command;
extern const struct ctl_command ctl_activate_command;
extern const struct ctl_command ctl_reserve_command;
extern const struct ctl_command ctl_deactivate_command;
extern const struct ctl_command ctl_delete_command;
extern const struct ctl_command ctl_ping_command;
extern const struct ctl_command ctl_dump_command;
extern const struct ctl_command ctl_load_command;
extern const struct ctl_command ctl_backup_command;
extern const struct ctl_command ctl_restore_command;
extern const struct ctl_command ctl_confirm_command;
extern const struct ctl_command ctl_import_command;
extern const struct ctl_command ctl_export_command;
extern const struct ctl_command ctl_status_command;
extern const struct ctl_command ctl_connections_command;
extern const struct ctl_command ctl_kick_command;
extern const struct ctl_command ctl_log_command;
extern const struct ctl_command ctl_reservations_command;
extern const struct ctl_command ctl_release_command;
extern const struct ctl_command ctl_move_command;
extern const struct ctl_command ctl_compact_command;
extern const struct ctl_command ctl_trim_command;
extern const struct ctl_command ctl_verify_command;
extern const struct ctl_command ctl_repair_command;

/* The command of that name, or NULL. */
const struct ctl_command *ctl_command_find(const char *name);

/* Print the help of a command, or of the program for NULL. Exit status. */
int ctl_help(const struct ctl_command *command);

/* Where the values of the commands' own options begin. */
#define CTL_OWN_OPTION 512

/* What ctl_option() returns beside a command's own options. */
#define CTL_END  (-1) /* optind is the first argument */
#define CTL_STOP (-2) /* ctl->status is the exit status: wrong usage, or --help was served */

/*
 * The next option of ctl->command, or of the program while that is NULL.
 * Shared options are taken into *ctl. At the end the number of arguments was checked.
 */
int ctl_option(struct ctl *ctl, int argc, char **argv);

/* Defaults: local host, the caller's name, TLS when offered. Exit status. */
int ctl_options_init(struct ctl *ctl);
void ctl_options_free(struct ctl *ctl);

/* Seconds with decimals, 0.001 to 86400, as milliseconds; -1 for anything else. */
int ctl_seconds(const char *text);

/*
 * Split "host", "host:port", "[::1]", "[::1]:port", "::1", each with "/tls" behind
 * it (*tls) or without, or "unix:/path" in place. *port is NULL when there is
 * none. False when it is none of these.
 */
bool ctl_split_host(char *text, const char **host, const char **port, bool *tls);

/* Take the value of an option that names the server, as --host does. Exit status. */
int ctl_host(struct ctl *ctl, const char *option, const char *value);

/* What must be known of all options together, before the connection is made. Exit status. */
int ctl_options_complete(struct ctl *ctl);

/* "mupdatectl: TEXT" on standard error. Returns status. */
__attribute__((format(printf, 2, 3))) int ctl_complain(int status, const char *format, ...);

#endif
