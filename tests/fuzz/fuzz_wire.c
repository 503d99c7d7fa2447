/*
 * The scanner and the encoder of lines.
 *
 *   - Lines with the literals between them: the same tokens as a second scanner
 *     that was written apart finds.
 *   - The end of a refused line: the same in any cutting, and the same literal
 *     as the scanner finds. Else a session would be out of step behind it.
 *   - What was scanned, encoded and scanned again: the same texts.
 *   - Base64 both ways.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/slow_scan.h"
#include "wire/base64.h"
#include "wire/encode.h"
#include "wire/tail.h"

#define TOKENS 12

/* How the line ends, by the reader of refused lines. */
static struct wire_tail read_tail(struct fuzz *fuzz, const uint8_t *line, size_t len)
{
    struct wire_tail whole = { .state = WIRE_TAIL_PLAIN };
    struct wire_tail cut = { .state = WIRE_TAIL_PLAIN };
    size_t used = wire_tail_feed(&whole, line, len);
    size_t done = 0;

    FUZZ_CHECK(used == len || wire_tail_done(&whole));
    while (done < len && !wire_tail_done(&cut)) {
        size_t piece = fuzz_piece(fuzz, len - done);
        uint8_t *copy = fuzz_copy(line + done, piece);

        done += wire_tail_feed(&cut, copy, piece);
        free(copy);
    }
    FUZZ_CHECK(done == used && cut.state == whole.state);
    FUZZ_CHECK(cut.count.octets == whole.count.octets);
    FUZZ_CHECK(cut.count.overflow == whole.count.overflow);
    return whole;
}

static void compare_tail(const struct wire_tail *tail, enum wire_scan scan,
                         const struct wire_literal *literal)
{
    if (scan == WIRE_SCAN_END || literal->waits) {
        FUZZ_CHECK(tail->state == WIRE_TAIL_END);
    } else if (literal->count.overflow) {
        FUZZ_CHECK(tail->state == WIRE_TAIL_ENDLESS);
    } else {
        FUZZ_CHECK(tail->state == WIRE_TAIL_LITERAL);
        FUZZ_CHECK(tail->count.octets == literal->count.octets);
    }
}

/* Scan the line that starts at `from`. Returns where it ends. */
static size_t scan_line(struct fuzz *fuzz, const uint8_t *command, size_t from, size_t len,
                        struct wire_tokens *tokens, enum wire_scan *scan)
{
    const uint8_t *lf = memchr(command + from, '\n', len - from);
    size_t to = lf ? (size_t)(lf - command) + 1 : len;
    struct wire_token slow_items[TOKENS];
    struct wire_literal literal = { .waits = false };
    struct wire_tail tail = read_tail(fuzz, command + from, to - from);
    const char *error = NULL;
    size_t before = tokens->count;
    size_t slow_count = before;
    bool slow_waits = false;
    enum wire_scan slow;

    *scan = wire_scan_line(command, from, to, tokens, &literal, &error);
    slow = slow_scan(command, from, to, slow_items, tokens->max, &slow_count, &slow_waits);
    FUZZ_CHECK(*scan == slow && tokens->count == slow_count);
    for (size_t i = before; i < tokens->count; i++) {
        FUZZ_CHECK(tokens->items[i].type == slow_items[i].type);
        FUZZ_CHECK(tokens->items[i].at == slow_items[i].at);
        FUZZ_CHECK(tokens->items[i].len == slow_items[i].len);
    }
    FUZZ_CHECK((*scan == WIRE_SCAN_ERROR) == (error != NULL));
    if (*scan == WIRE_SCAN_LITERAL)
        FUZZ_CHECK(literal.waits == slow_waits);
    /* As a line's first word a literal is no literal: only behind a blank is its end looked for. */
    if (*scan != WIRE_SCAN_ERROR && tokens->items[0].type != WIRE_LITERAL &&
        tokens->items[0].type != WIRE_EQUALS)
        compare_tail(&tail, *scan, &literal);
    return to;
}

/* Scan a whole command from the start of octets. False: it is none. */
static bool scan_command(struct fuzz *fuzz, const uint8_t *octets, size_t len,
                         struct wire_tokens *tokens, size_t *used)
{
    enum wire_scan scan;

    tokens->count = 0;
    *used = scan_line(fuzz, octets, 0, len, tokens, &scan);
    while (scan == WIRE_SCAN_LITERAL) {
        size_t octets_len = tokens->items[tokens->count - 1].len;

        if (octets_len > len - *used)
            return false;
        *used += octets_len;
        *used = scan_line(fuzz, octets, *used, len, tokens, &scan);
    }
    return scan == WIRE_SCAN_END;
}

static bool same_text(struct mupdate_text a, struct mupdate_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Scan what was encoded, which is a tag, a word and these texts, and nothing else. */
static void check_encoded(struct fuzz *fuzz, const struct buffer *encoded, struct mupdate_text tag,
                          const char *word, const struct mupdate_text *texts, size_t count)
{
    uint8_t *copy = fuzz_copy(buffer_bytes(encoded), buffer_len(encoded));
    struct wire_token items[TOKENS];
    struct wire_tokens tokens = { items, 0, TOKENS };
    size_t used;

    FUZZ_CHECK(!encoded->failed);
    FUZZ_CHECK(scan_command(fuzz, copy, buffer_len(encoded), &tokens, &used));
    FUZZ_CHECK(used == buffer_len(encoded) && tokens.count == count + 2);
    FUZZ_CHECK(items[0].type == WIRE_ATOM && same_text(wire_token_text(copy, &items[0]), tag));
    FUZZ_CHECK(wire_token_is(copy, &items[1], word));
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(same_text(wire_token_text(copy, &items[i + 2]), texts[i]));
    free(copy);
}

/*
 * A reply holds of its text, up to a NUL, what a quoted string can, the rest as
 * "?", and as much of it as there is room for.
 */
static void check_reply(struct fuzz *fuzz, struct buffer *encoded, struct mupdate_text tag,
                        enum mupdate_reply reply, struct mupdate_text text)
{
    static const char *const words[] = { "OK", "NO", "BAD", "BYE" };
    struct mupdate_text shown = { NULL, 0 };
    char *string = malloc(text.len + 1);
    size_t room = ENCODE_TEXT_BYTES;

    FUZZ_CHECK(string != NULL);
    if (text.len > 0)
        memcpy(string, text.data, text.len);
    string[text.len] = '\0';
    encode_reply(encoded, tag, reply, string);
    for (shown.data = string; string[shown.len]; shown.len++) {
        char *c = &string[shown.len];
        size_t needs = *c == '"' || *c == '\\' ? 2 : 1;

        if (needs > room)
            break;
        room -= needs;
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    }
    check_encoded(fuzz, encoded, tag, words[reply], &shown, 1);
    free(string);
}

static void encode_again(struct fuzz *fuzz, struct mupdate_text tag,
                         const struct mupdate_text *texts)
{
    static const char *const words[] = { [MUPDATE_ABSENT] = "DELETE",
                                         [MUPDATE_RESERVED] = "RESERVE",
                                         [MUPDATE_ACTIVE] = "MAILBOX" };
    struct buffer encoded = { 0 };

    for (enum mupdate_state state = MUPDATE_ABSENT; state <= MUPDATE_ACTIVE; state++) {
        struct mupdate_row row = { state, texts[0], texts[1], texts[2] };

        buffer_clear(&encoded);
        encode_row(&encoded, tag, &row);
        FUZZ_CHECK(encode_row_len(tag, &row) == buffer_len(&encoded));
        check_encoded(fuzz, &encoded, tag, words[state], texts, (size_t)state + 1);
    }

    for (int i = 0; i < 3; i++) {
        buffer_clear(&encoded);
        check_reply(fuzz, &encoded, tag, (enum mupdate_reply)fuzz_below(fuzz, 4), texts[i]);
    }
    buffer_free(&encoded);
}

static void check_base64(const uint8_t *octets, size_t len)
{
    size_t encoded_len = base64_encoded_len(len);
    char *encoded = malloc(encoded_len + 1);
    char *again = malloc(encoded_len + 1);
    uint8_t *text = fuzz_copy(octets, len);
    size_t decoded;

    FUZZ_CHECK(encoded && again);
    /* There is one text for each octets: what could be decoded is what they are encoded to. */
    if (base64_decode(text, len, &decoded)) {
        FUZZ_CHECK(base64_encoded_len(decoded) == len);
        base64_encode(again, text, decoded);
        FUZZ_CHECK(len == 0 || memcmp(again, octets, len) == 0);
    }
    base64_encode(encoded, octets, len);
    FUZZ_CHECK(base64_decode((uint8_t *)encoded, encoded_len, &decoded) && decoded == len);
    FUZZ_CHECK(len == 0 || memcmp(encoded, octets, len) == 0);
    free(encoded);
    free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_token items[TOKENS];
    struct wire_tokens tokens = { items, 0, TOKENS };
    struct fuzz fuzz;
    size_t at = 0;

    fuzz_open(&fuzz, data, size);
    tokens.max = 1 + fuzz_below(&fuzz, TOKENS);
    check_base64(fuzz.text, fuzz.len);
    while (at < fuzz.len) {
        /* A command starts anew at its own first octet. */
        uint8_t *command = fuzz_copy(fuzz.text + at, fuzz.len - at);
        struct mupdate_text texts[3] = { { NULL, 0 } };
        size_t used;

        if (scan_command(&fuzz, command, fuzz.len - at, &tokens, &used) &&
            items[0].type == WIRE_ATOM) {
            for (size_t i = 1; i < tokens.count && i <= 3; i++)
                texts[i - 1] = wire_token_text(command, &items[i]);
            encode_again(&fuzz, wire_token_text(command, &items[0]), texts);
        }
        free(command);
        at += used;
    }
    return 0;
}
