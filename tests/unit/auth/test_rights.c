/*
 * Which rights an identity has, and who may act as whom.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mupdated/auth/rights.h"

static const char text[] = "group_front: f1 f2\n"
                           "admins: root murder\n"
                           "readers: @front watcher host/f3.example@EXAMPLE.ORG\n"
                           "backends: b1=one.example b2=two.example,three.example b4.example\n";

static struct config *config;

static int set_up(void **state)
{
    struct config_error error;

    (void)state;
    config = config_parse("t.conf", text, strlen(text), NULL, NULL, &error);
    return config ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    config_free(config);
    return 0;
}

static struct rights of(const char *user, const char *authenticated)
{
    struct rights rights;

    memset(&rights, 'x', sizeof rights);
    rights_of(config, user, authenticated, &rights);
    return rights;
}

static void each_user_has_the_role_of_the_list_that_names_him(void **state)
{
    static const struct {
        const char *user;
        enum config_role role;
        size_t servers;
    } users[] = {
        {"root", CONFIG_ROLE_ADMIN, 0},
        {"murder", CONFIG_ROLE_ADMIN, 0},
        {"f1", CONFIG_ROLE_READER, 0},
        {"f2", CONFIG_ROLE_READER, 0},
        {"watcher", CONFIG_ROLE_READER, 0},
        {"host/f3.example@EXAMPLE.ORG", CONFIG_ROLE_READER, 0},
        {"b1", CONFIG_ROLE_BACKEND, 1},
        {"b2", CONFIG_ROLE_BACKEND, 2},
        {"b4.example", CONFIG_ROLE_BACKEND, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        struct rights rights = of(users[i].user, users[i].user);

        assert_int_equal(rights.role, users[i].role);
        assert_int_equal(rights.writes.all, users[i].role == CONFIG_ROLE_ADMIN);
        assert_int_equal(rights.writes.count, users[i].servers);
    }
}

static void a_backend_may_write_the_servers_that_it_is_bound_to(void **state)
{
    struct rights rights = of("b2", "b2");

    (void)state;
    assert_string_equal(rights.writes.names[0], "three.example");
    assert_string_equal(rights.writes.names[1], "two.example");
    rights = of("b4.example", "b4.example");
    assert_string_equal(rights.writes.names[0], "b4.example");
}

static void who_is_not_named_octet_by_octet_has_no_right(void **state)
{
    static const char *const users[] = {
        "", "nobody", "Root", "root ", "roo", "rootx", "root@EXAMPLE.ORG", "@front", "front",
        "group_front", "b1=one.example", "one.example", "host/f3.example@example.org",
        "host/f3.example"};

    (void)state;
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        struct rights rights = of(users[i], users[i]);

        if (rights.role != CONFIG_ROLE_NONE || rights.writes.all || rights.writes.count > 0)
            fail_msg("\"%s\" has role %d", users[i], (int)rights.role);
    }
    assert_int_equal(of(NULL, "root").role, CONFIG_ROLE_NONE);
    assert_int_equal(of("root", NULL).role, CONFIG_ROLE_NONE);
    assert_int_equal(of(NULL, NULL).role, CONFIG_ROLE_NONE);
}

static void an_admin_who_acts_as_another_has_the_rights_of_the_other(void **state)
{
    (void)state;
    assert_int_equal(of("f1", "root").role, CONFIG_ROLE_READER);
    assert_int_equal(of("b1", "root").role, CONFIG_ROLE_BACKEND);
    assert_false(of("b1", "root").writes.all);
    assert_int_equal(of("murder", "root").role, CONFIG_ROLE_ADMIN);
    assert_int_equal(of("nobody", "root").role, CONFIG_ROLE_NONE);
}

static void nobody_else_may_act_as_another(void **state)
{
    static const char *const users[] = {"f1", "b1", "nobody", "", "Root"};

    (void)state;
    assert_true(rights_may_act_as_others(config, "root"));
    assert_false(rights_may_act_as_others(config, NULL));
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        assert_false(rights_may_act_as_others(config, users[i]));
        assert_int_equal(of("root", users[i]).role, CONFIG_ROLE_NONE);
        assert_int_equal(of("f2", users[i]).role, CONFIG_ROLE_NONE);
    }
}

static void where_no_role_is_given_nobody_has_one(void **state)
{
    struct config_error error;
    struct config *empty = config_parse("t.conf", "", 0, NULL, NULL, &error);
    struct rights rights;

    (void)state;
    assert_non_null(empty);
    rights_of(empty, "murder", "murder", &rights);
    assert_int_equal(rights.role, CONFIG_ROLE_NONE);
    config_free(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_user_has_the_role_of_the_list_that_names_him),
        cmocka_unit_test(a_backend_may_write_the_servers_that_it_is_bound_to),
        cmocka_unit_test(who_is_not_named_octet_by_octet_has_no_right),
        cmocka_unit_test(an_admin_who_acts_as_another_has_the_rights_of_the_other),
        cmocka_unit_test(nobody_else_may_act_as_another),
        cmocka_unit_test(where_no_role_is_given_nobody_has_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
