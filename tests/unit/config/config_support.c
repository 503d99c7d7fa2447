/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_support.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

char notices[8192];
struct config_error failure;

static void keep_notice(void *context, const char *text)
{
    (void)context;
    assert_true(strlen(notices) + strlen(text) + 2 < sizeof notices);
    strcat(notices, text);
    strcat(notices, "\n");
}

struct config *parse(const char *text)
{
    notices[0] = '\0';
    return config_parse("t.conf", text, strlen(text), keep_notice, NULL, &failure);
}

struct config *accept_text(const char *text)
{
    struct config *config = parse(text);

    if (config == NULL) {
        fail_msg("refused: %s", failure.text);
    }
    return config;
}

void refuse_text(const char *text, const char *message)
{
    assert_null(parse(text));
    assert_string_equal(failure.text, message);
}

void refuse_with(const char *text, const char *part)
{
    assert_null(parse(text));
    if (strstr(failure.text, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", failure.text, part);
    }
}

size_t notices_with(const char *part)
{
    size_t count = 0;

    for (const char *p = strstr(notices, part); p != NULL; p = strstr(p + 1, part)) {
        count++;
    }
    return count;
}

const char *directory_make(void)
{
    static char directory[] = "/tmp/mupdated-config-XXXXXX";

    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    assert_non_null(mkdtemp(directory));
    return directory;
}

void directory_remove(const char *directory)
{
    char path[512];
    DIR *open = opendir(directory);
    struct dirent *entry;

    assert_non_null(open);
    while ((entry = readdir(open)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
            assert_return_code(unlink(path), 0);
        }
    }
    closedir(open);
    assert_return_code(rmdir(directory), 0);
}

const char *directory_write(const char *directory, const char *name, const char *text, size_t len)
{
    static char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    return path;
}

char *slurp(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 256 * 1024);

    if (file == NULL) {
        fail_msg("%s cannot be read; run the tests at the top of the tree", path);
    }
    assert_non_null(text);
    assert_in_range(fread(text, 1, 256 * 1024 - 1, file), 1, 256 * 1024 - 2);
    fclose(file);
    return text;
}
