/*
 * Batches over a store in memory that fails on demand.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mupdated/writer/decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 16

/* --- the store --- */

struct fake_row {
    char name[32];
    char location[32];
    enum mupdate_state state;
    uint64_t sequence;
};

struct store {
    struct fake_row committed[ROWS];
    struct fake_row batch[ROWS];
    uint64_t last;
    uint64_t puts;
    bool open;
    unsigned begun;
    unsigned commits;
    const char *refused_name;     /* a put of it is refused */
    enum store_result get_result; /* of the next get, unless STORE_OK */
    unsigned deadlocks;           /* so many puts end in one */
    enum store_result commit_results[8];
    unsigned commit_count;
    int64_t newest_time_us;
};

static enum store_result fails(struct store *store, struct store_error *error,
                               enum store_result result, bool again)
{
    store_abort(store);
    memset(error, 0, sizeof *error);
    (void)snprintf(error->reason, sizeof error->reason, "No space left on device");
    (void)snprintf(error->text, sizeof error->text, "store: /x: put: No space left on device");
    error->again = again;
    return result;
}

void store_position(const struct store *store, struct store_position *position)
{
    memset(position, 0, sizeof *position);
    position->first = 1;
    position->last = store->last;
}

enum store_result store_changes(struct store *store, uint64_t from, store_change *callback,
                                void *context, struct store_error *error)
{
    struct change change = {.now = {.time_us = store->newest_time_us, .sequence = from}};

    (void)error;
    if (store->newest_time_us)
        (void)callback(context, &change);
    return STORE_OK;
}

enum store_result store_begin(struct store *store, struct store_error *error)
{
    (void)error;
    assert_false(store->open);
    memcpy(store->batch, store->committed, sizeof store->batch);
    store->open = true;
    store->puts = 0;
    store->begun++;
    return STORE_OK;
}

static struct fake_row *row_of(struct store *store, struct mupdate_text name)
{
    struct fake_row *empty = NULL;

    for (size_t i = 0; i < ROWS; i++) {
        if (text_equal(name, (struct mupdate_text){store->batch[i].name,
                                                   strlen(store->batch[i].name)}))
            return &store->batch[i];
        if (!empty && store->batch[i].name[0] == '\0')
            empty = &store->batch[i];
    }
    assert_non_null(empty);
    (void)snprintf(empty->name, sizeof empty->name, "%.*s", (int)name.len, name.data);
    empty->state = MUPDATE_ABSENT;
    return empty;
}

enum store_result store_get(struct store *store, struct mupdate_text name, struct row *row,
                            struct store_error *error)
{
    const struct fake_row *found;
    enum store_result result = store->get_result;

    assert_true(store->open);
    if (result != STORE_OK) {
        store->get_result = STORE_OK;
        return fails(store, error, result, false);
    }
    found = row_of(store, name);
    if (found->state == MUPDATE_ABSENT)
        return STORE_ABSENT;
    memset(row, 0, sizeof *row);
    row->mupdate.state = found->state;
    row->sequence = found->sequence;
    row->mupdate.name = name;
    row->mupdate.location = (struct mupdate_text){found->location, strlen(found->location)};
    return STORE_OK;
}

enum store_result store_put(struct store *store, struct change *change,
                            const struct mupdate_row *old, struct store_error *error)
{
    struct mupdate_text name = change->now.mupdate.name;
    struct fake_row *row = row_of(store, name);

    assert_true(store->open);
    if (store->deadlocks) {
        store->deadlocks--;
        return fails(store, error, STORE_REFUSED, true);
    }
    if (store->refused_name &&
        text_equal(name, (struct mupdate_text){store->refused_name, strlen(store->refused_name)}))
        return fails(store, error, STORE_REFUSED, false);
    assert_int_equal(old ? old->state : MUPDATE_ABSENT, row->state);
    assert_true(!old || text_equal(old->location, (struct mupdate_text){row->location,
                                                                        strlen(row->location)}));
    row->state = change->now.mupdate.state;
    (void)snprintf(row->location, sizeof row->location, "%.*s",
                   (int)change->now.mupdate.location.len, change->now.mupdate.location.data);
    row->sequence = change->now.sequence = store->last + ++store->puts;
    change->term = 1;
    return STORE_OK;
}

enum store_result store_commit(struct store *store, struct store_error *error)
{
    enum store_result result = STORE_OK;

    assert_true(store->open);
    if (store->commit_count < sizeof store->commit_results / sizeof store->commit_results[0])
        result = store->commit_results[store->commit_count++];
    if (result != STORE_OK)
        return fails(store, error, result, false);
    memcpy(store->committed, store->batch, sizeof store->committed);
    store->last += store->puts;
    store->commits++;
    store->open = false;
    return STORE_OK;
}

void store_abort(struct store *store)
{
    store->open = false;
}

/* --- what the tests have in common --- */

struct fixture {
    struct store store;
    struct decide decide;
    struct writer_request *head;
    struct writer_request **tail;
    char logged[4096];
};

static void on_log(void *context, int level, const char *text)
{
    struct fixture *fixture = context;
    size_t len = strlen(fixture->logged);

    (void)level;
    (void)snprintf(fixture->logged + len, sizeof fixture->logged - len, "%s\n", text);
}

static struct mupdate_text text_of(const char *string)
{
    return (struct mupdate_text){string, strlen(string)};
}

static void forget(struct fixture *fixture)
{
    while (fixture->head) {
        struct writer_request *next = fixture->head->next;

        writer_request_free(fixture->head);
        fixture->head = next;
    }
    fixture->tail = &fixture->head;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct store_error error;

    assert_non_null(fixture);
    fixture->tail = &fixture->head;
    assert_int_equal(decide_init(&fixture->decide, &fixture->store, on_log, fixture, &error),
                     STORE_OK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    forget(*state);
    free(*state);
    return 0;
}

static struct writer_request *ask(struct fixture *fixture, enum mupdate_verb verb, const char *name,
                                  const char *location)
{
    struct rule_request rule = {.verb = verb,
                                .writes.all = true,
                                .name = text_of(name),
                                .location = text_of(location),
                                .acl = text_of(verb == MUPDATE_ACTIVATE ? "a lrs" : "")};
    struct writer_request *request = writer_request_new(&rule, text_of("backend1"), NULL);

    assert_non_null(request);
    request->policy = (struct rule_policy){.name_bytes = 1024, .location_bytes = 1024,
                                           .acl_bytes = 65536};
    *fixture->tail = request;
    fixture->tail = &request->next;
    return request;
}

/* --- the tests --- */

static void a_request_for_one_version_of_a_row_is_refused_when_there_is_another(void **state)
{
    struct fixture *fixture = *state;
    struct writer_request *reserve = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");
    struct writer_request *absent = ask(fixture, MUPDATE_DELETE, "user.b", "");
    struct writer_request *activate = ask(fixture, MUPDATE_ACTIVATE, "user.a", "be1!p");
    struct writer_request *late = ask(fixture, MUPDATE_DELETE, "user.a", "");
    struct writer_request *good = ask(fixture, MUPDATE_DELETE, "user.a", "");

    absent->only_sequence = 1;
    late->only_sequence = 1;
    good->only_sequence = 2;
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(reserve->change->now.sequence, 1);
    assert_int_equal(activate->change->now.sequence, 2);
    assert_int_equal(absent->result, WRITER_NO);
    assert_int_equal(late->result, WRITER_NO);
    assert_null(late->change);
    assert_string_equal(late->text, "it was changed meanwhile");
    assert_int_equal(good->result, WRITER_OK);
    assert_int_equal(good->change->now.sequence, 3);
}

static void requests_of_one_batch_see_each_other_and_share_one_commit(void **state)
{
    struct fixture *fixture = *state;
    struct writer_request *first = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");
    struct writer_request *second = ask(fixture, MUPDATE_RESERVE, "user.a", "be2!p");
    struct writer_request *third = ask(fixture, MUPDATE_ACTIVATE, "user.a", "be1!p");
    struct writer_request *fourth = ask(fixture, MUPDATE_DELETE, "user.a", "");

    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(first->result, WRITER_OK);
    assert_int_equal(first->change->now.sequence, 1);
    assert_int_equal(first->change->old_state, MUPDATE_ABSENT);
    assert_int_equal(second->result, WRITER_NO);
    assert_null(second->change);
    assert_int_equal(third->result, WRITER_OK);
    assert_int_equal(third->change->now.sequence, 2);
    assert_int_equal(third->change->old_state, MUPDATE_RESERVED);
    assert_true(text_equal(third->change->old_location, text_of("be1!p")));
    assert_int_equal(fourth->change->now.mupdate.state, MUPDATE_ABSENT);
    assert_true(text_equal(fourth->change->now.who, text_of("backend1")));
    assert_int_equal(fixture->store.commits, 1);
    assert_int_equal(fixture->store.last, 3);
}

static void rights_are_decided_by_the_row_as_the_batch_sees_it(void **state)
{
    static char server[] = "be2";
    static char *const servers[] = {server};
    const struct rule_servers bound = {.names = servers, .count = 1};
    struct fixture *fixture = *state;
    struct writer_request *early;
    struct writer_request *late;

    ask(fixture, MUPDATE_ACTIVATE, "user.a", "be1!p");
    early = ask(fixture, MUPDATE_ACTIVATE, "user.a", "be2!p");
    early->rule.writes = bound;
    ask(fixture, MUPDATE_DEACTIVATE, "user.a", "be1!p");
    late = ask(fixture, MUPDATE_ACTIVATE, "user.a", "be2!p");
    late->rule.writes = bound;
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(early->result, WRITER_FORBIDDEN);
    assert_null(early->change);
    assert_string_equal(early->text, "this user may not write mailboxes of server be1");
    assert_int_equal(late->result, WRITER_OK);
    assert_int_equal(late->change->now.sequence, 3);
    assert_int_equal(fixture->store.commits, 1);
}

static void one_request_that_cannot_be_stored_does_not_fail_the_others(void **state)
{
    struct fixture *fixture = *state;
    struct writer_request *good = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");
    struct writer_request *bad = ask(fixture, MUPDATE_RESERVE, "user.bad", "be1!p");
    struct writer_request *other = ask(fixture, MUPDATE_RESERVE, "user.c", "be1!p");

    fixture->store.refused_name = "user.bad";
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(good->result, WRITER_OK);
    assert_int_equal(good->change->now.sequence, 1);
    assert_int_equal(bad->result, WRITER_NO);
    assert_null(bad->change);
    assert_string_equal(bad->text, "not stored: No space left on device");
    assert_int_equal(other->result, WRITER_OK);
    assert_int_equal(other->change->now.sequence, 2);
    assert_int_equal(fixture->store.last, 2);
}

/* The second RESERVE was refused because of the first, which in the end was not stored. */
static void a_decision_that_rested_on_what_was_undone_is_taken_again(void **state)
{
    struct fixture *fixture = *state;
    struct writer_request *first = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");
    struct writer_request *second = ask(fixture, MUPDATE_RESERVE, "user.a", "be2!p");

    fixture->store.commit_results[0] = STORE_REFUSED; /* the batch */
    fixture->store.commit_results[1] = STORE_REFUSED; /* the first alone */
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(first->result, WRITER_NO);
    assert_null(first->change);
    assert_int_equal(second->result, WRITER_OK);
    assert_int_equal(second->change->now.sequence, 1);
    assert_true(text_equal(second->change->now.mupdate.location, text_of("be2!p")));
}

static void a_deadlock_is_tried_again_and_leaves_no_trace(void **state)
{
    struct fixture *fixture = *state;
    struct writer_request *request = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");

    fixture->store.deadlocks = 3;
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(request->result, WRITER_OK);
    assert_int_equal(fixture->store.begun, 4);
    assert_string_equal(fixture->logged, "");
}

static void endless_deadlocks_end_in_a_refusal(void **state)
{
    struct fixture *fixture = *state;
    struct writer_request *request = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");

    fixture->store.deadlocks = 1000;
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(request->result, WRITER_NO);
    assert_true(fixture->store.begun < 50);
}

static void refusals_are_logged_at_their_begin_and_at_their_end(void **state)
{
    struct fixture *fixture = *state;
    const char *refused;

    fixture->store.refused_name = "user.bad";
    for (int i = 0; i < 5; i++)
        (void)ask(fixture, MUPDATE_RESERVE, "user.bad", "be1!p");
    decide_batch(&fixture->decide, fixture->head);
    refused = strstr(fixture->logged, "writer: changes are being refused");
    assert_non_null(refused);
    assert_null(strstr(refused + 1, "writer: changes are being refused"));
    forget(fixture);

    /* Nothing is stored by a refused DELETE: it does not show that storing works again. */
    (void)ask(fixture, MUPDATE_DELETE, "user.none", "");
    decide_batch(&fixture->decide, fixture->head);
    assert_null(strstr(fixture->logged, "stored again"));
    forget(fixture);

    (void)ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");
    decide_batch(&fixture->decide, fixture->head);
    assert_non_null(strstr(fixture->logged, "changes are stored again, 5 were refused"));
}

static void an_uncertain_commit_makes_its_batch_and_all_after_it_uncertain(void **state)
{
    struct fixture *fixture = *state;
    struct writer_request *first = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");
    struct writer_request *unchanged = ask(fixture, MUPDATE_DELETE, "user.none", "");
    struct writer_request *later;

    fixture->store.commit_results[0] = STORE_UNCERTAIN;
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(first->result, WRITER_UNCERTAIN);
    assert_null(first->change);
    assert_int_equal(unchanged->result, WRITER_UNCERTAIN);
    assert_int_equal(fixture->store.begun, 1);
    forget(fixture);
    later = ask(fixture, MUPDATE_RESERVE, "user.b", "be1!p");
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(later->result, WRITER_UNCERTAIN);
    assert_int_equal(fixture->store.begun, 1);
}

static void requests_that_were_stored_one_by_one_before_the_uncertain_one_stay_ok(void **state)
{
    struct fixture *fixture = *state;
    struct writer_request *first = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");
    struct writer_request *second = ask(fixture, MUPDATE_RESERVE, "user.b", "be1!p");
    struct writer_request *third = ask(fixture, MUPDATE_RESERVE, "user.c", "be1!p");

    fixture->store.commit_results[0] = STORE_REFUSED;   /* the batch */
    fixture->store.commit_results[1] = STORE_OK;        /* the first alone */
    fixture->store.commit_results[2] = STORE_UNCERTAIN; /* the second */
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(first->result, WRITER_OK);
    assert_non_null(first->change);
    assert_int_equal(second->result, WRITER_UNCERTAIN);
    assert_int_equal(third->result, WRITER_UNCERTAIN);
}

static void a_broken_store_makes_everything_uncertain(void **state)
{
    struct fixture *fixture = *state;
    struct writer_request *request = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");

    fixture->store.get_result = STORE_BROKEN;
    decide_batch(&fixture->decide, fixture->head);
    assert_int_equal(request->result, WRITER_UNCERTAIN);
    assert_int_equal(fixture->decide.state, DECIDE_UNCERTAIN);
}

static void time_never_goes_back_behind_the_newest_change(void **state)
{
    struct fixture *fixture = *state;
    const int64_t future = INT64_C(32503680000000000); /* the year 3000 */
    struct writer_request *request = ask(fixture, MUPDATE_RESERVE, "user.a", "be1!p");
    struct store_error error;

    decide_batch(&fixture->decide, fixture->head);
    assert_true(request->change->now.time_us > INT64_C(1500000000000000));
    assert_true(request->change->now.time_us < future);
    forget(fixture);
    fixture->store.newest_time_us = future;
    assert_int_equal(decide_init(&fixture->decide, &fixture->store, on_log, fixture, &error),
                     STORE_OK);
    request = ask(fixture, MUPDATE_RESERVE, "user.b", "be1!p");
    decide_batch(&fixture->decide, fixture->head);
    assert_true(request->change->now.time_us == future);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(requests_of_one_batch_see_each_other_and_share_one_commit),
        TEST(a_request_for_one_version_of_a_row_is_refused_when_there_is_another),
        TEST(rights_are_decided_by_the_row_as_the_batch_sees_it),
        TEST(one_request_that_cannot_be_stored_does_not_fail_the_others),
        TEST(a_decision_that_rested_on_what_was_undone_is_taken_again),
        TEST(a_deadlock_is_tried_again_and_leaves_no_trace),
        TEST(endless_deadlocks_end_in_a_refusal),
        TEST(refusals_are_logged_at_their_begin_and_at_their_end),
        TEST(an_uncertain_commit_makes_its_batch_and_all_after_it_uncertain),
        TEST(requests_that_were_stored_one_by_one_before_the_uncertain_one_stay_ok),
        TEST(a_broken_store_makes_everything_uncertain),
        TEST(time_never_goes_back_behind_the_newest_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
