/*
 * What the tests of the configuration share.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_CONFIG_SUPPORT_H
#define TESTS_CONFIG_SUPPORT_H

#include <stddef.h>

#include "mupdated/config.h"

/* The notices of the last parse(), a line feed behind each. */
extern char notices[8192];

/* The message of the last parse() that failed. */
extern struct config_error failure;

/* Parse text as "t.conf", NULL when it is refused. The caller frees. */
struct config *parse(const char *text);

/* Fail the test unless text is accepted. The caller frees. */
struct config *accept_text(const char *text);

/* Fail the test unless text is refused with exactly this message. */
void refuse_text(const char *text, const char *message);

/* Fail the test unless text is refused and the message holds part. */
void refuse_with(const char *text, const char *part);

/* How often part is in the notices. */
size_t notices_with(const char *part);

/*
 * A directory for the test, made new; the string is static. directory_remove()
 * removes it with the files in it.
 */
const char *directory_make(void);
void directory_remove(const char *directory);

/* Write len octets of text to the file name in directory; returns its path, static. */
const char *directory_write(const char *directory, const char *name, const char *text, size_t len);

/* The whole file at path with a NUL behind it, to free; fails the test when it cannot be read. */
char *slurp(const char *path);

#endif
