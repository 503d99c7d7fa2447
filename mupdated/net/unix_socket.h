/*
 * The file of a UNIX socket to listen on.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_UNIX_SOCKET_H
#define NET_UNIX_SOCKET_H

/*
 * Remove a socket that nobody listens on: it is left over from a crash. NULL, or why the path
 * cannot be listened on; static.
 */
const char *unix_socket_make_way(const char *path);

#endif
