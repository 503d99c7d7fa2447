/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/offline.h"

#include <errno.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "mupdated/config.h"
#include "mupdated/store/copy.h"
#include "mupdated/store/swap.h"
#include "tools/mupdatectl/copy.h"

/* --- where --- */

struct config *ctl_config_read(const struct ctl *ctl, struct config_error *error)
{
    const char *file = ctl->config_file ? ctl->config_file : CTL_DEFAULT_CONFIG;

    /* For a database that is named the rest may well be the defaults. */
    if (!ctl->config_file && ctl->database && access(file, F_OK) != 0)
        return config_parse("defaults", "", 0, NULL, NULL, error);
    return config_read(file, NULL, NULL, error);
}

/* Of a directory that is missing: whoever owns its parent is the best guess, as in swap_make(). */
static int stat_parent(const char *directory, struct stat *status)
{
    char parent[PATH_MAX];

    (void)snprintf(parent, sizeof parent, "%s", directory);
    return stat(dirname(parent), status);
}

static int check_owner(struct ctl_place *place, bool may_be_missing)
{
    const struct passwd *account;
    struct stat status;

    if (stat(place->directory, &status) != 0) {
        if (errno != ENOENT)
            return ctl_complain(errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %s%s",
                                place->directory, strerror(errno),
                                errno == EACCES ? ": run this as root or as mupdated's user" : "");
        if (!may_be_missing)
            return ctl_complain(EX_NOINPUT,
                                "%s: there is no such directory; see -C and --database",
                                place->directory);
        if (stat_parent(place->directory, &status) != 0)
            return ctl_complain(EX_NOINPUT, "%s: %s", place->directory, strerror(errno));
    }
    if (!S_ISDIR(status.st_mode))
        return ctl_complain(EX_NOINPUT, "%s: this is no directory; see -C and --database",
                            place->directory);
    place->owner = status.st_uid;
    place->group = status.st_gid;
    if (geteuid() == 0 || geteuid() == status.st_uid)
        return 0;
    account = getpwuid(status.st_uid);
    return ctl_complain(EX_NOPERM, "%s belongs to user %s: run this as root or as that user",
                        place->directory, account ? account->pw_name : "of another name");
}

int ctl_place_find(struct ctl_place *place, const struct ctl *ctl, bool may_be_missing)
{
    struct config_error error;
    const char *directory;
    int status;

    memset(place, 0, sizeof *place);
    place->config = ctl_config_read(ctl, &error);
    if (!place->config)
        return ctl_complain(EX_CONFIG, "%s", error.text);
    directory = ctl->database ? ctl->database : place->config->database_directory;
    if (snprintf(place->directory, sizeof place->directory, "%s", directory) >=
        (int)sizeof place->directory)
        status = ctl_complain(EX_USAGE, "%s: the path is too long", directory);
    else
        status = check_owner(place, may_be_missing);
    if (status) {
        ctl_place_free(place);
        return status;
    }
    place->policy = (struct rule_policy){
        .name_bytes = place->config->name_bytes,
        .location_bytes = place->config->location_bytes,
        .acl_bytes = place->config->acl_bytes,
    };
    place->cache_bytes = place->config->cache_bytes;
    ctl_local_find(&place->local, ctl, place->config, place->directory);
    return 0;
}

void ctl_place_free(struct ctl_place *place)
{
    config_free(place->config);
    place->config = NULL;
}

/* --- as whom --- */

int ctl_as_owner(const struct ctl_place *place)
{
    if (geteuid() != 0 || place->owner == 0)
        return 0;
    if (setegid(place->group) == 0 && seteuid(place->owner) == 0)
        return 0;
    (void)ctl_complain(0, "cannot act as the owner of %s: %s", place->directory, strerror(errno));
    ctl_as_self();
    return EX_OSERR;
}

void ctl_as_self(void)
{
    if (geteuid() == getuid() && getegid() == getgid())
        return;
    /* Going back to the real user cannot fail; if it did, nothing after it could be trusted. */
    if (seteuid(getuid()) != 0 || setegid(getgid()) != 0)
        _exit(ctl_complain(EX_OSERR, "cannot act as the calling user again: %s", strerror(errno)));
}

/* --- the table --- */

static void log_store(void *context, int level, const char *text)
{
    (void)context;
    if (level <= LOG_WARNING)
        (void)ctl_complain(0, "%s", text);
}

struct store_options ctl_store_options(const struct ctl_place *place, const char *directory)
{
    return (struct store_options){
        .directory = directory,
        .cache_bytes = place->cache_bytes,
        .log = log_store,
    };
}

int ctl_store_failed(enum store_result result, const struct store_error *error)
{
    switch (result) {
    case STORE_ABSENT:
        return ctl_complain(EX_NOINPUT, "%s", error->text);
    case STORE_BUSY:
        return ctl_complain(EX_UNAVAILABLE, "%s", error->text);
    case STORE_NEWER:
        return ctl_complain(EX_DATAERR, "%s", error->text);
    case STORE_REFUSED:
        return ctl_complain(EX_CANTCREAT, "%s", error->text);
    default:
        return ctl_complain(EX_DATAERR, "%s", error->text);
    }
}

enum store_result ctl_table_open_idle(const struct ctl_place *place, struct store **store,
                                      struct store_error *error, int *status)
{
    struct store_options options = ctl_store_options(place, place->directory);
    enum store_result result = STORE_BROKEN;

    *store = NULL;
    *status = ctl_as_owner(place);
    if (*status)
        return result;
    options.existing = true;
    result = store_open(store, &options, error);
    if (result == STORE_OK)
        return result;
    ctl_as_self();
    if (result != STORE_BUSY)
        *status = ctl_store_failed(result, error);
    return result;
}

static int open_copy(const struct ctl_place *place, struct ctl_table *table,
                     const struct store_error *busy)
{
    char path[PATH_MAX];
    struct store_options options;
    struct store_error error;
    enum store_result result;
    int status = ctl_copy_take(place, &table->local, path, busy);

    if (status)
        return status;
    status = ctl_as_owner(place);
    if (!status) {
        options = ctl_store_options(place, path);
        options.existing = true;
        options.copy = true;
        result = store_open(&table->store, &options, &error);
        if (result == STORE_OK)
            return 0;
        ctl_as_self();
        status = ctl_store_failed(result, &error);
    }
    ctl_local_close(&table->local);
    return status;
}

int ctl_table_open(const struct ctl_place *place, struct ctl_table *table)
{
    struct store_error error;
    enum store_result result;
    int status;

    table->local = place->local;
    result = ctl_table_open_idle(place, &table->store, &error, &status);
    return result == STORE_BUSY ? open_copy(place, table, &error) : status;
}

void ctl_table_close(struct ctl_table *table)
{
    store_close(table->store);
    ctl_as_self();
    ctl_local_close(&table->local);
}

static void complain_page(void *context, const char *text)
{
    (void)context;
    (void)ctl_complain(0, "%s", text);
}

int ctl_table_verify(const struct store_options *options, struct store_counts *counts)
{
    struct store_options existing = *options;
    struct store_error error;
    struct store *store;
    enum store_result result;

    existing.existing = true;
    result = store_open(&store, &existing, &error);
    if (result == STORE_OK) {
        result = store_check(store, counts, &error);
        store_close(store);
    }
    if (result == STORE_OK)
        result = store_verify_pages(options->directory, complain_page, NULL, &error);
    return result == STORE_OK ? 0 : ctl_store_failed(result, &error);
}

/* --- another in its place --- */

static void say_leftover(void *context, const char *path, bool fresh)
{
    const struct swap_paths *paths = context;

    if (strcmp(path, paths->fresh) == 0 || strcmp(path, paths->old) == 0)
        return;
    printf(fresh ? "  %s: left by a run that did not get to its end; remove it\n"
                 : "  %s: put away by an earlier run; remove it when it is not needed\n",
           path);
}

/* Make it, and see that it is good; as the owner, and as the caller again at the end. */
static int make_and_verify(const struct ctl_place *place, const char *fresh, ctl_make *make,
                           void *context, struct store_counts *counts)
{
    struct store_options options = ctl_store_options(place, fresh);
    int status = ctl_as_owner(place);

    if (status)
        return status;
    status = make(context, &options);
    if (!status)
        status = ctl_table_verify(&options, counts);
    ctl_as_self();
    return status;
}

/* The old table's lock, NULL when there is no old table. */
static int lock_old(const struct ctl_place *place, struct store_lock **lock)
{
    struct store_error error;
    enum store_result result;
    int status = ctl_as_owner(place);

    *lock = NULL;
    if (status)
        return status;
    result = store_lock_take(lock, place->directory, &error);
    ctl_as_self();
    if (result == STORE_OK || result == STORE_ABSENT)
        return 0;
    return result == STORE_BUSY ? ctl_complain(EX_UNAVAILABLE, "%s", error.text)
                                : ctl_store_failed(result, &error);
}

int ctl_table_check_idle(const struct ctl_place *place)
{
    struct store_lock *lock;
    int status = lock_old(place, &lock);

    if (!status)
        store_lock_release(lock);
    return status;
}

static void say_replaced(struct swap_paths *paths)
{
    printf("%s has the new table.\n", paths->directory);
    if (paths->old[0])
        printf("The one before it is in %s; remove it when it is not needed.\n", paths->old);
    else if (geteuid() == 0)
        printf("There was none before. See that it belongs to the user that mupdated runs as.\n");
    swap_leftovers(paths, say_leftover, paths);
}

/* Exit status; *changed: the old table is not in its place any more. */
static int put_in_place(struct swap_paths *paths, bool *changed)
{
    struct store_error error;
    enum store_result result = swap_end(paths, &error);

    *changed = result != STORE_REFUSED;
    if (result == STORE_OK)
        return 0;
    return ctl_complain(result == STORE_REFUSED ? EX_CANTCREAT : EX_IOERR, "%s", error.text);
}

int ctl_table_replace(const struct ctl_place *place, ctl_make *make, void *context, bool quiet,
                      struct store_counts *counts)
{
    struct swap_paths paths;
    struct store_counts ignored;
    struct store_error error;
    struct store_lock *lock;
    bool changed = false;
    int status;

    if (swap_begin(&paths, place->directory, &error) != STORE_OK)
        return ctl_complain(EX_CANTCREAT, "%s", error.text);
    status = lock_old(place, &lock);
    if (status)
        return status;
    if (swap_make(&paths, &error) != STORE_OK)
        status = ctl_complain(EX_CANTCREAT, "%s", error.text);
    else
        status = make_and_verify(place, paths.fresh, make, context, counts ? counts : &ignored);
    if (!status)
        status = put_in_place(&paths, &changed);
    if (!changed) {
        swap_abandon(&paths);
        (void)ctl_complain(0, "nothing was changed in %s", place->directory);
    } else if (!quiet && !paths.fresh[0]) {
        say_replaced(&paths);
    }
    store_lock_release(lock);
    return status;
}

int ctl_table_try(const struct ctl_place *place, ctl_make *make, ctl_make *look, void *context)
{
    struct swap_paths paths;
    struct store_counts counts;
    struct store_error error;
    struct store_options options;
    int status;

    if (swap_begin(&paths, place->directory, &error) != STORE_OK ||
        swap_make(&paths, &error) != STORE_OK)
        return ctl_complain(EX_CANTCREAT, "%s", error.text);
    status = make_and_verify(place, paths.fresh, make, context, &counts);
    if (!status) {
        options = ctl_store_options(place, paths.fresh);
        options.existing = true;
        status = look(context, &options);
    }
    swap_abandon(&paths);
    return status;
}

void ctl_remove_table(const struct ctl_place *place, const char *directory)
{
    struct swap_paths paths = {.fresh = ""};

    (void)snprintf(paths.fresh, sizeof paths.fresh, "%s", directory);
    if (ctl_as_owner(place) == 0)
        swap_abandon(&paths);
    ctl_as_self();
}

void ctl_say_unconfirmed(void)
{
    printf("The table is not confirmed: mupdated takes what back-ends say of their own mailboxes,\n"
           "and answers no FIND, LIST, UPDATE or RESERVE. See that it is the table that you want,\n"
           "then: mupdatectl confirm\n");
}
