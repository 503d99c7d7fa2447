/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/mupdatectl/cyrus_name.h"

static bool keeps(const char *name)
{
    return !cyrus_name_check((struct mupdate_text){name, strlen(name)});
}

/* Each was given to ctl_mboxlist -u of Cyrus 3.6.1, and came back from its -d. */
static void names_that_cyrus_keeps(void **state)
{
    static const char *const names[] = {
        "user.anna", "user.a b", "user.^", "user.a^b", " ", "user. a ", "shared", "user",
        "example.org!user.anna", "a!b!c.d", "d!", "!a", ".!a", "user..!a", "user.\x01", "user.\x7f",
        "DELETED.user.anna.6B02ECDE", "DELETED.user.anna.A", "DELETED.6b", "DELETED.user",
        "d!DELETED.user.x.6B", "INBOX", "user.\xc3\xb6",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!keeps(names[i]))
            fail_msg("%s", names[i]);
}

/* These came back as another, or not at all. */
static void names_that_cyrus_takes_for_others(void **state)
{
    static const char *const names[] = {
        "user.a.", ".a", "user..a", ".", "d.org!user.a.", "d!.a", "user.!.a", "user.a\037b",
        "user.\x1d", "DELETED.user.x.6b02ecde", "DELETED.user.x.0A", "DELETED.user.x.0",
        "DELETED.user.x.6B02ECDE1", "DELETED.shared.xyz", "d!DELETED.user.x.6b",
        "DELETED.user.x.ff.z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (keeps(names[i]))
            fail_msg("%s", names[i]);
}

static bool keeps_long(const char *prefix, int len, const char *suffix)
{
    char name[1024];

    (void)snprintf(name, sizeof name, "%s%0*d%s", prefix, len, 0, suffix);
    return keeps(name);
}

static void names_as_long_as_cyrus_can_hold_them(void **state)
{
    static const struct {
        const char *prefix;
        int longest;
        const char *suffix;
    } lines[] = {
        {"", 489, ""},
        {"user.a.", 482, ""},
        {"user.", 247, ""},
        {"user.", 247, ".a"},
        {"d.org!user.", 241, ""},
        {"DELETED.user.", 247, ".6B02ECDE"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_true(keeps_long(lines[i].prefix, lines[i].longest, lines[i].suffix));
        assert_false(keeps_long(lines[i].prefix, lines[i].longest + 1, lines[i].suffix));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_cyrus_keeps),
        cmocka_unit_test(names_that_cyrus_takes_for_others),
        cmocka_unit_test(names_as_long_as_cyrus_can_hold_them),
    };

    return cmocka_run_group_tests_name("cyrus_name", tests, NULL, NULL);
}
