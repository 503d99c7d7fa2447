/*
 * A server that follows a script, in a thread, for one connection of a client
 * under test.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_CONNECT_SCRIPT_H
#define TESTS_CONNECT_SCRIPT_H

#include <mupdate/connect.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "layer/layer.h"

#define BANNER_END "* OK MUPDATE \"mupdate.test\" \"Test\" \"1\" \"(master)\"\r\n"
#define BANNER     "* AUTH \"PLAIN\"\r\n" BANNER_END

/* Longer than any step takes on a slow host, for what must not time out. */
#define PATIENT_MS 20000

struct script;
typedef void script_function(struct script *script);

struct script {
    int listener;
    char port[8];
    script_function *function;
    pthread_t thread;
    int fd; /* of the connection */
    struct layer_stack stack;
    struct buffer down;
    struct buffer up;
    char tag[32];
    char command[4096]; /* the last one, behind the tag, without CR LF at its end */
    const char *wrong;  /* what did not go by the script; NULL: nothing */
    const char *word;   /* anything that the test wants to tell its script */
};

/* Listen on 127.0.0.1 and run the function for the first connection; word may be NULL. */
void script_start(struct script *script, script_function *function, const char *word);

/* The same on a local socket. */
void script_start_unix(struct script *script, script_function *function, const char *path);

/* Wait for the end of the script; the test fails when the client did not keep to it. */
void script_end(struct script *script);

/* Options to connect to the script without TLS. */
struct mupdate_connect_options script_options(const struct script *script);

/* For the functions: send, expect a command whose words behind the tag begin so, answer with its
 * tag. */
void script_say(struct script *script, const char *text);
void script_expect(struct script *script, const char *command);
void script_reply(struct script *script, const char *text);

/* A line without its end into script->command. */
void script_line(struct script *script);

/* The client must close, or say LOGOUT (which gets its BYE) and close. */
void script_expect_end(struct script *script);

#endif
