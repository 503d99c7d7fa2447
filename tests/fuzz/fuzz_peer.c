/*
 * Who shows a certificate: the names in it, whatever it holds, and the identity
 * that the configuration makes of them.
 *
 *   - A name that is found is one that may be: without octets that have no place
 *     in a name, and among those of the certificate.
 *   - Of names that are known the right one is found, and a doubtful one never.
 *   - An identity is the user of an entry of the map whose name the certificate
 *     has, or the one name of the first kind that it has; otherwise there is a
 *     reason.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "layer/tls.h"
#include "mupdated/auth/identity.h"
#include "mupdated/config_identity.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tls_forged.h"

#define KINDS 5
#define NAMES 8

static const enum tls_name kinds[KINDS] = {
    TLS_NAME_SAN_DNS, TLS_NAME_SAN_EMAIL, TLS_NAME_SAN_URI, TLS_NAME_CN, TLS_NAME_SUBJECT,
};

static const char *const kind_words[KINDS] = {"san-dns", "san-email", "san-uri", "cn", "subject"};

/* An alternative name that was put into the certificate. */
struct given {
    enum tls_name kind;
    const uint8_t *octets;
    size_t len;
};

/* --- names --- */

static bool is_alternative(enum tls_name kind)
{
    return kind != TLS_NAME_CN && kind != TLS_NAME_SUBJECT;
}

static void check_text(enum tls_name kind, const char *name)
{
    size_t len = strnlen(name, TLS_NAME_BYTES);

    FUZZ_CHECK(len > 0 && len < TLS_NAME_BYTES);
    for (size_t i = 0; i < len; i++) {
        unsigned char octet = (unsigned char)name[i];

        FUZZ_CHECK(octet >= ' ' && octet != 0x7f);
        FUZZ_CHECK(!is_alternative(kind) || (octet > ' ' && octet < 0x7f));
        FUZZ_CHECK(kind != TLS_NAME_SAN_DNS || (octet != '*' && !isupper(octet)));
    }
    if (kind == TLS_NAME_CN)
        FUZZ_CHECK(name[0] != ' ' && name[len - 1] != ' ');
}

static enum tls_name_found check_kind(enum tls_name kind)
{
    char name[TLS_NAME_BYTES];
    char again[TLS_NAME_BYTES];
    enum tls_name_found found;

    memset(name, 'x', sizeof name);
    found = tls_layer_peer_name(tls_forged_layer, kind, name);
    fuzz_touch(name, strlen(name) + 1);
    if (found == TLS_NAME_ONE) {
        check_text(kind, name);
        FUZZ_CHECK(tls_layer_peer_has(tls_forged_layer, kind, name));
        FUZZ_CHECK(tls_layer_peer_name(tls_forged_layer, kind, again) == TLS_NAME_ONE);
        FUZZ_CHECK(strcmp(name, again) == 0);
    } else if (found == TLS_NAME_ABSENT) {
        FUZZ_CHECK(!tls_layer_peer_has(tls_forged_layer, kind, "a"));
    }
    FUZZ_CHECK(!tls_layer_peer_has(tls_forged_layer, kind, ""));
    return found;
}

static void check_log(void)
{
    char text[TLS_NAME_BYTES];

    FUZZ_CHECK(tls_layer_peer_verified(tls_forged_layer));
    if (tls_layer_peer_subject(tls_forged_layer, text))
        fuzz_touch(text, strlen(text) + 1);
    if (tls_layer_peer_issuer(tls_forged_layer, text))
        fuzz_touch(text, strlen(text) + 1);
}

/* --- the names that are known --- */

static bool is_fit(const struct given *name)
{
    if (name->len == 0 || name->len >= TLS_NAME_BYTES)
        return false;
    for (size_t i = 0; i < name->len; i++)
        if (name->octets[i] <= ' ' || name->octets[i] > '~' ||
            (name->kind == TLS_NAME_SAN_DNS && name->octets[i] == '*'))
            return false;
    return true;
}

static bool are_same(const struct given *a, const struct given *b)
{
    if (a->len != b->len)
        return false;
    return (a->kind == TLS_NAME_SAN_DNS ? strncasecmp : strncmp)(
               (const char *)a->octets, (const char *)b->octets, a->len) == 0;
}

static enum tls_name_found expect(const struct given *names, size_t count, enum tls_name kind)
{
    enum tls_name_found found = TLS_NAME_ABSENT;
    const struct given *first = NULL;

    for (size_t i = 0; i < count; i++) {
        if (names[i].kind != kind)
            continue;
        if (!is_fit(&names[i]))
            return TLS_NAME_UNFIT;
        if (!first)
            first = &names[i];
        if (!are_same(first, &names[i]))
            found = TLS_NAME_SEVERAL;
        else if (found == TLS_NAME_ABSENT)
            found = TLS_NAME_ONE;
    }
    return found;
}

static void check_known(const struct given *names, size_t count)
{
    char text[TLS_NAME_BYTES];

    for (size_t i = 0; i < KINDS; i++) {
        enum tls_name_found found = expect(names, count, kinds[i]);
        enum tls_name_found seen = tls_layer_peer_name(tls_forged_layer, kinds[i], text);

        if (is_alternative(kinds[i]))
            FUZZ_CHECK(seen == found);
    }
    for (size_t i = 0; i < count; i++) {
        if (names[i].len >= sizeof text || memchr(names[i].octets, '\0', names[i].len))
            continue;
        memcpy(text, names[i].octets, names[i].len);
        text[names[i].len] = '\0';
        FUZZ_CHECK(tls_layer_peer_has(tls_forged_layer, names[i].kind, text) ==
                   is_fit(&names[i]));
    }
}

/* The text as names, as the choices say. */
static void forge_names(struct fuzz *fuzz)
{
    struct given names[NAMES];
    size_t count = 0;
    size_t at = 0;

    tls_forged_begin();
    while (count < NAMES && at < fuzz->len) {
        size_t kind = fuzz_below(fuzz, 4);
        size_t len = fuzz_piece(fuzz, fuzz->len - at);

        if (kinds[kind] == TLS_NAME_CN) {
            tls_forged_add_common_name(fuzz_below(fuzz, 256), fuzz->text + at, len);
        } else {
            names[count] = (struct given){kinds[kind], fuzz->text + at, len};
            tls_forged_add_alternative(names[count].kind, names[count].octets, len);
            count++;
        }
        at += len;
    }
    tls_forged_set_alternatives();
    check_known(names, count);
}

/* --- identities --- */

/* As the configuration has it: of kinds, each once. */
static void choose_kinds(struct fuzz *fuzz, char words[64])
{
    size_t first = fuzz_below(fuzz, KINDS);

    words[0] = '\0';
    for (size_t i = 0, count = fuzz_below(fuzz, KINDS + 1); i < count; i++) {
        if (i > 0)
            strcat(words, " ");
        strcat(words, kind_words[(first + i) % KINDS]);
    }
}

static bool is_of_kinds(const char *words, const char *identity)
{
    char name[TLS_NAME_BYTES];
    enum tls_name kind;

    while (config_identity_kind(&words, &kind)) {
        switch (tls_layer_peer_name(tls_forged_layer, kind, name)) {
        case TLS_NAME_ONE:
            return strcmp(name, identity) == 0;
        case TLS_NAME_ABSENT:
            break;
        default:
            return false;
        }
    }
    return false;
}

/* The user of the first entry that fits; false: none does. */
static bool is_mapped(const char *map, char user[TLS_NAME_BYTES])
{
    struct config_identity_entry entry;
    const char *reason;

    while (config_identity_next(&map, &entry, &reason)) {
        if (!tls_layer_peer_has(tls_forged_layer, entry.kind, entry.name))
            continue;
        strcpy(user, entry.identity);
        return true;
    }
    return false;
}

/* A map with an entry for a name of the certificate, and one with a text of the input. */
static void make_map(struct fuzz *fuzz, struct buffer *map)
{
    char name[TLS_NAME_BYTES] = "";
    size_t kind = fuzz_below(fuzz, KINDS);

    (void)tls_layer_peer_name(tls_forged_layer, kinds[kind], name);
    buffer_append_string(map, "one=cn:a;two=");
    buffer_append_string(map, kind_words[kind]);
    buffer_append_string(map, ":");
    buffer_append_string(map, name);
    buffer_append_string(map, ";three=san-dns:");
    for (size_t i = 0; i < fuzz->len && fuzz->text[i] != '\0'; i++)
        buffer_append(map, &fuzz->text[i], 1);
    buffer_append(map, "", 1);
    FUZZ_CHECK(!map->failed);
}

static void check_identity(struct fuzz *fuzz)
{
    char identity[TLS_NAME_BYTES];
    char user[TLS_NAME_BYTES];
    char words[64];
    struct buffer map = {0};
    struct config config = {.tls_client_identity = NULL};
    const char *reason;
    bool mapped;

    choose_kinds(fuzz, words);
    if (words[0] != '\0')
        config.tls_client_identity = words;
    make_map(fuzz, &map);
    if (fuzz_below(fuzz, 2))
        config.tls_client_map = (char *)buffer_bytes(&map);
    mapped = config.tls_client_map && is_mapped(config.tls_client_map, user);
    if (!identity_find(&config, tls_forged_layer, identity, &reason)) {
        FUZZ_CHECK((reason != NULL) == (config.tls_client_map || config.tls_client_identity));
        FUZZ_CHECK(!mapped);
    } else if (mapped) {
        FUZZ_CHECK(strcmp(identity, user) == 0);
    } else {
        FUZZ_CHECK(is_of_kinds(words, identity));
    }
    buffer_free(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz;
    bool shown = true;

    fuzz_open(&fuzz, data, size);
    switch (fuzz_below(&fuzz, 4)) {
    case 0:
        forge_names(&fuzz);
        break;
    case 1:
        tls_forged_begin();
        tls_forged_set_raw_alternatives(fuzz.text, fuzz.len);
        if (fuzz_below(&fuzz, 8) == 7)
            tls_forged_set_raw_alternatives(fuzz.text, fuzz.len);
        break;
    case 2:
        tls_forged_begin();
        shown = tls_forged_set_raw_subject(fuzz.text, fuzz.len);
        break;
    default:
        tls_forged_begin();
        shown = tls_forged_set_raw(fuzz.text, fuzz.len);
        break;
    }
    if (shown) {
        for (size_t i = 0; i < KINDS; i++)
            (void)check_kind(kinds[i]);
        check_log();
        check_identity(&fuzz);
    }
    tls_forged_end();
    return 0;
}
