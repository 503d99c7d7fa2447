/*
 * Addresses that clients connect from: how many connections each of them has,
 * and how many of its logins failed lately.
 *
 * An address is one of IPv4, or a network of IPv6 with 64 bits, which is what
 * one customer or one machine has at least.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef NET_PEERS_H
#define NET_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "mupdated/table/index.h"

/* Failed logins that cost nothing but their own pause; one is forgotten each second. */
#define PEERS_FAILURES 10

/* Addresses without a connection whose failures are remembered; the oldest is given up. */
#define PEERS_REMEMBERED 1024

struct peer {
    char key[8];           /* the octets of the address or network */
    size_t key_bytes;
    size_t connections;
    size_t strangers;      /* those of them that are not logged in */
    unsigned failures;     /* at failures_ms */
    uint64_t failures_ms;
    struct peer *previous; /* in peers->remembered, while there is no connection */
    struct peer *next;
};

struct peers {
    struct index index;
    struct peer *oldest; /* those remembered for their failures only */
    struct peer *newest;
    size_t remembered;
};

void peers_init(struct peers *peers);
void peers_close(struct peers *peers);

/*
 * Count a connection from an address of IPv4 or IPv6. The peer is peers', and
 * valid until peers_leave(). NULL: out of memory, or another kind of address.
 */
struct peer *peers_enter(struct peers *peers, const struct sockaddr_storage *address);

/* That connection has ended. */
void peers_leave(struct peers *peers, struct peer *peer, uint64_t now_ms);

/* A login failed. */
void peers_failed(struct peer *peer, uint64_t now_ms);

/* Whether so many failed lately that all logins from there have to wait. */
bool peers_must_wait(const struct peer *peer, uint64_t now_ms);

#endif
