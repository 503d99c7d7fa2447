/*
 * Copies of the table, for operators who need all of it: each is a directory in the database's,
 * and is there as long as the connection that asked for it.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef CONTROL_COPY_H
#define CONTROL_COPY_H

/* Remove what a process that was killed has left in the database's directory. */
void control_copy_clean(const char *directory);

#endif
