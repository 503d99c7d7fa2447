/*
 * A client session that hears any bytes, and gives commands, right and wrong,
 * between its events.
 *
 *   - Each command ends once, in the order in which they were given; a row
 *     belongs to the oldest one, when that asks for rows, or to the stream.
 *   - What may not be said now is refused, without a trace.
 *   - In two cuttings the bytes mean the same.
 *   - What went out is commands that a server's scanner reads.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wire/token.h"

#include <mupdate/client.h>

/* Commands in one run. */
#define COMMANDS 64

enum kind {
    KIND_AUTHENTICATE,
    KIND_STARTTLS,
    KIND_COMPRESS,
    KIND_UPDATE,
    KIND_LOGOUT,
    KIND_FIND,
    KIND_LIST,
    KIND_SET,
    KIND_NOOP,
    KINDS,
};

struct run {
    struct mupdate_client *client;
    struct fuzz fuzz; /* for the commands only: the same ones in each cutting */
    enum kind kinds[COMMANDS + 1]; /* by number */
    uint64_t given;
    uint64_t ended;
    uint64_t stream;
    struct buffer log;
    struct buffer sent;
};

static void write_text(struct run *run, struct mupdate_text text)
{
    char len[24];

    (void)snprintf(len, sizeof len, " %zu:", text.len);
    buffer_append_string(&run->log, len);
    buffer_append(&run->log, text.data, text.len);
}

static void write_event(struct run *run, const struct mupdate_client_event *event)
{
    char line[64];

    (void)snprintf(line, sizeof line, "%d %llu %d %d", (int)event->type,
                   (unsigned long long)event->command, (int)event->reply, (int)event->row.state);
    buffer_append_string(&run->log, line);
    write_text(run, event->text);
    write_text(run, event->data);
    write_text(run, event->row.name);
    write_text(run, event->row.location);
    write_text(run, event->row.acl);
    buffer_append_string(&run->log, "\n");
}

static void check_banner(struct run *run)
{
    const struct mupdate_client_banner *banner = mupdate_client_banner(run->client);
    const char *const strings[4] = { banner->hostname, banner->implementation, banner->version,
                                     banner->role };

    for (size_t i = 0; i < banner->mechanism_count; i++)
        write_text(run, (struct mupdate_text){ banner->mechanisms[i],
                                               strlen(banner->mechanisms[i]) });
    for (size_t i = 0; i < 4; i++)
        write_text(run, (struct mupdate_text){ strings[i], strlen(strings[i]) });
}

static size_t output_len(const struct run *run)
{
    const uint8_t *data;

    return mupdate_client_output(run->client, &data);
}

static uint64_t give(struct run *run, enum kind kind)
{
    static const struct mupdate_text servers[] = { { "be1", 3 }, { "be\"2\r\n", 6 } };
    static const struct mupdate_row row = { MUPDATE_ACTIVE, { "user.a", 6 }, { "be1!p", 5 },
                                            { "a\tl\0", 4 } };
    struct mupdate_client *client = run->client;
    size_t detail = fuzz_below(&run->fuzz, 4);

    switch (kind) {
    case KIND_AUTHENTICATE:
        return mupdate_client_authenticate(client, "PLAIN", detail ? "\0u\0p" : NULL,
                                           detail == 1 ? 0 : 4);
    case KIND_STARTTLS:
        return mupdate_client_starttls(client);
    case KIND_COMPRESS:
        return mupdate_client_compress(client);
    case KIND_UPDATE:
        return mupdate_client_update(client, servers, detail % 3);
    case KIND_LOGOUT:
        return mupdate_client_logout(client);
    case KIND_FIND:
        return mupdate_client_find(client, row.name);
    case KIND_LIST:
        return mupdate_client_list(client, detail ? row.location
                                                  : (struct mupdate_text){ NULL, 0 });
    case KIND_SET:
        return mupdate_client_set(client, (enum mupdate_verb)detail, &row);
    default:
        return mupdate_client_noop(client);
    }
}

/* Say something, or nothing. */
static void speak(struct run *run)
{
    for (size_t n = fuzz_below(&run->fuzz, 4); n > 0 && run->given < COMMANDS; n--) {
        size_t choice = fuzz_below(&run->fuzz, 2 * KINDS);
        /* FIND and its like are the more frequent ones. */
        enum kind kind = choice < KINDS ? (enum kind)choice
                                        : (enum kind)(KIND_FIND + choice % (KINDS - KIND_FIND));
        size_t before = output_len(run);
        uint64_t number = give(run, kind);

        FUZZ_CHECK((number > 0) == (output_len(run) > before));
        if (number > 0) {
            FUZZ_CHECK(number == run->given + 1);
            run->given = number;
            run->kinds[number] = kind;
        }
    }
}

static void answer_challenge(struct run *run)
{
    bool said = false;

    switch (fuzz_below(&run->fuzz, 4)) {
    case 0:
        said = mupdate_client_response(run->client, NULL, 0);
        break;
    case 1:
        said = mupdate_client_cancel(run->client);
        break;
    default:
        said = mupdate_client_response(run->client, "answer", 6);
        break;
    }
    FUZZ_CHECK(said);
}

static void take_event(struct run *run, const struct mupdate_client_event *event)
{
    enum kind kind = event->command ? run->kinds[event->command] : KINDS;

    write_event(run, event);
    FUZZ_CHECK(event->command <= run->given);
    switch (event->type) {
    case MUPDATE_CLIENT_BANNER:
        check_banner(run);
        break;
    case MUPDATE_CLIENT_CHALLENGE:
        FUZZ_CHECK(event->command == run->given && kind == KIND_AUTHENTICATE);
        answer_challenge(run);
        FUZZ_CHECK(!mupdate_client_cancel(run->client));
        break;
    case MUPDATE_CLIENT_ROW:
        FUZZ_CHECK(event->row.state != MUPDATE_ABSENT || event->command == run->stream);
        if (event->command == 0 || event->command != run->stream) {
            FUZZ_CHECK(event->command == run->ended + 1);
            FUZZ_CHECK(kind == KIND_FIND || kind == KIND_LIST || kind == KIND_UPDATE);
        }
        break;
    case MUPDATE_CLIENT_DONE:
        FUZZ_CHECK(event->command == ++run->ended);
        if (kind == KIND_UPDATE && event->reply == MUPDATE_OK)
            run->stream = event->command;
        break;
    case MUPDATE_CLIENT_GOODBYE:
        FUZZ_CHECK(event->command == 0);
        FUZZ_CHECK(event->reply == MUPDATE_BYE || event->reply == MUPDATE_BAD);
        break;
    }
}

static void send_output(struct run *run)
{
    const uint8_t *data;
    size_t len = mupdate_client_output(run->client, &data);

    buffer_append(&run->sent, data, len);
    mupdate_client_sent(run->client, len);
}

static void turn(struct run *run, bool discards)
{
    struct mupdate_client_event event;
    enum mupdate_client_next next;

    while ((next = mupdate_client_next(run->client, &event)) == MUPDATE_CLIENT_EVENT) {
        take_event(run, &event);
        if (discards && event.type == MUPDATE_CLIENT_DONE && event.reply == MUPDATE_OK &&
            run->kinds[event.command] == KIND_STARTTLS)
            mupdate_client_discard_input(run->client);
        speak(run);
        send_output(run);
    }
    FUZZ_CHECK((next == MUPDATE_CLIENT_ERROR) == (mupdate_client_error(run->client) != NULL));
    if (next == MUPDATE_CLIENT_ERROR) {
        FUZZ_CHECK(mupdate_client_noop(run->client) == 0 && output_len(run) == 0);
        FUZZ_CHECK(mupdate_client_next(run->client, &event) == MUPDATE_CLIENT_ERROR);
    }
}

static void run_open(struct run *run, const struct fuzz *fuzz,
                     const struct mupdate_client_limits *limits)
{
    memset(run, 0, sizeof *run);
    run->fuzz = *fuzz;
    run->client = mupdate_client_new(limits);
    FUZZ_CHECK(run->client != NULL);
    FUZZ_CHECK(mupdate_client_noop(run->client) == 0);
    FUZZ_CHECK(!mupdate_client_response(run->client, "a", 1));
}

static void run_close(struct run *run)
{
    mupdate_client_free(run->client);
    buffer_free(&run->log);
    buffer_free(&run->sent);
}

static void feed(struct run *run, const void *data, size_t len, bool discards)
{
    void *copy = fuzz_copy(data, len);

    FUZZ_CHECK(mupdate_client_input(run->client, copy, len) ||
               mupdate_client_error(run->client) != NULL);
    free(copy);
    turn(run, discards);
}

/* All that a client says reads as lines with strings in them, but for an authentication's. */
static void check_sent(const struct run *run)
{
    const uint8_t *bytes = buffer_bytes(&run->sent);
    size_t len = buffer_len(&run->sent);
    size_t at = 0;

    while (at < len) {
        struct wire_token items[8];
        struct wire_tokens tokens = { items, 0, 8 };
        struct wire_literal literal;
        enum wire_scan scan;
        const char *error;
        size_t from = 0;

        do {
            const uint8_t *lf = memchr(bytes + at + from, '\n', len - at - from);
            size_t to;

            FUZZ_CHECK(lf != NULL);
            to = (size_t)(lf - (bytes + at)) + 1;
            if (from == 0 && !memchr(bytes + at, ' ', to)) {
                from = to; /* a response or "*" */
                break;
            }
            scan = wire_scan_line(bytes + at, from, to, &tokens, &literal, &error);
            FUZZ_CHECK(scan != WIRE_SCAN_ERROR);
            from = to;
            if (scan == WIRE_SCAN_LITERAL) {
                FUZZ_CHECK(!literal.waits);
                from += items[tokens.count - 1].len;
                FUZZ_CHECK(from <= len - at);
            }
        } while (scan == WIRE_SCAN_LITERAL);
        at += from;
    }
}

static bool same(const struct buffer *a, const struct buffer *b)
{
    return buffer_len(a) == buffer_len(b) &&
           (buffer_len(a) == 0 || memcmp(buffer_bytes(a), buffer_bytes(b), buffer_len(a)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mupdate_client_limits small = { 1024, 4096 };
    const struct mupdate_client_limits *limits;
    struct run whole;
    struct run cut;
    struct fuzz fuzz;
    bool discards;
    size_t at = 0;

    fuzz_open(&fuzz, data, size);
    limits = fuzz_below(&fuzz, 2) ? &small : NULL;
    /* What is discarded depends on the cutting. */
    discards = fuzz_below(&fuzz, 4) == 3;
    run_open(&whole, &fuzz, limits);
    feed(&whole, fuzz.text, fuzz.len, discards);
    check_sent(&whole);
    run_open(&cut, &fuzz, limits);
    while (at < fuzz.len) {
        size_t piece = fuzz_piece(&fuzz, fuzz.len - at);

        feed(&cut, fuzz.text + at, piece, discards);
        at += piece;
    }
    check_sent(&cut);
    if (!discards) {
        FUZZ_CHECK(same(&whole.log, &cut.log) && same(&whole.sent, &cut.sent));
        FUZZ_CHECK(mupdate_client_error(whole.client) == mupdate_client_error(cut.client));
    }
    run_close(&whole);
    run_close(&cut);
    return 0;
}
