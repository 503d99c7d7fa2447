/*
 * SHA-256 of a stream of octets; beside TLS because it is OpenSSL's.
 *
 * An object belongs to one thread at a time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef LAYER_TLS_DIGEST_H
#define LAYER_TLS_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define TLS_DIGEST_BYTES 32

struct tls_digest;

/* Of no octets yet. NULL: out of memory. */
struct tls_digest *tls_digest_new(void);

/* NULL is allowed. */
void tls_digest_free(struct tls_digest *digest);

/* Add len octets. False, and no digest is to be had any more, when OpenSSL fails. */
bool tls_digest_add(struct tls_digest *digest, const void *data, size_t len);

/* The digest of all octets; nothing but tls_digest_free() may follow. False when OpenSSL fails. */
bool tls_digest_end(struct tls_digest *digest, unsigned char octets[TLS_DIGEST_BYTES]);

#endif
