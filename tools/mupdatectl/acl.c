/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/acl.h"

#include <stdlib.h>
#include <string.h>

/* Words split at blanks, each followed by a tab, which takes at most one octet more than text. */
static size_t split(const char *text, char *to)
{
    size_t words = 0;

    while (*(text += strspn(text, " "))) {
        size_t len = strcspn(text, " ");

        memcpy(to, text, len);
        to += len;
        *to++ = '\t';
        text += len;
        words++;
    }
    *to = '\0';
    return words;
}

static enum ctl_acl_result from_text(const char *text, char **acl)
{
    *acl = malloc(strlen(text) + 2);
    if (!*acl)
        return CTL_ACL_NO_MEMORY;
    if (split(text, *acl) % 2 == 0 && **acl)
        return CTL_ACL_OK;
    free(*acl);
    return CTL_ACL_UNEVEN;
}

enum ctl_acl_result ctl_acl_from_words(int count, char *const *words, bool exact, char **acl)
{
    size_t size = 1;
    char *to;
    int i;

    if (count == 1 && (exact || !*words[0] || strchr(words[0], '\t'))) {
        *acl = strdup(words[0]);
        return *acl ? CTL_ACL_OK : CTL_ACL_NO_MEMORY;
    }
    if (count == 1)
        return from_text(words[0], acl);
    for (i = 0; i < count; i++) {
        if (!*words[i] || strchr(words[i], '\t'))
            return CTL_ACL_UNEVEN;
        size += strlen(words[i]) + 1;
    }
    if (exact || count % 2 != 0)
        return CTL_ACL_UNEVEN;
    *acl = malloc(size);
    if (!*acl)
        return CTL_ACL_NO_MEMORY;
    to = *acl;
    for (i = 0; i < count; i++) {
        to = stpcpy(to, words[i]);
        *to++ = '\t';
    }
    *to = '\0';
    return CTL_ACL_OK;
}
