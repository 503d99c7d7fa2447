/*
 * A program behind a server session that does what the input chooses: it
 * answers at once or late, right or not at all, with rows, steps of an
 * authentication and streams; and it checks what goes out.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_FUZZ_SERVER_PROGRAM_H
#define TESTS_FUZZ_SERVER_PROGRAM_H

#include "tests/fuzz/fuzz.h"

/*
 * Run a session over the text. Checked is that
 *   - each answer goes out, once, in the order of the events, and nothing after
 *     it in place of another;
 *   - an answer that does not fit what was asked is refused, without a trace;
 *   - all that goes out is lines of the protocol, with tags that were sent;
 *   - input is taken as the contract says, and output stops at its limit;
 *   - behind the text the session is in sync: a NOOP is answered.
 */
void server_program_run(struct fuzz *fuzz);

#endif
