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

#include <stdint.h>

#include "layer/layer.h"

struct tls_context;

struct tls_server_options {
    const char *cert_file;     /* PEM, the certificate and its chain */
    const char *key_file;      /* PEM; NULL: in cert_file */
    const char *ca_file;       /* to check client certificates; may be NULL */
    const char *ca_dir;
    /*
     * PEM, one list of each CA in the chains of clients; NULL: revocation is not
     * checked. With it a client is refused whose CA has no list, or an expired one.
     */
    const char *crl_file;
    enum { TLS_CLIENT_CERTS_OFF, TLS_CLIENT_CERTS_OPTIONAL, TLS_CLIENT_CERTS_REQUIRE } client_certs;
    /*
     * E.g. "tls1_2 tls1_3" as in imapd.conf; NULL: those two. OpenSSL 3 speaks
     * tls1_0 and tls1_1 only with ":@SECLEVEL=0" in ciphers.
     */
    const char *versions;
    /*
     * OpenSSL's cipher list for TLS up to 1.2, with TLS 1.3's suites (whose
     * names begin with "TLS_") among them if not all of those may be used; NULL:
     * OpenSSL's default.
     */
    const char *ciphers;
};

struct tls_client_options {
    const char *ca_file;       /* NULL: the system's */
    bool accept_any_certificate;
    const char *cert_file;     /* PEM, what the client shows of itself, with its chain; or NULL */
    const char *key_file;      /* PEM; NULL: in cert_file */
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
/*
 * Seconds until the server's own certificate is valid (0 or less: it is), until
 * it expires, and until the first of its lists of revoked certificates does
 * (INT64_MAX without one); negative: it has.
 */
int64_t tls_context_starts_in(const struct tls_context *context);
int64_t tls_context_ends_in(const struct tls_context *context);
int64_t tls_context_crl_ends_in(const struct tls_context *context);

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

/* Room for a name from a certificate; a longer one is not used. */
#define TLS_NAME_BYTES 512

/* The names in a certificate that may say who its holder is. */
enum tls_name {
    TLS_NAME_SAN_DNS,   /* of the subject's alternative names; in small letters */
    TLS_NAME_SAN_EMAIL,
    TLS_NAME_SAN_URI,
    TLS_NAME_CN,        /* of the subject */
    TLS_NAME_SUBJECT,   /* the whole, as RFC 2253 writes it */
};

enum tls_name_found {
    TLS_NAME_ONE,     /* name is filled */
    TLS_NAME_ABSENT,
    TLS_NAME_SEVERAL, /* different ones: none of them is the name */
    TLS_NAME_UNFIT,   /* one holds NUL or what else has no place in it, or is too long */
};

/*
 * The peer has shown a certificate that the context's CAs vouch for, is valid
 * now, and made for its side of TLS. False while the handshake is under way, and
 * where certificates are not checked.
 */
bool tls_layer_peer_verified(const struct layer *layer);

/* The name of a kind in the verified certificate of the peer; name has TLS_NAME_BYTES. */
enum tls_name_found tls_layer_peer_name(const struct layer *layer, enum tls_name kind, char *name);

/*
 * Whether name is among the names of that kind. Octets are compared, but DNS
 * names in any case; names that are unfit are passed over.
 */
bool tls_layer_peer_has(const struct layer *layer, enum tls_name kind, const char *name);

/*
 * For the log, in text of TLS_NAME_BYTES, cut if need be, in the form of
 * TLS_NAME_SUBJECT: of the verified certificate; of the one for which the
 * handshake failed. False when there is none.
 */
bool tls_layer_peer_subject(const struct layer *layer, char *text);
bool tls_layer_peer_issuer(const struct layer *layer, char *text);
bool tls_layer_refused_subject(const struct layer *layer, char *text);

/*
 * Channel binding data for SASL: tls-unique (RFC 5929, section 3), which is
 * the one that Cyrus's clients know. They use it with TLS 1.3 too, where no RFC
 * defines it: the client's Finished message, as OpenSSL reports it. Returns its
 * length (at most 64), 0 for none; *name is static.
 */
size_t tls_layer_binding(const struct layer *layer, unsigned char *data, size_t size,
                         const char **name);

#endif
