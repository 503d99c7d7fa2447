/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/config_identity.h"

#include <string.h>

static const char blanks[] = " \t";

static bool find_kind(const char *word, size_t len, enum tls_name *kind)
{
    static const char *const words[] = {
        [TLS_NAME_SAN_DNS] = "san-dns", [TLS_NAME_SAN_EMAIL] = "san-email",
        [TLS_NAME_SAN_URI] = "san-uri", [TLS_NAME_CN] = "cn",
        [TLS_NAME_SUBJECT] = "subject",
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == len && strncasecmp(words[i], word, len) == 0) {
            *kind = (enum tls_name)i;
            return true;
        }
    }
    return false;
}

/* A ';' behind a '\' is part of a subject, as RFC 2253 writes it. */
static size_t entry_len(const char *text)
{
    size_t len = 0;

    while (text[len] != '\0' && text[len] != ';') {
        len += text[len] == '\\' && text[len + 1] != '\0' ? 2 : 1;
    }
    return len;
}

static size_t without_blanks(const char *text, size_t len)
{
    while (len > 0 && strchr(blanks, text[len - 1]) != NULL) {
        len--;
    }
    return len;
}

static bool copy(char *to, const char *from, size_t len)
{
    if (len == 0 || len >= TLS_NAME_BYTES) {
        return false;
    }
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

bool config_identity_next(const char **at, struct config_identity_entry *entry, const char **reason)
{
    const char *user = *at + strspn(*at, "; \t");
    size_t len = entry_len(user);
    const char *kind = memchr(user, '=', len);
    const char *name;
    size_t user_len;

    *reason = NULL;
    *at = user + len;
    if (len == 0) {
        return false;
    }
    if (kind == NULL) {
        *reason = "has an entry without \"=\"";
        return false;
    }
    user_len = without_blanks(user, (size_t)(kind - user));
    kind++;
    kind += strspn(kind, blanks);
    name = memchr(kind, ':', (size_t)(user + len - kind));
    if (name == NULL || !find_kind(kind, (size_t)(name - kind), &entry->kind)) {
        *reason = "has an entry without a known kind of name and \":\" behind its \"=\"";
        return false;
    }
    name++;
    name += strspn(name, blanks);
    if (!copy(entry->identity, user, user_len) ||
        entry->identity[strcspn(entry->identity, blanks)] != '\0') {
        *reason = "has an entry without a user name, or with one that holds blanks or is too long";
        return false;
    }
    if (!copy(entry->name, name, without_blanks(name, (size_t)(user + len - name)))) {
        *reason = "has an entry without a name behind its \":\", or with one that is too long";
        return false;
    }
    return true;
}

bool config_identity_kind(const char **at, enum tls_name *kind)
{
    const char *word = *at + strspn(*at, blanks);
    size_t len = strcspn(word, blanks);

    *at = word + len;
    return find_kind(word, len, kind);
}
