/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/server_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/token.h"

#include <mupdate/server.h>

/* A refusal, a goodbye or an invitation of the session's own. */
#define OWN_WORDS_BYTES 1024

/* Rows that are given for one command at most. */
#define ROWS 4

#define PROBE "\r\nzz9 NOOP\r\n"
#define PROBE_TAG "zz9"

/* Past these probes every literal that a session with these limits takes is over. */
#define PROBE_BYTES 65536

struct program {
    struct fuzz *fuzz;
    struct mupdate_server *server;
    struct mupdate_server_limits limits;
    enum mupdate_server_event_type asked[64]; /* not answered yet, a ring */
    size_t asked_first;
    size_t asked_count;
    unsigned int answered; /* each answer's text is its number */
    unsigned int seen;     /* in what went out */
    struct buffer sent;
    size_t read;           /* of what was sent: up to here it was looked at */
    bool probed;           /* a reply to the probe went out */
};

static const struct mupdate_server_banner *make_banner(struct program *program)
{
    static const char *const mechanisms[] = { "PLAIN", "GSSAPI" };
    static struct mupdate_server_banner banner;

    banner = (struct mupdate_server_banner){
        .mechanisms = mechanisms,
        .mechanism_count = fuzz_below(program->fuzz, 3),
        .starttls = fuzz_below(program->fuzz, 4) > 0,
        .compress = fuzz_below(program->fuzz, 4) > 0,
        .hostname = "mupdate.example.org",
        .implementation = "te\"st\\",
        .version = NULL,
        .role = "(master)",
    };
    return &banner;
}

/* --- what goes out ------------------------------------------------------------ */

static bool is_tag_of_input(struct program *program, struct mupdate_text tag)
{
    const struct fuzz *fuzz = program->fuzz;

    if (tag.len == 1 && tag.data[0] == '*')
        return true;
    /* A literal of the text may end within a probe. */
    return tag.len <= program->limits.tag_bytes &&
           (memmem(PROBE, strlen(PROBE), tag.data, tag.len) ||
            memmem(fuzz->text, fuzz->len, tag.data, tag.len));
}

static bool is_line(const uint8_t *line, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(line, text, len) == 0;
}

/* A reply, whose text is an answer's number or the session's own words. */
static void take_reply(struct program *program, struct mupdate_text tag, struct mupdate_text text)
{
    char number[16];
    int len = snprintf(number, sizeof number, "#%u", program->seen + 1);

    if (text.len > 0 && text.data[0] == '#') {
        FUZZ_CHECK(text.len == (size_t)len && memcmp(text.data, number, text.len) == 0);
        FUZZ_CHECK(tag.data[0] != '*');
        program->seen++;
    }
    if (tag.len == strlen(PROBE_TAG) && memcmp(tag.data, PROBE_TAG, tag.len) == 0)
        program->probed = true;
}

/* One line that went out, with the literals in it. Returns its length. */
static size_t read_line(struct program *program, uint8_t *line, size_t len)
{
    struct wire_token items[80];
    struct wire_tokens tokens = { items, 0, 80 };
    enum wire_scan scan;
    size_t from = 0;
    size_t to;

    do {
        struct wire_literal literal;
        const char *error;
        const uint8_t *lf = memchr(line + from, '\n', len - from);

        FUZZ_CHECK(lf != NULL);
        to = (size_t)(lf - line) + 1;
        FUZZ_CHECK(to - from >= 2 && line[to - 2] == '\r');
        if (from == 0 && (is_line(line, to, "+ go ahead\r\n") || line[0] == '*' ||
                          !memchr(line, ' ', to)))
            break; /* an invitation, a banner or a challenge */
        scan = wire_scan_line(line, from, to, &tokens, &literal, &error);
        FUZZ_CHECK(scan != WIRE_SCAN_ERROR);
        from = to;
        if (scan == WIRE_SCAN_LITERAL) {
            FUZZ_CHECK(!literal.waits && items[tokens.count - 1].len <= len - to);
            from += items[tokens.count - 1].len;
        }
    } while (scan == WIRE_SCAN_LITERAL);
    if (from > 0) {
        struct mupdate_text tag = wire_token_text(line, &items[0]);
        static const char *const replies[] = { "OK", "NO", "BAD", "BYE" };
        bool is_reply = false;

        FUZZ_CHECK(tokens.count >= 3 && items[0].type == WIRE_ATOM);
        FUZZ_CHECK(is_tag_of_input(program, tag));
        FUZZ_CHECK(tag.data[0] != '+' && (tag.len == 1 || tag.data[0] != '*'));
        for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
            is_reply |= wire_token_is(line, &items[1], replies[i]);
        if (is_reply) {
            FUZZ_CHECK(tokens.count == 3);
            take_reply(program, tag, wire_token_text(line, &items[2]));
        } else {
            FUZZ_CHECK(wire_token_is(line, &items[1], "MAILBOX") ||
                       wire_token_is(line, &items[1], "RESERVE") ||
                       wire_token_is(line, &items[1], "DELETE"));
        }
    }
    return to;
}

/* Send some or all of the output, and look at the whole lines of what was sent. */
static void send_output(struct program *program, bool all)
{
    const uint8_t *data;
    size_t len = mupdate_server_output(program->server, &data);

    if (!all && len > 0)
        len = fuzz_piece(program->fuzz, len);
    buffer_append(&program->sent, data, len);
    mupdate_server_sent(program->server, len);
    if (!all || mupdate_server_output(program->server, &data) > 0)
        return;
    while (program->read < buffer_len(&program->sent))
        program->read += read_line(program, buffer_bytes(&program->sent) + program->read,
                                   buffer_len(&program->sent) - program->read);
}

/* --- answers ------------------------------------------------------------------- */

static size_t output_len(const struct program *program)
{
    const uint8_t *data;

    return mupdate_server_output(program->server, &data);
}

static void number_answer(struct program *program, char *text, size_t size)
{
    (void)snprintf(text, size, "#%u", program->answered + 1);
}

static struct mupdate_text some_text(struct program *program)
{
    const struct fuzz *fuzz = program->fuzz;
    size_t at = fuzz_below(program->fuzz, fuzz->len < 65536 ? fuzz->len + 1 : 65536);
    size_t len = fuzz_below(program->fuzz, 16);

    return (struct mupdate_text){ (const char *)fuzz->text + at,
                                  len < fuzz->len - at ? len : fuzz->len - at };
}

/* Whether rows go out as octets that the program encoded. */
static bool encodes_rows(struct program *program)
{
    return mupdate_server_rows_tag(program->server).len > 0 && fuzz_below(program->fuzz, 2);
}

static bool give_octets(struct program *program, const struct mupdate_row *row)
{
    struct mupdate_text tag = mupdate_server_rows_tag(program->server);
    size_t len = mupdate_server_encode_row(tag, row, NULL, 0);
    void *octets = malloc(len);
    bool given;

    FUZZ_CHECK(octets && mupdate_server_encode_row(tag, row, octets, len) == len);
    /* An absent row is none before the stream, which is the program's to know. */
    given = (row->state != MUPDATE_ABSENT ||
             mupdate_server_state(program->server) == MUPDATE_SERVER_STATE_STREAMING) &&
            mupdate_server_rows(program->server, octets, len);
    free(octets);
    return given;
}

/* Give a row, of which the session must know whether it may be sent now. */
static bool give_row(struct program *program, bool expected, bool may_be_absent)
{
    struct mupdate_row row = { (enum mupdate_state)fuzz_below(program->fuzz, 3),
                               some_text(program), some_text(program), some_text(program) };
    size_t before = output_len(program);
    bool given = encodes_rows(program) ? give_octets(program, &row)
                                       : mupdate_server_row(program->server, &row);

    FUZZ_CHECK(given == (output_len(program) > before));
    FUZZ_CHECK(given == (expected && (may_be_absent || row.state != MUPDATE_ABSENT)));
    return given;
}

/* At most one row answers a FIND, any number a LIST or UPDATE, and nothing else. */
static void give_rows(struct program *program, enum mupdate_server_event_type type, size_t rows)
{
    bool may = type == MUPDATE_SERVER_FIND || type == MUPDATE_SERVER_LIST ||
               type == MUPDATE_SERVER_UPDATE;

    for (; rows > 0; rows--) {
        bool streams =
            mupdate_server_state(program->server) == MUPDATE_SERVER_STATE_STREAMING;

        if (give_row(program, may || streams, streams) && type == MUPDATE_SERVER_FIND)
            may = false;
    }
}

/* The answers that may fit; whether one does, the session says. */
static bool give_answer(struct program *program, size_t kind)
{
    struct mupdate_server *server = program->server;
    char text[16];
    size_t before = output_len(program);
    bool given;

    number_answer(program, text, sizeof text);
    switch (kind) {
    case 0:
        given = mupdate_server_ok(server, text);
        break;
    case 1:
        given = mupdate_server_no(server, text);
        break;
    case 2:
        given = mupdate_server_bad(server, text);
        break;
    default:
        given = mupdate_server_authenticated(server, text);
        break;
    }
    FUZZ_CHECK(given == (output_len(program) > before));
    program->answered += given;
    return given;
}

static void answer(struct program *program)
{
    enum mupdate_server_event_type type = program->asked[program->asked_first];
    size_t unanswered = mupdate_server_unanswered(program->server);
    size_t kind = fuzz_below(program->fuzz, 8);
    bool is_auth = type == MUPDATE_SERVER_AUTHENTICATE || type == MUPDATE_SERVER_AUTH_RESPONSE;

    give_rows(program, type, kind % ROWS);
    if (is_auth && kind >= 4 && kind < 6) {
        FUZZ_CHECK(mupdate_server_challenge(program->server, "who?", kind == 4 ? 4 : 0));
        FUZZ_CHECK(mupdate_server_unanswered(program->server) == unanswered);
    } else {
        FUZZ_CHECK(is_auth || !mupdate_server_challenge(program->server, "who?", 4));
        /* Most are answered with success, so that the session goes on. */
        if (kind == 0 || kind > 2 || !give_answer(program, kind))
            FUZZ_CHECK(give_answer(program, is_auth ? 3 : 0));
        FUZZ_CHECK(mupdate_server_unanswered(program->server) == unanswered - 1);
    }
    program->asked_first = (program->asked_first + 1) % 64;
    program->asked_count--;
    if ((type == MUPDATE_SERVER_STARTTLS || type == MUPDATE_SERVER_COMPRESS) && kind != 1)
        mupdate_server_discard_input(program->server);
    if (mupdate_server_state(program->server) == MUPDATE_SERVER_STATE_TLS) {
        send_output(program, true);
        mupdate_server_banner(program->server, make_banner(program));
    }
}

/* --- events -------------------------------------------------------------------- */

static void touch(struct mupdate_text text)
{
    fuzz_touch(text.data, text.len);
}

static void take_event(struct program *program, const struct mupdate_server_event *event)
{
    size_t last = (program->asked_first + program->asked_count) % 64;

    touch(event->mechanism);
    touch(event->initial);
    touch(event->row.name);
    touch(event->row.location);
    touch(event->row.acl);
    for (size_t i = 0; i < event->host_count; i++)
        touch(event->hosts[i]);
    if (event->type == MUPDATE_SERVER_AUTH_CANCELLED || event->type == MUPDATE_SERVER_LOGOUT)
        return;
    /* Only changes come before others are answered. */
    FUZZ_CHECK(program->asked_count == 0 ||
               (event->type == MUPDATE_SERVER_SET &&
                program->asked[program->asked_first] == MUPDATE_SERVER_SET));
    FUZZ_CHECK(program->asked_count < program->limits.commands_in_flight);
    program->asked[last] = event->type;
    program->asked_count++;
    FUZZ_CHECK(mupdate_server_unanswered(program->server) == program->asked_count);
}

static bool never_answers_twice(struct program *program)
{
    return program->asked_count > 0 ||
           (!mupdate_server_ok(program->server, "twice") &&
            !mupdate_server_no(program->server, "twice") &&
            !mupdate_server_bad(program->server, "twice") &&
            !mupdate_server_challenge(program->server, "twice", 5) &&
            !mupdate_server_authenticated(program->server, "twice"));
}

/* Take events until the session waits for bytes or is closed. */
static enum mupdate_server_next turn(struct program *program, bool patient)
{
    for (;;) {
        struct mupdate_server_event event;
        size_t before = output_len(program);
        enum mupdate_server_next next = mupdate_server_next(program->server, &event);

        FUZZ_CHECK(output_len(program) == before ||
                   (before < program->limits.output_bytes &&
                    output_len(program) < program->limits.output_bytes + OWN_WORDS_BYTES));
        if (next == MUPDATE_SERVER_EVENT) {
            take_event(program, &event);
            if (program->asked_count > 0 && (!patient || fuzz_below(program->fuzz, 2)))
                answer(program);
        } else if (next == MUPDATE_SERVER_BLOCKED) {
            if (program->asked_count > 0)
                answer(program);
            else
                FUZZ_CHECK(output_len(program) > 0);
            send_output(program, fuzz_below(program->fuzz, 2) == 0);
        } else {
            if (patient && program->asked_count > 0 && fuzz_below(program->fuzz, 4) == 0)
                answer(program);
            if (mupdate_server_state(program->server) == MUPDATE_SERVER_STATE_STREAMING)
                give_row(program, true, true);
            FUZZ_CHECK(never_answers_twice(program));
            send_output(program, fuzz_below(program->fuzz, 2) == 0);
            return next;
        }
    }
}

static void feed(struct program *program, const void *data, size_t len, bool patient)
{
    const uint8_t *from = data;
    enum mupdate_server_next next = MUPDATE_SERVER_WAIT;

    while (len > 0) {
        size_t piece = fuzz_piece(program->fuzz, len);
        uint8_t *copy = fuzz_copy(from, piece);
        size_t taken = mupdate_server_input(program->server, copy, piece);

        free(copy);
        FUZZ_CHECK(taken <= piece && (taken > 0 || next != MUPDATE_SERVER_WAIT));
        if (next == MUPDATE_SERVER_CLOSED)
            FUZZ_CHECK(taken == piece);
        from += taken;
        len -= taken;
        next = turn(program, patient);
    }
}

/* A literal of the text may be so long that no probe comes behind its end. */
static bool may_be_endless(const struct fuzz *fuzz)
{
    for (size_t i = 0, digits = 0; i < fuzz->len; i++) {
        digits = fuzz->text[i] >= '0' && fuzz->text[i] <= '9' ? digits + 1 : 0;
        if (digits > 4)
            return true;
    }
    return false;
}

void server_program_run(struct fuzz *fuzz)
{
    struct program program = { .fuzz = fuzz };
    bool patient;

    mupdate_server_limits_default(&program.limits);
    if (fuzz_below(fuzz, 2)) {
        program.limits.tag_bytes = strlen(PROBE_TAG) + fuzz_below(fuzz, 8);
        program.limits.line_bytes = 1024;
        program.limits.literal_bytes = 4096;
        program.limits.sasl_bytes = 1024;
        program.limits.output_bytes = 1 + fuzz_below(fuzz, 256);
    }
    program.limits.commands_in_flight = 1 + fuzz_below(fuzz, 8);
    patient = fuzz_below(fuzz, 2);
    program.server = mupdate_server_new(&program.limits);
    FUZZ_CHECK(program.server != NULL);
    mupdate_server_banner(program.server, make_banner(&program));
    feed(&program, fuzz->text, fuzz->len, patient);
    for (size_t fed = 0; !program.probed && fed < PROBE_BYTES &&
                         mupdate_server_state(program.server) != MUPDATE_SERVER_STATE_CLOSED;
         fed += strlen(PROBE)) {
        feed(&program, PROBE, strlen(PROBE), false);
        send_output(&program, true);
    }
    while (program.asked_count > 0 &&
           mupdate_server_state(program.server) != MUPDATE_SERVER_STATE_CLOSED) {
        answer(&program);
        turn(&program, false);
    }
    send_output(&program, true);
    FUZZ_CHECK(program.seen == program.answered);
    FUZZ_CHECK(program.probed || may_be_endless(fuzz) ||
               mupdate_server_state(program.server) == MUPDATE_SERVER_STATE_CLOSED);
    if (mupdate_server_state(program.server) != MUPDATE_SERVER_STATE_CLOSED) {
        mupdate_server_bye(program.server, "enough");
        send_output(&program, true);
    }
    mupdate_server_free(program.server);
    buffer_free(&program.sent);
}
