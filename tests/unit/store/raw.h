/*
 * What the store cannot be asked for: records that it would never write, and
 * disks that fail. The only file of the tests that knows Berkeley DB.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_STORE_RAW_H
#define TESTS_STORE_RAW_H

#include <stddef.h>
#include <stdint.h>

/*
 * Write a record into a database of a closed store, or delete it when value is
 * NULL. Fails the test when that does not work.
 */
void raw_put(const char *directory, const char *database, const void *key, size_t key_len,
             const void *value, size_t len);

/* Read one; returns its length, at most size. */
size_t raw_get(const char *directory, const char *database, const void *key, size_t key_len,
               void *value, size_t size);

/* The key of a change. */
const void *raw_sequence(uint64_t sequence, unsigned char key[8]);

/*
 * From now on Berkeley DB's writes fail with this errno, after the first
 * successes of them. 0: they work again.
 */
void raw_fail_writes(int error, unsigned successes);

/* The same for files of that name only. name must stay valid until the next raw_fail...(). */
void raw_fail_writes_to(const char *name, int error);

/* Writes that failed so since they were last told to. */
unsigned raw_failed_writes(void);

/* Let fdatasync() fail with this errno once, after so many that work. 0: never. */
void raw_fail_sync(int error, unsigned successes);

/* fdatasync() calls so far. */
unsigned raw_syncs(void);

#endif
