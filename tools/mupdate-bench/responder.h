/*
 * The built-in server behind --self: a process that answers every command with
 * what the generator expects, at once and without keeping anything. The rate
 * against it is the rate that the generator itself can reach.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_RESPONDER_H
#define MUPDATE_BENCH_RESPONDER_H

#include "options.h"

/*
 * Start the responder on a free loopback port and point options->host and
 * options->port at it. It ends with this process. UPDATE and LIST answer with
 * options->rows rows of options->set; ACTIVATEs go on to all who sent UPDATE.
 */
void responder_start(struct options *options);

#endif
