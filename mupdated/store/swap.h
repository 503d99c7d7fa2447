/*
 * Put a new table in the place of an old one, which is kept. The new one is made
 * in a directory beside the old one's, and at the end the two change places in
 * one step of the file system. Killed at any moment, the directory holds one whole table,
 * the old one or the new one.
 *
 *   DIRECTORY              the table
 *   DIRECTORY.new-XXXXXX   one that is being made; rubbish when nobody is at work
 *   DIRECTORY.old-TIME     one that was put away, or, of somebody who was killed
 *                          between two steps, a new one that did not get its place
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_SWAP_H
#define STORE_SWAP_H

#include <limits.h>

#include "mupdated/store/store.h"

#define SWAP_FRESH ".new-"
#define SWAP_OLD ".old-"

struct swap_paths {
    bool missing;             /* there was no directory at the begin, and so no lock of it */
    char directory[PATH_MAX]; /* without symbolic links */
    char parent[PATH_MAX];
    char fresh[PATH_MAX];     /* the new one's; "" while there is none */
    char old[PATH_MAX];       /* where the old one went; "" when there was none, or not yet */
};

/*
 * See that the table at directory can be replaced by who runs this: its parent is there and can be
 * written, and it is no mount point. The directory may be missing. STORE_OK with *paths begun, or
 * STORE_REFUSED.
 */
enum store_result swap_begin(struct swap_paths *paths, const char *directory,
                             struct store_error *error);

/* Make paths->fresh, empty; mode and, for root, owner as directory's. STORE_OK or STORE_REFUSED. */
enum store_result swap_make(struct swap_paths *paths, struct store_error *error);

/*
 * Put the table in paths->fresh, which is whole and closed, in its place, and the old one to
 * paths->old; durable. The caller holds the lock of the old one, if there is one; one that
 * somebody has made since swap_begin() is not touched. STORE_OK. STORE_REFUSED: all is as it was,
 * paths->fresh included. STORE_UNCERTAIN: it is done, but a crash of the machine may undo it.
 * STORE_BROKEN: there is no table in the place any more; the old one is paths->old, and
 * paths->fresh must stay, too. The error's text tells what to do.
 */
enum store_result swap_end(struct swap_paths *paths, struct store_error *error);

/* Remove paths->fresh and what is in it. */
void swap_abandon(struct swap_paths *paths);

/* Call with the path of each DIRECTORY.new-XXXXXX (fresh) and DIRECTORY.old-TIME there is. */
typedef void swap_leftover(void *context, const char *path, bool fresh);
void swap_leftovers(const struct swap_paths *paths, swap_leftover *callback, void *context);

#endif
