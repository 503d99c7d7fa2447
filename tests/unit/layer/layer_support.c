/* SPDX-License-Identifier: BSD-3-Clause */
#include "layer_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layer/tls.h"

/* A SASL layer decodes whole packets. */
#define SLACK_BYTES (68 * 1024)

void peer_init(struct peer *peer)
{
    memset(peer, 0, sizeof *peer);
    layer_stack_init(&peer->stack);
}

void peer_close(struct peer *peer)
{
    layer_stack_close(&peer->stack);
    buffer_free(&peer->wire);
    buffer_free(&peer->got);
}

void peer_say(struct peer *peer, const void *data, size_t len)
{
    assert_int_equal(layer_stack_send(&peer->stack, data, len, &peer->wire), LAYER_OK);
}

static enum layer_result deliver(struct peer *from, struct peer *to, size_t piece, size_t limit)
{
    bool sasl = layer_stack_get(&to->stack, LAYER_SASL) != NULL;
    bool empty = !sasl && !layer_stack_get(&to->stack, LAYER_TLS) &&
                 !layer_stack_get(&to->stack, LAYER_DEFLATE);
    enum layer_result result = LAYER_OK;

    while (buffer_len(&from->wire) > 0 && result == LAYER_OK) {
        size_t len = 1 + next_random() % piece;
        struct buffer up = {0};

        if (len > buffer_len(&from->wire))
            len = buffer_len(&from->wire);
        result = layer_stack_receive(&to->stack, buffer_bytes(&from->wire), len, &up, &to->wire,
                                     limit);
        buffer_consume(&from->wire, len);
        for (;;) {
            assert_true(empty || buffer_len(&up) <= limit + (sasl ? SLACK_BYTES : 0));
            buffer_append(&to->got, buffer_bytes(&up), buffer_len(&up));
            buffer_free(&up);
            if (!layer_stack_pending(&to->stack))
                break;
            assert_int_equal(result, LAYER_OK);
            result = layer_stack_receive(&to->stack, NULL, 0, &up, &to->wire, limit);
        }
    }
    return result;
}

enum layer_result peers_talk(struct peer *one, struct peer *other, size_t piece, size_t limit)
{
    while (buffer_len(&one->wire) > 0 || buffer_len(&other->wire) > 0) {
        enum layer_result result = deliver(one, other, piece, limit);

        if (result == LAYER_OK)
            result = deliver(other, one, piece, limit);
        if (result != LAYER_OK)
            return result;
    }
    return LAYER_OK;
}

unsigned next_random(void)
{
    static uint32_t state = 2463534242u;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

uint8_t *some_bytes(size_t len)
{
    uint8_t *bytes = malloc(len ? len : 1);
    size_t at = 0;

    assert_non_null(bytes);
    while (at < len) {
        size_t run_len = 1 + next_random() % 100;
        unsigned value = next_random();

        for (; run_len > 0 && at < len; run_len--)
            bytes[at++] = (uint8_t)(value & 1 ? value >> 8 : next_random());
    }
    return bytes;
}

static char directory[64];

static void remove_directory(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    if (system(command) != 0)
        fprintf(stderr, "%s stays behind\n", directory);
}

const char *temp_dir(void)
{
    if (!directory[0]) {
        strcpy(directory, "/tmp/mupdate-layer-XXXXXX");
        assert_non_null(mkdtemp(directory));
        atexit(remove_directory);
    }
    return directory;
}

const char *temp_path(const char *name)
{
    static char paths[8][128];
    static unsigned turn;
    char *path = paths[turn++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", temp_dir(), name);
    return path;
}

void run(const char *command)
{
    char line[1024];
    int len = snprintf(line, sizeof line, "cd '%s' && { %s; } >log 2>&1 || { cat log; false; }",
                       temp_dir(), command);

    assert_in_range(len, 1, sizeof line - 1);
    assert_int_equal(system(line), 0);
}

#define KEY "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
#define SIGN \
    "openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy -days 2 "

void make_certificates(void)
{
    if (access(temp_path("server.pem"), R_OK) == 0)
        return;
    run("openssl req -x509 " KEY "-days 2 -subj /CN=Test-CA -keyout ca.key -out ca.pem");
    run("openssl req -x509 " KEY "-days 2 -subj /CN=Other-CA -keyout other.key -out otherca.pem");
    run("openssl req -new " KEY "-subj /CN=mupdate.test -keyout server.key -out server.csr "
        "-addext subjectAltName=DNS:mupdate.test,IP:127.0.0.1");
    run(SIGN "-in server.csr -out server.pem");
    run("openssl req -new " KEY "-subj /CN=frontend -keyout client.key -out client.csr");
    run(SIGN "-in client.csr -out client.pem");
}

struct tls_context *server_context(void)
{
    struct tls_server_options options = {
        .cert_file = temp_path("server.pem"),
        .key_file = temp_path("server.key"),
    };
    struct tls_error error = {{0}};
    struct tls_context *context;

    make_certificates();
    context = tls_context_server(&options, &error);
    assert_string_equal(error.text, "");
    assert_non_null(context);
    return context;
}

struct tls_context *client_context(void)
{
    struct tls_client_options options = {.ca_file = temp_path("ca.pem")};
    struct tls_error error = {{0}};
    struct tls_context *context;

    make_certificates();
    context = tls_context_client(&options, &error);
    assert_string_equal(error.text, "");
    assert_non_null(context);
    return context;
}
