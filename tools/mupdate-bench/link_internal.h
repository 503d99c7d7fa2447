/*
 * What link.c (a connection and what it sends), link_receive.c, link_set.c and
 * login.c share. Nobody else includes this.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_LINK_INTERNAL_H
#define MUPDATE_BENCH_LINK_INTERNAL_H

#include "link.h"

/* The size of link_set.scratch. */
enum { SCRATCH_BYTES = 1 << 18 };

/* The link is LINK_CLOSED then; nobody is told. */
void link_close(struct link *link);

/*
 * The connection is of no use: it is closed and on_lost is told, or the process
 * ends if there is none. error may be 0: closed by the server.
 */
void link_lose(struct link *link, int error);

/* The log-in is complete: LINK_READY. */
void link_ready(struct link *link);

/* Receive once, up to limit octets, and handle what has come. */
void link_readable(struct link *link, size_t limit);

/* What the transcript has not been checked for yet, up to about len octets. */
void link_check_transcript(struct link_set *set, size_t len);

/* End the process: this is not a message at all. */
_Noreturn void link_not_a_message(const struct link *link, const char *data, size_t len);

#endif
