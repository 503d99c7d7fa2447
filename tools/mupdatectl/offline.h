/*
 * The master's database, worked on where it lies: by root or by the user whom it
 * belongs to. What is read or made is always done as that user, so that nothing of
 * root's is left for the daemon to stumble over. While a mupdated uses it, a copy is
 * read that it makes.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_OFFLINE_H
#define MUPDATECTL_OFFLINE_H

#include <limits.h>
#include <sys/types.h>

#include "mupdated/store/store.h"
#include "mupdated/table/rule.h"
#include "tools/mupdatectl/command.h"
#include "tools/mupdatectl/local.h"

struct config;
struct config_error;

/* The configuration that the options name, to be freed with config_free(); NULL: *error. */
struct config *ctl_config_read(const struct ctl *ctl, struct config_error *error);

/* Where the table is, and whose it is. */
struct ctl_place {
    struct config *config;
    char directory[PATH_MAX];
    struct rule_policy policy; /* what a row may be */
    uint64_t cache_bytes;
    uid_t owner;
    gid_t group;
    struct ctl_local local; /* the control socket of the mupdated that may use it; not connected */
};

/*
 * Find it as the options and the configuration say. The directory may be missing if may_be_missing
 * is set. Exit status: EX_CONFIG; EX_NOINPUT: no such directory; EX_NOPERM: who runs this is
 * neither root nor its owner.
 */
int ctl_place_find(struct ctl_place *place, const struct ctl *ctl, bool may_be_missing);
void ctl_place_free(struct ctl_place *place);

/* Act as the owner of the database; as who runs the program again. Exit status; no nesting. */
int ctl_as_owner(const struct ctl_place *place);
void ctl_as_self(void);

/* Options for the table in a directory, with what is logged on standard error. */
struct store_options ctl_store_options(const struct ctl_place *place, const char *directory);

/*
 * Open the table, if nobody uses it, as its owner, which the program is then until
 * ctl_table_close(). This is the one place that finds out whether a mupdated uses the table:
 * STORE_BUSY then with *error, and nothing was said. Other results were said; *status is the exit
 * status: EX_NOINPUT: there is no table; EX_DATAERR: it is damaged or newer.
 */
enum store_result ctl_table_open_idle(const struct ctl_place *place, struct store **store,
                                      struct store_error *error, int *status);

/* A table to read: where it lies, or a copy of it as it is now. */
struct ctl_table {
    struct store *store;
    struct ctl_local local; /* whose copy it is; not connected: it is none */
};

/*
 * Open the table to read it, as its owner, which the program is until ctl_table_close(). While
 * a mupdated uses it that is asked for a copy. Exit status, as above or as of ctl_copy_take().
 */
int ctl_table_open(const struct ctl_place *place, struct ctl_table *table);
void ctl_table_close(struct ctl_table *table);

/* Say what a function of the store returned. Exit status, which is never 0. */
int ctl_store_failed(enum store_result result, const struct store_error *error);

/*
 * See that the table in options->directory, that was just made, is good: every page, every row,
 * every change. As the owner. Exit status; *counts is filled when it is 0.
 */
int ctl_table_verify(const struct store_options *options, struct store_counts *counts);

/*
 * Make a table in options->directory, which is empty, and close it, as the owner. Exit
 * status; it has then said why.
 */
typedef int ctl_make(void *context, const struct store_options *options);

/* EX_UNAVAILABLE, and said so, when a mupdated uses the table; 0 also when there is none. */
int ctl_table_check_idle(const struct ctl_place *place);

/*
 * Replace the table: make a new one beside it, verify it, and exchange the two; the old one is
 * kept beside it, and where is said on standard output unless quiet. All or nothing, but for
 * EX_IOERR of the exchange itself, which has said what there is then. mupdated must be stopped.
 * Exit status; *counts (may be NULL) is what the new table holds.
 */
int ctl_table_replace(const struct ctl_place *place, ctl_make *make, void *context, bool quiet,
                      struct store_counts *counts);

/* The same without the exchange: what was made is handed to look, and removed. */
int ctl_table_try(const struct ctl_place *place, ctl_make *make, ctl_make *look, void *context);

/* As the owner: remove a directory that a table was made in, if it is there. */
void ctl_remove_table(const struct ctl_place *place, const char *directory);

/* What is to be done with a table that is not confirmed, on standard output. */
void ctl_say_unconfirmed(void);

#endif
