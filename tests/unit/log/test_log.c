/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mupdated/log.h"

#define READ_BYTES (1024 * 1024)

/* stderr leads into a file between these two. */
static FILE *capture;
static int kept_stderr;
static char captured[READ_BYTES];

static int capture_begin(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    capture = tmpfile();
    kept_stderr = dup(STDERR_FILENO);
    if (capture == NULL || kept_stderr < 0 || dup2(fileno(capture), STDERR_FILENO) < 0) {
        return -1;
    }
    log_open(LOG_TARGET_STDERR, NULL, LOG_MAIL, LOG_DEBUG);
    return 0;
}

static int capture_end(void **state)
{
    (void)state;
    if (dup2(kept_stderr, STDERR_FILENO) < 0) {
        return -1;
    }
    close(kept_stderr);
    return fclose(capture);
}

/* All that was logged since the last call. */
static const char *logged(void)
{
    static const char nothing[] = "";
    size_t len;

    rewind(capture);
    len = fread(captured, 1, sizeof captured - 1, capture);
    captured[len] = '\0';
    if (ftruncate(fileno(capture), 0) != 0 || lseek(fileno(capture), 0, SEEK_SET) != 0) {
        return nothing;
    }
    return captured;
}

static void a_line_has_the_program_the_level_and_the_text(void **state)
{
    (void)state;

    log_error("cannot open: %s", "x");
    log_warning("a");
    log_notice("b");
    log_info("c %d", 7);
    log_debug("d");
    assert_string_equal(logged(), "mupdated: error: cannot open: x\n"
                                  "mupdated: warning: a\n"
                                  "mupdated: notice: b\n"
                                  "mupdated: info: c 7\n"
                                  "mupdated: debug: d\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;

    log_set_level(LOG_WARNING);
    assert_true(log_wants(LOG_ERR));
    assert_true(log_wants(LOG_WARNING));
    assert_false(log_wants(LOG_NOTICE));
    log_notice("no");
    log_warning("yes");
    assert_string_equal(logged(), "mupdated: warning: yes\n");
}

static void nothing_in_an_argument_can_end_a_line(void **state)
{
    (void)state;

    log_info("user %s", "x\nmupdated: error: forged\r\t\x1b[31m\x7f\b");
    assert_string_equal(logged(), "mupdated: info: user x\\x0amupdated: error: "
                                  "forged\\x0d\\x09\\x1b[31m\\x7f\\x08\n");
    log_info("a%cb", '\0');
    assert_string_equal(logged(), "mupdated: info: a\\x00b\n");
}

static void utf8_is_left_alone_and_everything_else_escaped(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3", "\\xc3"},                              /* cut short */
        {"\xc3(", "\\xc3("},                            /* no second octet */
        {"\xe2\x82", "\\xe2\\x82"},                     /* cut short */
        {"\xe2\x82x", "\\xe2\\x82x"},                   /* no third octet */
        {"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},            /* cut short */
        {"\xc0\x8a", "\\xc0\\x8a"},                     /* an overlong line feed */
        {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"},            /* another */
        {"\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a"},   /* another */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},            /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},   /* past U+10FFFF */
        {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},   /* past U+10FFFF */
        {"\xc2\x85\xc2\x9b", "\\xc2\\x85\\xc2\\x9b"},   /* controls of C1 */
        {"\xc2\xa0", "\xc2\xa0"},                       /* the first after those */
        {"\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "mupdated: info: %s\n", cases[i].expected);
        log_info("%s", cases[i].text);
        assert_string_equal(logged(), expected);
    }
}

static void a_line_that_is_too_long_is_cut_and_still_ends(void **state)
{
    char *text = malloc(LOG_LINE_BYTES + 1);
    const char *line;
    (void)state;

    memset(text, 'a', LOG_LINE_BYTES);
    text[LOG_LINE_BYTES] = '\0';
    log_info("%s", text);
    line = logged();
    assert_int_equal(strlen(line), strlen("mupdated: info: ") + LOG_LINE_BYTES - 1 + 4);
    assert_string_equal(line + strlen(line) - 5, "a...\n");
    text[LOG_LINE_BYTES - 1] = '\0';
    log_info("%s", text);
    line = logged();
    assert_string_equal(line + strlen(line) - 5, "aaaa\n");

    memset(text, '\n', LOG_LINE_BYTES - 1);
    log_info("%s", text);
    line = logged();
    assert_int_equal(strlen(line), strlen("mupdated: info: ") + 4 * (LOG_LINE_BYTES - 1) + 1);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    free(text);
}

static void the_level_comes_first_when_stderr_is_the_journal(void **state)
{
    struct stat status;
    char stream[64];
    (void)state;

    assert_return_code(fstat(STDERR_FILENO, &status), errno);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open(LOG_TARGET_STDERR, NULL, LOG_MAIL, LOG_INFO);
    log_warning("a");
    assert_string_equal(logged(), "<4>mupdated: warning: a\n");

    setenv("JOURNAL_STREAM", "1:1", 1);
    log_open(LOG_TARGET_STDERR, NULL, LOG_MAIL, LOG_INFO);
    log_warning("redirected since");
    assert_string_equal(logged(), "mupdated: warning: redirected since\n");
    unsetenv("JOURNAL_STREAM");
}

static void errno_is_left_as_it_was(void **state)
{
    (void)state;

    errno = ENOSPC;
    log_info("x");
    assert_int_equal(errno, ENOSPC);
    close(STDERR_FILENO);
    log_error("lost");
    assert_int_equal(errno, ENOSPC);
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *context)
{
    char text[200];
    const char *letter = context;

    memset(text, *letter, sizeof text);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < LINES; i++) {
        log_info("%s", text);
    }
    return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
    static const char letters[THREADS] = "abcd";
    unsigned seen[THREADS] = {0};
    pthread_t threads[THREADS];
    char *line;
    char *rest;
    (void)state;

    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)&letters[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_ptr_equal(logged(), captured);
    for (line = strtok_r(captured, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const char *text = line + strlen("mupdated: info: ");
        assert_int_equal(strlen(text), 199);
        assert_in_range(text[0], 'a', 'd');
        assert_int_equal(strspn(text, (char[]){text[0], '\0'}), 199);
        seen[text[0] - 'a']++;
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(seen[i], LINES);
    }
}

static void syslog_is_used_when_asked_for(void **state)
{
    (void)state;

    log_open(LOG_TARGET_SYSLOG, "cyrus", LOG_LOCAL7, LOG_DEBUG);
    log_debug("mupdated's own tests: %s", "x\ny");
    assert_string_equal(logged(), "");
    log_open(LOG_TARGET_SYSLOG, NULL, LOG_LOCAL7, LOG_ERR);
    log_open(LOG_TARGET_STDERR, NULL, LOG_MAIL, LOG_INFO);
    log_info("back");
    assert_string_equal(logged(), "mupdated: info: back\n");
}

static void a_value_is_quoted_when_it_must_be(void **state)
{
    static const struct {
        const char *value;
        const char *expected;
    } cases[] = {
        {"murder", "murder"},
        {"backend1.murder.test!default", "backend1.murder.test!default"},
        {"user.K&AOQ-se", "user.K&AOQ-se"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"", "\"\""},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"say \"x\"", "\"say \\\"x\\\"\""},
        {"a\\b", "\"a\\\\b\""},
        {"a\nb\tc", "\"a\\x0ab\\x09c\""},
        {"\xff", "\"\\xff\""},
        {"\\x0a", "\"\\\\x0a\""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buffer[64];
        const char *value = cases[i].value;
        assert_string_equal(log_value(buffer, sizeof buffer, value, strlen(value)),
                            cases[i].expected);
    }
    assert_string_equal(LOG_VALUE("a\0b", 3), "\"a\\x00b\"");
    assert_string_equal(LOG_VALUE(NULL, 0), "\"\"");
}

static void a_value_that_is_too_long_is_cut_at_a_whole_character(void **state)
{
    static const char euros[] = "ab\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";
    char buffer[16];
    (void)state;

    assert_string_equal(log_value(buffer, 8, "abc", 3), "abc");
    assert_string_equal(log_value(buffer, 8, "abcd", 4), "abc...");
    assert_string_equal(log_value(buffer, 8, "a b", 3), "\"a ...\"");
    assert_string_equal(log_value(buffer, 8, "\n", 1), "\"...\"");
    assert_string_equal(log_value(buffer, sizeof buffer, euros, 14),
                        "ab\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac...");
    assert_string_equal(log_value(buffer, sizeof buffer, "a b c d e\n\n\n", 12),
                        "\"a b c d e...\"");
}

static void a_quoted_value_passes_into_a_line_unchanged(void **state)
{
    (void)state;

    log_info("login user=%s from=%s", LOG_VALUE("a\nb c", 5), LOG_VALUE("x", 1));
    assert_string_equal(logged(), "mupdated: info: login user=\"a\\x0ab c\" from=x\n");
}

int main(void)
{
#define captured_test(test) cmocka_unit_test_setup_teardown(test, capture_begin, capture_end)
    const struct CMUnitTest tests[] = {
        captured_test(a_line_has_the_program_the_level_and_the_text),
        captured_test(lines_below_the_level_are_not_written),
        captured_test(nothing_in_an_argument_can_end_a_line),
        captured_test(utf8_is_left_alone_and_everything_else_escaped),
        captured_test(a_line_that_is_too_long_is_cut_and_still_ends),
        captured_test(the_level_comes_first_when_stderr_is_the_journal),
        captured_test(errno_is_left_as_it_was),
        captured_test(lines_of_several_threads_stay_whole),
        captured_test(syslog_is_used_when_asked_for),
        cmocka_unit_test(a_value_is_quoted_when_it_must_be),
        cmocka_unit_test(a_value_that_is_too_long_is_cut_at_a_whole_character),
        captured_test(a_quoted_value_passes_into_a_line_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
