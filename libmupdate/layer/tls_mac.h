/*
 * A keyed digest (HMAC-SHA-256, RFC 2104) whose key lives and dies with the
 * process; beside TLS because it is OpenSSL's.
 *
 * An object belongs to one thread at a time.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef LAYER_TLS_MAC_H
#define LAYER_TLS_MAC_H

#include <stdbool.h>
#include <stddef.h>

#define TLS_MAC_BYTES 32

struct tls_mac;

/* With a new random key that nobody else learns. NULL: no memory or no random numbers. */
struct tls_mac *tls_mac_new(void);

/* NULL is allowed; the key is wiped. */
void tls_mac_free(struct tls_mac *mac);

/*
 * The digest of the first_len octets at first and the second_len at second,
 * one behind the other: the caller makes one of them of fixed length. False,
 * with digest undefined, when OpenSSL fails.
 */
bool tls_mac_digest(struct tls_mac *mac, const void *first, size_t first_len, const void *second,
                    size_t second_len, unsigned char digest[TLS_MAC_BYTES]);

/* Whether two digests are the same, in a time that does not depend on them. */
bool tls_mac_equal(const unsigned char a[TLS_MAC_BYTES], const unsigned char b[TLS_MAC_BYTES]);

#endif
