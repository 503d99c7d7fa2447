/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

/* Berkeley DB explains an error in the thread that meets it, before the call returns. */
static _Thread_local char last_words[256];
static _Thread_local bool words_full;

/* On a full disk it has three lines for each page of a checkpoint: so many are logged. */
#define LINES_MAX 10
static _Thread_local unsigned lines;

static atomic_uint sync_failures;

unsigned store_sync_failures(void)
{
    return atomic_load(&sync_failures);
}

void store_sync_failed(void)
{
    atomic_fetch_add(&sync_failures, 1);
}

/*
 * After a failed fdatasync() the kernel may have dropped the data and called it
 * clean, and the next fdatasync() says that all is well. Berkeley DB would go
 * on; the store must not.
 */
static int watched_sync(int fd)
{
    int result;

    do {
        result = fdatasync(fd);
    } while (result != 0 && errno == EINTR);
    if (result == 0)
        return 0;
    result = errno;
    store_sync_failed();
    return result;
}

void store_log(const struct store *store, int level, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    if (!store->options.log)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    store->options.log(store->options.context, level, text);
}

void store_die(struct store *store, const char *text)
{
    int running = STORE_RUNNING;

    if (!atomic_compare_exchange_strong(&store->phase, &running, STORE_DEAD))
        return;
    if (store->options.panic)
        store->options.panic(store->options.context, text);
}

static void on_error(const DB_ENV *env, const char *prefix, const char *text)
{
    const struct store *store = env->app_private;

    (void)prefix;
    (void)snprintf(last_words, sizeof last_words, "%s", text);
    if (strstr(text, strerror(ENOSPC)) || strstr(text, strerror(EDQUOT)))
        words_full = true;
    if (lines == LINES_MAX)
        store_log(store, LOG_ERR, "store: %s: Berkeley DB: and more of this", store->directory);
    if (lines++ < LINES_MAX)
        store_log(store, LOG_ERR, "store: %s: Berkeley DB: %s", store->directory, text);
}

static void on_message(const DB_ENV *env, const char *text)
{
    const struct store *store = env->app_private;

    store_log(store, LOG_INFO, "store: %s: Berkeley DB: %s", store->directory, text);
}

static void on_event(DB_ENV *env, u_int32_t event, void *info)
{
    struct store *store = env->app_private;
    char text[768];

    (void)info;
    if (event != DB_EVENT_PANIC)
        return;
    (void)snprintf(text, sizeof text,
                   "store: %s: Berkeley DB cannot go on (%s): start again, and if that fails "
                   "too mend the table with mupdatectl repair",
                   store->directory, last_words[0] ? last_words : "no reason given");
    store_die(store, text);
}

void store_watch(struct store *store)
{
    store->env->app_private = store;
    store->env->set_errcall(store->env, on_error);
    store->env->set_msgcall(store->env, on_message);
    (void)store->env->set_event_notify(store->env, on_event);
    (void)db_env_set_func_fsync(watched_sync);
    store_spares_use();
}

void store_forget_words(bool failed_before)
{
    last_words[0] = '\0';
    words_full = false;
    lines = failed_before ? LINES_MAX + 1 : 0;
}

bool store_words_say_full(void)
{
    return words_full;
}

const char *store_quote(struct mupdate_text text, char *out, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char octet = (unsigned char)text.data[i];

        if (at + sizeof "\\xNN..." > size) {
            (void)snprintf(out + at, size - at, "...");
            return out;
        }
        if (octet > 0x20 && octet < 0x7f && octet != '\\')
            out[at++] = (char)octet;
        else
            at += (size_t)snprintf(out + at, size - at, "\\x%02X", octet);
    }
    out[at] = '\0';
    return out;
}

/*
 * Errors of the world around the table, and of the caller (DB_NOTFOUND: there
 * is no row to delete): the transaction is undone, and the same call works when
 * the cause is gone. Of all other codes it is not known.
 */
static bool passing(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG || code == ENOMEM || code == EMFILE ||
           code == ENFILE || code == EAGAIN || code == DB_LOCK_DEADLOCK ||
           code == DB_LOCK_NOTGRANTED || code == DB_NOTFOUND;
}

enum store_result store_fail(struct store *store, struct store_error *error, int code,
                             const char *doing, const struct mupdate_text *name)
{
    bool unsynced = store_sync_failures() != store->sync_failures;
    bool refused = passing(code) && !unsynced && atomic_load(&store->phase) != STORE_DEAD;
    const char *reason = unsynced ? "the disk did not confirm a write" : db_strerror(code);
    char quoted[160] = "";

    if (name)
        (void)store_quote(*name, quoted, sizeof quoted);
    (void)snprintf(error->reason, sizeof error->reason, "%s", reason);
    (void)snprintf(error->text, sizeof error->text, "store: %s: %s%s%s: %s%s%s%s",
                   store->directory, doing, name ? " " : "", quoted, reason,
                   last_words[0] ? " (" : "", last_words, last_words[0] ? ")" : "");
    error->again = refused && (code == DB_LOCK_DEADLOCK || code == DB_LOCK_NOTGRANTED);
    return refused ? STORE_REFUSED : STORE_BROKEN;
}

enum store_result store_fail_to_open(struct store *store, struct store_error *error, int code,
                                     const char *doing)
{
    enum store_result result = store_fail(store, error, code, doing, NULL);
    size_t len = strlen(error->text);

    if (code == ENOENT || code == EINVAL || code == DB_RUNRECOVERY)
        (void)snprintf(error->text + len, sizeof error->text - len,
                       ": see mupdatectl verify and repair");
    return result;
}

enum store_result store_damaged(struct store *store, struct store_error *error,
                                const char *database, struct mupdate_text key, const char *wrong)
{
    char quoted[160];

    (void)snprintf(error->reason, sizeof error->reason, "the table is damaged");
    (void)snprintf(error->text, sizeof error->text,
                   "store: %s: %s: the record of %s is damaged: %s: mend the table with "
                   "mupdatectl repair",
                   store->directory, database, store_quote(key, quoted, sizeof quoted), wrong);
    error->again = false;
    return STORE_BROKEN;
}

enum store_result store_damaged_rows(struct store *store, struct store_error *error,
                                     const char *wrong)
{
    (void)snprintf(error->reason, sizeof error->reason, "the table is damaged");
    (void)snprintf(error->text, sizeof error->text,
                   "store: %s: " FORMAT_ROWS ": %s: mend the table with mupdatectl repair",
                   store->directory, wrong);
    error->again = false;
    return STORE_BROKEN;
}

enum store_result store_damaged_change(struct store *store, struct store_error *error,
                                       uint64_t sequence, const char *wrong)
{
    char number[24];
    int len = snprintf(number, sizeof number, "%llu", (unsigned long long)sequence);

    return store_damaged(store, error, FORMAT_CHANGES,
                         (struct mupdate_text){number, (size_t)len}, wrong);
}

enum store_result store_absent(const struct store *store, struct store_error *error)
{
    memset(error, 0, sizeof *error);
    (void)snprintf(error->text, sizeof error->text, "store: %s: there is no table here",
                   store->directory);
    return STORE_ABSENT;
}
