/*
 * What the files of the TLS part share. Nobody else includes this.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef LAYER_TLS_CONTEXT_H
#define LAYER_TLS_CONTEXT_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

#include "layer/tls.h"

struct tls_context {
    atomic_size_t references;
    SSL_CTX *ssl;
    BIO_METHOD *buffers; /* reads from and writes to struct buffer, see struct tls_ends */
    bool check_host;
    ASN1_TIME *crl_ends; /* NULL: no list of revoked certificates */
};

/* Where a connection's BIO reads and writes during a call into OpenSSL. */
struct tls_ends {
    struct buffer *in;
    struct buffer *down;
};

/*
 * The callback of SSL_CTX_set_verify() on both sides: the verdict stays
 * OpenSSL's, but the layer remembers whom it was about.
 */
int tls_verified(int good, X509_STORE_CTX *store);

/* The layer's OpenSSL object. */
SSL *tls_layer_ssl(const struct layer *layer);

/* A name as RFC 2253 writes it, cut to size. False when it is empty or memory ran out. */
bool tls_format_name(const X509_NAME *name, char *text, size_t size);

/* The methods of that BIO; BIO_set_data() gives it the struct tls_ends. */
BIO_METHOD *tls_buffers_method(void);

/*
 * Write OpenSSL's first queued error to text, in words, and empty the queue:
 * it is the thread's, and must not be seen by the next connection.
 */
void tls_take_error(char *text, size_t size);

#endif
