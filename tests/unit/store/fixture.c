/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *__lsan_default_suppressions(void);
const char *__tsan_default_suppressions(void);

/* Berkeley DB keeps the memory of an environment that panicked. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:libdb-5.3.so\n";
}

/*
 * Berkeley DB's mutexes are built from atomic instructions that the sanitizer
 * does not see, so it takes what they guard for races, and the order of its page
 * latches, which it keeps free of deadlocks by trying, for a mistake.
 */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libdb-5.3.so\ndeadlock:libdb-5.3.so\nmutex:libdb-5.3.so\n"
           /* These descriptors have the numbers of some that Berkeley DB closed, unseen. */
           "race:store_fixture_files\nrace:^write_zeros$\n";
}

struct mupdate_text text_of(const char *string)
{
    return (struct mupdate_text){string, strlen(string)};
}

bool text_is(struct mupdate_text text, const char *string)
{
    return text_equal(text, text_of(string));
}

static void on_log(void *context, int level, const char *text)
{
    struct store_fixture *fixture = context;
    size_t len;

    (void)level;
    pthread_mutex_lock(&fixture->lock);
    len = strlen(fixture->logged);
    (void)snprintf(fixture->logged + len, sizeof fixture->logged - len, "%s\n", text);
    pthread_mutex_unlock(&fixture->lock);
}

static void on_panic(void *context, const char *text)
{
    struct store_fixture *fixture = context;

    pthread_mutex_lock(&fixture->lock);
    fixture->panics++;
    (void)snprintf(fixture->panic, sizeof fixture->panic, "%s", text);
    pthread_mutex_unlock(&fixture->lock);
}

bool store_fixture_logged(struct store_fixture *fixture, const char *text)
{
    bool found;

    pthread_mutex_lock(&fixture->lock);
    found = strstr(fixture->logged, text) != NULL;
    pthread_mutex_unlock(&fixture->lock);
    return found;
}

struct store_fixture *store_fixture_new(const char *parent)
{
    struct store_fixture *fixture = calloc(1, sizeof *fixture);
    char own[2048];
    ssize_t len;
    char *slash;

    assert_non_null(fixture);
    if (!parent)
        parent = getenv("TMPDIR");
    if (!parent) {
        /* Beside the program: /tmp may be memory, where nothing is durable. */
        len = readlink("/proc/self/exe", own, sizeof own - 1);
        assert_true(len > 0);
        own[len] = '\0';
        slash = strrchr(own, '/');
        assert_non_null(slash);
        *slash = '\0';
        parent = own;
    }
    (void)snprintf(fixture->place, sizeof fixture->place, "%s/store-XXXXXX", parent);
    assert_non_null(mkdtemp(fixture->place));
    (void)snprintf(fixture->directory, sizeof fixture->directory, "%s/database", fixture->place);
    assert_int_equal(pthread_mutex_init(&fixture->lock, NULL), 0);
    fixture->options = (struct store_options){
        .directory = fixture->directory,
        .cache_bytes = 32 << 20,
        .log = on_log,
        .panic = on_panic,
        .context = fixture,
    };
    return fixture;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void store_fixture_free(struct store_fixture *fixture)
{
    store_fixture_close(fixture);
    (void)nftw(fixture->place, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
}

void store_fixture_open(struct store_fixture *fixture)
{
    enum store_result result = store_open(&fixture->store, &fixture->options, &fixture->error);

    if (result != STORE_OK)
        fail_msg("store_open: %d: %s", (int)result, fixture->error.text);
}

void store_fixture_close(struct store_fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

void store_fixture_reopen(struct store_fixture *fixture)
{
    store_fixture_close(fixture);
    store_fixture_open(fixture);
}

int store_fixture_setup(void **state)
{
    struct store_fixture *fixture = store_fixture_new(NULL);

    store_fixture_open(fixture);
    *state = fixture;
    return 0;
}

int store_fixture_teardown(void **state)
{
    store_fixture_free(*state);
    return 0;
}

enum store_result store_fixture_put(struct store_fixture *fixture, const char *name,
                                    const char *location, const char *acl, uint64_t *sequence)
{
    static int64_t time_us = 1000000;
    struct row row = {0};
    char old_location[1024] = "";
    enum store_result result =
        store_get(fixture->store, text_of(name), &row, &fixture->error);
    struct change change = {.now = {.mupdate = {.name = text_of(name)},
                                    .time_us = ++time_us,
                                    .who = text_of("backend1")}};

    if (result != STORE_OK && result != STORE_ABSENT)
        return result;
    if (result == STORE_OK) {
        (void)snprintf(old_location, sizeof old_location, "%.*s", (int)row.mupdate.location.len,
                       row.mupdate.location.data);
        change.old_state = row.mupdate.state;
    }
    change.old_location = text_of(old_location);
    if (location) {
        change.now.mupdate.state = MUPDATE_ACTIVE;
        change.now.mupdate.location = text_of(location);
        change.now.mupdate.acl = text_of(acl ? acl : "");
    }
    result = store_put(fixture->store, &change, result == STORE_OK ? &row.mupdate : NULL,
                       &fixture->error);
    if (sequence)
        *sequence = change.now.sequence;
    return result;
}

uint64_t store_fixture_store(struct store_fixture *fixture, const char *name, const char *location,
                             const char *acl)
{
    uint64_t sequence = 0;
    enum store_result result = store_begin(fixture->store, &fixture->error);

    if (result == STORE_OK)
        result = store_fixture_put(fixture, name, location, acl, &sequence);
    if (result == STORE_OK)
        result = store_commit(fixture->store, &fixture->error);
    if (result != STORE_OK)
        fail_msg("store %s: %d: %s", name, (int)result, fixture->error.text);
    return sequence;
}

const char *store_fixture_location(struct store_fixture *fixture, const char *name)
{
    static char location[1024];
    struct row row;
    enum store_result result;

    assert_int_equal(store_begin(fixture->store, &fixture->error), STORE_OK);
    result = store_get(fixture->store, text_of(name), &row, &fixture->error);
    if (result != STORE_OK && result != STORE_ABSENT)
        fail_msg("get %s: %d: %s", name, (int)result, fixture->error.text);
    if (result == STORE_OK)
        (void)snprintf(location, sizeof location, "%.*s", (int)row.mupdate.location.len,
                       row.mupdate.location.data);
    store_abort(fixture->store);
    return result == STORE_OK ? location : NULL;
}

void store_fixture_check(struct store_fixture *fixture, struct store_counts *counts)
{
    struct store_counts ignored;

    if (store_check(fixture->store, counts ? counts : &ignored, &fixture->error) != STORE_OK)
        fail_msg("store_check: %s", fixture->error.text);
}

unsigned store_fixture_files(const struct store_fixture *fixture, const char *prefix,
                             uint64_t *octets)
{
    DIR *directory = opendir(fixture->directory);
    const struct dirent *entry;
    struct stat status;
    unsigned count = 0;

    assert_non_null(directory);
    *octets = 0;
    while ((entry = readdir(directory))) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
            fstatat(dirfd(directory), entry->d_name, &status, 0) != 0 || !S_ISREG(status.st_mode))
            continue;
        count++;
        *octets += (uint64_t)status.st_blocks * 512;
    }
    closedir(directory);
    return count;
}
