/*
 * What tls_context.c makes and tls.c uses. Nobody else includes this.
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
};

/* Where a connection's BIO reads and writes during a call into OpenSSL. */
struct tls_ends {
    struct buffer *in;
    struct buffer *down;
};

/* The methods of that BIO; BIO_set_data() gives it the struct tls_ends. */
BIO_METHOD *tls_buffers_method(void);

/*
 * Write OpenSSL's first queued error to text, in words, and empty the queue:
 * it is the thread's, and must not be seen by the next connection.
 */
void tls_take_error(char *text, size_t size);

#endif
