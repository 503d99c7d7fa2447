/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/metrics/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mupdated/log.h"
#include "mupdated/metrics/text.h"

/* What one client may make it keep: a request of a few lines and the head of an answer. */
#define CLIENT_BYTES 8192

#define PLAIN_TYPE "text/plain; charset=utf-8"

struct http {
    struct MHD_Daemon *daemon;
    http_answer *answer;
    void *context;
};

static const struct {
    const char *path;
    enum http_page page;
} pages[] = {
    {"/metrics", HTTP_METRICS},
    {"/healthz", HTTP_HEALTH},
    {"/readyz", HTTP_READY},
};

#define PAGES (sizeof pages / sizeof *pages)

static enum MHD_Result respond(struct MHD_Connection *client, unsigned status, const char *type,
                               const void *body, size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_NO;

    if (!response)
        return MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
        (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
        result = MHD_queue_response(client, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *client, unsigned status, const char *text)
{
    return respond(client, status, PLAIN_TYPE, text, strlen(text));
}

static enum MHD_Result give(struct http *http, struct MHD_Connection *client, enum http_page page)
{
    struct buffer body = {0};
    unsigned status = http->answer(http->context, page, &body);
    bool metrics = page == HTTP_METRICS && status == MHD_HTTP_OK;
    enum MHD_Result result =
        body.failed ? refuse(client, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n")
                    : respond(client, status, metrics ? METRICS_TEXT_TYPE : PLAIN_TYPE,
                              buffer_bytes(&body), buffer_len(&body));

    buffer_free(&body);
    return result;
}

/*
 * libmicrohttpd calls it when it has the head of a request, again with what comes behind it, and
 * once more at the end. To refuse at the first call ends the connection with the answer, so that
 * nobody sends a body for nothing.
 */
static enum MHD_Result on_request(void *context, struct MHD_Connection *client, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **request)
{
    static char has_begun;
    size_t page = 0;

    (void)version;
    (void)data;
    while (page < PAGES && strcmp(pages[page].path, path) != 0)
        page++;
    if (page == PAGES)
        return refuse(client, MHD_HTTP_NOT_FOUND,
                      "there are /metrics, /healthz and /readyz here\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(client, MHD_HTTP_METHOD_NOT_ALLOWED, "there is GET and HEAD here\n");
    if (!*request) {
        *request = &has_begun;
        return MHD_YES;
    }
    if (*len > 0) {
        *len = 0;
        return MHD_YES;
    }
    return give(context, client, pages[page].page);
}

static void on_words(void *context, const char *format, va_list arguments)
{
    char text[256];
    size_t len;

    (void)context;
    (void)vsnprintf(text, sizeof text, format, arguments);
    len = strcspn(text, "\n");
    log_debug("metrics: %s", LOG_VALUE(text, len));
}

struct http *http_start(int listening, http_answer *answer, void *context)
{
    struct http *http = calloc(1, sizeof *http);
    sigset_t all, before;

    if (!http) {
        close(listening);
        return NULL;
    }
    http->answer = answer;
    http->context = context;
    /* Threads inherit the mask; signals are for the loop. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    http->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL,
        NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_words, NULL,
        MHD_OPTION_LISTEN_SOCKET, listening, MHD_OPTION_CONNECTION_LIMIT, HTTP_CLIENTS_MAX,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, HTTP_CLIENTS_OF_ADDRESS,
        MHD_OPTION_CONNECTION_TIMEOUT, HTTP_SILENCE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CLIENT_BYTES, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (http->daemon)
        return http;
    close(listening);
    free(http);
    return NULL;
}

void http_stop(struct http *http)
{
    MHD_stop_daemon(http->daemon);
    free(http);
}
