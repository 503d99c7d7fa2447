/*
 * The table on disk, in Berkeley DB: rows, and the log of changes with dense
 * sequence numbers. The only home of <db.h>; nothing of it shows here.
 *
 * One thread (the writer) uses the batch functions and store_trim(); any thread
 * may call store_checkpoint(). Rows are read at start-up, before the writer starts.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "mupdated/table/row.h"

#define STORE_HISTORY_BYTES 16

/* Below this many free bytes nothing is stored: the log and checkpoints need room to end well. */
#define STORE_FREE_FLOOR_BYTES (32U << 20)

struct store;

struct store_options {
    const char *directory; /* made, mode 0700, when its parent exists */
    uint64_t cache_bytes;
    bool existing;         /* do not make a new, empty table */
    bool locked;           /* the caller holds its lock (store_lock_take()) until it is closed */
    bool copy;             /* a copy that store_backup() made: all of its log is to be redone */
    bool settled;          /* with copy: nothing wrote to it while it was copied */
    /* level: <syslog.h>. Called in any thread that calls the store; must not call the store. */
    void (*log)(void *context, int level, const char *text);
    /*
     * The store is broken for good (Berkeley DB panicked): called once, from the
     * thread that noticed. It must end the process without another call to the store.
     */
    void (*panic)(void *context, const char *text);
    void *context;
};

enum store_result {
    STORE_OK,
    STORE_ABSENT,    /* store_get(): no such row; store_open(): no table, and existing was set */
    STORE_REFUSED,   /* nothing was stored and the store goes on, e.g. disk full */
    STORE_UNCERTAIN, /* the batch may or may not be stored: say nothing to the client */
    STORE_BUSY,      /* store_open(): another process has the directory */
    STORE_NEWER,     /* store_open(): written by a newer format */
    STORE_BROKEN,    /* cannot be used; the operator must act */
};

struct store_error {
    char text[512];   /* what was done, to which file, what went wrong, what to do */
    char reason[128]; /* what went wrong, alone: names no file, fit for a client */
    bool again;       /* with STORE_REFUSED: the same batch may well be stored if tried at once */
};

/* Who and where this table is: a position is (history, term, sequence). */
struct store_position {
    unsigned char history[STORE_HISTORY_BYTES]; /* made when the table was made */
    uint64_t term;                              /* 1 for the first master */
    uint64_t first; /* oldest change in the log; last + 1 when it is empty */
    uint64_t last;  /* newest change; 0 for a new table */
};

/*
 * Open or make, with recovery. STORE_OK, or STORE_ABSENT, STORE_BUSY, STORE_NEWER or
 * STORE_BROKEN with *error filled and *store NULL. Only one store may be open in
 * a directory, in this process and in all others. *options is copied. A table of
 * an older format is one of this program's format from then on.
 *
 * STORE_BROKEN too when the directory is missing and one lies beside it that was
 * put away for another (swap.h): a new, empty table would be the wrong answer.
 */
enum store_result store_open(struct store **store, const struct store_options *options,
                             struct store_error *error);

/* Flush, checkpoint and close. No other call may be under way. */
void store_close(struct store *store);

/*
 * Keep everybody else out of a directory whose table is not opened, or cannot be. STORE_OK;
 * STORE_BUSY; STORE_ABSENT: no such directory; STORE_BROKEN. *lock is NULL but for STORE_OK.
 */
struct store_lock;
enum store_result store_lock_take(struct store_lock **lock, const char *directory,
                                  struct store_error *error);
void store_lock_release(struct store_lock *lock);

/* For the writer's thread, or before the writer starts. */
void store_position(const struct store *store, struct store_position *position);

/*
 * The digest that all rows must have, as the last change tells it. False: it is from before that
 * was told. For the writer's thread, or before the writer starts.
 */
bool store_digest(const struct store *store, struct digest *digest);

/* It is this: all rows were read. From now on each change tells it. Before the writer starts. */
void store_set_digest(struct store *store, const struct digest *digest);

/*
 * Whether the table may be believed. One that was loaded may be old, and must not be until
 * an operator has said so. Any thread.
 */
bool store_confirmed(const struct store *store);

/*
 * He has. STORE_OK: that is on disk. STORE_REFUSED, or STORE_UNCERTAIN as of store_commit().
 * Any thread that may wait for the disk, one call at a time, beside batches and checkpoints.
 */
enum store_result store_confirm(struct store *store, struct store_error *error);

/*
 * Make the table one of its own: a new history id, not confirmed. Its changes and their
 * terms stay. Results as of store_confirm(); before the writer starts.
 */
enum store_result store_part(struct store *store, struct store_error *error);

/*
 * Read all rows, in octet order of their names, or all changes from a sequence
 * on, in order. The callback returns false to stop; the call then returns
 * STORE_REFUSED. Texts are valid during the callback. Whether the rows are all that
 * there must be store_digest() tells the caller.
 */
typedef bool store_row(void *context, const struct row *row);
typedef bool store_change(void *context, const struct change *change);
enum store_result store_rows(struct store *store, store_row *callback, void *context,
                             struct store_error *error);
enum store_result store_changes(struct store *store, uint64_t from, store_change *callback,
                                void *context, struct store_error *error);

/*
 * Read the changes from one number to another, both included and both committed, while the
 * writer runs: for any thread. Those that were trimmed, or are meanwhile, are left out.
 * STORE_REFUSED with error->again: it met the writer; what the callback was given stands, so
 * that the call can be repeated from there.
 */
enum store_result store_changes_between(struct store *store, uint64_t from, uint64_t to,
                                        store_change *callback, void *context,
                                        struct store_error *error);

/*
 * The rows as store_rows() reads them, one at a call. The store must stay open, and no batch be
 * under way, meanwhile. store_walk_next(): STORE_OK with *row, valid until the next call;
 * STORE_ABSENT at the end, when all that came have the digest that they must; STORE_BROKEN.
 * store_walk_free() takes NULL too.
 */
struct store_walk;
enum store_result store_walk_new(struct store_walk **walk, struct store *store,
                                 struct store_error *error);
enum store_result store_walk_next(struct store_walk *walk, struct row *row,
                                  struct store_error *error);
void store_walk_free(struct store_walk *walk);

/*
 * A batch: one transaction. After an error of _begin, _get or _put the batch is
 * aborted already and nothing of it is stored: STORE_REFUSED (full disk, out of
 * memory or descriptors, deadlock: the next batch may succeed) or STORE_BROKEN
 * (options.panic was called).
 */
enum store_result store_begin(struct store *store, struct store_error *error);

/* The row as the batch sees it; *row is valid until the next call of the batch. */
enum store_result store_get(struct store *store, struct mupdate_text name, struct row *row,
                            struct store_error *error);

/*
 * Store what change->now says (absent: delete the row) and its change record.
 * old is what store_get() gave for the row in this batch; NULL: there was none. The store
 * gives the change its sequence, term and digest and writes them into *change.
 * The change and old may hold texts of the last store_get(). Refused while less than
 * STORE_FREE_FLOOR_BYTES are free on the disk. So is deleting a row
 * that is not there.
 */
enum store_result store_put(struct store *store, struct change *change,
                            const struct mupdate_row *old, struct store_error *error);

/*
 * Make the batch durable. STORE_OK: it is on disk. STORE_REFUSED: nothing of it is
 * and nothing will be. STORE_UNCERTAIN: options.panic was called. A batch without
 * a _put costs nothing.
 */
enum store_result store_commit(struct store *store, struct store_error *error);

/* Does nothing when there is no batch. */
void store_abort(struct store *store);

/*
 * Drop the oldest changes until the log holds at most keep, a bounded number per
 * call. *more is set when there is more to drop. The last change always stays.
 */
enum store_result store_trim(struct store *store, uint64_t keep, bool *more,
                             struct store_error *error);

/* Bound what recovery has to read, and drop Berkeley DB's own logs that it needs no more. */
enum store_result store_checkpoint(struct store *store, struct store_error *error);

/*
 * Make the next log file ahead of its need, for faster commits: 16 MB of zeros,
 * written in some tens of milliseconds. Does nothing when there is one or when
 * the disk is nearly full. For a thread that may wait; one call at a time,
 * beside batches and checkpoints.
 */
void store_prepare_log(struct store *store);

/* Whether it is time for that. Cheap; any thread. */
bool store_wants_log(const struct store *store);

struct store_counts {
    uint64_t rows;
    uint64_t changes;
};

/*
 * Read everything and see that the log of changes agrees with the rows: all
 * records can be read; no sequence number between first and last is missing;
 * terms and times never go back; each change starts from what the one before
 * it on the same name left; each row is what the newest change of its name
 * made it, and a name whose newest change deleted it has no row; all rows have the digest that
 * the last change tells. STORE_OK with
 * *counts filled; STORE_BROKEN with the first thing that is wrong; STORE_REFUSED: out of memory.
 *
 * Needs memory for all names in the log. No batch may be under way.
 */
enum store_result store_check(struct store *store, struct store_counts *counts,
                              struct store_error *error);

#endif
