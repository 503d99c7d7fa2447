/*
 * What Kerberos says when it fails, in words that help. GSSAPI wraps them in
 * general ones: "SASL(-1): generic failure: GSSAPI Error: MAJOR (MINOR)".
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/sasl_internal.h"

/* What is said where there is nothing to say. */
static bool is_empty_word(const char *text, size_t len)
{
    static const char *const words[] = {"", "Success", "Unknown error", "Unknown code 0"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
            return true;
    return false;
}

bool sasl_kerberos_failure(struct sasl_failure *failure)
{
    static const char mark[] = "GSSAPI Error: ";
    struct sasl_failure whole = *failure;
    const char *text = strstr(whole.text, mark);
    const char *minor;
    size_t len;

    if (!text)
        return false;
    text += sizeof mark - 1;
    len = strlen(text);
    minor = strchr(text, '(');
    if (minor && text[len - 1] == ')') {
        size_t minor_len = len - (size_t)(minor - text) - 2;

        if (!is_empty_word(minor + 1, minor_len)) {
            text = minor + 1;
            len = minor_len;
        } else {
            len = (size_t)(minor - text);
            while (len > 0 && text[len - 1] == ' ')
                len--;
        }
    }
    sasl_failure_set(failure, "Kerberos: %.*s", (int)len, text);
    return true;
}

void sasl_kerberos_advise(struct sasl_failure *failure)
{
    /* Parts of what MIT Kerberos says; with another one there is no advice. */
    static const struct {
        const char *part;
        const char *advice;
    } known[] = {
        {"o Kerberos credentials available", "run kinit, or let KRB5CCNAME name the ticket cache"},
        {"redentials cache", "run kinit, or let KRB5CCNAME name the ticket cache"},
        {"icket expired", "run kinit again"},
        {"context has expired", "run kinit again"},
        {"icket not yet valid", "see that the clocks of this host and of the KDC are right"},
        {"lock skew too great", "see that the clocks of this host and of the KDC are right"},
        {"krbtgt/", "the ticket is of a realm that the server's realm does not trust, or krb5.conf "
                    "does not tell the server's realm"},
        {"not found in Kerberos database",
         "name the server as its principal does, mupdate/HOST@REALM, or let the KDC know this one"},
        {"annot contact any KDC", "see that a KDC of this realm runs and can be reached"},
        {"annot find KDC", "see that krb5.conf or the DNS names a KDC of this realm"},
    };
    size_t len = strlen(failure->text);

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strstr(failure->text, known[i].part)) {
            snprintf(failure->text + len, sizeof failure->text - len, "; %s", known[i].advice);
            return;
        }
    }
}

char *sasl_kerberos_leave_out(const char *mechanisms)
{
    char *left = malloc(strlen(mechanisms) + 1);
    char *to = left;
    bool had = false;

    if (!left)
        return NULL;
    while (*mechanisms) {
        size_t len = strcspn(mechanisms, " ");

        if (len == sizeof GSSAPI - 1 && strncasecmp(mechanisms, GSSAPI, len) == 0) {
            had = true;
        } else if (len > 0) {
            if (to > left)
                *to++ = ' ';
            memcpy(to, mechanisms, len);
            to += len;
        }
        mechanisms += len;
        mechanisms += *mechanisms == ' ';
    }
    *to = '\0';
    if (had && to > left)
        return left;
    free(left);
    return NULL;
}
