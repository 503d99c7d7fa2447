/* SPDX-License-Identifier: BSD-3-Clause */
#include "layer/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer/tls_context.h"

/* The most that one TLS record holds. */
#define RECORD_BYTES 16384

enum tls_state {
    TLS_HANDSHAKE,
    TLS_ESTABLISHED,
    TLS_CLOSED, /* the peer said that it sends no more */
    TLS_BROKEN,
};

struct tls_layer {
    struct layer layer;
    struct tls_context *context;
    SSL *ssl;
    struct tls_ends ends;
    enum tls_state state;
    struct buffer early; /* what was sent before the handshake was complete */
    char *refused;       /* the subject of the peer's certificate that was refused, or NULL */
    char error[256];
};

static struct tls_layer *tls_layer(const struct layer *layer)
{
    return (struct tls_layer *)layer;
}

/* --- a BIO between OpenSSL and two struct buffer ---------------------------- */

static int ends_read(BIO *bio, char *data, size_t size, size_t *len)
{
    struct tls_ends *ends = BIO_get_data(bio);
    size_t held = ends->in ? buffer_len(ends->in) : 0;

    BIO_clear_retry_flags(bio);
    if (held == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    *len = size < held ? size : held;
    /* gcc-analyzer(null-argument): a buffer that holds octets has data */
    memcpy(data, buffer_bytes(ends->in), *len);
    buffer_consume(ends->in, *len);
    return 1;
}

static int ends_write(BIO *bio, const char *data, size_t size, size_t *len)
{
    struct tls_ends *ends = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    buffer_append(ends->down, data, size);
    if (ends->down->failed)
        return 0;
    *len = size;
    return 1;
}

static long ends_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_buffers_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "buffers");

    if (method && BIO_meth_set_read_ex(method, ends_read) &&
        BIO_meth_set_write_ex(method, ends_write) && BIO_meth_set_ctrl(method, ends_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* --- the layer -------------------------------------------------------------- */

/* Every call into OpenSSL is between these: nothing old is in the error queue. */
static void tls_enter(struct tls_layer *self, struct buffer *in, struct buffer *down)
{
    self->ends.in = in;
    self->ends.down = down;
    ERR_clear_error();
}

/* What the peer's alert means, in words for an operator; NULL: OpenSSL's own are as good. */
static const char *alert_text(int alert)
{
    switch (alert) {
    case SSL3_AD_HANDSHAKE_FAILURE:
        return "the peer finds no common ground, or misses a certificate";
    case SSL3_AD_BAD_CERTIFICATE:
        return "the peer refuses this side's certificate: it is damaged or not valid yet";
    case SSL3_AD_UNSUPPORTED_CERTIFICATE:
        return "the peer refuses this side's certificate: it is made for another purpose";
    case SSL3_AD_CERTIFICATE_REVOKED:
        return "the peer refuses this side's certificate: it was revoked";
    case SSL3_AD_CERTIFICATE_EXPIRED:
        return "the peer refuses this side's certificate: it has expired, or what the peer knows "
               "of revoked ones has";
    case SSL3_AD_CERTIFICATE_UNKNOWN:
        return "the peer refuses this side's certificate";
    case TLS1_AD_UNKNOWN_CA:
        return "the peer refuses this side's certificate: it does not know the CA, or nothing of "
               "what that revoked";
    case TLS1_AD_PROTOCOL_VERSION:
        return "the peer speaks none of this side's versions of TLS";
    case TLS13_AD_CERTIFICATE_REQUIRED:
        return "the peer wants a certificate, and this side has shown none";
    default:
        return NULL;
    }
}

static enum layer_result tls_failed(struct tls_layer *self, const char *doing)
{
    long verified = SSL_get_verify_result(self->ssl);
    int code = ERR_GET_REASON(ERR_peek_error());
    const char *alert = alert_text(code - SSL_AD_REASON_OFFSET);
    char reason[160];

    if (code == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
        snprintf(reason, sizeof reason, "the peer's certificate is refused: %s",
                 X509_verify_cert_error_string(verified));
        ERR_clear_error();
    } else if (alert) {
        snprintf(reason, sizeof reason, "%s", alert);
        ERR_clear_error();
    } else {
        tls_take_error(reason, sizeof reason);
    }
    snprintf(self->error, sizeof self->error, "TLS %s: %s", doing, reason);
    self->state = TLS_BROKEN;
    return LAYER_FAILED;
}

static enum layer_result tls_write(struct tls_layer *self, const void *data, size_t len,
                                   struct buffer *down)
{
    const unsigned char *bytes = data;

    while (len > 0) {
        size_t written = 0;

        tls_enter(self, NULL, down);
        if (SSL_write_ex(self->ssl, bytes, len, &written) != 1)
            return tls_failed(self, "sending");
        bytes += written;
        len -= written;
    }
    return LAYER_OK;
}

/* LAYER_OK with the state unchanged: more is needed from the peer. */
static enum layer_result tls_handshake(struct tls_layer *self, struct buffer *in,
                                       struct buffer *down)
{
    enum layer_result result;
    int code;

    tls_enter(self, in, down);
    code = SSL_do_handshake(self->ssl);
    if (code != 1) {
        if (SSL_get_error(self->ssl, code) == SSL_ERROR_WANT_READ)
            return LAYER_OK;
        return tls_failed(self, "handshake");
    }
    self->state = TLS_ESTABLISHED;
    result = tls_write(self, buffer_bytes(&self->early), buffer_len(&self->early), down);
    buffer_free(&self->early);
    return result;
}

static enum layer_result tls_receive(struct layer *layer, struct buffer *in, struct buffer *up,
                                     struct buffer *down, size_t limit, bool *pending)
{
    struct tls_layer *self = tls_layer(layer);

    *pending = false;
    if (self->state == TLS_HANDSHAKE && tls_handshake(self, in, down) != LAYER_OK)
        return LAYER_FAILED;
    while (self->state == TLS_ESTABLISHED && buffer_len(up) < limit) {
        size_t room = limit - buffer_len(up);
        uint8_t *to;
        size_t len = 0;
        int code;

        if (room > RECORD_BYTES)
            room = RECORD_BYTES;
        to = buffer_reserve(up, room);
        if (!to) {
            snprintf(self->error, sizeof self->error, "TLS receiving: out of memory");
            self->state = TLS_BROKEN;
            return LAYER_FAILED;
        }
        tls_enter(self, in, down);
        code = SSL_read_ex(self->ssl, to, room, &len);
        if (code == 1) {
            buffer_added(up, len);
            continue;
        }
        switch (SSL_get_error(self->ssl, code)) {
        case SSL_ERROR_WANT_READ:
            return LAYER_OK;
        case SSL_ERROR_ZERO_RETURN:
            self->state = TLS_CLOSED;
            break;
        default:
            return tls_failed(self, "receiving");
        }
    }
    if (self->state == TLS_BROKEN)
        return LAYER_FAILED;
    if (self->state == TLS_CLOSED) {
        buffer_clear(in);
        return LAYER_CLOSED;
    }
    *pending = self->state == TLS_ESTABLISHED && SSL_has_pending(self->ssl);
    return LAYER_OK;
}

static enum layer_result tls_send(struct layer *layer, const void *data, size_t len,
                                  struct buffer *down)
{
    struct tls_layer *self = tls_layer(layer);

    switch (self->state) {
    case TLS_HANDSHAKE:
        buffer_append(&self->early, data, len);
        if (!self->early.failed)
            return LAYER_OK;
        snprintf(self->error, sizeof self->error, "TLS sending: out of memory");
        self->state = TLS_BROKEN;
        return LAYER_FAILED;
    case TLS_ESTABLISHED:
    case TLS_CLOSED:
        return tls_write(self, data, len, down);
    case TLS_BROKEN:
        break;
    }
    return LAYER_FAILED;
}

static void tls_finish(struct layer *layer, struct buffer *down)
{
    struct tls_layer *self = tls_layer(layer);

    if (self->state != TLS_ESTABLISHED && self->state != TLS_CLOSED)
        return;
    tls_enter(self, NULL, down);
    SSL_shutdown(self->ssl);
    ERR_clear_error();
}

static const char *tls_error(const struct layer *layer)
{
    return tls_layer(layer)->error;
}

static void tls_free(struct layer *layer)
{
    struct tls_layer *self = tls_layer(layer);

    SSL_free(self->ssl);
    buffer_free(&self->early);
    tls_context_unref(self->context);
    free(self->refused);
    free(self);
    ERR_clear_error();
}

static const struct layer_ops tls_ops = {
    .kind = LAYER_TLS,
    .receive = tls_receive,
    .send = tls_send,
    .finish = tls_finish,
    .error = tls_error,
    .free = tls_free,
};

static struct tls_layer *tls_new(struct tls_context *context)
{
    struct tls_layer *self = calloc(1, sizeof *self);
    BIO *bio;

    if (!self)
        return NULL;
    ERR_clear_error();
    self->layer.ops = &tls_ops;
    self->state = TLS_HANDSHAKE;
    self->context = tls_context_ref(context);
    self->ssl = SSL_new(context->ssl);
    bio = BIO_new(context->buffers);
    if (!self->ssl || !bio) {
        BIO_free(bio);
        tls_free(&self->layer);
        return NULL;
    }
    BIO_set_data(bio, &self->ends);
    BIO_set_init(bio, 1);
    SSL_set_bio(self->ssl, bio, bio);
    SSL_set_app_data(self->ssl, self);
    return self;
}

int tls_verified(int good, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_layer *self = SSL_get_app_data(ssl);
    const X509 *shown = X509_STORE_CTX_get0_cert(store);
    char subject[TLS_NAME_BYTES];

    if (!good && shown && !self->refused &&
        tls_format_name(X509_get_subject_name(shown), subject, sizeof subject))
        self->refused = strdup(subject);
    return good;
}

SSL *tls_layer_ssl(const struct layer *layer)
{
    return tls_layer(layer)->ssl;
}

bool tls_layer_refused_subject(const struct layer *layer, char *text)
{
    const char *refused = tls_layer(layer)->refused;

    text[0] = '\0';
    if (refused)
        snprintf(text, TLS_NAME_BYTES, "%s", refused);
    return refused != NULL;
}

struct layer *tls_layer_server(struct tls_context *context)
{
    struct tls_layer *self = tls_new(context);

    if (!self)
        return NULL;
    SSL_set_accept_state(self->ssl);
    return &self->layer;
}

/* Tell OpenSSL whom the client wants to talk to. */
static bool set_host(struct tls_layer *self, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    bool is_address =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

    /* RFC 6066, section 3: an address is no server name. */
    if (!is_address && !SSL_set_tlsext_host_name(self->ssl, host))
        return false;
    if (!self->context->check_host)
        return true;
    if (is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(self->ssl), host) == 1;
    return SSL_set1_host(self->ssl, host) == 1;
}

struct layer *tls_layer_client(struct tls_context *context, const char *host, struct buffer *down)
{
    struct tls_layer *self = tls_new(context);

    if (!self)
        return NULL;
    SSL_set_connect_state(self->ssl);
    if (!set_host(self, host) || tls_handshake(self, NULL, down) != LAYER_OK) {
        tls_free(&self->layer);
        return NULL;
    }
    return &self->layer;
}

bool tls_layer_established(const struct layer *layer)
{
    enum tls_state state = tls_layer(layer)->state;

    return state == TLS_ESTABLISHED || state == TLS_CLOSED;
}

const char *tls_layer_version(const struct layer *layer)
{
    return SSL_get_version(tls_layer(layer)->ssl);
}

const char *tls_layer_cipher(const struct layer *layer)
{
    return SSL_get_cipher_name(tls_layer(layer)->ssl);
}

unsigned tls_layer_bits(const struct layer *layer)
{
    int bits = SSL_get_cipher_bits(tls_layer(layer)->ssl, NULL);

    return bits > 0 ? (unsigned)bits : 0;
}

size_t tls_layer_binding(const struct layer *layer, unsigned char *data, size_t size,
                         const char **name)
{
    const struct tls_layer *self = tls_layer(layer);
    size_t len;

    *name = "tls-unique";
    if (!tls_layer_established(layer))
        return 0;
    /* Without resumption the first Finished is the client's. */
    len = SSL_is_server(self->ssl) ? SSL_get_peer_finished(self->ssl, data, size)
                                   : SSL_get_finished(self->ssl, data, size);
    return len <= size ? len : 0;
}
