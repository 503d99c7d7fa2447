/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect_script.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* An assertion of cmocka may only fail in the thread of the test. */
static bool fails(struct script *script, const char *wrong)
{
    if (!script->wrong)
        script->wrong = wrong;
    return false;
}

static void *run_script(void *context)
{
    struct script *script = context;

    script->fd = accept(script->listener, NULL, NULL);
    if (script->fd >= 0) {
        const int on = 1;
        struct timeval limit = {.tv_sec = PATIENT_MS / 1000};

        (void)setsockopt(script->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(script->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        script->function(script);
        close(script->fd);
    }
    return NULL;
}

static void start(struct script *script, script_function *function, const struct sockaddr *address,
                  socklen_t len)
{
    /* So that a client that does not read soon stops its server. */
    const int small = 65536;

    memset(script, 0, sizeof *script);
    layer_stack_init(&script->stack);
    script->function = function;
    script->listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(script->listener >= 0);
    setsockopt(script->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(script->listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    assert_int_equal(bind(script->listener, address, len), 0);
    assert_int_equal(listen(script->listener, 5), 0);
}

void script_start(struct script *script, script_function *function, const char *word)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    start(script, function, (struct sockaddr *)&address, sizeof address);
    script->word = word;
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(script->port, sizeof script->port, "%u", (unsigned)ntohs(address.sin_port));
    assert_int_equal(pthread_create(&script->thread, NULL, run_script, script), 0);
}

void script_start_unix(struct script *script, script_function *function, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    start(script, function, (struct sockaddr *)&address, sizeof address);
    assert_int_equal(pthread_create(&script->thread, NULL, run_script, script), 0);
}

void script_end(struct script *script)
{
    /* A client that never connected must not leave the thread in accept(). */
    shutdown(script->listener, SHUT_RDWR);
    pthread_join(script->thread, NULL);
    close(script->listener);
    layer_stack_close(&script->stack);
    buffer_free(&script->down);
    buffer_free(&script->up);
    if (script->wrong)
        fail_msg("%s; the last command was: %s", script->wrong, script->command);
}

struct mupdate_connect_options script_options(const struct script *script)
{
    return (struct mupdate_connect_options){
        .host = "127.0.0.1",
        .port = script->port,
        .tls = MUPDATE_TLS_NEVER,
        .timeout_ms = PATIENT_MS,
    };
}

static bool flush(struct script *script)
{
    while (buffer_len(&script->down) > 0) {
        ssize_t sent =
            send(script->fd, buffer_bytes(&script->down), buffer_len(&script->down), MSG_NOSIGNAL);

        if (sent <= 0)
            return fails(script, "the client took no more bytes");
        buffer_consume(&script->down, (size_t)sent);
    }
    return true;
}

void script_say(struct script *script, const char *text)
{
    if (layer_stack_send(&script->stack, text, strlen(text), &script->down) != LAYER_OK)
        fails(script, "a layer of the server failed");
    flush(script);
}

/* More bytes of the client into script->up. */
static bool receive(struct script *script)
{
    char data[4096];
    ssize_t len = recv(script->fd, data, sizeof data, 0);

    if (len <= 0)
        return false;
    if (layer_stack_receive(&script->stack, data, (size_t)len, &script->up, &script->down,
                            SIZE_MAX / 2) != LAYER_OK)
        return false;
    return flush(script);
}

static bool has_line(const struct script *script)
{
    return buffer_len(&script->up) > 0 &&
           memmem(buffer_bytes(&script->up), buffer_len(&script->up), "\r\n", 2);
}

/* Append a line to command; false when the client closed before its end. */
static bool take_line(struct script *script, size_t *used)
{
    size_t len;

    while (!has_line(script))
        if (!receive(script))
            return false;
    len =
        (size_t)((uint8_t *)memmem(buffer_bytes(&script->up), buffer_len(&script->up), "\r\n", 2) -
                 buffer_bytes(&script->up));
    if (*used + len + 3 > sizeof script->command)
        return fails(script, "the client sent a longer command than expected");
    memcpy(script->command + *used, buffer_bytes(&script->up), len);
    *used += len;
    script->command[*used] = '\0';
    buffer_consume(&script->up, len + 2);
    return true;
}

/* No literal of a script's client has a line end in it, so its lines are what a line is. */
static bool take_command(struct script *script)
{
    size_t used = 0;
    char *blank;

    while (take_line(script, &used)) {
        if (used < 2 || strcmp(script->command + used - 2, "+}") != 0) {
            blank = strchr(script->command, ' ');
            if (!blank || (size_t)(blank - script->command) >= sizeof script->tag)
                return fails(script, "the client sent no tag");
            memcpy(script->tag, script->command, (size_t)(blank - script->command));
            script->tag[blank - script->command] = '\0';
            memmove(script->command, blank + 1, strlen(blank));
            return true;
        }
        memcpy(script->command + used, "\r\n", 3);
        used += 2;
    }
    return false;
}

void script_line(struct script *script)
{
    size_t used = 0;

    script->command[0] = '\0';
    if (!take_line(script, &used))
        fails(script, "the client closed where a line was expected");
}

void script_expect(struct script *script, const char *command)
{
    if (!take_command(script))
        fails(script, "the client closed where a command was expected");
    else if (strncasecmp(script->command, command, strlen(command)) != 0)
        fails(script, "the client sent another command than expected");
}

void script_reply(struct script *script, const char *text)
{
    char line[4096];

    if (snprintf(line, sizeof line, "%s %s\r\n", script->tag, text) >= (int)sizeof line)
        fails(script, "the script answers with a line that is too long");
    script_say(script, line);
}

void script_expect_end(struct script *script)
{
    script->command[0] = '\0';
    if (!take_command(script))
        return;
    if (strcasecmp(script->command, "LOGOUT") != 0) {
        fails(script, "the client went on where it should have ended");
        return;
    }
    script_reply(script, "BYE \"bye\"");
    while (receive(script))
        ;
}
