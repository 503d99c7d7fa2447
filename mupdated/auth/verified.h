/*
 * Logins that were verified lately: who sends the same message again within
 * the lifetime need not be verified again.
 *
 * What is kept is a digest of all that the verification looked at, under a key
 * that only this process has, and what came of it: never a password, never a
 * refusal. So a message that differs in one octet (another user, password or
 * identity to act as) is simply not known. What the login may do is no part of
 * it and is for the caller to decide each time.
 *
 * An object belongs to one thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef AUTH_VERIFIED_H
#define AUTH_VERIFIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layer/sasl.h"
#include "layer/tls_mac.h"

/* How many are kept at most: of two that fall on one slot the later one stays. */
#define VERIFIED_SLOTS 256

/* A longer message is not kept; nor is a name. */
#define VERIFIED_MESSAGE_BYTES 1024
#define VERIFIED_NAME_BYTES 256

struct verified;

/* NULL: no memory or no random numbers. */
struct verified *verified_new(void);
void verified_free(struct verified *verified);

/*
 * Forget all, for good: also what was under way, so that verified_keep() of a
 * question asked before does nothing.
 */
void verified_forget(struct verified *verified);

/* A login that is looked for, or to be kept once it is verified. */
struct verified_question {
    bool asked; /* otherwise nothing is found or kept */
    uint64_t age;
    unsigned char digest[TLS_MAC_BYTES];
};

/*
 * Make *question of the message, the policy of its connection (endpoint), and
 * the password file as it is now. Not asked, and false, when the file's state
 * says nothing for sure: it was changed less than two seconds ago, so that the
 * next change might leave the same time behind, or cannot be looked at. A file
 * that does not exist is a state as well. path is looked at with stat(2): it is
 * to be on a local disk.
 */
bool verified_ask(struct verified *verified, const struct sasl_endpoint *endpoint,
                  const void *message, size_t len, const char *path,
                  struct verified_question *question);

/* Who that was; texts are the object's, valid until the next call. */
struct verified_login {
    const char *user;          /* whom the client acts as */
    const char *authenticated; /* whose password it is */
};

/* now_ms is any clock that never goes back. False: not known. */
bool verified_find(struct verified *verified, const struct verified_question *question,
                   uint64_t now_ms, struct verified_login *login);

/* The question was verified: login is the answer until then_ms. */
void verified_keep(struct verified *verified, const struct verified_question *question,
                   uint64_t then_ms, const struct verified_login *login);

#endif
