/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mupdated/store/wal.h"

__attribute__((format(printf, 3, 4))) static enum store_result
broken(const struct store *store, struct store_error *error, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)snprintf(error->reason, sizeof error->reason, "changes may be lost");
    (void)snprintf(error->text, sizeof error->text,
                   "store: %s: %s: changes may be lost: see mupdatectl verify and repair",
                   store->directory, text);
    error->again = false;
    return STORE_BROKEN;
}

/* Whether a file of the table is there; the last place that its pages name goes into *last. */
static int look_at(const struct store *store, const char *name, struct page_place *last)
{
    struct page_place place;
    char *path;
    int code;

    if (asprintf(&path, "%s/%s", store->directory, name) < 0)
        return ENOMEM;
    code = page_file_place(path, &place);
    free(path);
    if (code == 0 && page_place_before(*last, place))
        *last = place;
    return code;
}

/* Nothing on a page can be from behind the end of the log, which is always written first. */
static enum store_result check_places(const struct store *store, const struct wal *wal,
                                      struct page_place last, struct store_error *error)
{
    if (last.file == 0 || wal->end.file == 0 || page_place_before(last, wal->end))
        return STORE_OK;
    return broken(store, error,
                  "the log ends at %" PRIu32 "/%" PRIu32 ", and pages are from %" PRIu32
                  "/%" PRIu32,
                  wal->end.file, wal->end.offset, last.file, last.offset);
}

static enum store_result check(struct store *store, const struct wal *wal, bool there,
                               struct page_place last, struct store_error *error)
{
    /* A start that was killed before it had made the first table leaves a log, too. */
    if (!there && wal->used)
        return broken(store, error, FORMAT_META " is missing");
    /* Berkeley DB would leave a log in a directory that may have been named by mistake. */
    if (!there)
        return store->options.existing ? store_absent(store, error) : STORE_OK;
    switch (wal->state) {
    case WAL_GOOD:
        return check_places(store, wal, last, error);
    case WAL_NONE:
        return broken(store, error, "the log is missing");
    default:
        return broken(store, error, "log.%010" PRIu32 ": octet %" PRIu32 ": %s", wal->at.file,
                      wal->at.offset,
                      wal->code ? strerror(wal->code) : wal_state_text(wal->state));
    }
}

enum store_result store_check_log(struct store *store, struct store_error *error)
{
    struct page_place last = {0, 0};
    struct wal wal;
    bool there;
    int code;

    /* The last log file of another copy was being written to. */
    if (store->options.copy && !store->options.settled)
        return STORE_OK;
    code = look_at(store, FORMAT_META, &last);
    there = code != ENOENT;
    if (code == 0 || code == ENOENT)
        code = look_at(store, FORMAT_ROWS, &last);
    if (code == 0 || code == ENOENT)
        code = look_at(store, FORMAT_CHANGES, &last);
    if (code == 0 || code == ENOENT)
        code = wal_read(&wal, store->directory, !there);
    if (code != 0)
        return store_fail(store, error, code, "read the log", NULL);
    return check(store, &wal, there, last, error);
}
