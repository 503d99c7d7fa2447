/*
 * Two ends of a connection in memory, and files that layers need.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_LAYER_SUPPORT_H
#define TESTS_LAYER_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "layer/layer.h"

/* One end: its layers, what it has to say, what it was told. */
struct peer {
    struct layer_stack stack;
    struct buffer wire;
    struct buffer got;
};

void peer_init(struct peer *peer);
void peer_close(struct peer *peer);

/* What an end tells the other; any result but LAYER_OK fails the test. */
void peer_say(struct peer *peer, const void *data, size_t len);

/*
 * Carry bytes both ways until nobody has anything to say, in pieces of 1 to
 * piece bytes (random), asking for at most limit bytes at a time. Returns the
 * first result that is not LAYER_OK; what its layers said before is still on
 * the wire.
 */
enum layer_result peers_talk(struct peer *one, struct peer *other, size_t piece, size_t limit);

/* The same numbers in every run. */
unsigned next_random(void);

/* len bytes that are half noise, half repetition. The caller frees them. */
uint8_t *some_bytes(size_t len);

/* A directory of the running test program, made at first use and removed at its end. */
const char *temp_dir(void);

/* The path of a file in it; valid until the eighth next call. */
const char *temp_path(const char *name);

/* Run a shell command in it; a failure fails the test. */
void run(const char *command);

/*
 * In temp_dir(): ca.pem; server.pem and server.key for the names mupdate.test
 * and 127.0.0.1; client.pem and client.key for "frontend"; other.key;
 * otherca.pem.
 */
void make_certificates(void);

/* The context of a server with these; of a client that trusts ca.pem. */
struct tls_context *server_context(void);
struct tls_context *client_context(void);

#endif
