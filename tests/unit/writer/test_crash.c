/*
 * A process that decides changes under load is killed at random moments. Its
 * parent was told through a pipe what was submitted and what was answered.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mupdated/writer/writer.h"
#include "tests/unit/store/fixture.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLS 12
#define NAMES 300
#define OUTSTANDING 64

/*
 * What the child tells, before it submits and after it was answered. Shorter
 * than PIPE_BUF, so each is read whole.
 */
struct message {
    int name;
    int version; /* of the location: one more with each change of that name */
    enum { SUBMITTED, ANSWERED_OK, ANSWERED_OTHERWISE } what;
    uint64_t sequence;
};

/* --- the child --- */

struct load {
    uv_loop_t loop;
    struct writer *writer;
    int pipe;
    int versions[NAMES];
    unsigned seed;
};

static void tell(const struct load *load, const struct message *message)
{
    if (write(load->pipe, message, sizeof *message) != (ssize_t)sizeof *message)
        _exit(2);
}

static void submit_next(struct load *load)
{
    struct message message = {.name = rand_r(&load->seed) % NAMES, .what = SUBMITTED};
    char name[32];
    char location[32];
    struct rule_request rule = {.verb = MUPDATE_ACTIVATE, .writes.all = true};
    struct writer_request *request;

    message.version = ++load->versions[message.name];
    (void)snprintf(name, sizeof name, "user.%d", message.name);
    (void)snprintf(location, sizeof location, "be!%d", message.version);
    rule.name = text_of(name);
    rule.location = text_of(location);
    rule.acl = text_of("anyone lrs");
    request = writer_request_new(&rule, text_of("backend1"), NULL);
    if (!request)
        _exit(3);
    request->owner = (void *)(intptr_t)(message.version * NAMES + message.name);
    tell(load, &message);
    writer_submit(load->writer, request);
}

static void on_done(void *context, struct writer_request *batch, uint64_t first)
{
    struct load *load = context;

    (void)first;
    while (batch) {
        struct writer_request *next = batch->next;
        intptr_t owner = (intptr_t)batch->owner;
        struct message message = {
            .name = (int)(owner % NAMES),
            .version = (int)(owner / NAMES),
            .what = batch->result == WRITER_OK ? ANSWERED_OK : ANSWERED_OTHERWISE,
            .sequence = batch->change ? batch->change->now.sequence : 0,
        };

        tell(load, &message);
        writer_request_free(batch);
        batch = next;
        submit_next(load);
    }
}

static void run_load(struct store_fixture *fixture, int pipe_fd, const int *versions, unsigned seed)
{
    struct load *load = calloc(1, sizeof *load);
    const struct rule_policy policy = {.name_bytes = 1024, .location_bytes = 1024,
                                       .acl_bytes = 65536};
    struct writer_options options = {
        .log_changes = 2000,
        .checkpoint_interval_ms = 30, /* so that kills hit checkpoints and removed logs too */
        .done = on_done,
        .context = load,
    };

    if (!load || store_open(&fixture->store, &fixture->options, &fixture->error) != STORE_OK)
        _exit(4);
    load->pipe = pipe_fd;
    load->seed = seed;
    memcpy(load->versions, versions, sizeof load->versions);
    options.store = fixture->store;
    if (uv_loop_init(&load->loop) != 0 ||
        writer_start(&load->writer, &load->loop, &options, &policy) != 0)
        _exit(5);
    for (int i = 0; i < OUTSTANDING; i++)
        submit_next(load);
    (void)uv_run(&load->loop, UV_RUN_DEFAULT);
    _exit(6);
}

/* --- the parent --- */

struct expected {
    int submitted[NAMES]; /* newest version */
    int answered[NAMES];
    uint64_t sequence; /* highest one answered */
    uint64_t total;
};

static void note(struct expected *expected, const struct message *message)
{
    switch (message->what) {
    case SUBMITTED:
        expected->submitted[message->name] = message->version;
        break;
    case ANSWERED_OK:
        /* Each version differs from the last, so there is always something to store. */
        assert_true(message->sequence > 0);
        assert_true(message->version > expected->answered[message->name]);
        expected->answered[message->name] = message->version;
        assert_int_equal(message->sequence, expected->sequence + 1);
        expected->sequence = message->sequence;
        expected->total++;
        break;
    case ANSWERED_OTHERWISE:
        fail_msg("a change was not stored");
    }
}

static int64_t now_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Listen to the child for some time from its first answer on, kill it, hear the rest. */
static void listen_and_kill(pid_t child, int pipe_fd, int after_ms, struct expected *expected)
{
    struct pollfd poll_fd = {.fd = pipe_fd, .events = POLLIN};
    struct message message;
    uint64_t total = expected->total;
    int64_t kill_at = 0;
    bool killed = false;
    int status;

    for (;;) {
        ssize_t got;

        if (!killed && kill_at && now_ms() >= kill_at) {
            assert_int_equal(kill(child, SIGKILL), 0);
            killed = true;
        }
        if (!killed) {
            int timeout = kill_at ? (int)(kill_at - now_ms()) : 60000;
            int ready = poll(&poll_fd, 1, timeout < 0 ? 0 : timeout);

            assert_true(ready > 0 || kill_at);
            if (ready == 0)
                continue;
        }
        got = read(pipe_fd, &message, sizeof message);
        if (got == 0)
            break;
        assert_int_equal(got, sizeof message);
        note(expected, &message);
        if (!kill_at && expected->total > total)
            kill_at = now_ms() + after_ms;
    }
    assert_true(killed);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void compare(struct store_fixture *fixture, struct expected *expected)
{
    struct store_position position;

    store_position(fixture->store, &position);
    assert_true(position.last >= expected->sequence);
    for (int i = 0; i < NAMES; i++) {
        char name[32];
        const char *location;
        int version = 0;

        (void)snprintf(name, sizeof name, "user.%d", i);
        location = store_fixture_location(fixture, name);
        if (location)
            assert_int_equal(sscanf(location, "be!%d", &version), 1);
        /* All that was answered, and nothing that was never asked for. */
        assert_true(version >= expected->answered[i]);
        assert_true(version <= expected->submitted[i]);
        expected->answered[i] = version;
    }
    expected->sequence = position.last;
}

static void nothing_that_was_acknowledged_is_lost_when_the_process_is_killed(void **state)
{
    struct store_fixture *fixture = store_fixture_new(NULL);
    struct expected *expected = calloc(1, sizeof *expected);
    unsigned seed = (unsigned)getpid();
    struct store_counts counts;

    (void)state;
    assert_non_null(expected);
    for (int i = 0; i < KILLS; i++) {
        int pipe_fds[2];
        pid_t child;

        assert_int_equal(pipe(pipe_fds), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(pipe_fds[0]);
            run_load(fixture, pipe_fds[1], expected->submitted, seed + (unsigned)i);
        }
        close(pipe_fds[1]);
        listen_and_kill(child, pipe_fds[0], rand_r(&seed) % 400, expected);
        close(pipe_fds[0]);

        store_fixture_open(fixture);
        compare(fixture, expected);
        store_fixture_check(fixture, &counts);
        store_fixture_close(fixture);
    }
    print_message("%d kills, %llu acknowledged changes, none lost\n", KILLS,
                  (unsigned long long)expected->total);
    assert_true(expected->total > KILLS);
    free(expected);
    store_fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_was_acknowledged_is_lost_when_the_process_is_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
