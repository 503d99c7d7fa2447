/*
 * Rows for people and for programs.
 *
 * For people: state, name, location and ACL, separated by tabs; octets that
 * are not printable ASCII, and the backslash, as \xNN. An ACL of the usual
 * form "id<TAB>rights<TAB>" shows its words separated by blanks.
 *
 * For programs: JSON objects as the control socket has them (control/json.h).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATECTL_OUTPUT_H
#define MUPDATECTL_OUTPUT_H

#include <jansson.h>
#include <mupdate/types.h>
#include <stdio.h>

#include "mupdated/control/json.h"

void ctl_write_escaped(FILE *file, struct mupdate_text text);

/* An ACL: its words with blanks between them if it has the usual form. */
void ctl_write_acl(FILE *file, struct mupdate_text acl);

/* One line for people. */
void ctl_write_row(FILE *file, const struct mupdate_row *row);

/*
 * Write the text that object has under key, or under key_base64, as ctl_write_escaped()
 * does; nothing when there is none.
 */
void ctl_write_member(FILE *file, const json_t *object, const char *key);

/* Its ACL, as ctl_write_row() writes it. */
void ctl_write_acl_member(FILE *file, const json_t *object);

/* As ctl_write_member(), filled up with blanks to so many columns, and one; "-" for nothing. */
void ctl_write_column(FILE *file, const json_t *object, const char *key, int columns);

/* Print the row to standard output. Exit status. */
int ctl_print_row(bool json, const struct mupdate_row *row);

/* Print one object as a line and release it; NULL counts as out of memory. Exit status. */
int ctl_print_json(json_t *object);

/*
 * Write out what is buffered. Exit status: EX_IOERR when anything so far could
 * not be written; silently when the reader of a pipe went away.
 */
int ctl_flush(void);

#endif
