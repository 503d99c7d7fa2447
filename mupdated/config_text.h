/*
 * Text for people: what a message about the configuration is made of. Only the
 * config_*.c files use it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_CONFIG_TEXT_H
#define MUPDATED_CONFIG_TEXT_H

#include <stddef.h>

#include "mupdated/config.h"

/* Where a setting stands. */
struct config_where {
    const char *file;
    unsigned line; /* of its first line, from 1; 0: the file as a whole */
};

/* Room for config_quote(). */
#define CONFIG_QUOTE_BYTES 256

/*
 * text in single quotes, on one line, cut past some 60 characters; all but
 * printable ASCII as \xNN. Returns buffer, which has CONFIG_QUOTE_BYTES.
 */
const char *config_quote(char *buffer, const char *text);

/* The same in a buffer that lasts as long as the block it stands in. */
#define CONFIG_QUOTE(text) config_quote((char[CONFIG_QUOTE_BYTES]){0}, text)

/*
 * Fill error with "FILE:LINE: " (nothing if where is NULL) and the text.
 * Returns -1, so that a failing function ends in "return config_fail(..)".
 */
int config_fail(struct config_error *error, const struct config_where *where, const char *format,
                ...) __attribute__((format(printf, 3, 4)));

/* Hand "FILE:LINE: " and the text to notice, which may be NULL. */
void config_tell(config_notice *notice, void *context, const struct config_where *where,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
