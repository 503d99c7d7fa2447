/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/mupdatectl/gather.h"

#define MANY 3000

static struct mupdate_text text(const char *string)
{
    return (struct mupdate_text){string, strlen(string)};
}

static void add(struct ctl_gather *gather, const char *name, const char *location, uint64_t line)
{
    struct row row = {.mupdate = {.state = MUPDATE_ACTIVE,
                                  .name = text(name),
                                  .location = text(location),
                                  .acl = text("a\tlrs\t")},
                      .time_us = (int64_t)line};

    assert_true(ctl_gather_add(gather, &row, line));
}

static void expect(struct ctl_gather *gather, const char *const *names, size_t count)
{
    struct row row;

    ctl_gather_rewind(gather);
    for (size_t i = 0; i < count; i++) {
        assert_true(ctl_gather_next(gather, &row));
        assert_true(text_equal(row.mupdate.name, text(names[i])));
        assert_int_equal(row.sequence, i + 1);
    }
    assert_false(ctl_gather_next(gather, &row));
}

static void rows_come_in_the_order_that_is_asked_for(void **state)
{
    static const char *const octet[] = {"user.a", "user.a b", "user.a-b", "user.a.b", "user.a2"};
    static const char *const cyrus[] = {"user.a", "user.a.b", "user.a b", "user.a-b", "user.a2"};
    struct ctl_gather gather;

    (void)state;
    ctl_gather_init(&gather);
    for (size_t i = 5; i-- > 0;)
        add(&gather, octet[i], "be1!p", i + 1);
    assert_true(ctl_gather_sort(&gather, LIST_ORDER_OCTET));
    expect(&gather, octet, 5);
    assert_true(ctl_gather_sort(&gather, LIST_ORDER_CYRUS36));
    expect(&gather, cyrus, 5);
    ctl_gather_free(&gather);
}

static void what_is_gathered_is_a_copy_of_each_field(void **state)
{
    struct ctl_gather gather;
    struct row row;
    char name[32];

    (void)state;
    ctl_gather_init(&gather);
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "user.%06u", i);
        add(&gather, name, i % 2 ? "be1!p" : "be2!", i);
    }
    memset(name, 0, sizeof name);
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "user.%06u", i);
        assert_true(ctl_gather_next(&gather, &row));
        assert_true(text_equal(row.mupdate.name, text(name)));
        assert_true(text_equal(row.mupdate.location, text(i % 2 ? "be1!p" : "be2!")));
        assert_true(text_equal(row.mupdate.acl, text("a\tlrs\t")));
        assert_int_equal(row.mupdate.state, MUPDATE_ACTIVE);
        assert_int_equal(row.time_us, i);
    }
    ctl_gather_free(&gather);
}

static bool note(void *context, const struct row *kept, uint64_t kept_line, const struct row *gone,
                 uint64_t gone_line)
{
    char *said = context;

    assert_true(text_equal(kept->mupdate.name, gone->mupdate.name));
    (void)snprintf(said + strlen(said), 64, "%u/%u ", (unsigned)kept_line, (unsigned)gone_line);
    return true;
}

static void of_rows_of_one_name_the_first_stays(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    struct ctl_gather gather;
    struct row row;
    char said[256] = "";

    (void)state;
    ctl_gather_init(&gather);
    add(&gather, "b", "be1!p", 1);
    add(&gather, "c", "be1!p", 2);
    add(&gather, "b", "be2!p", 3);
    add(&gather, "a", "be1!p", 4);
    add(&gather, "b", "be3!p", 5);
    assert_true(ctl_gather_sort(&gather, LIST_ORDER_OCTET));
    assert_true(ctl_gather_unite(&gather, note, said));
    assert_string_equal(said, "1/3 1/5 ");
    expect(&gather, names, 3);
    ctl_gather_rewind(&gather);
    assert_true(ctl_gather_next(&gather, &row) && ctl_gather_next(&gather, &row));
    assert_true(text_equal(row.mupdate.location, text("be1!p")));
    ctl_gather_free(&gather);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_in_the_order_that_is_asked_for),
        cmocka_unit_test(what_is_gathered_is_a_copy_of_each_field),
        cmocka_unit_test(of_rows_of_one_name_the_first_stays),
    };

    return cmocka_run_group_tests_name("gather", tests, NULL, NULL);
}
