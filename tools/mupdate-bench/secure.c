/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "secure.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "layer/sasl.h"
#include "layer/tls.h"
#include "report.h"
#include "wire/base64.h"

enum {
    ADDRESS_BYTES = NI_MAXHOST + NI_MAXSERV + 2,
    BINDING_BYTES = 256,
    STRONGEST_BITS = 256,
    PLAIN_BYTES = 1 << 18,
};

struct secure {
    const struct options *options;
    size_t number;
    struct layer_stack stack;
    struct buffer up;
    struct buffer down;
    struct sasl_client *sasl;
    enum sasl_progress progress;
};

/* Of the process, made when first needed; they stay to its end. */
static struct tls_context *tls_context;
static bool sasl_ready;

bool secure_wanted(const struct options *options)
{
    return options->tls || strcasecmp(options->mechanism, "PLAIN") != 0;
}

static _Noreturn void no_memory(void)
{
    report_failure(EX_OSERR, "no memory for TLS or SASL");
}

static void set_up(const struct options *options)
{
    struct tls_error tls_error;
    struct sasl_failure failure;
    const struct tls_client_options tls_options = {
        .ca_file = options->tls_ca, .accept_any_certificate = options->tls_ca == NULL};
    if (options->tls && tls_context == NULL) {
        tls_context = tls_context_client(&tls_options, &tls_error);
        if (tls_context == NULL) {
            report_failure(EX_UNAVAILABLE, "TLS: %s", tls_error.text);
        }
    }
    if (!sasl_ready && !sasl_client_setup(&failure)) {
        report_failure(EX_UNAVAILABLE, "SASL: %s", failure.text);
    }
    sasl_ready = true;
}

struct secure *secure_open(const struct options *options, size_t number)
{
    struct secure *secure = calloc(1, sizeof(*secure));
    if (secure == NULL) {
        no_memory();
    }
    set_up(options);
    secure->options = options;
    secure->number = number;
    layer_stack_init(&secure->stack);
    return secure;
}

void secure_close(struct secure *secure)
{
    if (secure == NULL) {
        return;
    }
    if (secure->sasl != NULL) {
        sasl_client_close(secure->sasl);
    }
    layer_stack_close(&secure->stack);
    buffer_free(&secure->up);
    buffer_free(&secure->down);
    free(secure);
}

void secure_start_tls(struct secure *secure)
{
    struct layer *layer = tls_layer_client(tls_context, secure->options->host, &secure->down);
    if (layer == NULL || !layer_stack_push(&secure->stack, layer)) {
        no_memory();
    }
}

bool secure_has_tls(const struct secure *secure)
{
    const struct layer *tls = layer_stack_get(&secure->stack, LAYER_TLS);
    return tls != NULL && tls_layer_established(tls);
}

bool secure_layered(const struct secure *secure)
{
    return secure != NULL && (layer_stack_get(&secure->stack, LAYER_TLS) != NULL ||
                              layer_stack_get(&secure->stack, LAYER_SASL) != NULL);
}

static void check(const struct secure *secure, enum layer_result result)
{
    if (result == LAYER_FAILED) {
        report_failure(EX_PROTOCOL, "connection %zu: TLS or SASL failed: %s", secure->number,
                       layer_stack_error(&secure->stack));
    }
}

const char *secure_receive(struct secure *secure, const char *data, size_t len, size_t *plain_len)
{
    secure->up.start = secure->up.end = 0; /* keeps its memory, other than buffer_clear() */
    enum layer_result result = layer_stack_receive(&secure->stack, data, len, &secure->up,
                                                   &secure->down, PLAIN_BYTES);
    check(secure, result);
    *plain_len = buffer_len(&secure->up);
    if (result == LAYER_CLOSED && *plain_len == 0) {
        return NULL;
    }
    return *plain_len == 0 ? "" : (const char *)buffer_bytes(&secure->up);
}

void secure_send(struct secure *secure, const char *data, size_t len)
{
    check(secure, layer_stack_send(&secure->stack, data, len, &secure->down));
}

const char *secure_waiting(const struct secure *secure, size_t *len)
{
    *len = buffer_len(&secure->down);
    return (const char *)buffer_bytes(&secure->down);
}

void secure_sent(struct secure *secure, size_t len)
{
    buffer_consume(&secure->down, len);
}

static char *give_password(void *context)
{
    const struct options *options = context;
    return strdup(options->password);
}

/* "address;port", as SASL wants it. */
static void address_text(int fd, int (*name_of)(int, struct sockaddr *, socklen_t *), char *text)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (name_of(fd, (struct sockaddr *)&address, &len) != 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        report_failure(EX_OSERR, "the address of a connection is not known");
    }
    snprintf(text, ADDRESS_BYTES, "%s;%s", host, port);
}

static void open_sasl(struct secure *secure, int fd)
{
    const struct options *options = secure->options;
    const struct layer *tls = layer_stack_get(&secure->stack, LAYER_TLS);
    char local[ADDRESS_BYTES];
    char remote[ADDRESS_BYTES];
    unsigned char binding[BINDING_BYTES];
    struct sasl_failure failure;
    const struct sasl_client_identity identity = {
        .user = options->user, .password = give_password, .context = (void *)(uintptr_t)options};
    /* Two layers of encryption protect no more than one. */
    struct sasl_endpoint endpoint = {.hostname = options->host, .plaintext = true,
                                     .local = local, .remote = remote,
                                     .maximum_bits = tls == NULL ? STRONGEST_BITS : 0};
    address_text(fd, getsockname, local);
    address_text(fd, getpeername, remote);
    if (tls != NULL) {
        endpoint.external_bits = tls_layer_bits(tls);
        endpoint.binding_len =
            tls_layer_binding(tls, binding, sizeof(binding), &endpoint.binding_name);
        endpoint.binding = endpoint.binding_len > 0 ? binding : NULL;
    }
    secure->sasl = sasl_client_open(&endpoint, &identity, &failure);
    if (secure->sasl == NULL) {
        report_failure(EX_UNAVAILABLE, "SASL: %s", failure.text);
    }
}

static void put_base64(struct octets *out, const void *data, size_t len)
{
    size_t encoded_len = base64_encoded_len(len);
    octets_reserve(out, encoded_len);
    base64_encode(out->data + out->end, data, len);
    out->end += encoded_len;
}

void secure_begin(struct secure *secure, int fd, struct octets *out)
{
    const char *mechanism = NULL;
    const void *initial = NULL;
    size_t len = 0;
    struct sasl_failure failure;
    open_sasl(secure, fd);
    secure->progress = sasl_client_begin(secure->sasl, secure->options->mechanism, &mechanism,
                                         &initial, &len, &failure);
    if (secure->progress == SASL_PROGRESS_FAILED) {
        report_failure(EX_NOPERM, "connection %zu: %s: %s", secure->number,
                       secure->options->mechanism, failure.text);
    }
    size_t word_len = strlen(mechanism);
    octets_reserve(out, word_len + 64);
    octets_put(out, "A01 AUTHENTICATE \"", 18);
    octets_put(out, mechanism, word_len);
    octets_put(out, "\"", 1);
    if (initial != NULL) {
        octets_put(out, " {", 2);
        octets_put_number(out, base64_encoded_len(len));
        octets_put(out, "+}\r\n", 4);
        put_base64(out, initial, len);
    }
    octets_reserve(out, 2);
    octets_put(out, "\r\n", 2);
}

void secure_answer(struct secure *secure, const char *challenge, size_t len, struct octets *out)
{
    struct sasl_failure failure;
    const void *said = NULL;
    size_t said_len = 0;
    size_t decoded;
    uint8_t *octets = malloc(len + 1);
    if (octets == NULL) {
        no_memory();
    }
    memcpy(octets, challenge, len);
    if (secure->progress == SASL_PROGRESS_DONE || !base64_decode(octets, len, &decoded)) {
        report_failure(EX_PROTOCOL, "connection %zu: not a challenge of %s: %.*s", secure->number,
                       secure->options->mechanism, (int)(len < 100 ? len : 100), challenge);
    }
    secure->progress =
        sasl_client_continue(secure->sasl, octets, decoded, &said, &said_len, &failure);
    free(octets);
    if (secure->progress == SASL_PROGRESS_FAILED) {
        report_failure(EX_NOPERM, "connection %zu: %s: %s", secure->number,
                       secure->options->mechanism, failure.text);
    }
    put_base64(out, said == NULL ? "" : said, said_len);
    octets_reserve(out, 2);
    octets_put(out, "\r\n", 2);
}

void secure_end(struct secure *secure)
{
    struct sasl_failure failure;
    bool failed = false;
    if (secure->sasl == NULL) {
        return;
    }
    if (secure->progress != SASL_PROGRESS_DONE) {
        report_failure(EX_PROTOCOL,
                       "connection %zu: OK from a server that has not proved the password",
                       secure->number);
    }
    struct layer *layer = sasl_client_layer(&secure->sasl, &failed, &failure);
    if (failed) {
        report_failure(EX_PROTOCOL, "connection %zu: SASL: %s", secure->number, failure.text);
    }
    if (layer != NULL && !layer_stack_push(&secure->stack, layer)) {
        no_memory();
    }
    if (secure->sasl != NULL) {
        sasl_client_close(secure->sasl);
        secure->sasl = NULL;
    }
}
