/*
 * What the files of the store share. Only they may include this.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include <db.h>
#include <pthread.h>
#include <stdatomic.h>

#include "mupdated/store/format.h"
#include "mupdated/store/store.h"

/*
 * A log file is made with its full size, and holes. Recovery fills the holes
 * behind the end of the log with zeros, and then writes what no checkpoint has
 * written yet. So much more than a log file is what a full disk must have.
 */
#define STORE_LOG_FILE_BYTES (16U << 20)
#define STORE_BALLAST_BYTES (2ULL * STORE_LOG_FILE_BYTES)

enum store_phase {
    STORE_OPENING, /* failures are store_open()'s result */
    STORE_RUNNING,
    STORE_CLOSING,
    STORE_DEAD,    /* options.panic was called */
};

struct store {
    struct store_options options;
    char *directory;
    int lock_fd;
    atomic_int phase; /* enum store_phase */
    unsigned sync_failures; /* store_sync_failures() when it was opened */

    DB_ENV *env;
    DB *rows;
    DB *changes;
    DB *meta;

    struct store_position position; /* of what is committed */
    uint64_t base;                  /* the sequence that changes come behind */
    bool made;                      /* this store_open() made the table */
    uint32_t format;                /* that the table had */
    atomic_bool confirmed;
    bool has_digest;
    struct digest digest; /* of what is committed */

    /* the batch */
    DB_TXN *txn;
    uint64_t puts;
    struct digest batch_digest;
    bool batch_failed; /* the last one that put something */
    struct format_record record;
    void *found; /* where store_get() reads to */
    u_int32_t found_size;

    struct store_copying *copying; /* the copy that is being made, or NULL */

    pthread_mutex_t checkpoint_lock;
    bool checkpoint_failed; /* the last one */
    bool ballast_missing; /* and that was logged */
};

/* --- error.c --- */

/* Have Berkeley DB report to this store, and watch its calls of fdatasync(). Before env->open(). */
void store_watch(struct store *store);

/* Failed fdatasync() calls of this process so far. */
unsigned store_sync_failures(void);

/* One more: the store stops at the next commit or checkpoint. */
void store_sync_failed(void);

/*
 * A new operation begins in this thread: forget what Berkeley DB said so far,
 * so that the next error is not explained with it. If the last operation of this
 * kind failed, log nothing of what it says now: it would be the same, at each attempt.
 */
void store_forget_words(bool failed_before);

/* True if Berkeley DB said in this thread, since store_forget_words(), that the disk is full. */
bool store_words_say_full(void);

/*
 * Fill *error: "store: DIRECTORY: doing NAME: reason (Berkeley DB's own words)".
 * name may be NULL. Returns what code (a Berkeley DB or errno code) amounts to:
 * STORE_REFUSED if the store can go on, STORE_BROKEN if not.
 */
enum store_result store_fail(struct store *store, struct store_error *error, int code,
                             const char *doing, const struct mupdate_text *name);

/* The same, and what to do when a file is missing or damaged. */
enum store_result store_fail_to_open(struct store *store, struct store_error *error, int code,
                                     const char *doing);

/*
 * The same for a record that cannot be right, and for rows that are not those that they must be.
 * Returns STORE_BROKEN.
 */
enum store_result store_damaged(struct store *store, struct store_error *error,
                                const char *database, struct mupdate_text key, const char *wrong);
enum store_result store_damaged_rows(struct store *store, struct store_error *error,
                                     const char *wrong);
enum store_result store_damaged_change(struct store *store, struct store_error *error,
                                       uint64_t sequence, const char *wrong);

/* The same where there is no table. Returns STORE_ABSENT. */
enum store_result store_absent(const struct store *store, struct store_error *error);

/* The store is broken for good: tell options.panic, once. Nothing happens before it is open. */
void store_die(struct store *store, const char *text);

void store_log(const struct store *store, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A key for a message: unprintable octets as \xNN, cut when long. Returns out. */
const char *store_quote(struct mupdate_text text, char *out, size_t size);

/* --- environment.c --- */

/* Create, set up and open store->env, with recovery. After a failure it is to be closed too. */
enum store_result store_environment_open(struct store *store, struct store_error *error);

/* --- sound.c --- */

/*
 * Before recovery, to which the log ends where it can no longer be read, and which makes a new
 * table where there is none: STORE_BROKEN when that would lose what was acknowledged.
 */
enum store_result store_check_log(struct store *store, struct store_error *error);

/* --- batch.c --- */

/* STORE_REFUSED while less is free than the log and the checkpoints need to end well. */
enum store_result store_check_room(struct store *store, struct store_error *error);

/* Make a transaction durable, and end it: as store_commit(). */
enum store_result store_commit_txn(struct store *store, DB_TXN *txn, struct store_error *error);

/* --- identity.c --- */

/* Write a new history id, the first term and the format into meta.db. */
enum store_result store_identity_write(struct store *store, DB_TXN *txn,
                                       struct store_error *error);

/* For a table that was loaded: where its changes begin. It is not confirmed. */
enum store_result store_identity_load(struct store *store, DB_TXN *txn, uint64_t base,
                                      struct store_error *error);

/* For a table that is made anew from itself: it stays the same. */
enum store_result store_identity_copy(struct store *store, DB_TXN *txn,
                                      const struct store_position *position, uint64_t base,
                                      bool confirmed, struct store_error *error);

/* For a table without a change: what its rows are, as far as that is told; into *store. */
enum store_result store_identity_read_digest(struct store *store, struct store_error *error);

/* The same, written. */
enum store_result store_identity_digest(struct store *store, DB_TXN *txn,
                                        const struct digest *digest, struct store_error *error);

/* See that the files of rows and changes are this table's; note them when it does not know yet. */
enum store_result store_identity_bind(struct store *store, DB_TXN *txn, struct store_error *error);

/* Read them into *store, and write the format if it is an older one. STORE_NEWER if it is newer. */
enum store_result store_identity_read(struct store *store, DB_TXN *txn,
                                      struct store_error *error);

/* --- directory.c --- */

/* Make the directory when it is missing, unless another was put away for it, and lock it. */
enum store_result store_directory_lock(struct store *store, struct store_error *error);
void store_directory_unlock(struct store *store);

/*
 * Whether a new, empty table may be made here, which is missing or empty: not beside one that
 * was put away and not replaced. STORE_OK, or STORE_BROKEN with *error.
 */
enum store_result store_directory_may_begin(const struct store *store, struct store_error *error);

/* Make what was created in the directory survive a crash of the machine. */
int store_directory_sync(const struct store *store);

/*
 * Have the kernel read a file of the directory in the order of its octets, because the caller
 * will soon read all of it in an order of its own. Nothing happens when it cannot.
 */
void store_directory_read_ahead(const struct store *store, const char *name);

/* Free bytes beside this directory that we may use; UINT64_MAX when that cannot be told. */
uint64_t store_free_bytes(const char *directory);

/* Reserve the ballast when there is room for it and it is not there. */
void store_ballast_keep(struct store *store);

/* Give the ballast up. False: there was none. */
bool store_ballast_drop(struct store *store);

/* --- descriptors.c --- */

/* Have Berkeley DB open files with the descriptors that are kept aside when there are no others. */
void store_spares_use(void);

/* Take those that are missing, as far as there are any. Any thread. */
void store_spares_keep(void);
void store_spares_drop(void);

/* --- next_log.c --- */

/* Berkeley DB opens this path: if that makes a log file, let it be the one made ahead. */
void store_next_log_take(const char *path, int flags);

/* It has opened the path: a new log file's name is to be durable before what is written to it. */
void store_next_log_begun(const char *path, int flags);

/*
 * Remove what a former run left: after a crash, or in a copy of the directory, it may be a
 * log file that was in use and got its old name back. Before the environment is opened.
 */
void store_next_log_drop(const struct store *store);

/* --- scan.c --- */

/* A key or value to hand to Berkeley DB. */
DBT store_dbt(const void *data, size_t len);

/*
 * Read one record into *memory, which grows as needed. Returns Berkeley DB's
 * code; *len is the record's length when it is 0.
 */
int store_read(DB *db, DB_TXN *txn, const void *key, size_t key_len, u_int32_t flags, void **memory,
               u_int32_t *size, size_t *len);

#endif
