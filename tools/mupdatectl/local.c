/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/local.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "mupdated/config.h"
#include "tools/mupdatectl/offline.h"

#define READ_BYTES 65536

/* No daemon says so long a line: a slice of the longest rows has a tenth of it. */
#define LINE_BYTES (256U << 20)

__attribute__((format(printf, 3, 4))) static int fail(struct ctl_local *local, int status,
                                                      const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(local->text, sizeof local->text, format, arguments);
    va_end(arguments);
    return status;
}

int ctl_local_failed(const struct ctl_local *local, int status)
{
    /* There is no message when the reader of a pipe ended. */
    return local->text[0] ? ctl_complain(status, "%s", local->text) : status;
}

/* --- where --- */

static void begin(struct ctl_local *local, const struct ctl *ctl)
{
    memset(local, 0, sizeof *local);
    local->fd = -1;
    local->timeout_ms = ctl->connect.timeout_ms;
}

void ctl_local_find(struct ctl_local *local, const struct ctl *ctl, const struct config *config,
                    const char *directory)
{
    begin(local, ctl);
    if (ctl->socket)
        (void)snprintf(local->path, sizeof local->path, "%s", ctl->socket);
    else if (strcmp(directory, config->database_directory) != 0)
        (void)snprintf(local->path, sizeof local->path, "%s/control", directory);
    else if (config->control_socket)
        (void)snprintf(local->path, sizeof local->path, "%s", config->control_socket);
}

int ctl_local_find_alone(struct ctl_local *local, const struct ctl *ctl)
{
    struct config_error error;
    struct config *config;

    begin(local, ctl);
    if (ctl->socket) {
        (void)snprintf(local->path, sizeof local->path, "%s", ctl->socket);
        return 0;
    }
    config = ctl_config_read(ctl, &error);
    if (!config)
        return fail(local, EX_CONFIG, "%s; see -C and --socket", error.text);
    ctl_local_find(local, ctl, config, ctl->database ? ctl->database : config->database_directory);
    config_free(config);
    return 0;
}

/* --- the connection --- */

static int not_reached(struct ctl_local *local, int code)
{
    if (code == EACCES || code == EPERM)
        return fail(local, EX_NOPERM,
                    "%s: %s: run this as root, as mupdated's user, or as a member of the group "
                    "that control_group in mupdated.conf names",
                    local->path, strerror(code));
    return fail(local, EX_UNAVAILABLE,
                "no mupdated answers at %s: %s; is it running (systemctl status mupdated), and is "
                "this its control_socket? See -C, --database and --socket",
                local->path, strerror(code));
}

int ctl_local_connect(struct ctl_local *local)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int code;

    if (!local->path[0])
        return fail(local, EX_UNAVAILABLE,
                    "control_socket in mupdated.conf is none: mupdated cannot be asked");
    if (strlen(local->path) >= sizeof address.sun_path)
        return not_reached(local, ENAMETOOLONG);
    strcpy(address.sun_path, local->path);
    local->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (local->fd >= 0 &&
        connect(local->fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return 0;
    code = errno;
    ctl_local_close(local);
    return not_reached(local, code);
}

void ctl_local_close(struct ctl_local *local)
{
    if (local->fd >= 0)
        close(local->fd);
    local->fd = -1;
    free(local->in);
    local->in = NULL;
    local->len = local->size = 0;
    local->more = false;
}

int ctl_local_open(struct ctl_local *local, const struct ctl *ctl)
{
    int status = ctl_local_find_alone(local, ctl);

    if (!status)
        status = ctl_local_connect(local);
    return status ? ctl_local_failed(local, status) : 0;
}

/* --- asking --- */

static int no_memory(struct ctl_local *local)
{
    return fail(local, EX_OSERR, "out of memory");
}

static int lost(struct ctl_local *local, const char *reason)
{
    return fail(local, EX_TEMPFAIL, "the connection to mupdated at %s was lost: %s", local->path,
                reason);
}

int ctl_local_send(struct ctl_local *local, json_t *request)
{
    char *line = NULL;
    size_t len;

    if (request && json_object_set_new(request, "v", json_integer(1)) == 0 &&
        json_object_set_new(request, "id", json_integer(++local->number)) == 0)
        line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (!line)
        return no_memory(local);
    len = strlen(line);
    line[len++] = '\n';
    for (size_t done = 0; done < len;) {
        ssize_t sent = send(local->fd, line + done, len - done, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        /* Who is turned away is told why: that is there to be read. */
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            break;
        if (sent < 0) {
            free(line);
            return lost(local, strerror(errno));
        }
        done += (size_t)sent;
    }
    free(line);
    return 0;
}

/* Until the socket can be read. */
static int wait_for_input(struct ctl_local *local)
{
    struct pollfd fds[] = {{.fd = local->fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
    int ready;

    do
        ready = poll(fds, 2, local->timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return lost(local, strerror(errno));
    if (fds[0].revents)
        return 0;
    if (fds[1].revents & POLLERR)
        return fail(local, EX_IOERR, "%s", "");
    return ready == 0 ? fail(local, EX_TEMPFAIL, "mupdated at %s did not answer in time",
                             local->path)
                      : 0;
}

static int read_more(struct ctl_local *local)
{
    ssize_t got;
    int status;

    if (local->size - local->len < READ_BYTES) {
        size_t size = local->size ? 2 * local->size : 2 * (size_t)READ_BYTES;
        char *in = size > LINE_BYTES ? NULL : realloc(local->in, size);

        if (!in)
            return no_memory(local);
        local->in = in;
        local->size = size;
    }
    status = wait_for_input(local);
    if (status)
        return status;
    got = recv(local->fd, local->in + local->len, local->size - local->len, MSG_DONTWAIT);
    if (got == 0)
        return lost(local, "it was closed; the log of mupdated may tell why");
    if (got < 0 && errno != EINTR && errno != EAGAIN)
        return lost(local, strerror(errno));
    if (got > 0)
        local->len += (size_t)got;
    return 0;
}

static int refused(struct ctl_local *local, const json_t *answer)
{
    static const struct {
        const char *code;
        int status;
    } codes[] = {
        {"denied", EX_NOPERM},       {"busy", EX_TEMPFAIL},  {"store", EX_IOERR},
        {"refused", EX_UNAVAILABLE}, {"version", EX_PROTOCOL}, {"value", EX_USAGE},
    };
    const char *code = json_string_value(json_object_get(answer, "code"));
    const char *text = json_string_value(json_object_get(answer, "text"));

    for (size_t i = 0; code && i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i].code, code) == 0)
            return fail(local, codes[i].status, "%s", text ? text : code);
    return fail(local, EX_PROTOCOL,
                "mupdated at %s says: %s; is it older than this mupdatectl?", local->path,
                text ? text : "something else");
}

int ctl_local_next(struct ctl_local *local, json_t **answer)
{
    size_t looked_at = 0;
    const char *end;
    size_t len;
    int status;

    *answer = NULL;
    while (!(end = local->len > looked_at
                       ? memchr(local->in + looked_at, '\n', local->len - looked_at)
                       : NULL)) {
        looked_at = local->len;
        status = read_more(local);
        if (status)
            return status;
    }
    len = (size_t)(end - local->in);
    *answer = json_loadb(local->in, len, 0, NULL);
    local->len -= len + 1;
    memmove(local->in, end + 1, local->len);
    if (!json_is_object(*answer) ||
        (json_is_true(json_object_get(*answer, "ok")) &&
         json_integer_value(json_object_get(*answer, "id")) != local->number))
        status = fail(local, EX_PROTOCOL, "what listens at %s is no mupdated", local->path);
    else if (!json_is_true(json_object_get(*answer, "ok")))
        status = refused(local, *answer);
    else {
        local->more = json_is_true(json_object_get(*answer, "more"));
        return 0;
    }
    json_decref(*answer);
    *answer = NULL;
    return status;
}

int ctl_local_ask(struct ctl_local *local, json_t *request, json_t **answer)
{
    int status = ctl_local_send(local, request);

    *answer = NULL;
    return status ? status : ctl_local_next(local, answer);
}

int ctl_local_list(struct ctl_local *local, json_t *request, const char *key,
                   ctl_local_item *callback, void *context)
{
    int status;

    local->text[0] = '\0';
    status = ctl_local_send(local, request);
    do {
        const json_t *items;
        json_t *answer;

        if (!status)
            status = ctl_local_next(local, &answer);
        if (status)
            return status;
        items = json_object_get(answer, key);
        for (size_t i = 0; !status && i < json_array_size(items); i++)
            status = callback(context, json_array_get(items, i));
        json_decref(answer);
    } while (!status && local->more);
    return status;
}
