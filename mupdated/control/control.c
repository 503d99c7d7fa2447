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

/* A request is a line of at most so many octets. */
#define LINE_BYTES 65536

/* A task says no more while so much waits for the client. */
#define OUTPUT_BYTES 262144

struct control {
    uv_pipe_t listening;
    uv_idle_t run_due;
    struct master *master;
    struct control_session *sessions;
    size_t count;
    size_t handles; /* that are not closed yet */
    char *path;
    gid_t group;    /* whose members may use it; of the process: nobody else */
};

struct master *control_session_master(const struct control_session *session)
{
    return session->control->master;
}

/* --- the end --- */

static void release(struct control *control)
{
    if (--control->handles > 0)
        return;
    free(control->path);
    free(control);
}

static void on_handle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_session_closed(uv_handle_t *handle)
{
    struct control_session *session = handle->data;
    struct control *control = session->control;

    if (session->next)
        session->next->previous = session->previous;
    if (session->previous)
        session->previous->next = session->next;
    else
        control->sessions = session->next;
    control->count--;
    buffer_free(&session->in);
    buffer_free(&session->out);
    buffer_free(&session->writing);
    free(session);
    release(control);
}

static void end_task(struct control_session *session)
{
    struct control_task *task = session->task;

    session->task = NULL;
    if (task)
        task->close(task);
}

static void session_close(struct control_session *session)
{
    if (session->closing)
        return;
    session->closing = true;
    end_task(session);
    uv_close((uv_handle_t *)&session->pipe, on_session_closed);
}

/* --- sending --- */

static void on_due(uv_idle_t *idle);

void control_session_wake(struct control_session *session)
{
    session->awake = true;
    uv_idle_start(&session->control->run_due, on_due);
}

static void on_written(uv_write_t *write, int status)
{
    struct control_session *session = write->data;

    session->write_pending = false;
    buffer_clear(&session->writing);
    if (status < 0)
        session_close(session);
    else if (!session->closing)
        control_session_wake(session);
}

static void flush(struct control_session *session)
{
    struct buffer empty = session->writing;
    uv_buf_t bytes;

    if (session->write_pending || session->closing)
        return;
    if (buffer_len(&session->out) == 0) {
        if (session->last)
            session_close(session);
        return;
    }
    session->writing = session->out;
    session->out = empty;
    bytes = uv_buf_init((char *)buffer_bytes(&session->writing),
                        (unsigned)buffer_len(&session->writing));
    session->write.data = session;
    if (uv_write(&session->write, (uv_stream_t *)&session->pipe, &bytes, 1, on_written) != 0)
        session_close(session);
    else
        session->write_pending = true;
}

static int append(const char *text, size_t len, void *context)
{
    struct buffer *out = context;

    buffer_append(out, text, len);
    return out->failed ? -1 : 0;
}

bool control_say(struct control_session *session, json_t *object, bool more)
{
    bool good = object && json_object_set_new(object, "id", json_integer(session->id)) == 0 &&
                (json_object_get(object, "ok") ||
                 json_object_set_new(object, "ok", json_true()) == 0) &&
                (!more || json_object_set_new(object, "more", json_true()) == 0) &&
                json_dump_callback(object, append, &session->out, JSON_COMPACT) == 0 &&
                append("\n", 1, &session->out) == 0;

    json_decref(object);
    return good;
}

bool control_refuse(struct control_session *session, const char *code, const char *text)
{
    return control_say(session, json_pack("{s:b,s:s,s:s}", "ok", 0, "code", code, "text", text),
                       false);
}

void control_session_begin(struct control_session *session, struct control_task *task)
{
    session->task = task;
    control_session_wake(session);
}

/* --- requests --- */

/* False: cut off. */
static bool handle_line(struct control_session *session, const char *line, size_t len)
{
    json_error_t error;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
    char text[256];
    bool good;

    session->id = 0;
    if (!json_is_object(request)) {
        (void)snprintf(text, sizeof text, "this is no JSON object in a line: %s",
                       request ? "another kind of value" : error.text);
        json_decref(request);
        return control_refuse(session, "syntax", text);
    }
    good = control_request(session, request);
    json_decref(request);
    return good;
}

/* Take the requests that came, until one needs a task. False: cut off. */
static bool take_lines(struct control_session *session)
{
    while (!session->task && !session->last && buffer_len(&session->out) < OUTPUT_BYTES) {
        const char *line = (const char *)buffer_bytes(&session->in);
        size_t len = buffer_len(&session->in);
        /* gcc-analyzer(null-argument): a buffer that holds octets has data */
        const char *end = len ? memchr(line, '\n', len) : NULL;

        if (!end) {
            session->last = session->ended;
            if (len < LINE_BYTES)
                return true;
            session->id = 0;
            session->last = true;
            return control_refuse(session, "syntax", "the line of the request is too long");
        }
        if (!handle_line(session, line, (size_t)(end - line)))
            return false;
        buffer_consume(&session->in, (size_t)(end - line) + 1);
    }
    return true;
}

/* A slice of its task. False: cut off. */
static bool run_task(struct control_session *session)
{
    if (!session->task || !session->awake || buffer_len(&session->out) >= OUTPUT_BYTES)
        return true;
    switch (session->task->run(session->task, session)) {
    case CONTROL_DONE:
        end_task(session);
        return true;
    case CONTROL_MORE:
        return true;
    case CONTROL_WAIT:
        session->awake = false;
        return true;
    case CONTROL_FAILED:
        break;
    }
    return false;
}

/* True when it can go on at once. */
static bool session_run(struct control_session *session)
{
    if (session->closing)
        return false;
    if (!run_task(session) || !take_lines(session) || session->out.failed || session->in.failed) {
        log_error("control: out of memory for an answer to %s", session->who);
        session_close(session);
        return false;
    }
    flush(session);
    return !session->closing && session->task && session->awake && !session->write_pending;
}

static void on_due(uv_idle_t *idle)
{
    struct control *control = idle->data;
    struct control_session *next;
    bool again = false;

    for (struct control_session *at = control->sessions; at; at = next) {
        next = at->next;
        if (at->awake)
            again |= session_run(at);
    }
    if (!again)
        uv_idle_stop(idle);
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
    struct control_session *session = stream->data;

    if (nread == UV_EOF && !(session->task && session->task->follows)) {
        session->ended = true;
        uv_read_stop(stream);
        control_session_wake(session);
        return;
    }
    if (nread < 0) {
        session_close(session);
        return;
    }
    /* Who asks on while an answer is under way gets no more room than for a line. */
    if (buffer_len(&session->in) + (size_t)nread > LINE_BYTES + READ_BYTES) {
        session_close(session);
        return;
    }
    buffer_append(&session->in, buf->base, (size_t)nread);
    if (session_run(session))
        control_session_wake(session);
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

/* Whether who connected may use it; fills session->who. */
static bool is_allowed(struct control_session *session)
{
    struct ucred peer = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t size = sizeof peer;
    uv_os_fd_t fd;

    strcpy(session->who, "?");
    if (uv_fileno((uv_handle_t *)&session->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    if (peer.uid == 0)
        strcpy(session->who, "root");
    else
        (void)snprintf(session->who, sizeof session->who, "uid=%lu", (unsigned long)peer.uid);
    return peer.uid == 0 || peer.uid == geteuid() ||
           (session->control->group != getegid() &&
            (peer.gid == session->control->group || has_group(fd, session->control->group)));
}

static void turn_away(struct control_session *session, const char *code, const char *text)
{
    log_warning("control: refused: client=%s reason=%s", session->who, code);
    session->last = true;
    if (control_refuse(session, code, text))
        flush(session);
    else
        session_close(session);
}

static void on_connection(uv_stream_t *listening, int status)
{
    struct control *control = listening->data;
    struct control_session *session;

    if (status < 0) {
        log_error("control: cannot take a connection: %s", uv_strerror(status));
        return;
    }
    session = calloc(1, sizeof *session);
    if (!session) {
        log_error("control: cannot take a connection: out of memory");
        return;
    }
    session->control = control;
    session->pipe.data = session;
    (void)uv_pipe_init(listening->loop, &session->pipe, 0); /* cannot fail */
    control->handles++;
    session->next = control->sessions;
    if (control->sessions)
        control->sessions->previous = session;
    control->sessions = session;
    control->count++;
    status = uv_accept(listening, (uv_stream_t *)&session->pipe);
    if (status == 0 && !is_allowed(session)) {
        turn_away(session, "denied", "only root, the daemon's user and members of control_group "
                                     "may use the control socket");
        return;
    }
    if (status == 0 && control->count > CONTROL_SESSIONS_MAX) {
        turn_away(session, "busy", "too many clients of the control socket");
        return;
    }
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&session->pipe, on_alloc, on_read);
    if (status != 0)
        session_close(session);
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
    if (!control || !(control->path = strdup(config->control_socket))) {
        log_error("no control socket: out of memory");
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
    for (struct control_session *at = control->sessions; at; at = at->next)
        if (at->task && at->task->follows)
            control_session_wake(at);
}

void control_stop(struct control *control)
{
    struct control_session *next;

    if (!control)
        return;
    for (struct control_session *at = control->sessions; at; at = next) {
        next = at->next;
        session_close(at);
    }
    uv_close((uv_handle_t *)&control->listening, on_handle_closed);
    uv_close((uv_handle_t *)&control->run_due, on_handle_closed);
}
