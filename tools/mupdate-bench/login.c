/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "link_internal.h"
#include "report.h"
#include "secure.h"

/* AUTHENTICATE "PLAIN" with its initial response: NUL user NUL password. */
void login_prepare(struct link_set *set)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const struct options *options = set->options;
    if (strcasecmp(options->mechanism, "PLAIN") != 0) {
        return;
    }
    size_t user_len = strlen(options->user);
    size_t plain_len = user_len + strlen(options->password) + 2;
    size_t text_len = (plain_len + 2) / 3 * 4;
    unsigned char *plain = calloc(1, plain_len + 3);
    set->auth = malloc(text_len + 64);
    if (plain == NULL || set->auth == NULL) {
        report_failure(EX_OSERR, "out of memory");
    }
    memcpy(plain + 1, options->user, user_len);
    memcpy(plain + user_len + 2, options->password, plain_len - user_len - 2);
    size_t len = (size_t)snprintf(set->auth, 64, "A01 AUTHENTICATE \"PLAIN\" {%zu+}\r\n", text_len);
    for (size_t i = 0; i < plain_len; i += 3) {
        unsigned bits = (unsigned)plain[i] << 16 | (unsigned)plain[i + 1] << 8 | plain[i + 2];
        for (unsigned digit = 0; digit < 4; digit++) {
            bool filler = i + digit > plain_len;
            set->auth[len++] = (char)(filler ? '=' : digits[bits >> (18 - 6 * digit) & 63]);
        }
    }
    memcpy(set->auth + len, "\r\n", 2);
    set->auth_len = len + 2;
    free(plain);
}

static void begin(struct link *link)
{
    const struct link_set *set = link->set;
    if (set->options->tls && !secure_has_tls(link->secure)) {
        static const char starttls[] = "S01 STARTTLS\r\n";
        octets_reserve(&link->out, sizeof(starttls));
        octets_put(&link->out, starttls, sizeof(starttls) - 1);
        link->state = LINK_STARTTLS;
        return;
    }
    if (set->auth != NULL) {
        octets_reserve(&link->out, set->auth_len);
        octets_put(&link->out, set->auth, set->auth_len);
    } else {
        secure_begin(link->secure, link->fd, &link->out);
    }
    link->state = LINK_AUTH;
}

/*
 * The banner is taken line by line up to "* OK", as Cyrus's clients do. What
 * else a server announces does not matter: one without the mechanism refuses the
 * log-in, one without TLS refuses STARTTLS.
 */
static bool take_banner(struct link *link, char *line, size_t len)
{
    line[len - 1] = '\0';
    link->in.start += len;
    if (strncmp(line, "* BYE", 5) == 0) {
        if (link->set->events.on_lost != NULL) {
            link_lose(link, 0);
            return false;
        }
        report_failure(EX_UNAVAILABLE, "connection %zu: the server refuses: %s", link->number,
                       line);
    }
    if (strncmp(line, "* ", 2) != 0) {
        report_failure(EX_PROTOCOL, "connection %zu: not a MUPDATE banner: %s", link->number,
                       line);
    }
    if (strncmp(line, "* OK MUPDATE", 12) == 0) {
        begin(link);
    }
    return true;
}

/* What came behind the answer was not protected: anyone may have put it there. */
static void nothing_behind(const struct link *link)
{
    if (link->in.start < link->in.end) {
        report_failure(EX_PROTOCOL, "connection %zu: something behind the OK, in the clear",
                       link->number);
    }
}

static void take_answer(struct link *link, const struct message *message)
{
    bool tls = link->state == LINK_STARTTLS;
    const char *tag = tls ? "S01" : "A01";
    if (!message_text_is(message->tag, tag) || !message_text_is(message->word, "OK")) {
        report_failure(tls ? EX_UNAVAILABLE : EX_NOPERM,
                       "connection %zu: the server refuses %s%s: %.*s", link->number,
                       tls ? "STARTTLS" : "the log-in as ", tls ? "" : link->set->options->user,
                       (int)(message->octets < 300 ? message->octets : 300), message->tag.data);
    }
    if (tls) {
        nothing_behind(link);
        secure_start_tls(link->secure);
        link->state = LINK_TLS;
        return;
    }
    if (link->secure != NULL) {
        nothing_behind(link);
        secure_end(link->secure);
    }
    link_ready(link);
}

void login_tls(struct link *link)
{
    if (secure_has_tls(link->secure)) {
        link->state = LINK_BANNER;
    }
}

/* Some servers send the text without its quotes, which is no message at all. */
static bool is_ok_to_starttls(const char *line, size_t len)
{
    static const char ok[] = "S01 OK";
    if (len <= sizeof(ok) - 1 || memcmp(line, ok, sizeof(ok) - 1) != 0)
        return false;
    char behind = line[sizeof(ok) - 1];
    return behind == ' ' || behind == '\r' || behind == '\n';
}

bool login_take(struct link *link)
{
    struct octets *in = &link->in;
    char *line = in->data + in->start;
    size_t waiting = in->end - in->start;
    char *end = waiting == 0 ? NULL : memchr(line, '\n', waiting);
    if (end == NULL) {
        return false;
    }
    size_t len = (size_t)(end + 1 - line);
    if (link->state == LINK_BANNER) {
        return take_banner(link, line, len);
    }
    /* A challenge is a bare line of base64: only answers have blanks. */
    if (link->state == LINK_AUTH && link->set->auth == NULL && memchr(line, ' ', len) == NULL) {
        in->start += len;
        len -= len > 1 && end[-1] == '\r' ? 2 : 1;
        secure_answer(link->secure, line, len, &link->out);
        return true;
    }
    if (link->state == LINK_STARTTLS && is_ok_to_starttls(line, len)) {
        in->start += (size_t)(end - line) + 1;
        nothing_behind(link);
        secure_start_tls(link->secure);
        link->state = LINK_TLS;
        return true;
    }
    struct message message;
    enum message_result result = message_parse(line, waiting, &message);
    if (result == MESSAGE_BAD) {
        link_not_a_message(link, line, waiting);
    }
    if (result == MESSAGE_PARTIAL) {
        return false;
    }
    in->start += message.octets;
    take_answer(link, &message);
    return false;
}
