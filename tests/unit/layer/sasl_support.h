/*
 * A Cyrus-SASL with users of its own, and logins in memory.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef TESTS_SASL_SUPPORT_H
#define TESTS_SASL_SUPPORT_H

#include "layer/sasl.h"
#include "layer_support.h"

#define REALM "mupdate.test"

/*
 * For cmocka's group: both sides of Cyrus-SASL, with sasldb in temp_dir():
 * murder (password "Murder Pw"), admin ("Admin Pw") and "(invalid)"
 * ("Invalid Pw") in REALM, visitor ("Visitor Pw") in elsewhere.test.
 */
int sasl_group_setup(void **state);
int sasl_group_teardown(void **state);

/* Settings that a test adds; NULL value: not set. */
void sasl_set(const char *name, const char *value);

/* The last thing that Cyrus-SASL logged for the server. */
const char *sasl_logged(void);

/* PLAIN allowed, layers up to maximum_bits. */
struct sasl_endpoint endpoint_of(unsigned maximum_bits);

/* The same, but at least minimum_bits too. */
struct sasl_endpoint endpoint_between(unsigned minimum_bits, unsigned maximum_bits);

/* Lets nobody but admin act as others. */
bool only_admin(void *context, const char *authenticated, const char *wanted);

struct sasl_server *server_open(const struct sasl_endpoint *endpoint);

/* A client; password is copied by the caller's side when asked. */
struct sasl_client *client_open(const struct sasl_endpoint *endpoint, const char *user,
                                const char *authorize, const char *password);

/* What happened in a login, each side's steps in letters: Challenge, Done, Failed. */
struct login {
    char server[16];
    char client[16];
    char mechanism[32];
    struct sasl_failure failure; /* of whoever failed */
    bool initial;                /* the client began with a response */
};

/* Log in until one side fails or the server is done. */
void log_in(struct sasl_server *server, struct sasl_client *client, const char *mechanism,
            struct login *login);

/* Whether the last letter of a side is progress. */
bool ended(const char *steps, char letter);

#endif
