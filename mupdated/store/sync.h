/*
 * What was made in a directory, or got its name there, survives a crash of the machine when
 * the directory itself was synced.
 *
 * Any thread. Each returns 0 or an errno code.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef STORE_SYNC_H
#define STORE_SYNC_H

/* Of the directory at path. A file system that cannot sync directories is no failure. */
int sync_directory(const char *path);

/* Of the directory that path, which need not exist, stands in: "." when path has no slash. */
int sync_parent(const char *path);

#endif
