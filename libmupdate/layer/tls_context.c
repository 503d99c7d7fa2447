/* SPDX-License-Identifier: BSD-3-Clause */
#include "layer/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tls_take_error(char *text, size_t size)
{
    const char *data = NULL;
    int flags = 0;
    unsigned long code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
    const char *reason = ERR_reason_error_string(code);

    if (code == 0)
        snprintf(text, size, "no reason given");
    else if (ERR_SYSTEM_ERROR(code))
        snprintf(text, size, "%s", strerror(ERR_GET_REASON(code)));
    else if (reason)
        snprintf(text, size, "%s", reason);
    else
        snprintf(text, size, "OpenSSL error %lx", code);
    ERR_clear_error();
}

/* Describe a failed call: what was tried, then OpenSSL's reason. */
__attribute__((format(printf, 2, 3)))
static void context_error(struct tls_error *error, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    size_t len;

    tls_take_error(reason, sizeof reason);
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    len = strlen(error->text);
    snprintf(error->text + len, sizeof error->text - len, ": %s", reason);
}

/* A key that needs a passphrase is an error: nobody is there to be asked. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    bool *asked = context;

    (void)text;
    (void)size;
    (void)writing;
    if (asked)
        *asked = true;
    return -1;
}

static struct tls_context *context_new(const SSL_METHOD *method, struct tls_error *error)
{
    struct tls_context *context = calloc(1, sizeof *context);

    if (!context) {
        snprintf(error->text, sizeof error->text, "out of memory");
        return NULL;
    }
    ERR_clear_error();
    atomic_init(&context->references, 1);
    context->ssl = SSL_CTX_new(method);
    context->buffers = tls_buffers_method();
    if (!context->ssl || !context->buffers) {
        context_error(error, "cannot set up TLS");
        tls_context_unref(context);
        return NULL;
    }
    /*
     * The chain is what the certificate's file has: to look in each handshake for
     * more of it among the CAs of clients takes a third more of the time.
     */
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_NO_AUTO_CHAIN);
    /*
     * No session is resumed: connections prove themselves each time, so that no
     * certificate outlives its revocation, and nothing of them is kept after their
     * end. With TLS 1.3 and a key for ECDSA it would save the server next to nothing.
     */
    /* What was received in the clear is overwritten as soon as it was handed on. */
    SSL_CTX_set_options(context->ssl, SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                          SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context->ssl, 0);
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
    return context;
}

static const struct {
    const char *name;
    int version;
    uint64_t off;
} tls_versions[] = {
    {"tls1_0", TLS1_VERSION, SSL_OP_NO_TLSv1},
    {"tls1_1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {"tls1_2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {"tls1_3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};
#define TLS_VERSIONS (sizeof tls_versions / sizeof tls_versions[0])

static bool set_versions(SSL_CTX *ssl, const char *versions, struct tls_error *error)
{
    static const char blank[] = " \t,";
    bool wanted[TLS_VERSIONS] = {false};
    int lowest = 0;
    int highest = 0;

    for (const char *word = versions + strspn(versions, blank); *word;) {
        size_t len = strcspn(word, blank);
        size_t i = 0;

        while (i < TLS_VERSIONS && (strlen(tls_versions[i].name) != len ||
                                    strncasecmp(tls_versions[i].name, word, len) != 0))
            i++;
        if (i == TLS_VERSIONS) {
            snprintf(error->text, sizeof error->text,
                     "TLS version \"%.*s\": allowed are tls1_0, tls1_1, tls1_2, tls1_3", (int)len,
                     word);
            return false;
        }
        wanted[i] = true;
        word += len;
        word += strspn(word, blank);
    }
    for (size_t i = 0; i < TLS_VERSIONS; i++) {
        if (wanted[i] && !lowest)
            lowest = tls_versions[i].version;
        if (wanted[i])
            highest = tls_versions[i].version;
        else
            SSL_CTX_set_options(ssl, tls_versions[i].off);
    }
    if (!lowest) {
        snprintf(error->text, sizeof error->text,
                 "no TLS version: allowed are tls1_0, tls1_1, tls1_2, tls1_3");
        return false;
    }
    if (!SSL_CTX_set_min_proto_version(ssl, lowest) ||
        !SSL_CTX_set_max_proto_version(ssl, highest)) {
        context_error(error, "TLS versions \"%s\"", versions);
        return false;
    }
    return true;
}

static bool set_ciphers(SSL_CTX *ssl, const char *ciphers, struct tls_error *error)
{
    static const char separators[] = ": ,;";
    size_t size = strlen(ciphers) + 2;
    char *lists = calloc(2, size);
    char *older;   /* of TLS up to 1.2 */
    char *newest;  /* of TLS 1.3, which OpenSSL keeps apart */
    bool set;

    if (!lists) {
        snprintf(error->text, sizeof error->text, "out of memory");
        return false;
    }
    older = lists;
    newest = lists + size;
    for (const char *word = ciphers + strspn(ciphers, separators); *word;) {
        size_t len = strcspn(word, separators);
        char *list = strncmp(word, "TLS_", 4) == 0 ? newest : older;

        if (*list)
            strcat(list, ":");
        strncat(list, word, len);
        word += len;
        word += strspn(word, separators);
    }
    set = (!*older || SSL_CTX_set_cipher_list(ssl, older) == 1) &&
          (!*newest || SSL_CTX_set_ciphersuites(ssl, newest) == 1);
    if (!set) {
        context_error(error, "TLS ciphers \"%s\"", ciphers);
    } else if (!*older && SSL_CTX_get_min_proto_version(ssl) < TLS1_3_VERSION) {
        /* OpenSSL would go on with all that it has for them. */
        set = false;
        snprintf(error->text, sizeof error->text,
                 "TLS ciphers \"%s\" are of TLS 1.3 only: name some for the older versions too, or "
                 "allow TLS 1.3 alone", ciphers);
    }
    free(lists);
    return set;
}

static bool set_certificate(SSL_CTX *ssl, const char *cert_file, const char *key_file,
                            struct tls_error *error)
{
    const char *key = key_file ? key_file : cert_file;
    bool locked = false;
    int loaded;

    if (!cert_file) {
        snprintf(error->text, sizeof error->text, "no certificate file is configured");
        return false;
    }
    /* Set before any file is read: the default asks on the terminal. */
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &locked);
    if (SSL_CTX_use_certificate_chain_file(ssl, cert_file) != 1) {
        context_error(error, "certificate file %s", cert_file);
        return false;
    }
    loaded = SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    if (locked) {
        ERR_clear_error();
        snprintf(error->text, sizeof error->text,
                 "key file %s: needs a passphrase; only a key without one can be used", key);
        return false;
    }
    if (loaded != 1) {
        context_error(error, "key file %s", key);
        return false;
    }
    if (SSL_CTX_check_private_key(ssl) != 1) {
        context_error(error, "key file %s does not belong to certificate file %s", key,
                      cert_file);
        return false;
    }
    return true;
}

/* The lists of revoked certificates; one that is missing or has expired refuses all of its CA. */
static bool set_crl(struct tls_context *context, const char *crl_file, struct tls_error *error)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    X509_CRL *crl;
    size_t count = 0;
    BIO *file;
    bool good;

    ERR_clear_error();
    file = BIO_new_file(crl_file, "r");
    good = file != NULL;
    while (good && (crl = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL))) {
        const ASN1_TIME *ends = X509_CRL_get0_nextUpdate(crl);

        good = X509_STORE_add_crl(store, crl) == 1;
        if (good && ends &&
            (!context->crl_ends || ASN1_TIME_compare(ends, context->crl_ends) < 0)) {
            ASN1_TIME_free(context->crl_ends);
            context->crl_ends = ASN1_STRING_dup(ends);
            good = context->crl_ends != NULL;
        }
        X509_CRL_free(crl);
        count++;
    }
    BIO_free(file);
    /* The end of the file is "no start line" too. */
    if (good && (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE))
        good = false;
    if (!good) {
        context_error(error, "CRL file %s", crl_file);
        return false;
    }
    ERR_clear_error();
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

static bool set_client_certs(struct tls_context *context, const struct tls_server_options *options,
                             struct tls_error *error)
{
    SSL_CTX *ssl = context->ssl;
    int mode = SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE;

    if (options->client_certs == TLS_CLIENT_CERTS_OFF)
        return true;
    if (!options->ca_file && !options->ca_dir) {
        snprintf(error->text, sizeof error->text,
                 "client certificates are to be checked, but no CA file or "
                 "directory is configured");
        return false;
    }
    if (options->ca_file) {
        STACK_OF(X509_NAME) *names;

        if (SSL_CTX_load_verify_file(ssl, options->ca_file) != 1) {
            context_error(error, "CA file %s", options->ca_file);
            return false;
        }
        names = SSL_load_client_CA_file(options->ca_file);
        if (!names) {
            context_error(error, "CA file %s", options->ca_file);
            return false;
        }
        SSL_CTX_set_client_CA_list(ssl, names);
    }
    if (options->ca_dir && SSL_CTX_load_verify_dir(ssl, options->ca_dir) != 1) {
        context_error(error, "CA directory %s", options->ca_dir);
        return false;
    }
    if (options->crl_file && !set_crl(context, options->crl_file, error))
        return false;
    if (options->client_certs == TLS_CLIENT_CERTS_REQUIRE)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ssl, mode, tls_verified);
    return true;
}

struct tls_context *tls_context_server(const struct tls_server_options *options,
                                       struct tls_error *error)
{
    struct tls_context *context = context_new(TLS_server_method(), error);
    const char *versions = options->versions ? options->versions : "tls1_2 tls1_3";

    if (!context)
        return NULL;
    if (!set_versions(context->ssl, versions, error))
        goto fail;
    if (options->ciphers && !set_ciphers(context->ssl, options->ciphers, error))
        goto fail;
    SSL_CTX_set_options(context->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_dh_auto(context->ssl, 1);
    if (!set_certificate(context->ssl, options->cert_file, options->key_file, error) ||
        !set_client_certs(context, options, error))
        goto fail;
    ERR_clear_error();
    return context;

fail:
    tls_context_unref(context);
    return NULL;
}

static bool set_client(struct tls_context *context, const struct tls_client_options *options,
                       struct tls_error *error)
{
    if (options->cert_file &&
        !set_certificate(context->ssl, options->cert_file, options->key_file, error))
        return false;
    if (options->accept_any_certificate)
        return true;
    context->check_host = true;
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, tls_verified);
    if (options->ca_file) {
        if (SSL_CTX_load_verify_file(context->ssl, options->ca_file) == 1)
            return true;
        context_error(error, "CA file %s", options->ca_file);
    } else {
        if (SSL_CTX_set_default_verify_paths(context->ssl) == 1)
            return true;
        context_error(error, "the system's CA certificates");
    }
    return false;
}

struct tls_context *tls_context_client(const struct tls_client_options *options,
                                       struct tls_error *error)
{
    struct tls_context *context = context_new(TLS_client_method(), error);

    if (!context)
        return NULL;
    if (set_client(context, options, error))
        return context;
    tls_context_unref(context);
    return NULL;
}

static int64_t seconds_until(const ASN1_TIME *time)
{
    int days = 0;
    int seconds = 0;

    if (!ASN1_TIME_diff(&days, &seconds, NULL, time))
        return 0;
    return (int64_t)days * 86400 + seconds;
}

int64_t tls_context_starts_in(const struct tls_context *context)
{
    return seconds_until(X509_get0_notBefore(SSL_CTX_get0_certificate(context->ssl)));
}

int64_t tls_context_ends_in(const struct tls_context *context)
{
    return seconds_until(X509_get0_notAfter(SSL_CTX_get0_certificate(context->ssl)));
}

int64_t tls_context_crl_ends_in(const struct tls_context *context)
{
    return context->crl_ends ? seconds_until(context->crl_ends) : INT64_MAX;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (!context)
        return;
    if (atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->buffers);
    ASN1_TIME_free(context->crl_ends);
    free(context);
}
