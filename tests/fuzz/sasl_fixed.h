/*
 * A Cyrus-SASL with one user, "murder" with the password "Murder Pw", who stands
 * in no file, and with random numbers that are none.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_FUZZ_SASL_FIXED_H
#define TESTS_FUZZ_SASL_FIXED_H

#include "layer/sasl.h"
#include "tests/fuzz/pair.h"

#define SASL_FIXED_USER "murder"

/*
 * The mechanisms without Kerberos; and one that is none. DIGEST-MD5 comes with a
 * layer for integrity.
 */
extern const char *const sasl_fixed_mechanisms[];
#define SASL_FIXED_MECHANISMS 7

/* One side of an exchange; the numbers begin anew with the server's. */
struct sasl_server *sasl_fixed_server(void);
struct sasl_client *sasl_fixed_client(void);

/*
 * Log in by DIGEST-MD5 and push its layers: end 0 is the server. This always
 * succeeds.
 */
void sasl_fixed_push(struct pair *pair);

#endif
