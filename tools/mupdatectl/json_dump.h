/*
 * A dump as JSON (mupdatectl dump --json, mupdate-dump(5)), read for comparisons.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_JSON_DUMP_H
#define MUPDATECTL_JSON_DUMP_H

#include <stdio.h>

#include "mupdated/table/rule.h"
#include "tools/mupdatectl/differences.h"
#include "wire/buffer.h"

struct tls_digest;

struct ctl_json_dump {
    const char *path;
    FILE *file;
    struct rule_policy policy;
    char *line;
    size_t size;
    uint64_t number;      /* of the line */
    uint64_t rows;        /* so far */
    uint64_t expected;    /* as the header says */
    char *server;         /* only its mailboxes are there; NULL: all */
    struct buffer name;   /* of the row */
    struct buffer last;   /* and of the one before */
    struct buffer location;
    struct buffer acl;
    struct tls_digest *digest;
};

/* Take the file over, whatever is returned, and read its header. Exit status. */
int ctl_json_dump_open(struct ctl_json_dump *dump, const char *path, FILE *file,
                       const struct rule_policy *policy);
void ctl_json_dump_close(struct ctl_json_dump *dump);

/* Go back to the first row. Exit status. */
int ctl_json_dump_begin(struct ctl_json_dump *dump);

/*
 * Its rows for a comparison: what it says of changes and users is not read. A dump that is not
 * whole and good is told of at its end.
 */
struct ctl_source ctl_json_dump_source(struct ctl_json_dump *dump);

#endif
