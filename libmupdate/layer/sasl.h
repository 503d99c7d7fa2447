/*
 * SASL (RFC 4422) through Cyrus-SASL, for either side of a connection, service
 * "mupdate". The only home of <sasl/...>.
 *
 * An exchange (struct sasl_server, struct sasl_client) belongs to one thread
 * at a time, but may be handed from thread to thread: steps of the server may
 * block (a password check over a socket, key derivation), so a daemon runs them
 * off its loop. The library is set up once per process, before threads start.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef LAYER_SASL_H
#define LAYER_SASL_H

#include "layer/layer.h"

struct sasl_failure {
    char text[512]; /* for the log, without control characters; never for the peer */
    /*
     * Of an exchange: what should have judged it (saslauthd, say) could not be
     * asked, so that nothing is known of the password.
     */
    bool undecided;
};

/*
 * The value of one of Cyrus-SASL's settings ("pwcheck_method", "mech_list",
 * "sasldb_path" ...), or NULL for "not set". Names come in the case that
 * Cyrus-SASL uses and are to be compared without case; a plugin's question is
 * asked first with its name in front ("SCRAM-SHA-256_scram_iteration_counter"),
 * then without. Called from any thread that uses an exchange, and from
 * sasl_server_setup(); the value must stay valid until sasl_teardown().
 */
typedef const char *sasl_lookup(void *context, const char *name);

/* level is one of <syslog.h>; text holds no password. Called from any thread. */
typedef void sasl_log(void *context, int level, const char *text);

/*
 * Set up the server side. Only lookup is asked for settings: no file of
 * Cyrus-SASL's own is read. sasldb is opened for a first time here: without a
 * file at sasldb_path its users are unknown until the next set-up. log may be
 * NULL. False with *failure filled when Cyrus-SASL refuses.
 */
bool sasl_server_setup(sasl_lookup *lookup, sasl_log *log, void *context,
                       struct sasl_failure *failure);

/* Set up the client side. False with *failure filled when Cyrus-SASL refuses. */
bool sasl_client_setup(struct sasl_failure *failure);

/*
 * Give back everything that the set-ups took, at the end of the process. All
 * exchanges and layers must be closed.
 */
void sasl_teardown(void);

/* What both sides know of their connection. Copied where it is passed. */
struct sasl_endpoint {
    const char *hostname;        /* the server's, never NULL; also the default realm */
    const char *local;           /* "address;port", or NULL */
    const char *remote;
    unsigned external_bits;      /* strength of TLS below, 0 without */
    /*
     * Mechanisms that show the password may be used. With external_bits over
     * 1 (and at least minimum_bits) Cyrus-SASL allows them anyhow.
     */
    bool plaintext;
    unsigned minimum_bits;       /* of external plus SASL's own protection */
    /*
     * The same; 0: no security layer is negotiated. DIGEST-MD5 protects the
     * integrity only (1 bit), and encrypts where minimum_bits asks for more, or
     * where a client meets a server that takes no less: its cipher is old.
     */
    unsigned maximum_bits;
    const void *binding;         /* channel binding of TLS, offered and not insisted on */
    size_t binding_len;          /* 0: none */
    const char *binding_name;
    /*
     * Who the peer is by what stands below, as a certificate that was verified;
     * NULL: not known, and EXTERNAL is then neither offered nor taken. On the
     * client's side any text: that there is something to prove it by.
     */
    const char *external_id;
};

enum sasl_progress {
    SASL_PROGRESS_CHALLENGE, /* send *out to the peer and go on with its answer */
    SASL_PROGRESS_DONE,      /* success; a client may have a last *out to send */
    SASL_PROGRESS_FAILED,    /* wrong user, password or broken exchange; *failure says which */
};

struct sasl_server;

/*
 * Decides whether the authenticated user may act as another; asked only when
 * they differ. Called from within _begin() and _continue().
 */
typedef bool sasl_may_act_as(void *context, const char *authenticated, const char *wanted);

/*
 * The server side of one connection, or NULL with *failure. It takes one
 * exchange after the other until one succeeds: after a failure, or to cancel,
 * just begin anew. ANONYMOUS, GSS-SPNEGO and GS2-* are never offered. may_act_as
 * NULL: nobody may.
 */
struct sasl_server *sasl_server_open(const struct sasl_endpoint *endpoint,
                                     sasl_may_act_as *may_act_as, void *context,
                                     struct sasl_failure *failure);
void sasl_server_close(struct sasl_server *server);

/*
 * The mechanisms on offer, in Cyrus-SASL's order; *names and what it holds are
 * the server's, valid until it is closed or asked again. Returns how many.
 */
size_t sasl_server_mechanisms(struct sasl_server *server, const char *const **names);

/* Whether GSSAPI can work here: what it needs is looked for at the first login otherwise. */
enum sasl_kerberos {
    SASL_KERBEROS_READY,
    SASL_KERBEROS_NO_PLUGIN, /* its plugin is not installed, or mech_list has not its name */
    SASL_KERBEROS_NO_KEY,    /* no key of mupdate/HOSTNAME can be read; *failure says why */
};

/* May ask the DNS about hostname: not for the loop of a running daemon. */
enum sasl_kerberos sasl_server_check_kerberos(const char *hostname, struct sasl_failure *failure);

/*
 * Begin an exchange. initial NULL: none (with len 0 and not NULL it is an empty
 * one). *out is the server's, never NULL with CHALLENGE, valid until the next
 * call. What a mechanism says last ("server-final") comes as a challenge too,
 * whose answer is not looked at. A user who does not exist goes through the same
 * steps as one with a wrong password.
 */
enum sasl_progress sasl_server_begin(struct sasl_server *server, const char *mechanism,
                                     const void *initial, size_t len, const void **out,
                                     size_t *out_len, struct sasl_failure *failure);

/* The client's answer to the last challenge; otherwise as sasl_server_begin(). */
enum sasl_progress sasl_server_continue(struct sasl_server *server, const void *data, size_t len,
                                        const void **out, size_t *out_len,
                                        struct sasl_failure *failure);

/*
 * For the log: the user that the last exchange tried to be, or NULL when it
 * did not come so far. Valid until the next call.
 */
const char *sasl_server_tried_user(struct sasl_server *server);

/*
 * The other user that the last exchange was refused to act as, after the one that it tried
 * to be was proved; NULL when it failed for another reason. Valid as the above.
 */
const char *sasl_server_wanted_user(struct sasl_server *server);

/*
 * After DONE: whom the peer acts as, and who it proved to be; NULL before.
 * "user@hostname" is given as "user". Valid until the server is closed or the
 * layer that took it over is freed.
 */
const char *sasl_server_user(struct sasl_server *server);
const char *sasl_server_authenticated(struct sasl_server *server);

/*
 * After DONE: the security layer that was negotiated, to push on the stack, or
 * NULL when there is none (*failed false) or on error (*failed true, *failure
 * filled). The layer keeps the exchange: *server is then its, and set to NULL.
 * It takes effect behind the reply that reports success.
 */
struct layer *sasl_server_layer(struct sasl_server **server, bool *failed,
                                struct sasl_failure *failure);

/* The strength of a security layer of either side, in bits; 1: integrity only. */
unsigned sasl_layer_bits(const struct layer *layer);

struct sasl_client;

/* Who the client is. Copied where it is passed; context must stay. */
struct sasl_client_identity {
    const char *user;      /* NULL: none, for mechanisms that bring their own */
    const char *authorize; /* NULL: none */
    const char *realm;     /* NULL: the server's */
    /*
     * Asked at most once, from within _begin() or _continue(); what it returns is
     * wiped and freed. Returns NULL to give up. May itself be NULL: then no
     * mechanism with a password is chosen.
     */
    char *(*password)(void *context);
    void *context;
};

/* The client side of one exchange, or NULL with *failure. */
struct sasl_client *sasl_client_open(const struct sasl_endpoint *endpoint,
                                     const struct sasl_client_identity *identity,
                                     struct sasl_failure *failure);
void sasl_client_close(struct sasl_client *client);

/*
 * Choose the strongest of the mechanisms (blank-separated) and start; where this
 * is GSSAPI and there is no ticket for it, the strongest of the others.
 * *mechanism is the chosen one (without "-PLUS": channel binding is inside),
 * valid until closed, NULL on failure before the choice. *out is the client's,
 * valid until the next call; NULL: no initial response. DONE: only the
 * server's reply is missing.
 */
enum sasl_progress sasl_client_begin(struct sasl_client *client, const char *mechanisms,
                                     const char **mechanism, const void **out, size_t *out_len,
                                     struct sasl_failure *failure);

/*
 * The server's challenge. Each one takes an answer: with *out NULL it is the
 * empty one, after DONE too. A server that reports success before DONE has not
 * proved that it knows the password: give the connection up.
 */
enum sasl_progress sasl_client_continue(struct sasl_client *client, const void *data, size_t len,
                                        const void **out, size_t *out_len,
                                        struct sasl_failure *failure);

/*
 * Whom the client proved to be, as far as it knows: with GSSAPI the principal of
 * its ticket, "murder@EXAMPLE.ORG". NULL: not known yet. Valid until closed.
 */
const char *sasl_client_authenticated(struct sasl_client *client);

/* As sasl_server_layer(). */
struct layer *sasl_client_layer(struct sasl_client **client, bool *failed,
                                struct sasl_failure *failure);

#endif
