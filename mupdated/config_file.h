/*
 * The form of a configuration file, which is imapd.conf's: "key: value", "#"
 * at the start of a line for a comment, "\" at the end of one to go on in the
 * next, "@include: file". Knows nothing of what keys there are.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_FILE_H
#define MUPDATED_CONFIG_FILE_H

#include <stddef.h>

#include "mupdated/config_text.h"

/*
 * One setting, in the order of the files: key in small letters, value without
 * blanks around it, never empty. All are valid during the call only. Returns 0,
 * or -1 with the reader's error filled to stop there.
 */
typedef int config_setting(void *context, const struct config_where *where, const char *key,
                           const char *value);

struct config_reader {
    config_setting *setting;
    config_notice *notice; /* may be NULL */
    void *context;         /* for both */
    struct config_error *error;
};

/* Read the file at path and what it includes. Returns 0, or -1 with *reader->error filled. */
int config_file_read(const struct config_reader *reader, const char *path);

/* The same for a text in memory, called name. */
int config_file_parse(const struct config_reader *reader, const char *name, const char *text,
                      size_t len);

#endif
