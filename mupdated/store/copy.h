/*
 * A copy of a table that is in use, and the look at a table's pages.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "mupdated/store/store.h"

/* Octets copied so far, and in all, as far as that is known. False: stop. */
typedef bool store_progress(void *context, uint64_t done, uint64_t total);

/*
 * Copy the table as it is, into the directory target, which is made, mode 0700, and must not be
 * there; durable when this returns. The copy holds all that was committed before this was
 * called. Its pages are from many moments: it is a table once it was opened with
 * options.copy, which needs only itself.
 *
 * STORE_OK, or STORE_REFUSED with nothing left at target: no room for a copy and for what the
 * table itself needs, target cannot be made or written, progress (which may be NULL) said so; or
 * STORE_BROKEN. Any thread that may wait for the disk, one call at a time, beside batches
 * and checkpoints; until it returns no log file is removed.
 */
enum store_result store_backup(struct store *store, const char *target, store_progress *progress,
                               void *context, struct store_error *error);

/* What is wrong with a database, in Berkeley DB's words; valid during the call. */
typedef void store_structure(void *context, const char *name, const char *text);

/*
 * Have Berkeley DB look at every page of the database at path, which nobody uses and which was
 * closed in good order or recovered: checksums, links, order. It stops at the first page with a
 * wrong checksum. name is only handed to found, which may be NULL. False: it is not good.
 * Never on a table in use: pages that are only in memory yet would look like damage.
 */
bool store_verify_file(const char *path, const char *name, store_structure *found, void *context);

/* The same, after the name of the file. */
typedef void store_complain(void *context, const char *text);

/*
 * Look so at the databases in a directory. STORE_OK; STORE_BUSY; or STORE_BROKEN after
 * complain (may be NULL) was called.
 */
enum store_result store_verify_pages(const char *directory, store_complain *complain,
                                     void *context, struct store_error *error);

#endif
