/*
 * What the hot paths cost: runs each of them so often, between marks for
 * callgrind. counts.py starts it, and makes costs of the counts.
 *
 *   cost prepare CONFIG SOCKET ROWS   put rows into a new table
 *   cost start CONFIG SOCKET ROWS     count a start with them
 *   cost streams CONFIG SOCKET ROWS   count a start, and what changes cost subscribers
 *   cost table CONFIG SOCKET ROWS     count what depends on the size of the table
 *   cost again CONFIG SOCKET ROWS     count log-ins whose password is remembered
 *
 * Each block that is counted is told on stdout with the number of its operations.
 * "prepare" counts nothing and runs without callgrind.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tests/cost/house.h"

/* Commands that a client sends at once. */
#define BURST 64

#define FIND_BURSTS 32
#define CHANGE_BURSTS 8
#define STREAM_BURSTS 4
#define STREAM_SINGLES 64
#define LOGINS 32

/* Subscribers of the two measurements whose difference is the cost of one more. */
#define FEW 8
#define MANY 40

static struct house house;
static const char *config_file;
static const char *socket_path;

static void put(struct buffer *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct buffer *to, const char *format, ...)
{
    char text[512];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof text)
        die("a text is too long");
    buffer_append(to, text, (size_t)len);
}

/* As Cyrus sends every string: {n+} CR LF and the octets. */
static void put_literal(struct buffer *to, const char *text)
{
    put(to, " {%zu+}\r\n%s", strlen(text), text);
}

struct texts {
    char name[64];
    char location[64];
    char acl[64];
};

/* suffix: none for the rows that stand in the prepared table. */
static void make_texts(struct texts *texts, unsigned number, const char *suffix, unsigned version)
{
    (void)snprintf(texts->name, sizeof texts->name, "user.u%08u%s", number, suffix);
    (void)snprintf(texts->location, sizeof texts->location, "backend%u.cost.test!default",
                   number % 8 + 1);
    (void)snprintf(texts->acl, sizeof texts->acl, "u%08u\tlrswipkxtecdan\tadmin%04u\tlrsa\t",
                   number, version);
}

static void put_change(struct buffer *to, unsigned tag, const char *word, const struct texts *texts)
{
    put(to, "C%02u %s", tag, word);
    put_literal(to, texts->name);
    put_literal(to, texts->location);
    if (strcmp(word, "ACTIVATE") == 0)
        put_literal(to, texts->acl);
    put(to, "\r\n");
}

/* What a subscriber with the tag U gets for an active row. */
static void put_row(struct buffer *to, const struct texts *texts)
{
    put(to, "U MAILBOX");
    put_literal(to, texts->name);
    put_literal(to, texts->location);
    put_literal(to, texts->acl);
    put(to, "\r\n");
}

static void must_hold(const struct client *client, const char *text, size_t count)
{
    size_t held = client_holds(client, text);

    if (held != count)
        die("\"%s\" came %zu times, not %zu", text, held, count);
}

/* All must have been answered with OK; the last one's tag is count - 1. */
static void wait_for_oks(struct client *client, unsigned count)
{
    char last[16];

    (void)snprintf(last, sizeof last, "C%02u OK ", count - 1);
    client_wait_line(client, last);
    must_hold(client, " OK \"", count);
    client_forget(client);
}

/* Send changes that share a batch, and see that the daemon has queued them. */
static void submit(struct client *client, const struct buffer *bytes, unsigned count)
{
    house_hold_writer();
    client_send(client, bytes);
    while (writer_pending(house.master.writer) < count)
        house_turn(&house);
    house_release_writer();
}

static void told(const char *block, unsigned operations)
{
    house_counted(block);
    printf("%s %u\n", block, operations);
}

static void count_start(unsigned rows)
{
    char block[32];

    (void)snprintf(block, sizeof block, "start-%u", rows);
    house_count(true);
    house_open(&house, config_file, socket_path);
    told(block, rows);
}

static void prepare(unsigned rows)
{
    struct client client;
    struct texts texts;

    house_open(&house, config_file, socket_path);
    client_open(&client, &house);
    for (unsigned number = 0; number < rows;) {
        struct buffer bytes = {0};
        unsigned count;

        for (count = 0; count < BURST && number < rows; count++, number++) {
            make_texts(&texts, number, "", 0);
            put_change(&bytes, count, "ACTIVATE", &texts);
        }
        client_send(&client, &bytes);
        buffer_free(&bytes);
        wait_for_oks(&client, count);
    }
    client_close(&client);
}

/* --- look-ups, changes, logins --- */

static void find_burst(struct client *client, unsigned burst, unsigned rows)
{
    struct buffer bytes = {0};
    struct texts texts;

    for (unsigned i = 0; i < BURST; i++) {
        make_texts(&texts, (burst * BURST + i) * 7919 % rows, "", 0);
        put(&bytes, "C%02u FIND", i);
        put_literal(&bytes, texts.name);
        put(&bytes, "\r\n");
    }
    client_send(client, &bytes);
    buffer_free(&bytes);
    client_wait_line(client, "C63 OK ");
    must_hold(client, " MAILBOX {", BURST);
    must_hold(client, " OK \"", BURST);
    client_forget(client);
}

static void count_find(unsigned rows)
{
    struct client client;

    client_open(&client, &house);
    find_burst(&client, 0, rows);
    house_count(true);
    for (unsigned burst = 1; burst <= FIND_BURSTS; burst++)
        find_burst(&client, burst, rows);
    told("find", FIND_BURSTS * BURST);
    client_close(&client);
}

/* New mailboxes, each between those that are there. */
static void create_burst(struct client *client, unsigned burst, const char *word, unsigned rows)
{
    struct buffer bytes = {0};
    struct texts texts;

    for (unsigned i = 0; i < BURST; i++) {
        make_texts(&texts, (burst * BURST + i) * 7919 % rows, ".Archive", 0);
        put_change(&bytes, i, word, &texts);
    }
    submit(client, &bytes, BURST);
    buffer_free(&bytes);
    wait_for_oks(client, BURST);
}

static void count_change(unsigned rows)
{
    struct client client;

    client_open(&client, &house);
    create_burst(&client, 0, "RESERVE", rows);
    create_burst(&client, 0, "ACTIVATE", rows);
    house_count(true);
    for (unsigned burst = 1; burst <= CHANGE_BURSTS; burst++) {
        create_burst(&client, burst, "RESERVE", rows);
        create_burst(&client, burst, "ACTIVATE", rows);
    }
    told("change", 2 * CHANGE_BURSTS * BURST);
    client_close(&client);
}

static void log_in_and_out(void)
{
    struct client client;

    client_open(&client, &house);
    client_say(&client, "Q LOGOUT\r\n");
    client_wait_line(&client, "Q BYE");
    client_close(&client);
    while (house.master.net.count > 0)
        house_turn(&house);
}

static void count_login(const char *block)
{
    log_in_and_out();
    log_in_and_out();
    house_count(true);
    for (int i = 0; i < LOGINS; i++)
        log_in_and_out();
    told(block, LOGINS);
}

/* --- subscribers --- */

static void subscribe(struct client *clients, unsigned count, unsigned rows)
{
    for (unsigned i = 0; i < count; i++)
        client_say(&clients[i], "U UPDATE\r\n");
    for (unsigned i = 0; i < count; i++)
        client_wait_line(&clients[i], "U OK ");
    for (unsigned i = 0; i < count; i++) {
        must_hold(&clients[i], "U MAILBOX {", rows);
        client_forget(&clients[i]);
    }
}

static void count_dump(unsigned count, unsigned rows)
{
    struct client clients[2];
    char block[32];

    for (unsigned i = 0; i < count; i++)
        client_open(&clients[i], &house);
    (void)snprintf(block, sizeof block, "dump-%u", count);
    house_count(true);
    subscribe(clients, count, rows);
    told(block, rows);
    for (unsigned i = 0; i < count; i++)
        client_close(&clients[i]);
    while (house.master.net.count > 0)
        house_turn(&house);
}

/* ACL changes of rows that are there, others each time, and their arrival at all subscribers. */
static void stream(struct client *writer, struct client *clients, unsigned count, unsigned version,
                   unsigned changes, unsigned rows)
{
    struct buffer bytes = {0};
    struct buffer expected = {0};
    struct texts texts;

    for (unsigned i = 0; i < changes; i++) {
        make_texts(&texts, (version * BURST + i) * 7919 % rows, "", version);
        put_change(&bytes, i, "ACTIVATE", &texts);
        put_row(&expected, &texts);
    }
    submit(writer, &bytes, changes);
    wait_for_oks(writer, changes);
    for (unsigned i = 0; i < count; i++) {
        client_wait_bytes(&clients[i], buffer_len(&expected));
        if (buffer_len(&clients[i].received) != buffer_len(&expected) ||
            memcmp(buffer_bytes(&clients[i].received), buffer_bytes(&expected),
                   buffer_len(&expected)) != 0)
            die("a subscriber got something else than the changes");
        client_forget(&clients[i]);
    }
    buffer_free(&bytes);
    buffer_free(&expected);
}

static void count_stream(unsigned count, unsigned rows)
{
    static struct client clients[MANY];
    static unsigned version;
    struct client writer;
    char block[32];

    client_open(&writer, &house);
    for (unsigned i = 0; i < count; i++)
        client_open(&clients[i], &house);
    subscribe(clients, count, rows);
    stream(&writer, clients, count, ++version, BURST, rows);

    (void)snprintf(block, sizeof block, "stream-%u", count);
    house_count(false);
    for (int i = 0; i < STREAM_BURSTS; i++)
        stream(&writer, clients, count, ++version, BURST, rows);
    told(block, STREAM_BURSTS * BURST);

    (void)snprintf(block, sizeof block, "single-%u", count);
    house_count(false);
    for (int i = 0; i < STREAM_SINGLES; i++)
        stream(&writer, clients, count, ++version, 1, rows);
    told(block, STREAM_SINGLES);

    client_close(&writer);
    for (unsigned i = 0; i < count; i++)
        client_close(&clients[i]);
    while (house.master.net.count > 0)
        house_turn(&house);
}

int main(int argc, char **argv)
{
    const char *task = argc == 5 ? argv[1] : "";
    unsigned rows = argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;

    (void)signal(SIGPIPE, SIG_IGN);
    if (rows < BURST) {
        (void)fprintf(stderr, "usage: cost prepare|start|streams|table|again CONFIG SOCKET ROWS\n");
        return EX_USAGE;
    }
    config_file = argv[2];
    socket_path = argv[3];
    if (strcmp(task, "prepare") == 0) {
        prepare(rows);
    } else if (strcmp(task, "start") == 0) {
        count_start(rows);
    } else if (strcmp(task, "streams") == 0) {
        count_start(rows);
        count_stream(FEW, rows);
        count_stream(MANY, rows);
    } else if (strcmp(task, "table") == 0) {
        house_open(&house, config_file, socket_path);
        count_find(rows);
        count_login("login");
        count_dump(1, rows);
        count_dump(2, rows);
        count_change(rows);
    } else if (strcmp(task, "again") == 0) {
        house_open(&house, config_file, socket_path);
        count_login("login-again");
    } else {
        return EX_USAGE;
    }
    house_close(&house);
    return EX_OK;
}
