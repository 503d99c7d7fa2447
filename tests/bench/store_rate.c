/*
 * How many changes per second the bare store makes durable, in transactions of
 * given sizes: what the daemon's writer does to mupdated/store, without a
 * daemon, clients or a network around it. Whatever the daemon reaches less than
 * this is the cost of all the rest. As in the daemon, a second thread makes log
 * files ahead of their need and takes checkpoints at the daemon's default interval.
 *
 *   bench-store-rate DIRECTORY ROWS SECONDS CHANGES...
 *
 * Makes a table of ROWS rows in DIRECTORY, which must not be there yet, then for
 * each number of CHANGES a transaction measures for SECONDS each: new names, which
 * are reserved and then activated ("create"), and other ACLs for random rows
 * ("acl"). Prints a JSON object.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <uv.h>

#include "mupdated/store/store.h"

#define CHANGES_MAX 4096
#define FILL_CHANGES 256
#define CACHE_BYTES (UINT64_C(256) << 20) /* the daemon's default */
#define CHECKPOINT_NS UINT64_C(5000000000) /* the daemon's default */
#define TEXT_BYTES 80

enum kind { FILL, RESERVE, ACTIVATE, ACL };

/* The texts of a row, of the form and length of mupdate-bench's. */
struct texts {
    char name[TEXT_BYTES];
    char location[TEXT_BYTES];
    char acl[TEXT_BYTES];
};

/* The thread beside the transactions. The lock is for ends, and for cond. */
struct upkeep {
    struct store *store;
    uv_thread_t thread;
    uv_mutex_t lock;
    uv_cond_t cond;
    bool ends;
};

struct rate {
    struct store *store;
    struct upkeep upkeep;
    uint64_t rows;  /* rows that every ACL change chooses from */
    uint64_t fresh; /* rows of the second set that are made */
    uint64_t random;
    uint64_t mark;
};

_Noreturn static void fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "bench-store-rate: %s: %s\n", what, why);
    exit(status);
}

static double now_s(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        fail(EX_OSERR, "clock_gettime", "no clock");
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t time_us(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        fail(EX_OSERR, "clock_gettime", "no clock");
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct mupdate_text text_of(const char *string)
{
    return (struct mupdate_text){string, strlen(string)};
}

static uint64_t random_row(struct rate *rate)
{
    rate->random = rate->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (rate->random >> 33) % rate->rows;
}

static void write_texts(struct texts *texts, const char *set, uint64_t number, uint64_t mark)
{
    static const char *const folders[] = {"", ".Sent", ".Drafts", ".Trash", ".Archive.2026"};
    unsigned long long user = number / 5;

    (void)snprintf(texts->name, TEXT_BYTES, "user.%s%08llu%s", set, user, folders[number % 5]);
    (void)snprintf(texts->location, TEXT_BYTES, "backend%llu.bench.test!default", user % 4 + 1);
    (void)snprintf(texts->acl, TEXT_BYTES, "%s%08llu\tlrswipkxtecdan\t", set, user);
    if (mark != 0)
        (void)snprintf(texts->acl + strlen(texts->acl), TEXT_BYTES - strlen(texts->acl),
                       "m%016llx\tl\t", (unsigned long long)mark);
}

static void write_row(struct rate *rate, enum kind kind, uint64_t number, struct texts *texts)
{
    switch (kind) {
    case FILL:
        write_texts(texts, "bench", number, 0);
        break;
    case RESERVE:
    case ACTIVATE:
        write_texts(texts, "fresh", number, 0);
        if (kind == RESERVE)
            texts->acl[0] = '\0';
        break;
    case ACL:
        write_texts(texts, "bench", random_row(rate), ++rate->mark);
        break;
    }
}

/*
 * What the writer does for a change that is allowed: see the row, copy the
 * change, which outlives the batch there, and store it.
 */
static struct change *change_row(struct rate *rate, enum kind kind, uint64_t number)
{
    struct store_error error = {0};
    struct texts texts;
    struct row old = {.mupdate.state = MUPDATE_ABSENT};
    struct change *copy;

    write_row(rate, kind, number, &texts);
    enum store_result result = store_get(rate->store, text_of(texts.name), &old, &error);
    if (result != STORE_OK && result != STORE_ABSENT)
        fail(EX_IOERR, "get", error.text);
    if ((result == STORE_OK) != (kind == ACTIVATE || kind == ACL))
        fail(EX_SOFTWARE, texts.name, "is there and should not be, or the other way round");
    struct change change = {
        .now = {.mupdate = {.state = kind == RESERVE ? MUPDATE_RESERVED : MUPDATE_ACTIVE,
                            .name = text_of(texts.name),
                            .location = text_of(texts.location),
                            .acl = text_of(texts.acl)},
                .time_us = time_us(),
                .who = text_of("murder")},
        .old_state = result == STORE_OK ? old.mupdate.state : MUPDATE_ABSENT,
        .old_location = result == STORE_OK ? old.mupdate.location : text_of(""),
    };
    copy = change_copy(&change);
    if (!copy)
        fail(EX_OSERR, "copy", "out of memory");
    if (store_put(rate->store, copy, result == STORE_OK ? &old.mupdate : NULL, &error) !=
        STORE_OK)
        fail(EX_IOERR, "put", error.text);
    return copy;
}

static void upkeep_thread(void *argument)
{
    struct upkeep *upkeep = argument;
    struct store_error error = {0};
    uint64_t due = uv_hrtime() + CHECKPOINT_NS;

    uv_mutex_lock(&upkeep->lock);
    while (!upkeep->ends) {
        uint64_t now = uv_hrtime();

        if (now < due && !store_wants_log(upkeep->store)) {
            (void)uv_cond_timedwait(&upkeep->cond, &upkeep->lock, due - now);
            continue;
        }
        uv_mutex_unlock(&upkeep->lock);
        store_prepare_log(upkeep->store);
        if (now >= due) {
            if (store_checkpoint(upkeep->store, &error) != STORE_OK)
                fail(EX_IOERR, "checkpoint", error.text);
            due = uv_hrtime() + CHECKPOINT_NS;
        }
        uv_mutex_lock(&upkeep->lock);
    }
    uv_mutex_unlock(&upkeep->lock);
}

static void start_upkeep(struct upkeep *upkeep, struct store *store)
{
    upkeep->store = store;
    if (uv_mutex_init(&upkeep->lock) != 0 || uv_cond_init(&upkeep->cond) != 0 ||
        uv_thread_create(&upkeep->thread, upkeep_thread, upkeep) != 0)
        fail(EX_OSERR, "thread", "cannot be started");
}

static void wake_upkeep(struct upkeep *upkeep)
{
    if (!store_wants_log(upkeep->store))
        return;
    uv_mutex_lock(&upkeep->lock);
    uv_cond_signal(&upkeep->cond);
    uv_mutex_unlock(&upkeep->lock);
}

static void end_upkeep(struct upkeep *upkeep)
{
    uv_mutex_lock(&upkeep->lock);
    upkeep->ends = true;
    uv_cond_signal(&upkeep->cond);
    uv_mutex_unlock(&upkeep->lock);
    (void)uv_thread_join(&upkeep->thread);
    uv_cond_destroy(&upkeep->cond);
    uv_mutex_destroy(&upkeep->lock);
}

/* One durable transaction of the rows from first on. */
static void transaction(struct rate *rate, enum kind kind, uint64_t first, unsigned changes)
{
    static struct change *batch[CHANGES_MAX];
    struct store_error error = {0};

    if (store_begin(rate->store, &error) != STORE_OK)
        fail(EX_IOERR, "begin", error.text);
    for (unsigned i = 0; i < changes; i++)
        batch[i] = change_row(rate, kind, first + i);
    if (store_commit(rate->store, &error) != STORE_OK)
        fail(EX_IOERR, "commit", error.text);
    wake_upkeep(&rate->upkeep);
    for (unsigned i = 0; i < changes; i++)
        free(batch[i]);
}

static void fill(struct rate *rate)
{
    for (uint64_t done = 0; done < rate->rows; done += FILL_CHANGES) {
        uint64_t rest = rate->rows - done;
        transaction(rate, FILL, done, rest < FILL_CHANGES ? (unsigned)rest : FILL_CHANGES);
    }
}

static double creates_per_s(struct rate *rate, unsigned changes, double seconds)
{
    double start = now_s();
    double count = 0;
    double end;

    do {
        transaction(rate, RESERVE, rate->fresh, changes);
        transaction(rate, ACTIVATE, rate->fresh, changes);
        rate->fresh += changes;
        count += 2.0 * changes;
        end = now_s();
    } while (end - start < seconds);
    return count / (end - start);
}

static double acls_per_s(struct rate *rate, unsigned changes, double seconds)
{
    double start = now_s();
    double count = 0;
    double end;

    do {
        transaction(rate, ACL, 0, changes);
        count += changes;
        end = now_s();
    } while (end - start < seconds);
    return count / (end - start);
}

static void say(void *context, int level, const char *text)
{
    (void)context;
    if (level > LOG_WARNING)
        return;
    fprintf(stderr, "bench-store-rate: %s\n", text);
}

static void panic(void *context, const char *text)
{
    (void)context;
    fail(EX_IOERR, "store", text);
}

static double number(const char *what, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(value) || value < least || value > most)
        fail(EX_USAGE, what, "wrong number");
    return value;
}

int main(int argc, char **argv)
{
    struct rate rate = {.random = 1};
    struct store_error error = {0};
    double seconds;

    if (argc < 5)
        fail(EX_USAGE, "usage", "bench-store-rate DIRECTORY ROWS SECONDS CHANGES...");
    rate.rows = (uint64_t)number("ROWS", argv[2], 1, 1e8);
    seconds = number("SECONDS", argv[3], 0, 3600);
    for (int i = 4; i < argc; i++)
        (void)number("CHANGES", argv[i], 1, CHANGES_MAX);
    struct store_options options = {
        .directory = argv[1], .cache_bytes = CACHE_BYTES, .log = say, .panic = panic};
    if (store_open(&rate.store, &options, &error) != STORE_OK)
        fail(EX_CANTCREAT, "open", error.text);
    start_upkeep(&rate.upkeep, rate.store);
    fill(&rate);
    printf("{\"scenario\":\"store\",\"rows\":%llu,\"batches\":[", (unsigned long long)rate.rows);
    for (int i = 4; i < argc; i++) {
        unsigned changes = (unsigned)number("CHANGES", argv[i], 1, CHANGES_MAX);
        double creates = creates_per_s(&rate, changes, seconds);
        double acls = acls_per_s(&rate, changes, seconds);
        printf("%s{\"changes\":%u,\"create_per_s\":%.1f,\"acl_per_s\":%.1f}", i > 4 ? "," : "",
               changes, creates, acls);
    }
    printf("]}\n");
    end_upkeep(&rate.upkeep);
    store_close(rate.store);
    if (fflush(stdout) != 0)
        fail(EX_IOERR, "stdout", "cannot be written");
    return EX_OK;
}
