/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tools/mupdatectl/output.h"

#define TEXT(string) ((struct mupdate_text){string, sizeof(string) - 1})

static void assert_line(const struct mupdate_row *row, const char *expected)
{
    char *line = NULL;
    size_t len;
    FILE *file = open_memstream(&line, &len);

    assert_non_null(file);
    ctl_write_row(file, row);
    fclose(file);
    assert_string_equal(line, expected);
    free(line);
}

static void assert_json(const struct mupdate_row *row, const char *expected)
{
    json_t *object = json_row(row);
    char *line;

    assert_non_null(object);
    line = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    assert_string_equal(line, expected);
    free(line);
    json_decref(object);
}

static void a_row_is_state_name_location_and_acl_in_words(void **state)
{
    struct mupdate_row row = {MUPDATE_ACTIVE, TEXT("user.a b"), TEXT("b1!p"),
                              TEXT("jane\tlrs\tanyone\tlr\t")};

    (void)state;
    assert_line(&row, "active\tuser.a b\tb1!p\tjane lrs anyone lr\n");
    row.state = MUPDATE_RESERVED;
    assert_line(&row, "reserved\tuser.a b\tb1!p\n");
    row.state = MUPDATE_ABSENT;
    assert_line(&row, "deleted\tuser.a b\n");
}

static void octets_that_are_not_printable_ascii_are_escaped(void **state)
{
    const struct mupdate_row row = {MUPDATE_ACTIVE, TEXT("a\t\n\033[2J\\\x7f\xff\0z"), TEXT("b\r!"),
                                    TEXT("j\x01\tl\t")};

    (void)state;
    assert_line(&row, "active\ta\\x09\\x0a\\x1b[2J\\x5c\\x7f\\xff\\x00z\tb\\x0d!\tj\\x01 l\n");
}

static void an_acl_of_another_form_cannot_be_taken_for_one_in_words(void **state)
{
    struct mupdate_row row = {MUPDATE_ACTIVE, TEXT("a"), TEXT("b!"), TEXT("jane\tlrs")};

    (void)state;
    assert_line(&row, "active\ta\tb!\tjane\\x09lrs\n");
    row.acl = TEXT("jane lrs");
    assert_line(&row, "active\ta\tb!\tjane\\x20lrs\n");
    row.acl = TEXT("our team\tlrs\t");
    assert_line(&row, "active\ta\tb!\tour\\x20team\\x09lrs\\x09\n");
    row.acl = TEXT("jane\t\t");
    assert_line(&row, "active\ta\tb!\tjane\\x09\\x09\n");
    row.acl = TEXT("jane\tlrs\tanyone\t");
    assert_line(&row, "active\ta\tb!\tjane\\x09lrs\\x09anyone\\x09\n");
    row.acl = TEXT("");
    assert_line(&row, "active\ta\tb!\t\n");
}

static void json_has_the_members_that_the_state_has(void **state)
{
    struct mupdate_row row = {MUPDATE_ACTIVE, TEXT("user.\"a\""), TEXT("b1!p"), TEXT("j\tl\t")};

    (void)state;
    assert_json(&row, "{\"state\":\"active\",\"name\":\"user.\\\"a\\\"\",\"location\":\"b1!p\","
                      "\"acl\":\"j\\tl\\t\"}");
    row.state = MUPDATE_RESERVED;
    assert_json(&row, "{\"state\":\"reserved\",\"name\":\"user.\\\"a\\\"\",\"location\":\"b1!p\"}");
    row.state = MUPDATE_ABSENT;
    row.name = (struct mupdate_text){NULL, 0};
    assert_json(&row, "{\"state\":\"deleted\",\"name\":\"\"}");
}

static void json_keeps_utf8_and_gives_other_octets_as_base64(void **state)
{
    struct mupdate_row row = {MUPDATE_ACTIVE, TEXT("Z\xc3\xbcrich\0"), TEXT("\xff"), TEXT("a\xc3")};

    (void)state;
    assert_json(&row, "{\"state\":\"active\",\"name\":\"Z\\u00FCrich\\u0000\","
                      "\"location_base64\":\"/w==\",\"acl_base64\":\"YcM=\"}");
    row.state = MUPDATE_ABSENT;
    row.name = TEXT("\xfb\xef\xbe");
    assert_json(&row, "{\"state\":\"deleted\",\"name_base64\":\"++++\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_state_name_location_and_acl_in_words),
        cmocka_unit_test(octets_that_are_not_printable_ascii_are_escaped),
        cmocka_unit_test(an_acl_of_another_form_cannot_be_taken_for_one_in_words),
        cmocka_unit_test(json_has_the_members_that_the_state_has),
        cmocka_unit_test(json_keeps_utf8_and_gives_other_octets_as_base64),
    };

    return cmocka_run_group_tests_name("mupdatectl output", tests, NULL, NULL);
}
