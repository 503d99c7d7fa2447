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

/* Mechanisms that the server offers: those without Kerberos. */
#define SASL_FIXED_OFFERED 6

/*
 * Those and one that is none, to choose from: SCRAM, whose many rounds take
 * milliseconds, less often. DIGEST-MD5 comes with a layer for integrity.
 */
#define SASL_FIXED_MECHANISMS 16
extern const char *const sasl_fixed_mechanisms[SASL_FIXED_MECHANISMS];

/* One side of an exchange; the numbers begin anew with the server's. */
struct sasl_server *sasl_fixed_server(void);
struct sasl_client *sasl_fixed_client(void);

/*
 * Log in by DIGEST-MD5 and push its layers: end 0 is the server. This always
 * succeeds.
 */
void sasl_fixed_push(struct pair *pair);

#endif
