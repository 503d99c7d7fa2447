/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/auth/verified.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/*
 * File systems note times in steps, the kernel's clock tick or a second: two
 * changes within one step look like one.
 */
#define SETTLED_SECONDS 2

struct slot {
    uint64_t then_ms; /* 0: free */
    unsigned char digest[TLS_MAC_BYTES];
    char user[VERIFIED_NAME_BYTES];
    char authenticated[VERIFIED_NAME_BYTES];
};

struct verified {
    struct tls_mac *mac;
    uint64_t age; /* how often all was forgotten */
    struct slot slots[VERIFIED_SLOTS];
};

/* All but the message on which a verification depends. Digested as it lies in memory. */
struct circumstances {
    uint64_t device;
    uint64_t inode;
    int64_t size;
    struct timespec modified;
    struct timespec changed;
    uint32_t plaintext;
    uint32_t external_bits;
    uint32_t minimum_bits;
    uint32_t maximum_bits;
};

struct verified *verified_new(void)
{
    struct verified *verified = calloc(1, sizeof *verified);

    if (!verified)
        return NULL;
    verified->mac = tls_mac_new();
    if (!verified->mac) {
        free(verified);
        return NULL;
    }
    return verified;
}

void verified_free(struct verified *verified)
{
    if (!verified)
        return;
    tls_mac_free(verified->mac);
    explicit_bzero(verified->slots, sizeof verified->slots);
    free(verified);
}

void verified_forget(struct verified *verified)
{
    verified->age++;
    explicit_bzero(verified->slots, sizeof verified->slots);
}

/* False when it may change once more and look the same. */
static bool note_file(const char *path, struct circumstances *to)
{
    struct timespec now;
    struct stat status;

    if (stat(path, &status) != 0)
        return errno == ENOENT;
    /* The change time, unlike the other, cannot be set; one in the future says nothing. */
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        status.st_ctim.tv_sec > now.tv_sec - SETTLED_SECONDS)
        return false;
    to->device = (uint64_t)status.st_dev;
    to->inode = (uint64_t)status.st_ino;
    to->size = (int64_t)status.st_size;
    to->modified = status.st_mtim;
    to->changed = status.st_ctim;
    return true;
}

bool verified_ask(struct verified *verified, const struct sasl_endpoint *endpoint,
                  const void *message, size_t len, const char *path,
                  struct verified_question *question)
{
    struct circumstances circumstances;

    question->asked = false;
    if (len == 0 || len > VERIFIED_MESSAGE_BYTES)
        return false;
    /* Octets between the members are digested too. */
    memset(&circumstances, 0, sizeof circumstances);
    circumstances.plaintext = endpoint->plaintext;
    circumstances.external_bits = endpoint->external_bits;
    circumstances.minimum_bits = endpoint->minimum_bits;
    circumstances.maximum_bits = endpoint->maximum_bits;
    question->age = verified->age;
    question->asked = note_file(path, &circumstances) &&
                      tls_mac_digest(verified->mac, &circumstances, sizeof circumstances, message,
                                     len, question->digest);
    return question->asked;
}

/* Nobody outside can aim at a slot, since the digest is keyed. */
static struct slot *slot_of(struct verified *verified, const struct verified_question *question)
{
    uint32_t number;

    memcpy(&number, question->digest, sizeof number);
    return &verified->slots[number % VERIFIED_SLOTS];
}

bool verified_find(struct verified *verified, const struct verified_question *question,
                   uint64_t now_ms, struct verified_login *login)
{
    const struct slot *slot;

    if (!question->asked || question->age != verified->age)
        return false;
    slot = slot_of(verified, question);
    if (slot->then_ms <= now_ms || !tls_mac_equal(slot->digest, question->digest))
        return false;
    login->user = slot->user;
    login->authenticated = slot->authenticated;
    return true;
}

void verified_keep(struct verified *verified, const struct verified_question *question,
                   uint64_t then_ms, const struct verified_login *login)
{
    struct slot *slot;

    if (!question->asked || question->age != verified->age ||
        strlen(login->user) >= VERIFIED_NAME_BYTES ||
        strlen(login->authenticated) >= VERIFIED_NAME_BYTES)
        return;
    slot = slot_of(verified, question);
    slot->then_ms = then_ms;
    memcpy(slot->digest, question->digest, sizeof slot->digest);
    strcpy(slot->user, login->user);
    strcpy(slot->authenticated, login->authenticated);
}
