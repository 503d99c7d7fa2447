/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/store/private.h"

#include <errno.h>

#include "wire/wipe.h"

#define CACHE_BYTES_MIN (8U << 20)
#define GIB (UINT64_C(1) << 30)
#define LOG_BUFFER_BYTES (4U << 20)

/*
 * A batch locks each page that it changes, and an ACL of 64 kB is 16 pages: in
 * rows.db when it comes and when it goes, and in changes.db. With too few locks
 * a batch is refused, and its requests are tried alone.
 */
#define LOCKS_MAX 50000
#define LOCKERS_MAX 1000
#define TRANSACTIONS_MAX 100

static int configure(struct store *store)
{
    DB_ENV *env = store->env;
    uint64_t cache = store->options.cache_bytes < CACHE_BYTES_MIN ? CACHE_BYTES_MIN
                                                                 : store->options.cache_bytes;
    int code;

    if (cache / GIB > UINT32_MAX)
        return EINVAL;
    code = env->set_cachesize(env, (u_int32_t)(cache / GIB), (u_int32_t)(cache % GIB), 1);
    if (code == 0)
        code = env->set_lg_bsize(env, LOG_BUFFER_BYTES);
    if (code == 0)
        code = env->set_lg_max(env, STORE_LOG_FILE_BYTES);
    if (code == 0)
        code = env->set_lg_filemode(env, 0600);
    if (code == 0)
        code = env->set_lk_max_locks(env, LOCKS_MAX);
    if (code == 0)
        code = env->set_lk_max_objects(env, LOCKS_MAX);
    if (code == 0)
        code = env->set_lk_max_lockers(env, LOCKERS_MAX);
    if (code == 0)
        code = env->set_lk_detect(env, DB_LOCK_MINWRITE);
    if (code == 0)
        code = env->set_tx_max(env, TRANSACTIONS_MAX);
    if (code == 0)
        code = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1);
    return code;
}

/*
 * DB_PRIVATE: the regions live on the heap, so a full disk is an error and not
 * a SIGBUS, and nothing stale is left behind. DB_RECOVER is safe because of the
 * lock on the directory: beside a living process it would panic that one. The
 * pages of a copy are from many moments: only all of its log makes them agree.
 */
enum store_result store_environment_open(struct store *store, struct store_error *error)
{
    int code = db_env_create(&store->env, 0);

    if (code != 0)
        return store_fail(store, error, code, "start Berkeley DB", NULL);
    /*
     * These are the process's: sasldb is a database of the same library, and its
     * pages, with all passwords that are in them, must not stay in freed memory.
     */
    (void)db_env_set_func_free(wipe_free);
    (void)db_env_set_func_realloc(wipe_realloc);
    store_watch(store);
    code = configure(store);
    if (code != 0)
        return store_fail(store, error, code, "set up Berkeley DB", NULL);
    code = store->env->open(store->env, store->directory,
                            DB_CREATE | DB_INIT_TXN | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_MPOOL |
                                DB_THREAD | DB_PRIVATE |
                                (store->options.copy ? DB_RECOVER_FATAL : DB_RECOVER),
                            0600);
    if (code != 0)
        return store_fail_to_open(store, error, code, "recover");
    return STORE_OK;
}
