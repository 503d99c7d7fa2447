/*
 * A store in a directory of its own on the real disk, for tests.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <pthread.h>

#include "mupdated/store/store.h"

struct store_fixture {
    char place[4096];     /* a directory of this test */
    char directory[4200]; /* the store's, in it */
    struct store *store;
    struct store_options options;
    struct store_error error;
    pthread_mutex_t lock;
    char logged[65536];   /* all log lines, as far as they fit */
    int panics;
    char panic[1024];
};

/* cmocka's setup and teardown: *state is a struct store_fixture with an open store. */
int store_fixture_setup(void **state);
int store_fixture_teardown(void **state);

/* Only the place, nothing open; in parent, or where $TMPDIR or the program says when it is NULL. */
struct store_fixture *store_fixture_new(const char *parent);
void store_fixture_free(struct store_fixture *fixture);

/* Open, and fail the test when that does not work. */
void store_fixture_open(struct store_fixture *fixture);
void store_fixture_close(struct store_fixture *fixture);

/* Close and open again. */
void store_fixture_reopen(struct store_fixture *fixture);

/* True if text was logged. */
bool store_fixture_logged(struct store_fixture *fixture, const char *text);

struct mupdate_text text_of(const char *string);

/* True if the text is that string. */
bool text_is(struct mupdate_text text, const char *string);

/*
 * In the batch under way: make the row active at the location with the ACL,
 * or delete it when location is NULL. Returns what store_put() returned;
 * *sequence (may be NULL) is the change's.
 */
enum store_result store_fixture_put(struct store_fixture *fixture, const char *name,
                                    const char *location, const char *acl, uint64_t *sequence);

/* The same in a batch of its own, which must succeed. Returns the sequence. */
uint64_t store_fixture_store(struct store_fixture *fixture, const char *name, const char *location,
                             const char *acl);

/* The location of a row, NULL when it is absent; valid until the next call. Not in a batch. */
const char *store_fixture_location(struct store_fixture *fixture, const char *name);

/* Fail the test unless store_check() is content. */
void store_fixture_check(struct store_fixture *fixture, struct store_counts *counts);

/* How many files of the store have names that start with prefix, and what they take on disk. */
unsigned store_fixture_files(const struct store_fixture *fixture, const char *prefix,
                             uint64_t *octets);

#endif
