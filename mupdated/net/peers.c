/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/net/peers.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* As long as this a failure counts. */
#define FORGET_MS 1000

/* No attack makes an address wait for longer than this after its end, in failures. */
#define FAILURES_MAX (2 * PEERS_FAILURES)

static struct mupdate_text name_of(const void *item)
{
    const struct peer *peer = item;

    return (struct mupdate_text){peer->key, peer->key_bytes};
}

void peers_init(struct peers *peers)
{
    memset(peers, 0, sizeof *peers);
    index_init(&peers->index, name_of);
}

static void forget(struct peers *peers, struct peer *peer)
{
    index_remove(&peers->index, name_of(peer));
    free(peer);
}

static void unlink_remembered(struct peers *peers, struct peer *peer)
{
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        peers->oldest = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
    else
        peers->newest = peer->previous;
    peer->previous = peer->next = NULL;
    peers->remembered--;
}

static void link_remembered(struct peers *peers, struct peer *peer)
{
    peer->previous = peers->newest;
    if (peers->newest)
        peers->newest->next = peer;
    else
        peers->oldest = peer;
    peers->newest = peer;
    peers->remembered++;
}

static void forget_oldest(struct peers *peers)
{
    struct peer *peer = peers->oldest;

    unlink_remembered(peers, peer);
    forget(peers, peer);
}

void peers_close(struct peers *peers)
{
    while (peers->oldest)
        forget_oldest(peers);
    index_close(&peers->index);
}

static unsigned failures_at(const struct peer *peer, uint64_t now_ms)
{
    uint64_t forgotten = (now_ms - peer->failures_ms) / FORGET_MS;

    return forgotten >= peer->failures ? 0 : peer->failures - (unsigned)forgotten;
}

static bool set_key(struct peer *peer, const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        memcpy(peer->key, &((const struct sockaddr_in *)address)->sin_addr, 4);
        peer->key_bytes = 4;
        return true;
    }
    if (address->ss_family == AF_INET6) {
        memcpy(peer->key, &((const struct sockaddr_in6 *)address)->sin6_addr, 8);
        peer->key_bytes = 8;
        return true;
    }
    return false;
}

struct peer *peers_enter(struct peers *peers, const struct sockaddr_storage *address)
{
    struct peer wanted = {.connections = 1};
    struct peer *peer;

    if (!set_key(&wanted, address))
        return NULL;
    peer = index_find(&peers->index, name_of(&wanted));
    if (peer) {
        if (peer->connections++ == 0)
            unlink_remembered(peers, peer);
        return peer;
    }
    peer = malloc(sizeof *peer);
    if (!peer)
        return NULL;
    *peer = wanted;
    if (!index_insert(&peers->index, peer)) {
        free(peer);
        return NULL;
    }
    return peer;
}

void peers_leave(struct peers *peers, struct peer *peer, uint64_t now_ms)
{
    if (--peer->connections > 0)
        return;
    if (failures_at(peer, now_ms) == 0) {
        forget(peers, peer);
        return;
    }
    link_remembered(peers, peer);
    while (peers->remembered > PEERS_REMEMBERED || failures_at(peers->oldest, now_ms) == 0)
        forget_oldest(peers);
}

void peers_failed(struct peer *peer, uint64_t now_ms)
{
    unsigned failures = failures_at(peer, now_ms);

    peer->failures = failures < FAILURES_MAX ? failures + 1 : FAILURES_MAX;
    peer->failures_ms = now_ms;
}

bool peers_must_wait(const struct peer *peer, uint64_t now_ms)
{
    return failures_at(peer, now_ms) >= PEERS_FAILURES;
}
