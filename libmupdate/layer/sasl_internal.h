/*
 * What the files of the SASL part share. Nobody else includes this.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef LAYER_SASL_INTERNAL_H
#define LAYER_SASL_INTERNAL_H

#include <stdint.h>

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "layer/sasl.h"

#define SERVICE_NAME "mupdate"

/* The largest packet of a security layer that is announced and accepted. */
#define PACKET_BYTES 65536

/* No mechanism sends as much as this in one step. */
#define STEP_BYTES 65536

/* Cyrus-SASL holds callbacks of all types as int (*)(void). */
#define CALLBACK_PROC(function) ((int (*)(void))(void (*)(void))(function))

__attribute__((format(printf, 2, 3)))
void sasl_failure_set(struct sasl_failure *failure, const char *format, ...);

/*
 * Take the words of the last error on conn (NULL: of code alone), those of
 * Kerberos without what wraps them. Control characters, which a peer may have
 * brought in, become "?".
 */
void sasl_failure_take(struct sasl_failure *failure, sasl_conn_t *conn, int code);

/* For the log of sasl_server_setup(); level is one of Cyrus-SASL's. */
void sasl_log_write(int level, const char *text);

/* --- Kerberos: sasl_kerberos.c --- */

#define GSSAPI "GSSAPI"

/*
 * If the failure is one that GSSAPI reports, leave what Kerberos says in it:
 * "Kerberos: Ticket expired". True if so.
 */
bool sasl_kerberos_failure(struct sasl_failure *failure);

/* Append what somebody on the client's side can do about such a failure, if that is known. */
void sasl_kerberos_advise(struct sasl_failure *failure);

/*
 * The list of mechanisms without GSSAPI, allocated; NULL when nothing is left of
 * it, it had none, or memory ran out.
 */
char *sasl_kerberos_leave_out(const char *mechanisms);

/*
 * A copy of an endpoint, and what Cyrus-SASL wants to point to for as long as
 * the sasl_conn_t lives.
 */
struct sasl_link {
    struct sasl_endpoint endpoint;
    sasl_channel_binding_t binding;
};

/* False when memory ran out; nothing is held then. */
bool sasl_link_copy(struct sasl_link *link, const struct sasl_endpoint *endpoint);
void sasl_link_free(struct sasl_link *link);

/*
 * Set the security properties of a new connection by its endpoint, for one
 * mechanism (NULL: none is chosen yet).
 */
bool sasl_link_apply(struct sasl_link *link, sasl_conn_t *conn, const char *mechanism,
                     struct sasl_failure *failure);

/* The mechanism whose security layers need care; see sasl_link_apply(). */
#define DIGEST_MD5 "DIGEST-MD5"

/*
 * A copy of what the peer said with a NUL behind it, which some mechanisms
 * count on; NULL with *failure when it is too long or memory ran out. It may
 * hold a password: wipe_free() it.
 */
char *sasl_step_copy(const void *data, size_t len, struct sasl_failure *failure);

/* --- what a peer says under DIGEST-MD5: sasl_directives.c --- */

/*
 * Whether the text of a challenge or a response is a list of directives (RFC
 * 2831, section 2.1) of which none but realm comes twice; an empty one is. False
 * with *failure otherwise: Cyrus-SASL must not see it then.
 */
bool sasl_directives_check(const char *text, struct sasl_failure *failure);

/*
 * The same of what a server begins with, which must be a challenge (section 2.1.1)
 * and not the answer (2.1.3) to what no client has said yet.
 */
bool sasl_directives_check_first(const char *text, struct sasl_failure *failure);

/* --- the order of a peer's packets under GSSAPI: sasl_order.c --- */

/* A packet's length and the head of its token. */
#define SASL_ORDER_BYTES 20

/* All zero at the start of an exchange. */
struct sasl_order {
    bool known;    /* next is */
    uint64_t next; /* the number of the peer's next token */
    uint8_t head[SASL_ORDER_BYTES]; /* of the packet that is coming in */
    size_t head_len;
    size_t rest; /* of the packet behind its head */
};

/*
 * What the peer said in a step: the last one of an exchange begins the count.
 * Tokens of the old keys (RFC 4757) have no number to be read: known is then false.
 */
void sasl_order_note(struct sasl_order *order, const void *data, size_t len);

/*
 * The next bytes of the layer, in any pieces. False when a packet is not the
 * next one of the peer; order is then of no more use. That a number is the
 * peer's own only the decoding of its packet shows.
 */
bool sasl_order_check(struct sasl_order *order, const void *data, size_t len);

/*
 * The security layer of conn, or NULL when none was negotiated or *failed. The
 * layer calls owner_free(owner) at its end. order is copied.
 */
struct layer *sasl_layer_new(sasl_conn_t *conn, const struct sasl_order *order, void *owner,
                             void (*owner_free)(void *owner), bool *failed,
                             struct sasl_failure *failure);

/* The source of passwords for users that do not exist; see sasl_decoy.c. */
#define DECOY_SOURCE "mupdate-decoy"
bool sasl_decoy_register(struct sasl_failure *failure);

/* Called by it, from within a step of server: the user does not exist. */
void sasl_server_note_decoy(struct sasl_server *server);

/* The exchange that owns a list of callbacks, or NULL. */
struct sasl_server *sasl_server_of(const sasl_callback_t *callbacks);

/* The setting of a name, asked from the lookup of sasl_server_setup(). */
const char *sasl_setting(const char *plugin, const char *name);

#endif
