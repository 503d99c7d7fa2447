/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/mupdatectl/password.h"

static char directory[] = "/tmp/test_password.XXXXXX";
static char path[64];

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/password", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void write_file(const char *content, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), (int)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void assert_password(const char *content, const char *expected)
{
    char *password = NULL;

    write_file(content, strlen(content), 0600);
    assert_int_equal(ctl_password_read(path, &password), 0);
    assert_string_equal(password, expected);
    free(password);
}

static void assert_refused(const char *content, size_t len, mode_t mode, int status)
{
    char *password = NULL;

    write_file(content, len, mode);
    assert_int_equal(ctl_password_read(path, &password), status);
    assert_null(password);
}

static void the_first_line_is_the_password(void **state)
{
    (void)state;
    assert_password("secret", "secret");
    assert_password("secret\n", "secret");
    assert_password("secret\r\n", "secret");
    assert_password(" two words \nmore\n", " two words ");
}

static void a_first_line_that_cannot_be_a_password_is_refused(void **state)
{
    static char text[2000];

    (void)state;
    assert_refused("", 0, 0600, EX_CONFIG);
    assert_refused("\nsecret\n", 8, 0600, EX_CONFIG);
    assert_refused("sec\0ret\n", 8, 0600, EX_CONFIG);
    memset(text, 'x', sizeof text);
    assert_refused(text, sizeof text, 0600, EX_CONFIG);
    assert_refused(text, 1025, 0600, EX_CONFIG);
    text[1024] = '\0';
    assert_password(text, text);
}

static void a_file_that_others_may_read_is_refused(void **state)
{
    (void)state;
    assert_refused("secret\n", 7, 0604, EX_CONFIG);
    assert_refused("secret\n", 7, 0602, EX_CONFIG);
    assert_refused("secret\n", 7, 0620, EX_CONFIG);
}

static void a_group_may_read_what_is_owned_by_root_only(void **state)
{
    char *password = NULL;

    (void)state;
    if (geteuid() != 0) {
        assert_refused("secret\n", 7, 0640, EX_CONFIG);
        return;
    }
    write_file("secret\n", 7, 0640);
    assert_int_equal(ctl_password_read(path, &password), 0);
    free(password);
    assert_int_equal(chown(path, 1, (gid_t)-1), 0);
    password = NULL;
    assert_int_equal(ctl_password_read(path, &password), EX_CONFIG);
    assert_int_equal(chown(path, 0, (gid_t)-1), 0);
}

static void a_missing_file_is_no_input(void **state)
{
    char *password = NULL;

    (void)state;
    assert_int_equal(ctl_password_read("/nonexistent/password", &password), EX_NOINPUT);
    assert_int_equal(ctl_password_read("/tmp", &password), EX_NOINPUT);
}

static void a_password_that_is_known_is_given_again_and_again(void **state)
{
    struct ctl ctl = {.password = "secret"};
    struct ctl_password password = {.ctl = &ctl};
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        char *given = ctl_password_give(&password);

        assert_string_equal(given, "secret");
        assert_ptr_not_equal(given, ctl.password);
        free(given);
    }
    assert_int_equal(password.status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_is_the_password),
        cmocka_unit_test(a_first_line_that_cannot_be_a_password_is_refused),
        cmocka_unit_test(a_file_that_others_may_read_is_refused),
        cmocka_unit_test(a_group_may_read_what_is_owned_by_root_only),
        cmocka_unit_test(a_missing_file_is_no_input),
        cmocka_unit_test(a_password_that_is_known_is_given_again_and_again),
    };

    return cmocka_run_group_tests_name("mupdatectl password", tests, make_directory,
                                       remove_directory);
}
