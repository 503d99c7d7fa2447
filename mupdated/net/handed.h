/*
 * Sockets that the process was started with, as sd_listen_fds(3) describes it. A
 * service manager made them and keeps them, so that clients wait while no mupdated
 * runs, instead of being refused.
 *
 * Which socket is meant by which word of the key listen its address says. One
 * that takes IPv4 as well as IPv6 is [::] and 0.0.0.0 in one.
 *
 * For the main thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_HANDED_H
#define NET_HANDED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct handed_socket {
    int fd; /* -1: a listener has it */
    char *name;
    struct sockaddr_storage address;
    bool dual;         /* [::] that takes IPv4 too */
    bool claimed;
    bool claimed_ipv4; /* a dual one: 0.0.0.0 was asked for */
};

struct handed {
    struct handed_socket *sockets;
    size_t count;
};

enum handed_result {
    HANDED_NONE,    /* nobody handed down a socket with this address */
    HANDED_SOCKET,
    HANDED_COVERED, /* a socket that was or will be given for [::] takes these connections too */
};

/*
 * Take the sockets that were handed down; no program that is executed later gets them. Each is
 * logged. EX_OK, *handed is then to be freed with handed_free(); or another code of <sysexits.h>
 * with the reason logged: one of them is no stream socket of IP or UNIX that listens.
 */
int handed_take(struct handed *handed);

/* HANDED_SOCKET: the one with this address, *fd is the caller's from now on. */
enum handed_result handed_claim(struct handed *handed, const struct sockaddr *address, int *fd);

/*
 * Whether each socket is in use. Those that are not are logged: clients would wait
 * there for ever.
 */
bool handed_is_used_up(const struct handed *handed);

/* Close those that were not claimed. *handed may be all zero. */
void handed_free(struct handed *handed);

#endif
