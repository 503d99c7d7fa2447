/* SPDX-License-Identifier: BSD-3-Clause */
#include "connect_script.h"

#include <netinet/in.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct mupdate_text text(const char *string)
{
    return (struct mupdate_text){string, strlen(string)};
}

/* Connecting must fail with this kind, and its text must have this in it. */
static void assert_no_connection(const struct mupdate_connect_options *options,
                                 enum mupdate_connect_kind kind, const char *part)
{
    struct mupdate_connect_error error;
    struct mupdate_connection *connection = mupdate_connect(options, &error);

    assert_null(connection);
    if (!strstr(error.text, part))
        fail_msg("no \"%s\" in \"%s\"", part, error.text);
    assert_int_equal(error.kind, kind);
}

static struct mupdate_connection *connect_to(const struct script *script)
{
    struct mupdate_connect_options options = script_options(script);
    struct mupdate_connect_error error;
    struct mupdate_connection *connection = mupdate_connect(&options, &error);

    if (!connection)
        fail_msg("%s", error.text);
    return connection;
}

static void greet(struct script *script)
{
    script_say(script, BANNER);
    script_expect_end(script);
}

static void the_banner_is_read_and_logout_is_said(void **state)
{
    struct script script;
    struct mupdate_connection *connection;

    (void)state;
    script_start(&script, greet, NULL);
    connection = connect_to(&script);
    assert_string_equal(mupdate_client_banner(mupdate_connection_client(connection))->hostname,
                        "mupdate.test");
    mupdate_connection_close(connection);
    script_end(&script);
    assert_string_equal(script.command, "LOGOUT");
}

static void greet_slowly(struct script *script)
{
    const char *c;
    char octet[2] = "";

    for (c = BANNER; *c; c++) {
        octet[0] = *c;
        script_say(script, octet);
    }
    script_expect_end(script);
}

static void a_banner_in_single_octets_is_read(void **state)
{
    struct script script;

    (void)state;
    script_start(&script, greet_slowly, NULL);
    mupdate_connection_close(connect_to(&script));
    script_end(&script);
}

/* A socket of 127.0.0.1 with a port of its own, on which nobody listens yet. */
static int bound_socket(struct sockaddr_in *address, char port[8])
{
    socklen_t len = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    snprintf(port, 8, "%u", (unsigned)ntohs(address->sin_port));
    return fd;
}

static void nobody_listening_is_unreachable_and_the_text_names_whom(void **state)
{
    struct sockaddr_in address;
    char port[8];
    char whole[64];
    struct mupdate_connect_options options = {.host = "127.0.0.1", .port = port};
    int fd = bound_socket(&address, port);

    (void)state;
    snprintf(whole, sizeof whole, "cannot reach 127.0.0.1:%s: Connection refused", port);
    assert_no_connection(&options, MUPDATE_CONNECT_UNREACHABLE, whole);
    close(fd);
}

static void a_name_that_does_not_resolve_is_no_host(void **state)
{
    struct mupdate_connect_options options = {.host = "not..a.name"};

    (void)state;
    assert_no_connection(&options, MUPDATE_CONNECT_NO_HOST, "not..a.name");
}

static void options_without_sense_are_refused(void **state)
{
    struct mupdate_connect_options no_host = {.host = ""};
    struct mupdate_connect_options no_port = {.host = "127.0.0.1", .port = "no-such-service"};
    struct mupdate_connect_options high_port = {.host = "127.0.0.1", .port = "65536"};
    struct mupdate_connect_options no_path = {.host = "unix:socket"};
    char path[200] = "unix:/";
    struct mupdate_connect_options long_path = {.host = path};

    (void)state;
    memset(path + 6, 'a', sizeof path - 7);
    assert_no_connection(&no_host, MUPDATE_CONNECT_USAGE, "no host");
    assert_no_connection(&no_port, MUPDATE_CONNECT_USAGE, "no-such-service");
    assert_no_connection(&high_port, MUPDATE_CONNECT_USAGE, "65536");
    assert_no_connection(&no_path, MUPDATE_CONNECT_USAGE, "unix:/path");
    assert_no_connection(&long_path, MUPDATE_CONNECT_USAGE, "unix:/path");
}

static void a_missing_local_socket_is_unreachable(void **state)
{
    struct mupdate_connect_options options = {.host = "unix:/nonexistent/socket"};

    (void)state;
    assert_no_connection(&options, MUPDATE_CONNECT_UNREACHABLE, "/nonexistent/socket");
}

/* A place for a socket, and how a host option calls it. */
struct local_host {
    char directory[32];
    char host[64];
};

static void local_host_make(struct local_host *local)
{
    strcpy(local->directory, "/tmp/test_connect.XXXXXX");
    assert_non_null(mkdtemp(local->directory));
    snprintf(local->host, sizeof local->host, "unix:%s/socket", local->directory);
}

static void local_host_remove(const struct local_host *local)
{
    unlink(local->host + 5);
    rmdir(local->directory);
}

static void a_local_socket_is_connected_to(void **state)
{
    struct local_host local;
    struct script script;
    struct mupdate_connect_options options = {.host = local.host, .timeout_ms = PATIENT_MS};
    struct mupdate_connect_error error;
    struct mupdate_connection *connection;

    (void)state;
    local_host_make(&local);
    script_start_unix(&script, greet, local.host + 5);
    connection = mupdate_connect(&options, &error);
    assert_non_null(connection);
    mupdate_connection_close(connection);
    script_end(&script);
    local_host_remove(&local);
}

static void keep_silent(struct script *script)
{
    script_expect_end(script);
}

static void silence_before_the_banner_is_a_timeout(void **state)
{
    struct script script;
    struct mupdate_connect_options options;

    (void)state;
    script_start(&script, keep_silent, NULL);
    options = script_options(&script);
    options.timeout_ms = 50;
    assert_no_connection(&options, MUPDATE_CONNECT_TIMEOUT, "its banner");
    assert_no_connection(&options, MUPDATE_CONNECT_TIMEOUT, "it is HOST:PORT/tls");
    script_end(&script);
}

/* A queue that is full makes Linux ignore further attempts, as a firewall does. */
static void an_address_that_ignores_us_is_a_timeout(void **state)
{
    struct sockaddr_in address;
    int fds[8];
    char port[8];
    struct mupdate_connect_options options = {.host = "127.0.0.1", .port = port, .timeout_ms = 100};
    int listener = bound_socket(&address, port);
    size_t i;

    (void)state;
    assert_int_equal(listen(listener, 0), 0);
    for (i = 0; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (struct sockaddr *)&address, sizeof address);
    }
    assert_no_connection(&options, MUPDATE_CONNECT_TIMEOUT, "cannot reach");
    for (i = 0; i < 8; i++)
        close(fds[i]);
    close(listener);
}

static void say_word(struct script *script)
{
    script_say(script, script->word);
}

static void assert_banner_fails(const char *banner, enum mupdate_connect_kind kind,
                                const char *part)
{
    struct script script;
    struct mupdate_connect_options options;

    script_start(&script, say_word, banner);
    options = script_options(&script);
    assert_no_connection(&options, kind, part);
    script_end(&script);
}

static void what_is_no_banner_is_reported_as_what_it_is(void **state)
{
    (void)state;
    assert_banner_fails("* BYE \"too many connections\"\r\n", MUPDATE_CONNECT_UNREACHABLE,
                        "too many connections");
    assert_banner_fails("220 mail.example.org ESMTP\r\n", MUPDATE_CONNECT_PROTOCOL,
                        "does not keep to MUPDATE");
    assert_banner_fails("", MUPDATE_CONNECT_LOST, "closed the connection");
    assert_banner_fails("* AUTH \"PLA", MUPDATE_CONNECT_LOST, "closed the connection");
}

static void texts_of_the_server_cannot_steer_the_terminal(void **state)
{
    (void)state;
    assert_banner_fails("* BYE {9+}\r\na\033[2J\x9b\x07z\r\n", MUPDATE_CONNECT_UNREACHABLE,
                        "a?[2J??z");
}

static void answer_find(struct script *script)
{
    script_say(script, BANNER);
    script_expect(script, "FIND {6+}\r\nuser.a");
    script_reply(script, "MAILBOX \"user.a\" {4+}\r\nb1!p {6+}\r\na\tlrs\t");
    script_reply(script, "OK \"done\"");
    script_expect_end(script);
}

static void rows_and_the_end_of_a_command_arrive(void **state)
{
    struct script script;
    struct mupdate_connection *connection;
    struct mupdate_client_event event;
    struct mupdate_connect_error error;
    uint64_t command;

    (void)state;
    script_start(&script, answer_find, NULL);
    connection = connect_to(&script);
    command = mupdate_client_find(mupdate_connection_client(connection), text("user.a"));
    assert_int_equal(mupdate_connection_next(connection, &event, PATIENT_MS, &error), 1);
    assert_int_equal(event.type, MUPDATE_CLIENT_ROW);
    assert_int_equal(event.row.acl.len, 6);
    assert_memory_equal(event.row.acl.data, "a\tlrs\t", 6);
    assert_int_equal(mupdate_connection_next(connection, &event, PATIENT_MS, &error), 1);
    assert_int_equal(event.type, MUPDATE_CLIENT_DONE);
    assert_int_equal(event.command, command);
    assert_int_equal(event.reply, MUPDATE_OK);
    /* Nothing more is there, and nobody waits for it. */
    assert_int_equal(mupdate_connection_next(connection, &event, 0, &error), 0);
    mupdate_connection_close(connection);
    script_end(&script);
}

/* The result of a change whose answer is script->word, and then the end of the connection. */
static int change_answered_with(const char *answer, script_function *function,
                                struct mupdate_client_event *event,
                                struct mupdate_connect_error *error)
{
    const struct mupdate_row row = {.name = text("user.a"), .location = text("b1!p")};
    struct script script;
    struct mupdate_connection *connection;
    int got;

    script_start(&script, function, answer);
    connection = connect_to(&script);
    assert_true(mupdate_client_set(mupdate_connection_client(connection), MUPDATE_RESERVE, &row) >
                0);
    got = mupdate_connection_next(connection, event, PATIENT_MS, error);
    mupdate_connection_close(connection);
    script_end(&script);
    return got;
}

static void half_answer(struct script *script)
{
    script_say(script, BANNER);
    script_expect(script, "RESERVE");
    script_say(script, script->tag);
    script_say(script, script->word);
}

static void a_change_whose_answer_breaks_off_is_lost_not_refused(void **state)
{
    static const char *const answers[] = {"", " NO", " NO \"mailbox is held", " NO {100+}\r\nmail",
                                          " NO \"held\"\r"};
    struct mupdate_client_event event;
    struct mupdate_connect_error error;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        assert_int_equal(change_answered_with(answers[i], half_answer, &event, &error), -1);
        assert_int_equal(error.kind, MUPDATE_CONNECT_LOST);
    }
}

static void an_answer_that_is_whole_counts_though_the_server_closes(void **state)
{
    struct mupdate_client_event event;
    struct mupdate_connect_error error;

    (void)state;
    assert_int_equal(change_answered_with(" OK \"done\"\r\n", half_answer, &event, &error), 1);
    assert_int_equal(event.type, MUPDATE_CLIENT_DONE);
    assert_int_equal(event.reply, MUPDATE_OK);
}

static void garbage_instead_of_an_answer_breaks_the_protocol(void **state)
{
    struct mupdate_client_event event;
    struct mupdate_connect_error error;

    (void)state;
    assert_int_equal(change_answered_with(" PERHAPS \"so\"\r\n", half_answer, &event, &error), -1);
    assert_int_equal(error.kind, MUPDATE_CONNECT_PROTOCOL);
}

static void greet_and_leave(struct script *script)
{
    script_say(script, BANNER);
}

/* A local socket knows at once that nobody reads any more. */
static void writing_to_a_connection_that_is_gone_is_an_error_not_a_signal(void **state)
{
    struct local_host local;
    struct script script;
    struct mupdate_connect_options options = {.host = local.host, .timeout_ms = PATIENT_MS};
    struct mupdate_connection *connection;
    struct mupdate_client_event event;
    struct mupdate_connect_error error;
    int round;

    (void)state;
    local_host_make(&local);
    script_start_unix(&script, greet_and_leave, local.host + 5);
    connection = mupdate_connect(&options, &error);
    assert_non_null(connection);
    script_end(&script);
    for (round = 0; round < 3; round++) {
        (void)mupdate_client_noop(mupdate_connection_client(connection));
        assert_int_equal(mupdate_connection_next(connection, &event, PATIENT_MS, &error), -1);
        assert_int_equal(error.kind, MUPDATE_CONNECT_LOST);
    }
    mupdate_connection_close(connection);
    local_host_remove(&local);
}

static sem_t connected;

static void explain_and_leave(struct script *script)
{
    script_say(script, BANNER);
    sem_wait(&connected);
    script_say(script, "* BYE \"going down\"\r\n");
}

static void what_the_server_said_before_it_left_is_read_though_writing_fails(void **state)
{
    struct local_host local;
    struct script script;
    struct mupdate_connect_options options = {.host = local.host, .timeout_ms = PATIENT_MS};
    struct mupdate_connection *connection;
    struct mupdate_client_event event;
    struct mupdate_connect_error error;

    (void)state;
    sem_init(&connected, 0, 0);
    local_host_make(&local);
    script_start_unix(&script, explain_and_leave, local.host + 5);
    connection = mupdate_connect(&options, &error);
    sem_post(&connected);
    assert_non_null(connection);
    script_end(&script);
    (void)mupdate_client_noop(mupdate_connection_client(connection));
    assert_int_equal(mupdate_connection_next(connection, &event, PATIENT_MS, &error), 1);
    assert_int_equal(event.type, MUPDATE_CLIENT_GOODBYE);
    assert_memory_equal(event.text.data, "going down", event.text.len);
    mupdate_connection_close(connection);
    local_host_remove(&local);
    sem_destroy(&connected);
}

/* Many times what the sockets of both ends hold, in each direction. */
enum { PIPELINED = 12000 };

/* Answers each command before it reads the next: it stops reading when nobody takes its answers. */
static void answer_at_length(struct script *script)
{
    static char line[2048];
    int i;

    script_say(script, BANNER);
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "OK \"", 4);
    line[sizeof line - 2] = '"';
    for (i = 0; i < PIPELINED && !script->wrong; i++) {
        script_expect(script, "FIND");
        script_reply(script, line);
    }
    script_expect_end(script);
}

static void a_long_pipeline_does_not_lock_up_both_ends(void **state)
{
    struct script script;
    struct mupdate_connection *connection;
    struct mupdate_client_event event;
    struct mupdate_connect_error error;
    char name[1000];
    int i;

    (void)state;
    memset(name, 'n', sizeof name);
    script_start(&script, answer_at_length, NULL);
    connection = connect_to(&script);
    for (i = 0; i < PIPELINED; i++)
        assert_true(mupdate_client_find(mupdate_connection_client(connection),
                                        (struct mupdate_text){name, sizeof name}) > 0);
    for (i = 0; i < PIPELINED; i++)
        assert_int_equal(mupdate_connection_next(connection, &event, PATIENT_MS, &error), 1);
    mupdate_connection_close(connection);
    script_end(&script);
}

static atomic_int interruptions; /* counted in one thread, read in another */

static void interrupted(int signal_number)
{
    (void)signal_number;
    interruptions++;
}

/* Answers when the client, which does nothing but wait, was interrupted often. */
static void answer_after_interruptions(struct script *script)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int i;

    script_say(script, BANNER);
    script_expect(script, "NOOP");
    for (i = 0; i < PATIENT_MS && interruptions < 20; i++)
        nanosleep(&moment, NULL);
    if (interruptions < 20)
        script->wrong = "no signals came";
    script_reply(script, "OK \"done\"");
    script_expect_end(script);
}

static void a_signal_does_not_end_the_wait_for_an_answer(void **state)
{
    const struct sigaction action = {.sa_handler = interrupted};
    const struct itimerval often = {{0, 1000}, {0, 1000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    sigset_t blocked;
    struct script script;
    struct mupdate_connection *connection;
    struct mupdate_client_event event;
    struct mupdate_connect_error error;
    int got;

    (void)state;
    interruptions = 0;
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    /* The thread of the script inherits the block: the signals come to this one. */
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    script_start(&script, answer_after_interruptions, NULL);
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
    connection = connect_to(&script);
    assert_true(mupdate_client_noop(mupdate_connection_client(connection)) > 0);
    setitimer(ITIMER_REAL, &often, NULL);
    got = mupdate_connection_next(connection, &event, PATIENT_MS, &error);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_int_equal(got, 1);
    assert_int_equal(event.reply, MUPDATE_OK);
    mupdate_connection_close(connection);
    script_end(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_banner_is_read_and_logout_is_said),
        cmocka_unit_test(a_banner_in_single_octets_is_read),
        cmocka_unit_test(nobody_listening_is_unreachable_and_the_text_names_whom),
        cmocka_unit_test(a_name_that_does_not_resolve_is_no_host),
        cmocka_unit_test(options_without_sense_are_refused),
        cmocka_unit_test(a_missing_local_socket_is_unreachable),
        cmocka_unit_test(a_local_socket_is_connected_to),
        cmocka_unit_test(silence_before_the_banner_is_a_timeout),
        cmocka_unit_test(an_address_that_ignores_us_is_a_timeout),
        cmocka_unit_test(what_is_no_banner_is_reported_as_what_it_is),
        cmocka_unit_test(texts_of_the_server_cannot_steer_the_terminal),
        cmocka_unit_test(rows_and_the_end_of_a_command_arrive),
        cmocka_unit_test(a_change_whose_answer_breaks_off_is_lost_not_refused),
        cmocka_unit_test(an_answer_that_is_whole_counts_though_the_server_closes),
        cmocka_unit_test(garbage_instead_of_an_answer_breaks_the_protocol),
        cmocka_unit_test(writing_to_a_connection_that_is_gone_is_an_error_not_a_signal),
        cmocka_unit_test(what_the_server_said_before_it_left_is_read_though_writing_fails),
        cmocka_unit_test(a_long_pipeline_does_not_lock_up_both_ends),
        cmocka_unit_test(a_signal_does_not_end_the_wait_for_an_answer),
    };

    return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
