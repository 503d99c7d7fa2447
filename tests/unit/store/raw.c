/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raw.h"

#include <db.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd);

static atomic_int write_error;
static atomic_uint write_successes;
static atomic_uint failed_writes;
static _Atomic(const char *) write_name; /* NULL: any file */
static atomic_int sync_error;
static atomic_uint sync_successes;
static atomic_uint syncs;

static DBT dbt_of(const void *data, size_t len)
{
    DBT dbt;

    memset(&dbt, 0, sizeof dbt);
    memcpy(&dbt.data, &data, sizeof dbt.data);
    dbt.size = (u_int32_t)len;
    return dbt;
}

static DB_ENV *open_raw(const char *directory, const char *database, DB **db)
{
    DB_ENV *env;

    assert_int_equal(db_env_create(&env, 0), 0);
    assert_int_equal(env->open(env, directory,
                               DB_CREATE | DB_INIT_TXN | DB_INIT_LOCK | DB_INIT_LOG |
                                   DB_INIT_MPOOL | DB_RECOVER | DB_PRIVATE,
                               0600),
                     0);
    assert_int_equal(db_create(db, env, 0), 0);
    assert_int_equal((*db)->open(*db, NULL, database, NULL, DB_BTREE, DB_AUTO_COMMIT, 0600), 0);
    return env;
}

static void close_raw(DB_ENV *env, DB *db)
{
    assert_int_equal(db->close(db, 0), 0);
    assert_int_equal(env->txn_checkpoint(env, 0, 0, DB_FORCE), 0);
    assert_int_equal(env->close(env, 0), 0);
}

void raw_put(const char *directory, const char *database, const void *key, size_t key_len,
             const void *value, size_t len)
{
    DB *db;
    DB_ENV *env = open_raw(directory, database, &db);
    DBT key_dbt = dbt_of(key, key_len);
    DBT value_dbt = dbt_of(value, len);

    assert_int_equal(value ? db->put(db, NULL, &key_dbt, &value_dbt, 0)
                           : db->del(db, NULL, &key_dbt, 0),
                     0);
    close_raw(env, db);
}

size_t raw_get(const char *directory, const char *database, const void *key, size_t key_len,
               void *value, size_t size)
{
    DB *db;
    DB_ENV *env = open_raw(directory, database, &db);
    DBT key_dbt = dbt_of(key, key_len);
    DBT value_dbt = dbt_of(NULL, 0);
    size_t len;

    assert_int_equal(db->get(db, NULL, &key_dbt, &value_dbt, 0), 0);
    assert_true(value_dbt.size <= size);
    memcpy(value, value_dbt.data, value_dbt.size);
    len = value_dbt.size;
    close_raw(env, db);
    return len;
}

const void *raw_sequence(uint64_t sequence, unsigned char key[8])
{
    for (int i = 7; i >= 0; i--) {
        key[i] = (unsigned char)(sequence & 0xff);
        sequence >>= 8;
    }
    return key;
}

/* Count one success down; true when there was none left. */
static bool used_up(atomic_uint *successes)
{
    unsigned left = atomic_load(successes);

    while (left > 0)
        if (atomic_compare_exchange_weak(successes, &left, left - 1))
            return false;
    return true;
}

static bool is_meant(int fd)
{
    const char *name = atomic_load(&write_name);
    char link[64];
    char path[8192];
    const char *slash;
    ssize_t len;

    if (!name)
        return true;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof path - 1);
    if (len <= 0)
        return false;
    path[len] = '\0';
    slash = strrchr(path, '/');
    return slash && strcmp(slash + 1, name) == 0;
}

/* Berkeley DB takes a short write by its replacement for a failure. */
static ssize_t write_all(int fd, const void *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t wrote = write(fd, (const char *)data + done, len - done);

        if (wrote < 0)
            return -1;
        done += (size_t)wrote;
    }
    return (ssize_t)done;
}

static ssize_t failing_write(int fd, const void *data, size_t len)
{
    int error = atomic_load(&write_error);

    if (error == 0 || !is_meant(fd) || !used_up(&write_successes))
        return write_all(fd, data, len);
    atomic_fetch_add(&failed_writes, 1);
    errno = error;
    return -1;
}

unsigned raw_failed_writes(void)
{
    return atomic_load(&failed_writes);
}

/*
 * The function stays set once it was: Berkeley DB may be calling it in another
 * thread. It does what Berkeley DB would do itself while nothing is to fail.
 */
void raw_fail_writes(int error, unsigned successes)
{
    if (error != 0)
        atomic_store(&failed_writes, 0);
    atomic_store(&write_name, NULL);
    atomic_store(&write_successes, successes);
    atomic_store(&write_error, error);
    assert_int_equal(db_env_set_func_write(failing_write), 0);
}

void raw_fail_writes_to(const char *name, int error)
{
    raw_fail_writes(0, 0);
    atomic_store(&failed_writes, 0);
    atomic_store(&write_name, name);
    atomic_store(&write_error, error);
}

void raw_fail_sync(int error, unsigned successes)
{
    atomic_store(&sync_successes, successes);
    atomic_store(&sync_error, error);
}

unsigned raw_syncs(void)
{
    return atomic_load(&syncs);
}

/* The store's own calls come here instead of to the C library. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
    int error = atomic_load(&sync_error);

    atomic_fetch_add(&syncs, 1);
    if (error != 0 && used_up(&sync_successes)) {
        atomic_store(&sync_error, 0);
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
