/*
 * admins, readers, backends and groups, as they are written.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_support.h"

/* "a=admin b=backend(s,t) r=reader", in order. */
static const char *identities(const struct config *config)
{
    static const char *const roles[] = {"none", "reader", "backend", "admin"};
    static char out[4096];
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < config->identity_count; i++) {
        const struct config_identity *identity = &config->identities[i];

        used += (size_t)snprintf(out + used, sizeof out - used, "%s%s=%s", i == 0 ? "" : " ",
                                 identity->name, roles[identity->role]);
        for (size_t j = 0; j < identity->servers.count; j++)
            used += (size_t)snprintf(out + used, sizeof out - used, "%c%s", j == 0 ? '(' : ',',
                                     identity->servers.items[j]);
        if (identity->servers.count > 0)
            used += (size_t)snprintf(out + used, sizeof out - used, ")");
    }
    return out;
}

static void roles(const char *text, const char *expected)
{
    struct config *config = accept_text(text);

    assert_string_equal(identities(config), expected);
    assert_string_equal(notices, "");
    config_free(config);
}

static void each_list_gives_its_role(void **state)
{
    (void)state;
    roles("admins: z y\nreaders: r\nbackends: b=s c=s,t d.example\n",
          "b=backend(s) c=backend(s,t) d.example=backend(d.example) r=reader y=admin z=admin");
    roles("mupdate_readers: r\nreaders: x\n", "r=reader");
}

static void a_group_stands_for_its_users_wherever_users_are_listed(void **state)
{
    (void)state;
    roles("group_a: 1 2\nadmins: @a\n", "1=admin 2=admin");
    roles("readers: x @a y\ngroup_a: 1 2\n", "1=reader 2=reader x=reader y=reader");
    roles("backends: @stores=s,t\ngroup_stores: 1 2\n", "1=backend(s,t) 2=backend(s,t)");
    roles("backends: @stores\ngroup_stores: b1.example b2.example\n",
          "b1.example=backend(b1.example) b2.example=backend(b2.example)");
    roles("admins: @A_b-1\nGROUP_a_B-1: 1\n", "1=admin");
    roles("admins: @a\nmupdate_group_a: 2\ngroup_a: 1\n", "2=admin");
}

static void a_user_may_be_named_several_times_for_one_role(void **state)
{
    (void)state;
    roles("admins: a a\nreaders: b @g b\ngroup_g: b c\n", "a=admin b=reader c=reader");
    roles("backends: b=s @g=t,s c=u\ngroup_g: b\n", "b=backend(s,t) c=backend(u)");
}

static void a_group_that_nobody_uses_gives_nothing(void **state)
{
    (void)state;
    roles("admins: a\ngroup_g: b c\n", "a=admin");
}

static void a_principal_of_kerberos_is_a_user(void **state)
{
    (void)state;
    roles("readers: imap/f1.example@EXAMPLE.ORG\n"
          "backends: imap/b1.example@EXAMPLE.ORG=b1.example cn=b2,ou=x=b2.example\n",
          "cn=b2,ou=x=backend(b2.example) imap/b1.example@EXAMPLE.ORG=backend(b1.example) "
          "imap/f1.example@EXAMPLE.ORG=reader");
}

static void who_has_only_readers_gets_no_notice_that_nobody_has_a_right(void **state)
{
    struct config *config;

    (void)state;
    roles("readers: r\n", "r=reader");
    config = accept_text("group_g: a\n");
    assert_int_equal(notices_with("so nobody may use the master"), 1);
    config_free(config);
}

static void a_group_that_is_not_there_is_refused(void **state)
{
    (void)state;
    refuse_text("admins: a\nreaders: b @front\ngroup_fronts: c\n",
                "t.conf:2: readers: '@front' is no group that is configured: add its users under "
                "the key group_NAME, or correct the name");
    refuse_with("admins: @\n", "t.conf:1: admins: '@' is no group");
    refuse_with("backends: @x=s\n", "t.conf:1: backends: '@x' is no group");
}

static void a_group_within_a_group_is_refused(void **state)
{
    (void)state;
    refuse_text("admins: a\ngroup_a: x\ngroup_b: y @a\n",
                "t.conf:3: group_b: '@a' is a group, and a group cannot hold another: write the "
                "users of that one here");
    refuse_with("mupdate_group_b: @b\n", "t.conf:1: group_b: '@b' is a group");
}

static void a_user_with_two_roles_is_refused_at_the_later_one(void **state)
{
    (void)state;
    refuse_text("readers: x a\nadmins: a\n",
                "t.conf:2: admins: 'a' is in readers too, and a user has one role: remove it from "
                "one of the two, also where a group holds it");
    refuse_with("admins: a\ngroup_g: a\nreaders: @g\n", "t.conf:3: ");
    refuse_with("readers: a\nbackends: a=s\n", "'a' is in ");
    refuse_with("backends: a=s\nadmins: a\n", "'a' is in ");
}

static void a_server_that_is_no_name_of_one_is_refused(void **state)
{
    static const char *const words[] = {"b=", "b=s,", "b=,s", "b=s,,t", "b=s!p", "b=s!", "b=s@r",
                                        "b=s/p", "b=s\"", "b=@s", "b=s\xc3\xa9"};

    (void)state;
    refuse_text("admins: a\nbackends: ok=s b1=back!default\n",
                "t.conf:2: backends: 'b1=back!default' has a server that is no name of one: give "
                "USER=SERVER or USER=SERVER,SERVER with names of letters, digits and . - _ :, the "
                "part of a location before the \"!\"");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char text[64];

        snprintf(text, sizeof text, "backends: %s\n", words[i]);
        refuse_with(text, "t.conf:1: backends: 'b=");
    }
}

static void a_server_without_a_user_is_refused(void **state)
{
    (void)state;
    refuse_text("backends: =s\n", "t.conf:1: backends: '=s' has no user: give USER=SERVER");
}

static void a_user_who_cannot_be_the_name_of_a_server_must_be_given_one(void **state)
{
    (void)state;
    refuse_text("backends: imap/b1@R\n",
                "t.conf:1: backends: 'imap/b1@R' cannot be the name of a server too (letters, "
                "digits and . - _ :): write the name of its server behind it, as USER=SERVER");
    refuse_with("group_g: b1 b/2\nbackends: @g\n", "t.conf:2: backends: 'b/2' cannot be");
    refuse_with("group_g: b1=s\nbackends: @g\n", "t.conf:2: backends: 'b1=s' cannot be");
}

static void a_group_without_a_name_is_no_key(void **state)
{
    (void)state;
    refuse_with("group_: a\n", "t.conf:1: group_: is not a key");
}

static void count_change(void *context, const char *key, enum config_effect effect)
{
    strcat(context, key);
    strcat(context, effect == CONFIG_ON_RELOAD ? "=reload " : "=restart ");
}

static void a_reload_tells_which_of_them_changed(void **state)
{
    struct config *before = accept_text("admins: a\ngroup_g: b\ngroup_gone: c\naudit: yes\n");
    struct config *after = accept_text("admins: a\ngroup_g: b c\ngroup_new: d\nreaders: @g\n"
                                       "backends: e=s\n");
    char told[512] = "";

    (void)state;
    assert_int_equal(config_compare(before, after, count_change, told), 6);
    assert_string_equal(told, "audit=reload readers=reload backends=reload group_g=reload "
                              "group_new=reload group_gone=reload ");
    config_free(before);
    config_free(after);
}

static void an_audit_that_would_not_be_written_is_refused(void **state)
{
    (void)state;
    refuse_text("admins: a\naudit: yes\nlog_level: warning\n",
                "t.conf:3: audit: yes writes lines of the level notice, and log_level leaves them "
                "out: give log_level notice, info or debug, or remove it");
    refuse_with("log_level: error\naudit: yes\n", "t.conf:2: audit: yes");
    config_free(accept_text("admins: a\naudit: yes\nlog_level: notice\n"));
    config_free(accept_text("admins: a\naudit: no\nlog_level: error\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_list_gives_its_role),
        cmocka_unit_test(a_group_stands_for_its_users_wherever_users_are_listed),
        cmocka_unit_test(a_user_may_be_named_several_times_for_one_role),
        cmocka_unit_test(a_group_that_nobody_uses_gives_nothing),
        cmocka_unit_test(a_principal_of_kerberos_is_a_user),
        cmocka_unit_test(who_has_only_readers_gets_no_notice_that_nobody_has_a_right),
        cmocka_unit_test(a_group_that_is_not_there_is_refused),
        cmocka_unit_test(a_group_within_a_group_is_refused),
        cmocka_unit_test(a_user_with_two_roles_is_refused_at_the_later_one),
        cmocka_unit_test(a_server_that_is_no_name_of_one_is_refused),
        cmocka_unit_test(a_server_without_a_user_is_refused),
        cmocka_unit_test(a_user_who_cannot_be_the_name_of_a_server_must_be_given_one),
        cmocka_unit_test(a_group_without_a_name_is_no_key),
        cmocka_unit_test(a_reload_tells_which_of_them_changed),
        cmocka_unit_test(an_audit_that_would_not_be_written_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
