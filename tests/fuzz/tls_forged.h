/*
 * Certificates of any content, and a layer whose peer has shown one that was found good: the
 * functions of OpenSSL and of the layer that say so are replaced (-Wl,--wrap=...).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_FUZZ_TLS_FORGED_H
#define TESTS_FUZZ_TLS_FORGED_H

#include <stdbool.h>
#include <stddef.h>

#include "layer/tls.h"

/* A layer whose peer has shown what was forged last. */
extern const struct layer *const tls_forged_layer;

/* A new certificate, without names and extensions. */
void tls_forged_begin(void);

/*
 * Another common name of the subject, of a type of ASN.1's strings (any number: one is chosen),
 * if OpenSSL takes it.
 */
void tls_forged_add_common_name(size_t type, const void *octets, size_t len);

/* Another alternative name: TLS_NAME_SAN_DNS, _EMAIL or _URI. */
void tls_forged_add_alternative(enum tls_name kind, const void *octets, size_t len);

/* All alternative names added are in the certificate from now on. */
void tls_forged_set_alternatives(void);

/* The alternative names, as they are encoded: perhaps not at all. May be called twice. */
void tls_forged_set_raw_alternatives(const void *octets, size_t len);

/* The subject, as it is encoded. False: OpenSSL cannot read it. */
bool tls_forged_set_raw_subject(const void *octets, size_t len);

/* The whole certificate, as it is encoded. False: OpenSSL cannot read it. */
bool tls_forged_set_raw(const void *octets, size_t len);

/* The peer has shown none. */
void tls_forged_end(void);

#endif
