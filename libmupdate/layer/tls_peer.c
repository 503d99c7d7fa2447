/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#include "layer/tls_context.h"

/* What is looked for among the names of a kind. */
struct search {
    const char *wanted; /* NULL: the only one there is */
    bool any_case;
    enum tls_name_found found;
    char *name;
};

bool tls_format_name(const X509_NAME *name, char *text, size_t size)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int len = -1;

    text[0] = '\0';
    if (memory && X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253) >= 0) {
        len = BIO_read(memory, text, (int)size - 1);
        text[len > 0 ? len : 0] = '\0';
    }
    BIO_free(memory);
    ERR_clear_error();
    return len > 0;
}

/* Printable, without blanks at its ends; where ascii is set without any and without the rest. */
static bool is_fit(const unsigned char *name, size_t len, bool ascii)
{
    if (len == 0 || len >= TLS_NAME_BYTES || name[0] == ' ' || name[len - 1] == ' ')
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] < ' ' || name[i] == 0x7f || (ascii && (name[i] == ' ' || name[i] > '~')))
            return false;
    return true;
}

static void consider(struct search *search, const unsigned char *name, size_t len, bool fit)
{
    char text[TLS_NAME_BYTES];

    if (!fit) {
        if (!search->wanted)
            search->found = TLS_NAME_UNFIT;
        return;
    }
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(search->any_case ? tolower(name[i]) : name[i]);
    text[len] = '\0';
    if (search->wanted) {
        if ((search->any_case ? strcasecmp : strcmp)(text, search->wanted) == 0)
            search->found = TLS_NAME_ONE;
    } else if (search->found == TLS_NAME_ABSENT) {
        search->found = TLS_NAME_ONE;
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): or there is a wanted name */
        strcpy(search->name, text);
    } else if (search->found == TLS_NAME_ONE && strcmp(search->name, text) != 0) {
        search->found = TLS_NAME_SEVERAL;
    }
}

static void consider_alternative(struct search *search, const GENERAL_NAME *alternative, int type)
{
    const ASN1_IA5STRING *string;
    const unsigned char *name;
    size_t len;

    if (alternative->type != type)
        return;
    string = alternative->d.ia5;
    name = ASN1_STRING_get0_data(string);
    len = (size_t)ASN1_STRING_length(string);
    /* A wildcard is the name of nobody. */
    consider(search, name, len,
             is_fit(name, len, true) && !(type == GEN_DNS && memchr(name, '*', len)));
}

static void search_alternatives(struct search *search, const X509 *certificate, int type)
{
    int critical;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);

    /* -1: there is none. Otherwise there are several, or it cannot be read. */
    if (!names && critical != -1)
        consider(search, NULL, 0, false);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        consider_alternative(search, sk_GENERAL_NAME_value(names, i), type);
    GENERAL_NAMES_free(names);
}

static void search_common_names(struct search *search, const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = -1;

    while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
        unsigned char *name = NULL;
        int len = ASN1_STRING_to_UTF8(&name,
                                      X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));

        consider(search, name, len > 0 ? (size_t)len : 0,
                 len > 0 && is_fit(name, (size_t)len, false));
        OPENSSL_free(name);
    }
}

static void search_subject(struct search *search, const X509 *certificate)
{
    char text[TLS_NAME_BYTES + 1];
    size_t len;

    if (!tls_format_name(X509_get_subject_name(certificate), text, sizeof text))
        return;
    len = strlen(text);
    consider(search, (const unsigned char *)text, len, len < TLS_NAME_BYTES);
}

static void search_names(const struct layer *layer, enum tls_name kind, struct search *search)
{
    const X509 *certificate = SSL_get0_peer_certificate(tls_layer_ssl(layer));

    search->found = TLS_NAME_ABSENT;
    if (!tls_layer_peer_verified(layer) || !certificate)
        return;
    switch (kind) {
    case TLS_NAME_SAN_DNS:
        search->any_case = true;
        search_alternatives(search, certificate, GEN_DNS);
        break;
    case TLS_NAME_SAN_EMAIL:
        search_alternatives(search, certificate, GEN_EMAIL);
        break;
    case TLS_NAME_SAN_URI:
        search_alternatives(search, certificate, GEN_URI);
        break;
    case TLS_NAME_CN:
        search_common_names(search, certificate);
        break;
    case TLS_NAME_SUBJECT:
        search_subject(search, certificate);
        break;
    }
    ERR_clear_error();
}

bool tls_layer_peer_verified(const struct layer *layer)
{
    const SSL *ssl = tls_layer_ssl(layer);

    return tls_layer_established(layer) && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE &&
           SSL_get0_peer_certificate(ssl) && SSL_get_verify_result(ssl) == X509_V_OK;
}

enum tls_name_found tls_layer_peer_name(const struct layer *layer, enum tls_name kind, char *name)
{
    struct search search = {.name = name};

    name[0] = '\0';
    search_names(layer, kind, &search);
    return search.found;
}

bool tls_layer_peer_has(const struct layer *layer, enum tls_name kind, const char *name)
{
    struct search search = {.wanted = name};

    search_names(layer, kind, &search);
    return search.found == TLS_NAME_ONE;
}

bool tls_layer_peer_subject(const struct layer *layer, char *text)
{
    text[0] = '\0';
    return tls_layer_peer_verified(layer) &&
           tls_format_name(X509_get_subject_name(SSL_get0_peer_certificate(tls_layer_ssl(layer))),
                           text, TLS_NAME_BYTES);
}

bool tls_layer_peer_issuer(const struct layer *layer, char *text)
{
    text[0] = '\0';
    return tls_layer_peer_verified(layer) &&
           tls_format_name(X509_get_issuer_name(SSL_get0_peer_certificate(tls_layer_ssl(layer))),
                           text, TLS_NAME_BYTES);
}
