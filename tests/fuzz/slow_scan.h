/*
 * A second scanner of one line, written apart from wire/token.c straight from
 * the grammar (RFC 3656, section 5; RFC 2244, section 8): one octet at a time,
 * with a state for each place in the grammar. For comparison only.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_FUZZ_SLOW_SCAN_H
#define TESTS_FUZZ_SLOW_SCAN_H

#include "wire/token.h"

/* As wire_scan_line(), for a line of at most max tokens, without a reason for errors. */
enum wire_scan slow_scan(const uint8_t *command, size_t from, size_t to, struct wire_token *tokens,
                         size_t max, size_t *count, bool *waits);

#endif
