/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define QUOTED_CHARACTERS 60

const char *config_quote(char *buffer, const char *text)
{
    size_t used = 0;
    size_t i;

    buffer[used++] = '\'';
    for (i = 0; i < QUOTED_CHARACTERS && text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0x7f) {
            buffer[used++] = (char)c;
        } else {
            used += (size_t)snprintf(buffer + used, CONFIG_QUOTE_BYTES - used, "\\x%02x", c);
        }
    }
    snprintf(buffer + used, CONFIG_QUOTE_BYTES - used, "%s'", text[i] == '\0' ? "" : "...");
    return buffer;
}

static void format_at(char *out, size_t size, const struct config_where *where, const char *format,
                      va_list arguments)
{
    int used = 0;

    if (where != NULL && where->line > 0) {
        used = snprintf(out, size, "%s:%u: ", where->file, where->line);
    } else if (where != NULL) {
        used = snprintf(out, size, "%s: ", where->file);
    }
    if (used >= 0 && (size_t)used < size) {
        vsnprintf(out + used, size - (size_t)used, format, arguments);
    }
}

int config_fail(struct config_error *error, const struct config_where *where, const char *format,
                ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_at(error->text, sizeof error->text, where, format, arguments);
    va_end(arguments);
    return -1;
}

void config_tell(config_notice *notice, void *context, const struct config_where *where,
                 const char *format, ...)
{
    struct config_error text;
    va_list arguments;

    if (notice == NULL) {
        return;
    }
    va_start(arguments, format);
    format_at(text.text, sizeof text.text, where, format, arguments);
    va_end(arguments);
    notice(context, text.text);
}
