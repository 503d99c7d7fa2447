/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <string.h>

#include "sasl_support.h"

#define THREADS 4
#define LOGINS 20

/* Failed assertions of cmocka do not work off the main thread: count instead. */
static void *log_in_often(void *context)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-256", "DIGEST-MD5", "CRAM-MD5", "PLAIN"};
    unsigned first = *(unsigned *)context;
    size_t wrong = 0;

    for (unsigned i = first; i < first + LOGINS; i++) {
        bool right = i % 3 != 0;
        struct sasl_endpoint endpoint = endpoint_of(i % 2 ? 256 : 0);
        struct sasl_server *server = server_open(&endpoint);
        struct sasl_client *client =
            client_open(&endpoint, right || i % 2 ? "murder" : "nobody", NULL,
                        right ? "Murder Pw" : "no password");
        struct sasl_failure failure;
        struct layer *layer;
        struct login login;
        bool failed;

        log_in(server, client, mechanisms[i % 4], &login);
        wrong += ended(login.server, 'D') != right;
        if (right) {
            wrong += !sasl_server_user(server) || strcmp(sasl_server_user(server), "murder") != 0;
            layer = sasl_server_layer(&server, &failed, &failure);
            wrong += failed;
            if (layer)
                layer->ops->free(layer);
        }
        sasl_client_close(client);
        sasl_server_close(server);
    }
    return (void *)wrong;
}

static void logins_in_many_threads_do_not_disturb_each_other(void **state)
{
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, log_in_often, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *wrong = &threads;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

struct relay {
    struct sasl_server *server;
    const void *in;
    size_t in_len;
    const void *out;
    size_t out_len;
    enum sasl_progress progress;
};

static void *one_step(void *context)
{
    struct relay *relay = context;
    struct sasl_failure failure;

    relay->progress = sasl_server_continue(relay->server, relay->in, relay->in_len, &relay->out,
                                           &relay->out_len, &failure);
    return NULL;
}

static void an_exchange_may_go_on_in_another_thread(void **state)
{
    struct sasl_endpoint endpoint = endpoint_of(0);
    struct sasl_server *server = server_open(&endpoint);
    struct sasl_client *client = client_open(&endpoint, "murder", NULL, "Murder Pw");
    struct relay relay = {.server = server};
    struct sasl_failure failure;
    const char *chosen;

    (void)state;
    sasl_client_begin(client, "SCRAM-SHA-256", &chosen, &relay.in, &relay.in_len, &failure);
    relay.progress = sasl_server_begin(server, chosen, relay.in, relay.in_len, &relay.out,
                                       &relay.out_len, &failure);
    while (relay.progress == SASL_PROGRESS_CHALLENGE) {
        pthread_t thread;

        assert_int_not_equal(sasl_client_continue(client, relay.out, relay.out_len, &relay.in,
                                                  &relay.in_len, &failure),
                             SASL_PROGRESS_FAILED);
        assert_int_equal(pthread_create(&thread, NULL, one_step, &relay), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_int_equal(relay.progress, SASL_PROGRESS_DONE);
    assert_string_equal(sasl_server_user(server), "murder");
    sasl_client_close(client);
    sasl_server_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logins_in_many_threads_do_not_disturb_each_other),
        cmocka_unit_test(an_exchange_may_go_on_in_another_thread),
    };

    return cmocka_run_group_tests(tests, sasl_group_setup, sasl_group_teardown);
}
