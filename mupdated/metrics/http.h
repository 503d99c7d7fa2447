/*
 * The HTTP server for the metrics. The only home of <microhttpd.h>.
 *
 * It runs in a thread of its own, and not on the loop: what a client of HTTP does
 * or leaves undone, and how often it asks, then never costs the mail servers a
 * turn of the loop but for the one that makes an answer; and a loop that hangs can
 * be told of, which it could not do itself. libmicrohttpd waits in that thread for
 * all its clients at once, so that a slow one delays no other; they are few, and
 * each is cut off when it says nothing for a while.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef METRICS_HTTP_H
#define METRICS_HTTP_H

#include "wire/buffer.h"

/* Clients at one time, those of one address, and how long one may say nothing. */
#define HTTP_CLIENTS_MAX 16
#define HTTP_CLIENTS_OF_ADDRESS 8
#define HTTP_SILENCE_SECONDS 10

/* The descriptors that it may need: its clients, one to refuse with, and its own. */
#define HTTP_DESCRIPTORS (HTTP_CLIENTS_MAX + 5)

/* What can be asked for, by GET or HEAD. Other paths are answered 404, other methods 405. */
enum http_page {
    HTTP_METRICS, /* /metrics */
    HTTP_HEALTH,  /* /healthz */
    HTTP_READY,   /* /readyz */
};

/*
 * Make the answer to a request: append it to body, and return the status, 200 or 503. In the
 * server's thread, one request at a time; it may wait for some seconds. A body that has failed is
 * answered 503.
 */
typedef unsigned http_answer(void *context, enum http_page page, struct buffer *body);

struct http;

/*
 * Serve on a socket that listens and does not block; it is the server's then. With all signals
 * blocked in the thread. NULL: it could not start, for want of memory, descriptors or a thread;
 * the socket is closed.
 */
struct http *http_start(int listening, http_answer *answer, void *context);

/* Cut off all clients, wait for the thread, which may be in answer, and close the socket. */
void http_stop(struct http *http);

#endif
