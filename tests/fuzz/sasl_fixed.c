/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/sasl_fixed.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <sasl/saslutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PASSWORD "Murder Pw"
#define REALM "mupdate.test"

/* A SASL layer decodes whole packets. */
#define SLACK_BYTES (68 * 1024)

const char *const sasl_fixed_mechanisms[SASL_FIXED_MECHANISMS] = {
    "PLAIN",      "LOGIN",      "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256",
    "NONE",       "DIGEST-MD5", "PLAIN",    "DIGEST-MD5", "LOGIN",       "DIGEST-MD5",
    "DIGEST-MD5", "CRAM-MD5",   "PLAIN",    "DIGEST-MD5",
};

static uint64_t random_state;

/* In place of the library's own. */
__attribute__((visibility("default")))
void sasl_rand(sasl_rand_t *pool, char *to, unsigned len)
{
    (void)pool;
    for (unsigned i = 0; i < len; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        to[i] = (char)(random_state >> 56);
    }
}

static const char *lookup(void *context, const char *name)
{
    static const char *const settings[][2] = {
        { "mech_list", "PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256" },
        { "pwcheck_method", "auxprop" },
        { "auxprop_plugin", "fixed" },
        { "scram_iteration_counter", "16" }, /* for speed */
        /* Nothing is kept for the next login. */
        { "reauth_timeout", "0" },
    };

    (void)context;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcasecmp(settings[i][0], name) == 0)
            return settings[i][1];
    }
    return NULL;
}

static int give_user(void *global, sasl_server_params_t *params, unsigned flags, const char *user,
                     unsigned len)
{
    static const char *const known[] = { SASL_FIXED_USER, SASL_FIXED_USER "@" REALM };
    const struct propval *property = params->utils->prop_get(params->propctx);
    bool is_known = false;

    (void)global;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        is_known |= len == strlen(known[i]) && memcmp(user, known[i], len) == 0;
    if (!is_known || !property)
        return SASL_NOUSER;
    for (; property->name && !(flags & SASL_AUXPROP_AUTHZID); property++) {
        if (strcasecmp(property->name, "*userPassword") == 0)
            return params->utils->prop_set(params->propctx, property->name, PASSWORD,
                                           strlen(PASSWORD));
    }
    return SASL_OK;
}

static int source_init(const sasl_utils_t *utils, int max_version, int *out_version,
                       sasl_auxprop_plug_t **plugin, const char *name)
{
    static char own_name[] = "fixed";
    static sasl_auxprop_plug_t source = { .auxprop_lookup = give_user, .name = own_name };

    (void)utils;
    (void)max_version;
    (void)name;
    *out_version = SASL_AUXPROP_PLUG_VERSION;
    *plugin = &source;
    return SASL_OK;
}

static void set_up(void)
{
    static bool done;
    struct sasl_failure failure;

    random_state = 1;
    if (done)
        return;
    done = true;
    FUZZ_CHECK(sasl_server_setup(lookup, NULL, NULL, &failure));
    FUZZ_CHECK(sasl_client_setup(&failure));
    FUZZ_CHECK(sasl_auxprop_add_plugin("fixed", source_init) == SASL_OK);
}

static const struct sasl_endpoint *endpoint(void)
{
    static const struct sasl_endpoint fixed = {
        .hostname = REALM,
        .local = "127.0.0.1;3905",
        .remote = "127.0.0.2;4000",
        .plaintext = true,
        .maximum_bits = 1,
    };

    return &fixed;
}

struct sasl_server *sasl_fixed_server(void)
{
    struct sasl_failure failure;
    struct sasl_server *server;

    set_up();
    server = sasl_server_open(endpoint(), NULL, NULL, &failure);
    FUZZ_CHECK(server != NULL);
    return server;
}

static char *give_password(void *context)
{
    (void)context;
    return strdup(PASSWORD);
}

struct sasl_client *sasl_fixed_client(void)
{
    static const struct sasl_client_identity identity = { .user = SASL_FIXED_USER,
                                                          .password = give_password };
    struct sasl_failure failure;
    struct sasl_client *client;

    set_up();
    client = sasl_client_open(endpoint(), &identity, &failure);
    FUZZ_CHECK(client != NULL);
    return client;
}

void sasl_fixed_push(struct pair *pair)
{
    struct sasl_server *server = sasl_fixed_server();
    struct sasl_client *client = sasl_fixed_client();
    struct sasl_failure failure = {.text = ""};
    const char *mechanism;
    const void *said, *answer;
    size_t said_len, answer_len;
    enum sasl_progress progress;
    struct layer *layers[2];
    bool failed[2];

    FUZZ_CHECK(sasl_client_begin(client, "DIGEST-MD5", &mechanism, &said, &said_len, &failure) !=
               SASL_PROGRESS_FAILED);
    progress = sasl_server_begin(server, mechanism, said, said_len, &answer, &answer_len, &failure);
    while (progress == SASL_PROGRESS_CHALLENGE) {
        FUZZ_CHECK(sasl_client_continue(client, answer, answer_len, &said, &said_len, &failure) !=
                   SASL_PROGRESS_FAILED);
        progress = sasl_server_continue(server, said, said_len, &answer, &answer_len, &failure);
    }
    if (progress == SASL_PROGRESS_FAILED)
        fprintf(stderr, "%s\n", failure.text);
    FUZZ_CHECK(progress == SASL_PROGRESS_DONE);
    layers[0] = sasl_server_layer(&server, &failed[0], &failure);
    layers[1] = sasl_client_layer(&client, &failed[1], &failure);
    for (int i = 0; i < 2; i++) {
        FUZZ_CHECK(!failed[i] && layers[i] != NULL);
        FUZZ_CHECK(layer_stack_push(&pair->ends[i].stack, layers[i]));
    }
    sasl_server_close(server);
    sasl_client_close(client);
    pair->keeps = true;
    pair->slack = SLACK_BYTES;
}
