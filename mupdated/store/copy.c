/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mupdated/store/private.h"
#include "mupdated/store/sync.h"

#define VERIFY_CACHE_BYTES (64U << 20)
#define GIB (UINT64_C(1) << 30)

/* How often the room on the disk and the caller's progress are looked at. */
#define STEP_BYTES (1U << 20)

static const char *const databases[] = {FORMAT_ROWS, FORMAT_CHANGES, FORMAT_META};
#define DATABASES (sizeof databases / sizeof databases[0])

/* What Berkeley DB's callbacks need to know. */
struct store_copying {
    const char *target;
    store_progress *progress;
    void *context;
    uint64_t done;
    uint64_t total;
    uint64_t step; /* done at the last look */
    bool stopped;
};

static bool is_copied(const char *name)
{
    for (size_t i = 0; i < DATABASES; i++)
        if (strcmp(name, databases[i]) == 0)
            return true;
    return strncmp(name, "log.", 4) == 0;
}

/* The octets of what a copy holds. */
static uint64_t size_of(const char *directory)
{
    DIR *open_directory = opendir(directory);
    const struct dirent *entry;
    struct stat status;
    uint64_t total = 0;

    if (!open_directory)
        return 0;
    while ((entry = readdir(open_directory)))
        if (is_copied(entry->d_name) &&
            fstatat(dirfd(open_directory), entry->d_name, &status, 0) == 0)
            total += (uint64_t)status.st_size;
    (void)closedir(open_directory);
    return total;
}

static int open_target(DB_ENV *env, const char *name, const char *target, void **handle)
{
    const char *slash = strrchr(name, '/');
    int *fd = malloc(sizeof *fd);
    char *path = NULL;
    int code;

    (void)env;
    *handle = NULL;
    if (!fd || asprintf(&path, "%s/%s", target, slash ? slash + 1 : name) < 0) {
        free(fd);
        return ENOMEM;
    }
    *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    code = *fd < 0 ? errno : 0;
    free(path);
    if (code != 0)
        free(fd);
    else
        *handle = fd;
    return code;
}

static int write_target(DB_ENV *env, u_int32_t gigabytes, u_int32_t bytes, u_int32_t len,
                        u_int8_t *data, void *handle)
{
    struct store *store = env->app_private;
    struct store_copying *copying = store->copying;
    off_t at = (off_t)(gigabytes * GIB + bytes);
    const int *fd = handle;

    for (u_int32_t done = 0; done < len;) {
        ssize_t wrote = pwrite(*fd, data + done, len - done, at + (off_t)done);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return wrote < 0 ? errno : EIO;
        done += (u_int32_t)wrote;
    }
    copying->done += len;
    if (copying->done - copying->step < STEP_BYTES)
        return 0;
    copying->step = copying->done;
    /* The table may grow meanwhile, and its own needs come first. */
    if (store_free_bytes(copying->target) < STORE_FREE_FLOOR_BYTES)
        return ENOSPC;
    copying->stopped = copying->progress &&
                       !copying->progress(copying->context, copying->done,
                                          copying->total > copying->done ? copying->total
                                                                         : copying->done);
    return copying->stopped ? ECANCELED : 0;
}

static int close_target(DB_ENV *env, const char *name, void *handle)
{
    int *fd = handle;
    int code = 0;

    (void)env;
    (void)name;
    if (fsync(*fd) != 0)
        code = errno;
    if (close(*fd) != 0 && code == 0)
        code = errno;
    free(fd);
    return code;
}

static void remove_target(const char *target)
{
    DIR *directory = opendir(target);
    const struct dirent *entry;

    if (!directory)
        return;
    while ((entry = readdir(directory)))
        if (is_copied(entry->d_name))
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    (void)closedir(directory);
    (void)rmdir(target);
}

static enum store_result refuse(struct store *store, struct store_error *error, const char *target,
                                int code)
{
    enum store_result result = store_fail(store, error, code, "copy", NULL);

    /* It is the copy's failure; the table is as it was, unless Berkeley DB said otherwise. */
    if (code == DB_RUNRECOVERY || store_sync_failures() != store->sync_failures)
        return result;
    (void)snprintf(error->text, sizeof error->text, "store: %s: cannot be copied to %s: %s",
                   store->directory, target, error->reason);
    return STORE_REFUSED;
}

static int copy(struct store *store, const char *target)
{
    DB_ENV *env = store->env;
    int code = env->set_backup_callbacks(env, open_target, write_target, close_target);

    /* What the copied pages need may be in a file that nothing else needs any more. */
    if (code == 0)
        code = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 0);
    if (code == 0)
        code = env->backup(env, target, 0);
    (void)env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1);
    if (code == 0)
        code = sync_directory(target);
    return code == 0 ? sync_parent(target) : code;
}

enum store_result store_backup(struct store *store, const char *target, store_progress *progress,
                               void *context, struct store_error *error)
{
    struct store_copying copying = {.target = target, .progress = progress, .context = context};
    int code;

    if (atomic_load(&store->phase) != STORE_RUNNING)
        return store_fail(store, error, DB_RUNRECOVERY, "copy", NULL);
    store_forget_words(false);
    if (mkdir(target, 0700) != 0)
        return refuse(store, error, target, errno);
    copying.total = size_of(store->directory);
    store->copying = &copying;
    code = store_free_bytes(target) < copying.total + STORE_FREE_FLOOR_BYTES + STORE_BALLAST_BYTES
               ? ENOSPC
               : copy(store, target);
    store->copying = NULL;
    if (code == 0) {
        if (progress)
            (void)progress(context, copying.done, copying.done);
        return STORE_OK;
    }
    remove_target(target);
    return refuse(store, error, target, copying.stopped ? ECANCELED : code);
}

/* --- the look at the pages --- */

struct verifying {
    store_structure *found;
    void *context;
    const char *name;
    unsigned said;
};

static _Thread_local struct verifying *verifying;

static void on_error(const DB_ENV *env, const char *prefix, const char *text)
{
    (void)env;
    (void)prefix;
    verifying->said++;
    if (verifying->found)
        verifying->found(verifying->context, verifying->name, text);
}

/* Without an environment: what is looked at is what is on disk. */
static int verify_database(const char *path)
{
    DB *db;
    int code = db_create(&db, NULL, 0);

    if (code != 0)
        return code;
    db->set_errcall(db, on_error);
    code = db->set_cachesize(db, 0, VERIFY_CACHE_BYTES, 1);
    if (code != 0) {
        (void)db->close(db, 0);
        return code;
    }
    return db->verify(db, path, NULL, NULL, 0); /* which is the end of the handle too */
}

bool store_verify_file(const char *path, const char *name, store_structure *found, void *context)
{
    struct verifying now = {found, context, name, 0};
    int code;

    verifying = &now;
    code = verify_database(path);
    if (code != 0 && now.said == 0)
        on_error(NULL, NULL, db_strerror(code));
    verifying = NULL;
    return code == 0;
}

struct complaining {
    store_complain *complain;
    void *context;
};

static void pass_on(void *context, const char *name, const char *text)
{
    const struct complaining *complaining = context;
    char line[512];

    (void)snprintf(line, sizeof line, "%s: %s", name, text);
    if (complaining->complain)
        complaining->complain(complaining->context, line);
}

enum store_result store_verify_pages(const char *directory, store_complain *complain,
                                     void *context, struct store_error *error)
{
    struct complaining complaining = {complain, context};
    struct store_lock *lock;
    enum store_result result = store_lock_take(&lock, directory, error);

    if (result != STORE_OK)
        return result;
    for (size_t i = 0; i < DATABASES; i++) {
        char *path;
        bool good = asprintf(&path, "%s/%s", directory, databases[i]) >= 0;

        if (good) {
            good = store_verify_file(path, databases[i], pass_on, &complaining);
            free(path);
        }
        if (good)
            continue;
        result = STORE_BROKEN;
        (void)snprintf(error->reason, sizeof error->reason, "it is damaged");
        (void)snprintf(error->text, sizeof error->text, "store: %s: %s: %s", directory,
                       databases[i], error->reason);
        error->again = false;
    }
    store_lock_release(lock);
    return result;
}
