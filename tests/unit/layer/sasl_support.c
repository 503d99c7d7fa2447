/* SPDX-License-Identifier: BSD-3-Clause */
#include "sasl_support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *name;
    const char *value;
} settings[16];

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char logged[512];

void sasl_set(const char *name, const char *value)
{
    size_t i = 0;

    while (settings[i].name && strcmp(settings[i].name, name) != 0)
        i++;
    assert_in_range(i, 0, 14);
    settings[i].name = name;
    settings[i].value = value;
}

static const char *lookup(void *context, const char *name)
{
    assert_ptr_equal(context, settings);
    for (size_t i = 0; settings[i].name; i++) {
        if (strcasecmp(settings[i].name, name) == 0)
            return settings[i].value;
    }
    return NULL;
}

static void take_log(void *context, int level, const char *text)
{
    (void)context;
    pthread_mutex_lock(&log_lock);
    snprintf(logged, sizeof logged, "%d %s", level, text);
    pthread_mutex_unlock(&log_lock);
}

const char *sasl_logged(void)
{
    return logged;
}

int sasl_group_setup(void **state)
{
    static char sasldb[128];
    struct sasl_failure failure;

    (void)state;
    run("printf 'Murder Pw' | /usr/sbin/saslpasswd2 -p -c -f sasldb -u " REALM " murder");
    run("printf 'Admin Pw' | /usr/sbin/saslpasswd2 -p -c -f sasldb -u " REALM " admin");
    run("printf 'Visitor Pw' | /usr/sbin/saslpasswd2 -p -c -f sasldb -u elsewhere.test visitor");
    run("printf 'Invalid Pw' | /usr/sbin/saslpasswd2 -p -c -f sasldb -u " REALM " '(invalid)'");
    snprintf(sasldb, sizeof sasldb, "%s", temp_path("sasldb"));
    sasl_set("sasldb_path", sasldb);
    sasl_set("pwcheck_method", "auxprop");
    sasl_set("auxprop_plugin", "sasldb");
    if (!sasl_server_setup(lookup, take_log, settings, &failure) || !sasl_client_setup(&failure)) {
        fprintf(stderr, "%s\n", failure.text);
        return -1;
    }
    return 0;
}

int sasl_group_teardown(void **state)
{
    (void)state;
    sasl_teardown();
    return 0;
}

struct sasl_endpoint endpoint_of(unsigned maximum_bits)
{
    struct sasl_endpoint endpoint = {
        .hostname = REALM,
        .local = "127.0.0.1;3905",
        .remote = "127.0.0.2;4000",
        .plaintext = true,
        .maximum_bits = maximum_bits,
    };

    return endpoint;
}

struct sasl_endpoint endpoint_between(unsigned minimum_bits, unsigned maximum_bits)
{
    struct sasl_endpoint endpoint = endpoint_of(maximum_bits);

    endpoint.minimum_bits = minimum_bits;
    return endpoint;
}

bool only_admin(void *context, const char *authenticated, const char *wanted)
{
    (void)context;
    (void)wanted;
    return strcmp(authenticated, "admin") == 0;
}

struct sasl_server *server_open(const struct sasl_endpoint *endpoint)
{
    struct sasl_failure failure = {.text = ""};
    struct sasl_server *server = sasl_server_open(endpoint, only_admin, NULL, &failure);

    assert_string_equal(failure.text, "");
    assert_non_null(server);
    return server;
}

static char *give_password(void *context)
{
    return context ? strdup(context) : NULL;
}

struct sasl_client *client_open(const struct sasl_endpoint *endpoint, const char *user,
                                const char *authorize, const char *password)
{
    struct sasl_client_identity identity = {
        .user = user,
        .authorize = authorize,
        .password = give_password,
        .context = (void *)(uintptr_t)password,
    };
    struct sasl_failure failure = {.text = ""};
    struct sasl_client *client = sasl_client_open(endpoint, &identity, &failure);

    assert_string_equal(failure.text, "");
    assert_non_null(client);
    return client;
}

static void add_step(char *steps, enum sasl_progress progress)
{
    size_t len = strlen(steps);

    assert_in_range(len, 0, 14);
    steps[len] = "CDF"[progress];
    steps[len + 1] = '\0';
}

bool ended(const char *steps, char letter)
{
    return steps[0] && steps[strlen(steps) - 1] == letter;
}

void log_in(struct sasl_server *server, struct sasl_client *client, const char *mechanism,
            struct login *login)
{
    const char *chosen = NULL;
    const void *said, *answer;
    size_t said_len, answer_len;
    enum sasl_progress progress;

    memset(login, 0, sizeof *login);
    progress = sasl_client_begin(client, mechanism, &chosen, &said, &said_len, &login->failure);
    add_step(login->client, progress);
    if (progress == SASL_PROGRESS_FAILED)
        return;
    snprintf(login->mechanism, sizeof login->mechanism, "%s", chosen);
    login->initial = said != NULL;
    progress = sasl_server_begin(server, chosen, said, said_len, &answer, &answer_len,
                                 &login->failure);
    add_step(login->server, progress);
    while (progress == SASL_PROGRESS_CHALLENGE) {
        assert_non_null(answer);
        progress = sasl_client_continue(client, answer, answer_len, &said, &said_len,
                                        &login->failure);
        add_step(login->client, progress);
        if (progress == SASL_PROGRESS_FAILED)
            return;
        progress = sasl_server_continue(server, said, said_len, &answer, &answer_len,
                                        &login->failure);
        add_step(login->server, progress);
    }
}
