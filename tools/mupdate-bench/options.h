/*
 * The command line, as mupdate-bench(1) describes it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_OPTIONS_H
#define MUPDATE_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "row.h"

enum { OPTIONS_PASSWORD_BYTES = 256, OPTIONS_PORT_BYTES = 16, OPTIONS_HOST_BYTES = 256 };

/* What subscribers do beside a measurement. */
enum side_kind {
    SIDE_NONE,
    SIDE_DUMP,   /* get the whole table again and again, on fresh connections */
    SIDE_SLOW,   /* read 64 kB a second */
    SIDE_STUCK,  /* never read after UPDATE */
    SIDE_FOLLOW, /* get the table and then the stream */
};

struct options {
    const char *scenario;
    char host[OPTIONS_HOST_BYTES];
    char port[OPTIONS_PORT_BYTES];
    const char *user;
    char password[OPTIONS_PASSWORD_BYTES];
    struct row_set set;
    uint64_t rows;        /* rows of the set that the server has */
    uint64_t first;       /* number of the first row to make or delete */
    uint64_t count;       /* operations to do; 0: as many as fit into seconds */
    size_t connections;
    size_t depth;         /* operations in flight on each connection */
    size_t subscribers;
    double rate;          /* changes per second */
    double seconds;       /* measured time */
    double timeout;       /* seconds without anything from the server that end the run */
    const char *location; /* prefix for list; NULL: all */
    const char *directory;
    enum side_kind beside;
    unsigned writes;      /* per cent of the operations of mixed */
    const char *mechanism; /* of SASL */
    const char *tls_ca;   /* NULL: any certificate will do */
    bool tls;
    bool changes;         /* cycles change rows instead of looking them up */
    bool self;            /* against the built-in responder */
    bool json;
};

/*
 * Fill *options from the command line, password included. Ends the process
 * with a message and EX_USAGE or EX_NOINPUT if that does not work, and with 0
 * after --help.
 */
void options_read(struct options *options, int argc, char **argv);

#endif
