/*
 * What stands between a connection and its socket with --tls or --mechanism: TLS,
 * SASL and its security layer, by way of the library's layers. Octets in, octets
 * out, no I/O. Whatever fails ends the process (report_failure()).
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATE_BENCH_SECURE_H
#define MUPDATE_BENCH_SECURE_H

#include "octets.h"
#include "options.h"

struct secure;

/* Whether the options ask for anything but PLAIN in the clear. */
bool secure_wanted(const struct options *options);

/* For one connection, whose number is for messages; options must stay valid. */
struct secure *secure_open(const struct options *options, size_t number);
void secure_close(struct secure *secure);

/* TLS begins: its first octets are to be sent now. */
void secure_start_tls(struct secure *secure);

/* TLS is complete. */
bool secure_has_tls(const struct secure *secure);

/*
 * Whether there is a layer. As long as there is none, octets go by without
 * secure_receive() and secure_send().
 */
bool secure_layered(const struct secure *secure);

/*
 * Octets that came from the socket. Returns what they mean, valid until the next
 * call, and its length in *plain_len; call again with len 0 until that is 0. NULL: the
 * server has ended TLS.
 */
const char *secure_receive(struct secure *secure, const char *data, size_t len, size_t *plain_len);

/* Octets to protect; they then wait for the socket, which takes some of them. */
void secure_send(struct secure *secure, const char *data, size_t len);
const char *secure_waiting(const struct secure *secure, size_t *len);
void secure_sent(struct secure *secure, size_t len);

/*
 * Append to out: AUTHENTICATE with the tag A01, on the socket fd, and the answer to
 * a challenge (in base64, without its line end).
 */
void secure_begin(struct secure *secure, int fd, struct octets *out);
void secure_answer(struct secure *secure, const char *challenge, size_t len, struct octets *out);

/* The server has said OK: what follows is protected if that was agreed. */
void secure_end(struct secure *secure);

#endif
