/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "tools/mupdatectl/differences.h"

struct list {
    const char *const (*rows)[3]; /* name, location, ACL (NULL: reserved) */
    size_t count;
    size_t at;
    size_t fail_at; /* 1 is the first; 0: never */
};

static struct mupdate_text text(const char *string)
{
    return (struct mupdate_text){string, strlen(string)};
}

static bool next(void *context, struct row *row, int *status)
{
    struct list *list = context;
    const char *const *fields;

    if (list->fail_at == list->at + 1) {
        *status = EX_DATAERR;
        return false;
    }
    if (list->at == list->count)
        return false;
    fields = list->rows[list->at++];
    *row = (struct row){.mupdate = {.state = fields[2] ? MUPDATE_ACTIVE : MUPDATE_RESERVED,
                                    .name = text(fields[0]),
                                    .location = text(fields[1]),
                                    .acl = text(fields[2] ? fields[2] : "")}};
    return true;
}

#define LIST(rows) {rows, sizeof rows / sizeof rows[0], 0, 0}

static const char *const now_rows[][3] = {
    {"acl", "be1!p", "a"},   {"gone", "be1!p", "a"},      {"moves", "be1!p", "a"},
    {"part", "be1!p", "a"},  {"reserved", "be2!p", NULL}, {"same", "be1!p", "a"},
    {"same2", "be3!p", NULL},
};
static const char *const then_rows[][3] = {
    {"acl", "be1!p", "b"},   {"moves", "be2!p", "a"},    {"new", "be0!p", "a"},
    {"part", "be1!q", "a"},  {"reserved", "be2!p", ""},  {"same", "be1!p", "a"},
    {"same2", "be3!p", NULL}, {"zlast", "be0", "a"},
};

static void is(const struct ctl_difference *one, const char *server, const uint64_t counts[6])
{
    if (server)
        assert_true(one->server_len == strlen(server) &&
                    memcmp(one->server, server, one->server_len) == 0);
    assert_int_equal(one->same, counts[0]);
    assert_int_equal(one->added, counts[1]);
    assert_int_equal(one->removed, counts[2]);
    assert_int_equal(one->changed, counts[3]);
    assert_int_equal(one->arrived, counts[4]);
    assert_int_equal(one->left, counts[5]);
}

static void each_row_is_counted_at_its_servers(void **state)
{
    struct list now = LIST(now_rows);
    struct list then = LIST(then_rows);
    struct ctl_differences differences = {0};

    (void)state;
    assert_int_equal(ctl_differences_find(&differences, &(struct ctl_source){next, &now},
                                          &(struct ctl_source){next, &then}),
                     0);
    assert_int_equal(differences.count, 4);
    is(&differences.servers[0], "be0", (uint64_t[]){0, 2, 0, 0, 0, 0});
    is(&differences.servers[1], "be1", (uint64_t[]){1, 0, 1, 2, 0, 1});
    is(&differences.servers[2], "be2", (uint64_t[]){0, 0, 0, 1, 1, 0});
    is(&differences.servers[3], "be3", (uint64_t[]){1, 0, 0, 0, 0, 0});
    is(&differences.all, NULL, (uint64_t[]){2, 2, 1, 3, 1, 1});
    ctl_differences_free(&differences);
}

static void an_empty_side_is_all_added_or_all_removed(void **state)
{
    struct list rows = LIST(now_rows);
    struct list none = {0};
    struct ctl_differences differences = {0};

    (void)state;
    assert_int_equal(ctl_differences_find(&differences, &(struct ctl_source){next, &none},
                                          &(struct ctl_source){next, &rows}),
                     0);
    is(&differences.all, NULL, (uint64_t[]){0, 7, 0, 0, 0, 0});
    ctl_differences_free(&differences);
    rows.at = 0;
    assert_int_equal(ctl_differences_find(&differences, &(struct ctl_source){next, &rows},
                                          &(struct ctl_source){next, &none}),
                     0);
    is(&differences.all, NULL, (uint64_t[]){0, 0, 7, 0, 0, 0});
    ctl_differences_free(&differences);
}

static void a_failure_of_either_side_is_the_result(void **state)
{
    (void)state;
    for (size_t side = 0; side < 2; side++) {
        for (size_t at = 1; at <= 7; at++) {
            struct list lists[] = {LIST(now_rows), LIST(then_rows)};
            struct ctl_differences differences = {0};

            lists[side].fail_at = at;
            assert_int_equal(ctl_differences_find(&differences,
                                                  &(struct ctl_source){next, &lists[0]},
                                                  &(struct ctl_source){next, &lists[1]}),
                             EX_DATAERR);
            ctl_differences_free(&differences);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_counted_at_its_servers),
        cmocka_unit_test(an_empty_side_is_all_added_or_all_removed),
        cmocka_unit_test(a_failure_of_either_side_is_the_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
