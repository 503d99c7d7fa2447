/*
 * TLS that says the same in every run: a certificate that stands in the source,
 * and random numbers that are none.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_FUZZ_TLS_FIXED_H
#define TESTS_FUZZ_TLS_FIXED_H

#include <stdbool.h>

#include "tests/fuzz/pair.h"

/*
 * Push TLS on both stacks: end 0 is the server, end 1 the client, who takes any
 * certificate; the client's first octets wait on its wire. The numbers begin
 * anew. old: TLS 1.2, else 1.3.
 */
void tls_fixed_push(struct pair *pair, bool old);

#endif
