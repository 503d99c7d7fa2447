/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_support.h"

static void keys_are_read_in_any_case_and_blanks_are_trimmed(void **state)
{
    struct config *config = accept_text("  ADMINS:\t murder  root \t\nServerName:a.example\n");
    (void)state;

    assert_int_equal(config->admins.count, 2);
    assert_string_equal(config->admins.items[0], "murder");
    assert_string_equal(config->admins.items[1], "root");
    assert_string_equal(config->servername, "a.example");
    config_free(config);
}

static void comments_and_blank_lines_are_skipped(void **state)
{
    struct config *config = accept_text("# one\n\n   \t\n  # admins: nobody\nadmins: murder\n#");
    (void)state;

    assert_string_equal(config->admins.items[0], "murder");
    assert_string_equal(notices, "");
    config_free(config);
}

static void a_number_sign_in_a_value_is_part_of_it(void **state)
{
    struct config *config = accept_text("admins: murder # not a comment\n");
    (void)state;

    assert_int_equal(config->admins.count, 5);
    assert_string_equal(config->admins.items[1], "#");
    config_free(config);
}

static void a_file_may_lack_its_last_line_end(void **state)
{
    struct config *config = accept_text("admins: murder");
    (void)state;

    assert_string_equal(config->admins.items[0], "murder");
    config_free(config);
}

static void an_empty_file_gives_the_defaults_and_says_that_nobody_is_an_admin(void **state)
{
    struct config *config = accept_text("");
    (void)state;

    assert_int_equal(config->admins.count, 0);
    assert_string_equal(notices, "t.conf: admins: is not set, so nobody may use the master: add "
                                 "\"admins:\" and the users that the servers log in as\n");
    config_free(config);
}

static void line_ends_of_windows_are_read(void **state)
{
    struct config *config = accept_text("\xef\xbb\xbf"
                                        "admins: mur\\\r\nder\r\nlog_level: debug\r\n\r\n");
    (void)state;

    assert_string_equal(config->admins.items[0], "murder");
    assert_int_equal(config->log_level, LOG_DEBUG);
    config_free(config);
}

static void a_backslash_joins_lines_without_adding_a_blank(void **state)
{
    struct config *config = accept_text("adm\\\nins: mur\\\n\\\nder \\\n  root\n"
                                        "log_level: debug\n");
    (void)state;

    assert_int_equal(config->admins.count, 2);
    assert_string_equal(config->admins.items[0], "murder");
    assert_string_equal(config->admins.items[1], "root");
    config_free(config);
}

static void a_number_sign_in_a_continued_line_is_part_of_the_value(void **state)
{
    struct config *config = accept_text("admins: a \\\n# b\n");
    (void)state;

    assert_int_equal(config->admins.count, 3);
    config_free(config);
}

static void a_backslash_elsewhere_is_part_of_the_value(void **state)
{
    struct config *config = accept_text("admins: a\\b c\\ \nlog: syslog\n");
    (void)state;

    assert_string_equal(config->admins.items[0], "a\\b");
    assert_string_equal(config->admins.items[1], "c\\");
    assert_int_equal(config->log, LOG_TARGET_SYSLOG);
    config_free(config);
}

static void a_continued_comment_hides_the_next_line_and_says_so(void **state)
{
    struct config *config = accept_text("admins: a\n # the end \\\nlog: syslog\n");
    (void)state;

    assert_int_equal(config->log, LOG_TARGET_STDERR);
    assert_string_equal(notices, "t.conf:2: this comment ends in '\\' and so goes on to line 3\n");
    config_free(config);
}

static void a_continuation_past_the_end_is_refused(void **state)
{
    (void)state;

    refuse_text("admins: a\nlog: syslog\\\n",
                "t.conf:2: the file ends where '\\' promises one more line: remove the '\\'");
    refuse_with("admins: a\\", "t.conf:1: the file ends");
}

static void errors_name_the_first_line_of_a_continued_one(void **state)
{
    (void)state;

    refuse_with("# c\nlog: \\\n\\\n nowhere\n", "t.conf:2: log: 'nowhere'");
    refuse_with("log: \\\nsyslog\nadmins:\n", "t.conf:3: admins");
}

static void a_line_that_is_no_setting_is_refused(void **state)
{
    static const char *const lines[] = {"admins",      "admins murder", "admins : murder", ": x",
                                        "ad mins: x",  "b\xc3\xa9: x",  "include=x",       "a.b: x",
                                        "= admins: x", "!include x"};
    (void)state;

    refuse_text("# c\nadmins murder\n",
                "t.conf:2: 'admins murder' is not a setting: write \"key: value\", the key in "
                "letters, digits, '-' and '_' with the ':' right behind it, or put '#' at the "
                "start of the line to make it a comment");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        refuse_with(lines[i], "is not a setting");
    }
}

static void what_a_message_quotes_is_cut_and_made_printable(void **state)
{
    (void)state;

    refuse_with("\x1b[31mred\xff\n", "t.conf:1: '\\x1b[31mred\\xff' is not a setting");
    refuse_with("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...' is not");
}

static void an_empty_value_is_refused(void **state)
{
    (void)state;

    refuse_text("admins:\n", "t.conf:1: admins: has no value: write one behind the ':', or remove "
                             "the line to have the default");
    refuse_with("admins: \t \r\n", "t.conf:1: admins: has no value");
    refuse_with("hashimapspool:", "t.conf:1: hashimapspool: has no value");
    refuse_with("@include: ", "t.conf:1: @include: has no value");
}

static void a_second_setting_of_a_key_is_refused(void **state)
{
    (void)state;

    refuse_text("admins: a\n\nADMINS: b\n",
                "t.conf:3: admins: is given a second time, the first is at t.conf:1: keep one of "
                "the two");
    refuse_with("sasl_x: 1\nsasl_x: 1\n", "t.conf:2: sasl_x: is given a second time");
    refuse_with("hashimapspool: 1\nhashimapspool: 1\n", "a second time");
    refuse_with("mupdate_admins: 1\nmupdate_admins: 1\n", "a second time");
}

static void an_unknown_directive_is_refused(void **state)
{
    (void)state;

    refuse_text("@import: x\n",
                "t.conf:1: @import: is not a directive: the only one is \"@include: file\"");
    refuse_with("@: x\n", "t.conf:1: @: is not a directive");
}

static void a_nul_octet_is_refused_with_its_line(void **state)
{
    static const char text[] = "admins: a\nlog\0level: debug\n";
    (void)state;

    assert_null(config_parse("t.conf", text, sizeof text - 1, NULL, NULL, &failure));
    assert_string_equal(failure.text, "t.conf:2: holds a NUL octet: this is not a text file, or it "
                                      "is in UTF-16; save it as plain text");
}

static void nothing_at_all_can_be_parsed_from_memory(void **state)
{
    struct config *config = config_parse("t.conf", NULL, 0, NULL, NULL, &failure);
    (void)state;

    assert_non_null(config);
    config_free(config);
    config_free(NULL);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;

    assert_null(config_read("/nonexistent/m.conf", NULL, NULL, &failure));
    assert_string_equal(failure.text,
                        "/nonexistent/m.conf: cannot be read: No such file or directory: name the "
                        "configuration file with -C FILE, and see that this user may read it");
    assert_null(config_read("/", NULL, NULL, &failure));
    assert_string_equal(failure.text, "/: cannot be read: Is a directory: name the configuration "
                                      "file with -C FILE, and see that this user may read it");
}

static void a_file_may_have_a_megabyte_and_no_more(void **state)
{
    const char *directory = directory_make();
    size_t len = 1024 * 1024;
    char *text = malloc(len + 1);
    const char *path;
    struct config *config;
    (void)state;

    memset(text, '#', len + 1);
    memcpy(text, "admins: a\n", 10);
    path = directory_write(directory, "big.conf", text, len);
    config = config_read(path, NULL, NULL, &failure);
    assert_non_null(config);
    config_free(config);
    directory_write(directory, "big.conf", text, len + 1);
    assert_null(config_read(path, NULL, NULL, &failure));
    assert_non_null(strstr(failure.text, "larger than a configuration file may be (1 MB)"));
    free(text);
    directory_remove(directory);
}

static void more_settings_than_anyone_has_are_refused(void **state)
{
    char *text = malloc(200000);
    size_t used = 0;
    struct config *config;
    (void)state;

    for (unsigned i = 0; i < 4096; i++) {
        used += (size_t)sprintf(text + used, "sasl_option%u: x\n", i);
    }
    config = accept_text(text);
    assert_int_equal(config->sasl.count, 4096);
    config_free(config);
    strcpy(text + used, "admins: a\n");
    refuse_with(text, "t.conf:4097: admins: is setting number 4097");
    free(text);
}

/* Write each name and text, then read the first; returns what config_read() does. */
static struct config *read_files(const char *directory, const char *const (*files)[2])
{
    char first[512];

    snprintf(first, sizeof first, "%s/%s", directory, files[0][0]);
    for (; (*files)[0] != NULL; files++) {
        directory_write(directory, (*files)[0], (*files)[1], strlen((*files)[1]));
    }
    return config_read(first, NULL, NULL, &failure);
}

static void an_included_file_is_looked_for_beside_the_one_that_includes_it(void **state)
{
    static const char *const files[][2] = {
        {"main.conf", "@include: more.conf\nadmins: a\n"},
        {"more.conf", "log: syslog\n@INCLUDE: last.conf\n"},
        {"last.conf", "log_level: debug"},
        {NULL, NULL},
    };
    const char *directory = directory_make();
    struct config *config = read_files(directory, files);
    (void)state;

    if (config == NULL) {
        fail_msg("%s", failure.text);
    }
    assert_int_equal(config->log, LOG_TARGET_SYSLOG);
    assert_int_equal(config->log_level, LOG_DEBUG);
    assert_string_equal(config->admins.items[0], "a");
    config_free(config);
    directory_remove(directory);
}

static void an_absolute_name_is_included_from_memory_too(void **state)
{
    const char *directory = directory_make();
    const char *path = directory_write(directory, "x.conf", "admins: a\n", 10);
    char text[600];
    char name[600];
    struct config *config;
    (void)state;

    snprintf(text, sizeof text, "@include: %s\n", path);
    config = accept_text(text);
    assert_string_equal(config->admins.items[0], "a");
    config_free(config);
    snprintf(name, sizeof name, "%s/none.conf", directory);
    config = config_parse(name, "@include: x.conf", 16, NULL, NULL, &failure);
    assert_non_null(config);
    config_free(config);
    directory_remove(directory);
}

static void an_include_that_cannot_be_read_names_the_line_that_wants_it(void **state)
{
    (void)state;

    refuse_text("admins: a\n@include: /nonexistent/x\n",
                "t.conf:2: @include: '/nonexistent/x' cannot be read: No such file or directory: "
                "correct the name (it is looked for beside the file that includes it), or remove "
                "the line");
}

static void an_error_in_an_included_file_names_that_file(void **state)
{
    static const char *const files[][2] = {
        {"main.conf", "# c\n@include: more.conf\n"},
        {"more.conf", "\nlog: nowhere\n"},
        {NULL, NULL},
    };
    const char *directory = directory_make();
    char expected[600];
    (void)state;

    assert_null(read_files(directory, files));
    snprintf(expected, sizeof expected,
             "%s/more.conf:2: log: 'nowhere' is not one of the words allowed: give stderr or "
             "syslog, e.g. \"log: stderr\"",
             directory);
    assert_string_equal(failure.text, expected);
    directory_remove(directory);
}

static void a_second_setting_by_way_of_an_include_names_both_places(void **state)
{
    static const char *const files[][2] = {
        {"main.conf", "admins: a\n@include: more.conf\n"},
        {"more.conf", "# c\n\nadmins: b\n"},
        {NULL, NULL},
    };
    const char *directory = directory_make();
    char expected[1200];
    (void)state;

    assert_null(read_files(directory, files));
    snprintf(expected, sizeof expected,
             "%s/more.conf:3: admins: is given a second time, the first is at %s/main.conf:1: keep "
             "one of the two",
             directory, directory);
    assert_string_equal(failure.text, expected);
    directory_remove(directory);
}

static void a_loop_of_includes_is_refused(void **state)
{
    static const char *const self[][2] = {{"main.conf", "@include: ./main.conf\n"}, {NULL, NULL}};
    static const char *const round[][2] = {
        {"main.conf", "@include: b.conf\n"},
        {"b.conf", "@include: c.conf\n"},
        {"c.conf", "\n@include: main.conf\n"},
        {NULL, NULL},
    };
    const char *directory = directory_make();
    (void)state;

    assert_null(read_files(directory, self));
    assert_non_null(strstr(failure.text, "main.conf:1: @include: '"));
    assert_non_null(strstr(failure.text, "includes itself, directly or through others"));
    assert_null(read_files(directory, round));
    assert_non_null(strstr(failure.text, "c.conf:2: @include: '"));
    assert_non_null(strstr(failure.text, "includes itself, directly or through others"));
    directory_remove(directory);
}

static void a_loop_through_a_symbolic_link_is_refused(void **state)
{
    static const char *const files[][2] = {{"main.conf", "@include: link.conf\n"}, {NULL, NULL}};
    const char *directory = directory_make();
    char link[600];
    (void)state;

    snprintf(link, sizeof link, "%s/link.conf", directory);
    assert_return_code(symlink("main.conf", link), 0);
    assert_null(read_files(directory, files));
    assert_non_null(strstr(failure.text, "includes itself"));
    directory_remove(directory);
}

static void includes_that_multiply_come_to_an_end(void **state)
{
    static const char *const files[][2] = {
        {"main.conf", "@include: b.conf\n@include: b.conf\n@include: b.conf\n@include: b.conf\n"},
        {"b.conf", "@include: c.conf\n@include: c.conf\n@include: c.conf\n@include: c.conf\n"},
        {"c.conf", "@include: d.conf\n@include: d.conf\n@include: d.conf\n@include: d.conf\n"},
        {"d.conf", "# nothing\n"},
        {NULL, NULL},
    };
    const char *directory = directory_make();
    (void)state;

    assert_null(read_files(directory, files));
    assert_non_null(strstr(failure.text, "@include: more than 64 files are read"));
    directory_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_in_any_case_and_blanks_are_trimmed),
        cmocka_unit_test(comments_and_blank_lines_are_skipped),
        cmocka_unit_test(a_number_sign_in_a_value_is_part_of_it),
        cmocka_unit_test(a_file_may_lack_its_last_line_end),
        cmocka_unit_test(an_empty_file_gives_the_defaults_and_says_that_nobody_is_an_admin),
        cmocka_unit_test(line_ends_of_windows_are_read),
        cmocka_unit_test(a_backslash_joins_lines_without_adding_a_blank),
        cmocka_unit_test(a_number_sign_in_a_continued_line_is_part_of_the_value),
        cmocka_unit_test(a_backslash_elsewhere_is_part_of_the_value),
        cmocka_unit_test(a_continued_comment_hides_the_next_line_and_says_so),
        cmocka_unit_test(a_continuation_past_the_end_is_refused),
        cmocka_unit_test(errors_name_the_first_line_of_a_continued_one),
        cmocka_unit_test(a_line_that_is_no_setting_is_refused),
        cmocka_unit_test(what_a_message_quotes_is_cut_and_made_printable),
        cmocka_unit_test(an_empty_value_is_refused),
        cmocka_unit_test(a_second_setting_of_a_key_is_refused),
        cmocka_unit_test(an_unknown_directive_is_refused),
        cmocka_unit_test(a_nul_octet_is_refused_with_its_line),
        cmocka_unit_test(nothing_at_all_can_be_parsed_from_memory),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(a_file_may_have_a_megabyte_and_no_more),
        cmocka_unit_test(more_settings_than_anyone_has_are_refused),
        cmocka_unit_test(an_included_file_is_looked_for_beside_the_one_that_includes_it),
        cmocka_unit_test(an_absolute_name_is_included_from_memory_too),
        cmocka_unit_test(an_include_that_cannot_be_read_names_the_line_that_wants_it),
        cmocka_unit_test(an_error_in_an_included_file_names_that_file),
        cmocka_unit_test(a_second_setting_by_way_of_an_include_names_both_places),
        cmocka_unit_test(a_loop_of_includes_is_refused),
        cmocka_unit_test(a_loop_through_a_symbolic_link_is_refused),
        cmocka_unit_test(includes_that_multiply_come_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
