/*
 * What a peer says under DIGEST-MD5, looked at before the mechanism reads it: a
 * list of directives, of which RFC 2831, section 2.1, allows each once, but realm.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>
#include <strings.h>

#include "layer/sasl_internal.h"

/* No side has half as many to say. */
#define DIRECTIVES 32

#define BLANKS " \t\r\n"

/* As RFC 2831, section 7.1, has it, without what Cyrus-SASL takes for a separator besides. */
#define TOKEN_LETTERS                                                       \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&*+-.^_`|~"

struct name {
    const char *at;
    size_t len;
};

static bool is_name(const struct name *name, const char *at, size_t len)
{
    return name->len == len && strncasecmp(name->at, at, len) == 0;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, BLANKS);
}

/* Behind the value that begins here and its comma; NULL when it is none. */
static const char *skip_value(const char *at)
{
    if (*at == '"') {
        for (at++; *at != '"'; at++) {
            if (*at == '\\')
                at++;
            if (*at == '\0')
                return NULL;
        }
        at++;
    } else {
        at += strspn(at, TOKEN_LETTERS);
    }
    at = skip_blanks(at);
    if (*at == ',')
        return at + 1;
    return *at == '\0' ? at : NULL;
}

/* The names of a list of directives, each once; false with *failure when it is none. */
static bool read_names(const char *text, struct name *seen, size_t *count,
                       struct sasl_failure *failure)
{
    *count = 0;
    for (;;) {
        const char *name = text + strspn(text, BLANKS ",");
        size_t len = strspn(name, TOKEN_LETTERS);

        if (*name == '\0')
            return true;
        text = skip_blanks(name + len);
        text = len > 0 && *text == '=' ? skip_value(skip_blanks(text + 1)) : NULL;
        if (!text) {
            sasl_failure_set(failure, "DIGEST-MD5: what the peer sent is no list of directives");
            return false;
        }
        for (size_t i = 0; i < *count; i++) {
            if (is_name(&seen[i], name, len)) {
                sasl_failure_set(failure, "DIGEST-MD5: the peer sent the directive %.*s twice",
                                 len < 64 ? (int)len : 64, name);
                return false;
            }
        }
        if (*count == DIRECTIVES) {
            sasl_failure_set(failure, "DIGEST-MD5: the peer sent more than %d directives",
                             DIRECTIVES);
            return false;
        }
        if (!is_name(&(struct name){"realm", 5}, name, len))
            seen[(*count)++] = (struct name){name, len};
    }
}

bool sasl_directives_check(const char *text, struct sasl_failure *failure)
{
    struct name seen[DIRECTIVES];
    size_t count;

    return read_names(text, seen, &count, failure);
}

bool sasl_directives_check_first(const char *text, struct sasl_failure *failure)
{
    struct name seen[DIRECTIVES];
    size_t count;
    bool asks = false;
    bool answers = false;

    if (!read_names(text, seen, &count, failure))
        return false;
    for (size_t i = 0; i < count; i++) {
        asks |= is_name(&seen[i], "nonce", 5);
        answers |= is_name(&seen[i], "rspauth", 7);
    }
    if (asks && !answers)
        return true;
    sasl_failure_set(failure, "DIGEST-MD5: what the server began with is no challenge");
    return false;
}
