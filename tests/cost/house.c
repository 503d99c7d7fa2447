/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/cost/house.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "mupdated/log.h"

#define READ_BYTES 262144

void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fputs("cost: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    _exit(EX_SOFTWARE);
}

/* --- counting --- */

/* callgrind begins each time with all threads counted, whatever was said before. */
static atomic_uint block_number;
static atomic_bool writer_counts;

static void set_counting(bool on)
{
    static _Thread_local unsigned known;
    static _Thread_local bool counts;

    if (known != atomic_load(&block_number))
        counts = true;
    known = atomic_load(&block_number);
    if (on != counts)
        CALLGRIND_TOGGLE_COLLECT;
    counts = on;
}

void house_count(bool writer)
{
    atomic_store(&writer_counts, writer);
    CALLGRIND_START_INSTRUMENTATION;
    atomic_fetch_add(&block_number, 1);
    set_counting(false);
    CALLGRIND_ZERO_STATS;
}

void house_counted(const char *block)
{
    CALLGRIND_DUMP_STATS_AT(block);
    CALLGRIND_STOP_INSTRUMENTATION;
}

/* --- the writer's gate --- */

static atomic_bool held;
static atomic_bool waiting;
static uv_cond_t *work;
static uv_mutex_t *work_lock;

void __real_uv_cond_wait(uv_cond_t *cond, uv_mutex_t *mutex);
void __wrap_uv_cond_wait(uv_cond_t *cond, uv_mutex_t *mutex);

/*
 * The only one who waits so is the writer's thread, for work. How many changes
 * are queued when it wakes depends on the machine's mood, and the cost of a
 * change on how many share a transaction.
 */
void __wrap_uv_cond_wait(uv_cond_t *cond, uv_mutex_t *mutex)
{
    work = cond;
    work_lock = mutex;
    atomic_store(&waiting, true);
    do
        __real_uv_cond_wait(cond, mutex);
    while (atomic_load(&held));
    set_counting(atomic_load(&writer_counts));
}

static void wait_for_writer(void)
{
    while (!atomic_load(&waiting))
        (void)usleep(100);
}

void house_hold_writer(void)
{
    wait_for_writer();
    atomic_store(&held, true);
}

void house_release_writer(void)
{
    uv_mutex_lock(work_lock);
    atomic_store(&held, false);
    atomic_store(&waiting, false);
    uv_cond_signal(work);
    uv_mutex_unlock(work_lock);
    wait_for_writer();
}

/* --- chance --- */

ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags);

/* The same in each run: how rows spread over an index shows in what finding one costs. */
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags)
{
    static unsigned char next = 1;
    unsigned char *to = bytes;

    (void)flags;
    for (size_t i = 0; i < len; i++)
        to[i] = next = (unsigned char)(next * 5 + 1);
    return (ssize_t)len;
}

/* --- the master --- */

enum store_result __real_store_open(struct store **store, const struct store_options *options,
                                    struct store_error *error);
enum store_result __wrap_store_open(struct store **store, const struct store_options *options,
                                    struct store_error *error);

/*
 * Not counted: Berkeley DB looks for the end of its last log file, which costs
 * what happens to be in it and says nothing of the table's size.
 */
enum store_result __wrap_store_open(struct store **store, const struct store_options *options,
                                    struct store_error *error)
{
    enum store_result result;

    set_counting(false);
    result = __real_store_open(store, options, error);
    set_counting(true);
    return result;
}

void house_open(struct house *house, const char *config_file, const char *socket)
{
    struct config_error error;
    int code;

    memset(house, 0, sizeof *house);
    house->socket = socket;
    house->config = config_read(config_file, NULL, NULL, &error);
    if (!house->config)
        die("%s", error.text);
    log_open(house->config->log, NULL, LOG_MAIL, house->config->log_level);
    if (uv_loop_init(&house->loop) != 0)
        die("no loop");
    set_counting(true);
    code = master_bind(&house->master, &house->loop, house->config);
    if (code == EX_OK)
        code = master_start(&house->master);
    set_counting(false);
    if (code != EX_OK)
        die("the master does not start: %d", code);
}

static void on_stopped(void *context)
{
    (void)context;
}

void house_close(struct house *house)
{
    master_stop(&house->master, on_stopped, NULL);
    while (uv_run(&house->loop, UV_RUN_DEFAULT))
        continue;
    master_close(&house->master);
    (void)uv_loop_close(&house->loop);
    config_free(house->config);
}

/*
 * Before a loop that would sleep looks for events, give other threads the time
 * to end what they do: which of two threads comes first shows in what they pay
 * for locks and memory. Not for ever: of a new socket the loop does not know yet.
 */
static void settle(const struct house *house)
{
    struct pollfd events = {.fd = uv_backend_fd(&house->loop), .events = POLLIN};

    if (uv_backend_timeout(&house->loop) == 0)
        return;
    (void)poll(&events, 1, 50);
    (void)usleep(5000);
}

void house_turn(struct house *house)
{
    settle(house);
    set_counting(true);
    (void)uv_run(&house->loop, UV_RUN_ONCE);
    set_counting(false);
}

/* --- clients --- */

void client_connect(struct client *client, struct house *house)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memset(client, 0, sizeof *client);
    client->house = house;
    if (strlen(house->socket) >= sizeof address.sun_path)
        die("the socket's path is too long: %s", house->socket);
    strcpy(address.sun_path, house->socket);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        die("connect: %s", strerror(errno));
    client_wait_line(client, "* OK MUPDATE");
    client_forget(client);
}

void client_login(struct client *client)
{
    /* NUL murder NUL secret */
    client_say(client, "L AUTHENTICATE \"PLAIN\" \"AG11cmRlcgBzZWNyZXQ=\"\r\n");
    client_wait_line(client, "L OK");
    client_forget(client);
}

void client_open(struct client *client, struct house *house)
{
    client_connect(client, house);
    client_login(client);
}

void client_close(struct client *client)
{
    (void)close(client->fd);
    buffer_free(&client->received);
}

void client_send(struct client *client, const struct buffer *bytes)
{
    ssize_t sent = write(client->fd, buffer_bytes(bytes), buffer_len(bytes));

    if (sent < 0 || (size_t)sent != buffer_len(bytes))
        die("write of %zu octets: %zd", buffer_len(bytes), sent);
}

void client_say(struct client *client, const char *text)
{
    struct buffer bytes = {0};

    buffer_append_string(&bytes, text);
    client_send(client, &bytes);
    buffer_free(&bytes);
}

void client_read(struct client *client)
{
    ssize_t len;

    do {
        uint8_t *to = buffer_reserve(&client->received, READ_BYTES);

        if (!to)
            die("out of memory");
        len = read(client->fd, to, READ_BYTES);
        if (len > 0)
            buffer_added(&client->received, (size_t)len);
    } while (len > 0);
    client->ended = len == 0;
    if (len < 0 && errno != EAGAIN)
        die("read: %s", strerror(errno));
}

static bool last_line_starts(const struct client *client, const char *start)
{
    const uint8_t *bytes = buffer_bytes(&client->received);
    size_t len = buffer_len(&client->received);
    const uint8_t *before;

    if (len < 2 || bytes[len - 1] != '\n')
        return false;
    before = memrchr(bytes, '\n', len - 1);
    before = before ? before + 1 : bytes;
    len -= (size_t)(before - bytes);
    return len >= strlen(start) && memcmp(before, start, strlen(start)) == 0;
}

void client_wait_line(struct client *client, const char *start)
{
    for (;;) {
        client_read(client);
        if (last_line_starts(client, start))
            return;
        if (client->ended)
            die("the daemon closed a connection");
        house_turn(client->house);
    }
}

void client_wait_bytes(struct client *client, size_t len)
{
    for (;;) {
        client_read(client);
        if (buffer_len(&client->received) >= len)
            return;
        if (client->ended)
            die("the daemon closed a connection");
        house_turn(client->house);
    }
}

size_t client_holds(const struct client *client, const char *text)
{
    const uint8_t *at = buffer_bytes(&client->received);
    const uint8_t *end = at + buffer_len(&client->received);
    size_t count = 0;

    while (at && (at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
        at += strlen(text);
        count++;
    }
    return count;
}

void client_forget(struct client *client)
{
    buffer_clear(&client->received);
}
