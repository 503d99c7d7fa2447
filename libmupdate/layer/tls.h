/*
 * TLS, for either side of a connection. The only home of <openssl/...>.
 *
 * A context holds certificates and settings and may be shared by many
 * connections and threads; a layer belongs to one connection.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef LAYER_TLS_H
#define LAYER_TLS_H

#include "layer/layer.h"

struct tls_context;

struct tls_server_options {
    const char *cert_file;     /* PEM, the certificate and its chain */
    const char *key_file;      /* PEM; NULL: in cert_file */
    const char *ca_file;       /* to check client certificates; may be NULL */
    const char *ca_dir;
    enum { TLS_CLIENT_CERTS_OFF, TLS_CLIENT_CERTS_OPTIONAL, TLS_CLIENT_CERTS_REQUIRE } client_certs;
    /*
     * E.g. "tls1_2 tls1_3" as in imapd.conf; NULL: those two. OpenSSL 3 speaks
     * tls1_0 and tls1_1 only with ":@SECLEVEL=0" in ciphers.
     */
    const char *versions;
    const char *ciphers;       /* OpenSSL's cipher list up to TLS 1.2; NULL: OpenSSL's default */
};

struct tls_client_options {
    const char *ca_file;       /* NULL: the system's */
    bool accept_any_certificate;
};

struct tls_error {
    char text[512];            /* names the file and what OpenSSL says of it */
};

/*
 * A context with one reference, or NULL with *error filled. The files are read
 * now; a later change of them takes a new context.
 */
struct tls_context *tls_context_server(const struct tls_server_options *options,
                                       struct tls_error *error);
struct tls_context *tls_context_client(const struct tls_client_options *options,
                                       struct tls_error *error);
/* References are counted, from any thread: a layer keeps the context it was made with. */
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context);

/*
 * The server side of a connection; NULL when memory ran out. What is sent
 * before the handshake is complete waits inside and goes out with its last
 * step.
 */
struct layer *tls_layer_server(struct tls_context *context);

/*
 * The client side; NULL when memory ran out. host (never NULL) is the name or
 * address of the server: names are sent as server name; unless any certificate
 * is accepted, the certificate must be for it. The first bytes of the
 * handshake are appended to down.
 */
struct layer *tls_layer_client(struct tls_context *context, const char *host, struct buffer *down);

/* The handshake is complete: what is sent now is protected. */
bool tls_layer_established(const struct layer *layer);

/* "TLSv1.3", the cipher's name, and its strength in bits; valid once established. */
const char *tls_layer_version(const struct layer *layer);
const char *tls_layer_cipher(const struct layer *layer);
unsigned tls_layer_bits(const struct layer *layer);

/*
 * Channel binding data for SASL: tls-unique (RFC 5929, section 3), which is
 * the one that Cyrus's clients know. They use it with TLS 1.3 too, where no RFC
 * defines it: the client's Finished message, as OpenSSL reports it. Returns its
 * length (at most 64), 0 for none; *name is static.
 */
size_t tls_layer_binding(const struct layer *layer, unsigned char *data, size_t size,
                         const char **name);

#endif
