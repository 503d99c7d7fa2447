/* SPDX-License-Identifier: BSD-3-Clause */
#include "mupdated/control/control.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "mupdated/control/copy.h"
#include "mupdated/control/requests.h"
#include "mupdated/log.h"
#include "mupdated/net/unix_socket.h"

#define BACKLOG 128

#define READ_BYTES 4096

/* A session and its socket. */
struct client {
    struct control_session session; /* the first member: its callback finds the client by it */
    uv_pipe_t pipe;
    struct control *control;
    struct client *previous;
    struct client *next;
    struct buffer writing;
    uv_write_t write;
    bool write_pending;
    bool due; /* to be run */
    bool closing;
};

struct control {
    uv_pipe_t listening;
    uv_idle_t run_due;
    struct master *master;
    struct client *clients;
    struct client *spare; /* for when there is no memory; NULL: it is in use */
    bool held;            /* a connection waits to be accepted */
    size_t count;
    size_t handles; /* that are not closed yet */
    char *path;
    gid_t group;    /* whose members may use it; of the process: nobody else */
};

/* --- the end --- */

static void release(struct control *control)
{
    if (--control->handles > 0)
        return;
    free(control->spare);
    free(control->path);
    free(control);
}

static void on_handle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_connection(uv_stream_t *listening, int status);

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct control *control = client->control;

    if (client->next)
        client->next->previous = client->previous;
    if (client->previous)
        client->previous->next = client->next;
    else
        control->clients = client->next;
    control->count--;
    buffer_free(&client->writing);
    if (control->spare)
        free(client);
    else
        control->spare = client;
    if (control->held && !uv_is_closing((uv_handle_t *)&control->listening)) {
        control->held = false;
        on_connection((uv_stream_t *)&control->listening, 0);
    }
    release(control);
}

static void client_close(struct client *client)
{
    if (client->closing)
        return;
    client->closing = true;
    control_session_close(&client->session);
    uv_close((uv_handle_t *)&client->pipe, on_client_closed);
}

/* --- running --- */

static void on_due(uv_idle_t *idle);

static void client_is_due(struct client *client)
{
    client->due = true;
    uv_idle_start(&client->control->run_due, on_due);
}

static void on_woken(struct control_session *session)
{
    client_is_due((struct client *)session);
}

static void on_written(uv_write_t *write, int status)
{
    struct client *client = write->data;

    client->write_pending = false;
    buffer_clear(&client->writing);
    if (status < 0)
        client_close(client);
    else if (!client->closing)
        client_is_due(client);
}

/* Send what the session says; close it behind its last line. */
static void flush(struct client *client, bool ends)
{
    struct buffer empty = client->writing;
    uv_buf_t bytes;

    if (client->write_pending)
        return;
    if (buffer_len(&client->session.out) == 0) {
        if (ends)
            client_close(client);
        return;
    }
    client->writing = client->session.out;
    client->session.out = empty;
    bytes = uv_buf_init((char *)buffer_bytes(&client->writing),
                        (unsigned)buffer_len(&client->writing));
    client->write.data = client;
    if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &bytes, 1, on_written) != 0)
        client_close(client);
    else
        client->write_pending = true;
}

static void client_run(struct client *client)
{
    enum control_session_turn turn;

    if (client->closing)
        return;
    turn = control_session_run(&client->session);
    if (turn == CONTROL_SESSION_NO_MEMORY) {
        log_error("control: out of memory for an answer to %s", client->session.who);
        client_close(client);
        return;
    }
    flush(client, turn == CONTROL_SESSION_ENDS);
    if (turn == CONTROL_SESSION_GOES_ON && !client->write_pending && !client->closing)
        client_is_due(client);
}

static void on_due(uv_idle_t *idle)
{
    struct control *control = idle->data;

    /* Started again by a client that can go on at once. */
    uv_idle_stop(idle);
    for (struct client *at = control->clients; at; at = at->next) {
        if (!at->due)
            continue;
        at->due = false;
        client_run(at);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char bytes[READ_BYTES];

    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(bytes, sizeof bytes);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct client *client = stream->data;

    if (nread == UV_EOF) {
        control_session_input_end(&client->session);
        uv_read_stop(stream);
    } else if (nread < 0 ||
               !control_session_input(&client->session, buf->base, (size_t)nread)) {
        client_close(client);
    }
    client_run(client);
}

/* --- who connects --- */

static bool has_group(int fd, gid_t group)
{
    gid_t groups[1024];
    socklen_t size = sizeof groups;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        return false;
    for (size_t i = 0; i < size / sizeof *groups; i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* Whether who connected may use it; fills who. */
static bool is_allowed(struct client *client)
{
    struct control_session *session = &client->session;
    gid_t group = client->control->group;
    struct ucred peer = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t size = sizeof peer;
    uv_os_fd_t fd;

    strcpy(session->who, "?");
    if (uv_fileno((uv_handle_t *)&client->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    if (peer.uid == 0)
        strcpy(session->who, "root");
    else
        (void)snprintf(session->who, sizeof session->who, "uid=%lu", (unsigned long)peer.uid);
    return peer.uid == 0 || peer.uid == geteuid() ||
           (group != getegid() && (peer.gid == group || has_group(fd, group)));
}

static void turn_away(struct client *client, const char *code, const char *text)
{
    log_warning("control: refused: client=%s reason=%s", client->session.who, code);
    if (control_session_turn_away(&client->session, code, text))
        flush(client, true);
    else
        client_close(client);
}

/* NULL: there is no memory, and the spare one is in use. */
static struct client *new_client(struct control *control)
{
    struct client *client = calloc(1, sizeof *client);

    if (client || !control->spare)
        return client;
    client = control->spare;
    control->spare = NULL;
    memset(client, 0, sizeof *client);
    return client;
}

static void on_connection(uv_stream_t *listening, int status)
{
    struct control *control = listening->data;
    struct client *client;

    if (status < 0) {
        log_error("control: cannot take a connection: %s", uv_strerror(status));
        return;
    }
    client = new_client(control);
    if (!client) {
        /* Until it is accepted no other comes: when the spare one is back. */
        control->held = true;
        return;
    }
    control_session_init(&client->session, control->master, control_requests, on_woken);
    client->control = control;
    client->pipe.data = client;
    (void)uv_pipe_init(listening->loop, &client->pipe, 0); /* cannot fail */
    control->handles++;
    client->next = control->clients;
    if (control->clients)
        control->clients->previous = client;
    control->clients = client;
    control->count++;
    status = uv_accept(listening, (uv_stream_t *)&client->pipe);
    if (status == 0 && !is_allowed(client)) {
        turn_away(client, "denied", "only root, the daemon's user and members of control_group "
                                    "may use the control socket");
        return;
    }
    if (status == 0 && control->count > CONTROL_SESSIONS_MAX) {
        turn_away(client, "busy", "too many clients of the control socket");
        return;
    }
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read);
    if (status != 0)
        client_close(client);
}

/* --- start and stop --- */

/* NULL, or what is wrong. */
static const char *bind_socket(struct control *control)
{
    const char *wrong = unix_socket_make_way(control->path);
    int error;

    if (wrong)
        return wrong;
    error = uv_pipe_bind(&control->listening, control->path);
    return error == 0 ? NULL : uv_strerror(error);
}

/* NULL, or what is wrong with the key control_group. */
static const char *open_to_group(struct control *control, const char *group)
{
    const struct group *entry;

    control->group = getegid();
    if (!group)
        return NULL;
    errno = 0;
    entry = getgrnam(group);
    if (!entry)
        return errno ? strerror(errno) : "there is no such group";
    if (chown(control->path, (uid_t)-1, entry->gr_gid) != 0)
        return errno == EPERM ? "the daemon's user is no member of the group" : strerror(errno);
    control->group = entry->gr_gid;
    return NULL;
}

/* NULL, or what is wrong. */
static const char *listen_socket(struct control *control, bool for_group)
{
    int error;

    if (chmod(control->path, for_group ? 0660 : 0600) != 0)
        return strerror(errno);
    error = uv_listen((uv_stream_t *)&control->listening, BACKLOG, on_connection);
    return error == 0 ? NULL : uv_strerror(error);
}

struct control *control_start(struct master *master, const struct config *config)
{
    struct control *control;
    const char *key = "control_socket";
    const char *wrong;

    control_copy_clean(config->database_directory);
    if (!config->control_socket)
        return NULL;
    control = calloc(1, sizeof *control);
    if (!control || !(control->spare = malloc(sizeof *control->spare)) ||
        !(control->path = strdup(config->control_socket))) {
        log_error("no control socket: out of memory");
        if (control)
            free(control->spare);
        free(control);
        return NULL;
    }
    control->master = master;
    control->handles = 2;
    (void)uv_pipe_init(master->loop, &control->listening, 0);
    (void)uv_idle_init(master->loop, &control->run_due);
    control->listening.data = control;
    control->run_due.data = control;
    wrong = bind_socket(control);
    if (!wrong) {
        wrong = open_to_group(control, config->control_group);
        if (wrong)
            key = "control_group";
        else
            wrong = listen_socket(control, config->control_group != NULL);
    }
    if (!wrong) {
        log_info("listening: control=%s", control->path);
        return control;
    }
    log_error("no control socket: %s: %s; correct the key %s", control->path, wrong, key);
    control_stop(control);
    return NULL;
}

void control_changed(struct control *control)
{
    if (!control)
        return;
    for (struct client *at = control->clients; at; at = at->next)
        if (at->session.task && at->session.task->follows)
            control_session_wake(&at->session);
}

void control_stop(struct control *control)
{
    if (!control)
        return;
    for (struct client *at = control->clients; at; at = at->next)
        client_close(at);
    uv_close((uv_handle_t *)&control->listening, on_handle_closed);
    uv_close((uv_handle_t *)&control->run_due, on_handle_closed);
}
