/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/tls_forged.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tests/fuzz/fuzz.h"

static X509 *shown;
static GENERAL_NAMES *alternatives;

/* Its content is asked for by what is replaced below, only. */
const struct layer *const tls_forged_layer;

/* --- in place of a handshake --- */

bool __wrap_tls_layer_established(const struct layer *layer);
SSL *__wrap_tls_layer_ssl(const struct layer *layer);
int __wrap_SSL_get_verify_mode(const SSL *ssl);
long __wrap_SSL_get_verify_result(const SSL *ssl);
X509 *__wrap_SSL_get0_peer_certificate(const SSL *ssl);

bool __wrap_tls_layer_established(const struct layer *layer)
{
    (void)layer;
    return true;
}

SSL *__wrap_tls_layer_ssl(const struct layer *layer)
{
    (void)layer;
    return NULL;
}

int __wrap_SSL_get_verify_mode(const SSL *ssl)
{
    (void)ssl;
    return SSL_VERIFY_PEER;
}

long __wrap_SSL_get_verify_result(const SSL *ssl)
{
    (void)ssl;
    return X509_V_OK;
}

X509 *__wrap_SSL_get0_peer_certificate(const SSL *ssl)
{
    (void)ssl;
    return shown;
}

/* --- what is shown --- */

void tls_forged_begin(void)
{
    shown = X509_new();
    alternatives = GENERAL_NAMES_new();
    FUZZ_CHECK(shown != NULL && alternatives != NULL);
}

void tls_forged_end(void)
{
    X509_free(shown);
    GENERAL_NAMES_free(alternatives);
    shown = NULL;
    alternatives = NULL;
    ERR_clear_error();
}

void tls_forged_add_common_name(size_t type, const void *octets, size_t len)
{
    static const int types[] = {V_ASN1_UTF8STRING,   V_ASN1_PRINTABLESTRING, V_ASN1_T61STRING,
                                V_ASN1_BMPSTRING,    V_ASN1_UNIVERSALSTRING, V_ASN1_IA5STRING,
                                V_ASN1_OCTET_STRING, V_ASN1_BIT_STRING};
    X509_NAME *subject = X509_get_subject_name(shown);
    X509_NAME_ENTRY *entry = X509_NAME_ENTRY_new();

    FUZZ_CHECK(entry != NULL && len <= INT_MAX);
    FUZZ_CHECK(X509_NAME_ENTRY_set_object(entry, OBJ_nid2obj(NID_commonName)) == 1);
    FUZZ_CHECK(X509_NAME_ENTRY_set_data(entry, types[type % (sizeof types / sizeof *types)],
                                        octets, (int)len) == 1);
    /* OpenSSL refuses some that are no string of their type. */
    (void)X509_NAME_add_entry(subject, entry, -1, 0);
    X509_NAME_ENTRY_free(entry);
}

void tls_forged_add_alternative(enum tls_name kind, const void *octets, size_t len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();

    FUZZ_CHECK(name != NULL && string != NULL && len <= INT_MAX);
    FUZZ_CHECK(ASN1_STRING_set(string, octets, (int)len) == 1);
    GENERAL_NAME_set0_value(name,
                            kind == TLS_NAME_SAN_DNS     ? GEN_DNS
                            : kind == TLS_NAME_SAN_EMAIL ? GEN_EMAIL
                                                         : GEN_URI,
                            string);
    FUZZ_CHECK(sk_GENERAL_NAME_push(alternatives, name) > 0);
}

void tls_forged_set_alternatives(void)
{
    FUZZ_CHECK(X509_add1_ext_i2d(shown, NID_subject_alt_name, alternatives, 0, 0) == 1);
}

void tls_forged_set_raw_alternatives(const void *octets, size_t len)
{
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;

    FUZZ_CHECK(value != NULL && len <= INT_MAX);
    FUZZ_CHECK(ASN1_OCTET_STRING_set(value, octets, (int)len) == 1);
    extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    FUZZ_CHECK(extension != NULL && X509_add_ext(shown, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
}

bool tls_forged_set_raw_subject(const void *octets, size_t len)
{
    const unsigned char *at = octets;
    X509_NAME *subject = d2i_X509_NAME(NULL, &at, (long)len);

    ERR_clear_error();
    if (!subject)
        return false;
    FUZZ_CHECK(X509_set_subject_name(shown, subject) == 1);
    X509_NAME_free(subject);
    return true;
}

bool tls_forged_set_raw(const void *octets, size_t len)
{
    const unsigned char *at = octets;

    X509_free(shown);
    shown = d2i_X509(NULL, &at, (long)len);
    ERR_clear_error();
    return shown != NULL;
}
