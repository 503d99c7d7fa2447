/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tools/mupdatectl/acl.h"

static void assert_acl(int count, char *const *words, bool exact, const char *expected)
{
    char *acl = NULL;

    assert_int_equal(ctl_acl_from_words(count, words, exact, &acl), CTL_ACL_OK);
    assert_string_equal(acl, expected);
    free(acl);
}

static void words_become_pairs_that_end_in_tabs(void **state)
{
    char *one[] = {"jane lrs anyone lr"};
    char *wide[] = {"  jane   lrs "};
    char *several[] = {"jane", "lrs", "anyone", "lr"};
    char *blank[] = {"group:our team", "lrs"};

    (void)state;
    assert_acl(1, one, false, "jane\tlrs\tanyone\tlr\t");
    assert_acl(1, wide, false, "jane\tlrs\t");
    assert_acl(4, several, false, "jane\tlrs\tanyone\tlr\t");
    assert_acl(2, blank, false, "group:our team\tlrs\t");
}

static void an_argument_with_a_tab_or_without_anything_is_kept_as_it_is(void **state)
{
    char *tab[] = {"jane\tlrs"};
    char *odd[] = {" a \t b"};
    char *empty[] = {""};

    (void)state;
    assert_acl(1, tab, false, "jane\tlrs");
    assert_acl(1, odd, false, " a \t b");
    assert_acl(1, empty, false, "");
}

static void exact_keeps_what_has_no_tab(void **state)
{
    char *words[] = {"jane lrs"};

    (void)state;
    assert_acl(1, words, true, "jane lrs");
}

static void what_is_not_in_pairs_is_refused(void **state)
{
    char *lone[] = {"jane"};
    char *blanks[] = {"  "};
    char *three[] = {"jane lrs anyone"};
    char *words[] = {"jane", "lrs", "anyone"};
    char *empty[] = {"jane", ""};
    char *tabs[] = {"jane\tlrs\t", "anyone\tlr\t"};
    char *acl = NULL;

    (void)state;
    assert_int_equal(ctl_acl_from_words(1, lone, false, &acl), CTL_ACL_UNEVEN);
    assert_int_equal(ctl_acl_from_words(1, blanks, false, &acl), CTL_ACL_UNEVEN);
    assert_int_equal(ctl_acl_from_words(1, three, false, &acl), CTL_ACL_UNEVEN);
    assert_int_equal(ctl_acl_from_words(3, words, false, &acl), CTL_ACL_UNEVEN);
    assert_int_equal(ctl_acl_from_words(2, empty, false, &acl), CTL_ACL_UNEVEN);
    assert_int_equal(ctl_acl_from_words(2, tabs, false, &acl), CTL_ACL_UNEVEN);
    assert_int_equal(ctl_acl_from_words(2, words, true, &acl), CTL_ACL_UNEVEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_pairs_that_end_in_tabs),
        cmocka_unit_test(an_argument_with_a_tab_or_without_anything_is_kept_as_it_is),
        cmocka_unit_test(exact_keeps_what_has_no_tab),
        cmocka_unit_test(what_is_not_in_pairs_is_refused),
    };

    return cmocka_run_group_tests_name("mupdatectl acl", tests, NULL, NULL);
}
