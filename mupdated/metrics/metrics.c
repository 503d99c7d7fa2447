/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/metrics/metrics.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mupdated/config_listen.h"
#include "mupdated/control/stats.h"
#include "mupdated/log.h"
#include "mupdated/master.h"
#include "mupdated/metrics/http.h"
#include "mupdated/metrics/text.h"
#include "mupdated/metrics/verdict.h"

#define BACKLOG 64

#define MS_NS UINT64_C(1000000)
#define SECOND_NS (1000 * MS_NS)

/* After an answer that cost the loop so much, this many times as much is for others; no more. */
#define OTHERS_SHARE 19
#define OTHERS_NS SECOND_NS

enum metrics_phase {
    METRICS_STARTING, /* the loop does not run yet */
    METRICS_SERVING,
    METRICS_STOPPING,
    METRICS_CLOSED,   /* the loop is asked no more */
};

struct metrics {
    int socket; /* -1: it is http's, or there is none */
    char *address;
    char *directory; /* of the database */
    struct http *http;
    struct master *master;
    uv_async_t async;

    /* both threads', under lock */
    uv_mutex_t lock;
    uv_cond_t changed; /* the question is answered, or the phase is another */
    enum metrics_phase phase;
    bool asked;        /* a question waits for the loop */
    uint64_t asked_ns; /* when it was asked: of uv_hrtime() */
    enum http_page page;
    struct stats_disk disk;
    struct buffer body; /* the answer to the last question */
    unsigned status;
    uint64_t next_ns;  /* the loop is not to be asked for metrics before */
};

size_t metrics_descriptors(const struct config *config)
{
    return config->metrics_listen ? HTTP_DESCRIPTORS : 0;
}

/* --- on the loop --- */

static unsigned tell_metrics(struct master *master, const struct stats_disk *disk,
                             struct buffer *body)
{
    struct stats stats;

    if (!stats_gather(master, disk, &stats))
        return verdict_say(body, VERDICT_UNAVAILABLE, "out of memory");
    if (!metrics_text(&stats, body))
        body->failed = true;
    stats_free(&stats);
    return VERDICT_OK;
}

static unsigned tell(struct master *master, enum metrics_phase phase, enum http_page page,
                     const struct stats_disk *disk, struct buffer *body)
{
    struct verdict_figures figures = {.disk = *disk, .now_ns = uv_hrtime()};

    if (page == HTTP_METRICS)
        return tell_metrics(master, disk, body);
    if (phase == METRICS_STOPPING || !master->writer)
        return verdict_say(body, page == HTTP_HEALTH ? VERDICT_OK : VERDICT_UNAVAILABLE,
                           "stopping");
    figures.confirmed = store_confirmed(master->store);
    writer_stats(master->writer, &figures.writer);
    return page == HTTP_HEALTH ? verdict_health(&figures, body) : verdict_ready(&figures, body);
}

static void on_question(uv_async_t *async)
{
    struct metrics *metrics = async->data;
    struct buffer body = {0};
    struct stats_disk disk;
    enum metrics_phase phase;
    enum http_page page;
    uint64_t began = uv_hrtime();
    unsigned status;

    uv_mutex_lock(&metrics->lock);
    page = metrics->page;
    phase = metrics->phase;
    disk = metrics->disk;
    if (!metrics->asked) {
        uv_mutex_unlock(&metrics->lock);
        return;
    }
    uv_mutex_unlock(&metrics->lock);

    status = tell(metrics->master, phase, page, &disk, &body);

    uv_mutex_lock(&metrics->lock);
    buffer_free(&metrics->body);
    metrics->body = body;
    metrics->status = status;
    metrics->asked = false;
    if (page == HTTP_METRICS) {
        uint64_t now = uv_hrtime();
        uint64_t others = OTHERS_SHARE * (now - began);

        metrics->next_ns = now + (others < OTHERS_NS ? others : OTHERS_NS);
    }
    uv_cond_signal(&metrics->changed);
    uv_mutex_unlock(&metrics->lock);
}

/* --- in the server's thread --- */

/* Until the moment, or the phase is METRICS_CLOSED, or, if it is waited for, the answer there. */
static void wait_until(struct metrics *metrics, uint64_t end_ns, bool for_answer)
{
    uint64_t now;

    while ((now = uv_hrtime()) < end_ns && metrics->phase != METRICS_CLOSED &&
           (!for_answer || metrics->asked))
        (void)uv_cond_timedwait(&metrics->changed, &metrics->lock, end_ns - now);
}

/* Call with the lock held. */
static unsigned ask(struct metrics *metrics, enum http_page page, const struct stats_disk *disk,
                    struct buffer *body)
{
    if (page == HTTP_METRICS)
        wait_until(metrics, metrics->next_ns, false);
    /* One that hangs has still the question of before: who asks now need not wait for it too. */
    if (!metrics->asked && metrics->phase != METRICS_CLOSED) {
        metrics->asked = true;
        metrics->asked_ns = uv_hrtime();
        metrics->page = page;
        metrics->disk = *disk;
        (void)uv_async_send(&metrics->async);
        wait_until(metrics, metrics->asked_ns + METRICS_PATIENCE_MS * MS_NS, true);
        if (!metrics->asked) {
            *body = metrics->body;
            metrics->body = (struct buffer){0};
            return metrics->status;
        }
    }
    if (metrics->phase == METRICS_CLOSED)
        return verdict_say(body, VERDICT_UNAVAILABLE, "stopping");
    return verdict_say(body, VERDICT_UNAVAILABLE,
                       "the event loop has not answered for %.1f seconds",
                       (double)(uv_hrtime() - metrics->asked_ns) / 1e9);
}

static unsigned answer(void *context, enum http_page page, struct buffer *body)
{
    struct metrics *metrics = context;
    struct stats_disk disk = {0};
    bool starts;
    unsigned status;

    uv_mutex_lock(&metrics->lock);
    starts = metrics->phase == METRICS_STARTING;
    uv_mutex_unlock(&metrics->lock);
    if (starts)
        return verdict_say(body, page == HTTP_HEALTH ? VERDICT_OK : VERDICT_UNAVAILABLE,
                           "starting: the table is being read");
    if (page != HTTP_HEALTH)
        stats_disk(metrics->directory, &disk);
    uv_mutex_lock(&metrics->lock);
    status = ask(metrics, page, &disk, body);
    uv_mutex_unlock(&metrics->lock);
    return status;
}

/* --- start and stop --- */

/* NULL, or what is wrong. */
static const char *bind_socket(struct metrics *metrics, const struct addrinfo *address)
{
    int yes = 1;
    int no = 0;

    metrics->socket = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (metrics->socket < 0 ||
        setsockopt(metrics->socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        /* [::] is all addresses, those of IPv4 too. */
        (address->ai_family == AF_INET6 &&
         setsockopt(metrics->socket, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no) != 0) ||
        bind(metrics->socket, address->ai_addr, address->ai_addrlen) != 0)
        return strerror(errno);
    return NULL;
}

/* NULL, or what is wrong. */
static const char *bind_address(struct metrics *metrics)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
    };
    struct config_listen at;
    struct addrinfo *address;
    const char *wrong;
    char port[8];
    int error;

    if (!config_listen_parse_address(metrics->address, &at, &wrong))
        return wrong;
    (void)snprintf(port, sizeof port, "%u", at.port);
    error = getaddrinfo(at.host, port, &hints, &address);
    if (error != 0)
        return gai_strerror(error);
    wrong = bind_socket(metrics, address);
    freeaddrinfo(address);
    return wrong;
}

static void complain(const char *address, const char *wrong)
{
    log_error("no metrics: %s: %s; correct the key metrics_listen", address, wrong);
}

static void release(struct metrics *metrics)
{
    if (metrics->socket >= 0)
        close(metrics->socket);
    buffer_free(&metrics->body);
    free(metrics->directory);
    free(metrics->address);
    free(metrics);
}

struct metrics *metrics_bind(const struct config *config)
{
    struct metrics *metrics;
    const char *wrong = "out of memory";

    if (!config->metrics_listen)
        return NULL;
    metrics = calloc(1, sizeof *metrics);
    if (!metrics) {
        complain(config->metrics_listen, wrong);
        return NULL;
    }
    metrics->socket = -1;
    metrics->phase = METRICS_CLOSED;
    metrics->address = strdup(config->metrics_listen);
    metrics->directory = strdup(config->database_directory);
    if (metrics->address && metrics->directory)
        wrong = bind_address(metrics);
    if (!wrong)
        return metrics;
    complain(config->metrics_listen, wrong);
    release(metrics);
    return NULL;
}

/* NULL, or what is wrong. */
static const char *set_up(struct metrics *metrics)
{
    int error = uv_mutex_init(&metrics->lock);

    if (error != 0)
        return uv_strerror(error);
    error = uv_cond_init(&metrics->changed);
    if (error != 0) {
        uv_mutex_destroy(&metrics->lock);
        return uv_strerror(error);
    }
    error = uv_async_init(metrics->master->loop, &metrics->async, on_question);
    if (error != 0) {
        uv_cond_destroy(&metrics->changed);
        uv_mutex_destroy(&metrics->lock);
        return uv_strerror(error);
    }
    metrics->async.data = metrics;
    return NULL;
}

void metrics_start(struct metrics *metrics, struct master *master)
{
    const char *wrong;
    int listening;

    if (!metrics)
        return;
    metrics->master = master;
    wrong = set_up(metrics);
    if (wrong) {
        complain(metrics->address, wrong);
        return;
    }
    metrics->phase = METRICS_STARTING;
    if (listen(metrics->socket, BACKLOG) != 0) {
        complain(metrics->address, strerror(errno));
        return;
    }
    listening = metrics->socket;
    metrics->socket = -1;
    metrics->http = http_start(listening, answer, metrics);
    if (metrics->http)
        log_info("listening: metrics=%s", metrics->address);
    else
        complain(metrics->address, "the HTTP server cannot start");
}

static void enter(struct metrics *metrics, enum metrics_phase phase)
{
    if (!metrics || metrics->phase == METRICS_CLOSED)
        return;
    uv_mutex_lock(&metrics->lock);
    metrics->phase = phase;
    uv_cond_signal(&metrics->changed);
    uv_mutex_unlock(&metrics->lock);
}

void metrics_serve(struct metrics *metrics)
{
    enter(metrics, METRICS_SERVING);
}

void metrics_stopping(struct metrics *metrics)
{
    enter(metrics, METRICS_STOPPING);
}

static void on_closed(uv_handle_t *handle)
{
    struct metrics *metrics = handle->data;

    uv_cond_destroy(&metrics->changed);
    uv_mutex_destroy(&metrics->lock);
    release(metrics);
}

void metrics_close(struct metrics *metrics)
{
    if (!metrics)
        return;
    if (metrics->phase == METRICS_CLOSED) {
        release(metrics); /* it never started */
        return;
    }
    enter(metrics, METRICS_CLOSED);
    if (metrics->http)
        http_stop(metrics->http);
    uv_close((uv_handle_t *)&metrics->async, on_closed);
}
