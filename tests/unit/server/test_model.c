/*
 * Random commands, right and wrong, against a model that knows by the way it
 * made them what must come of each.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "server_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 300
#define COMMANDS 80

struct model {
    struct buffer input;
    struct buffer events;
    struct buffer replies;
};

static size_t below(size_t limit)
{
    return (size_t)rand() % limit;
}

static void say(struct buffer *to, const char *text)
{
    buffer_append_string(to, text);
}

static const char *line_end(void)
{
    return below(4) ? "\r\n" : "\n";
}

/* A word in random case. */
static void write_word(struct model *model, const char *word)
{
    for (; *word; word++) {
        char c = below(2) && *word >= 'A' && *word <= 'Z' ? (char)(*word - 'A' + 'a') : *word;

        buffer_append(&model->input, &c, 1);
    }
}

/* Octets that may be in a literal; without NUL, CR and LF they may be quoted too. */
static size_t random_octets(char *to, size_t max, bool any)
{
    static const char favourites[] = "\"\\{+} ()*=%0A\t";
    size_t len = below(max + 1);

    for (size_t i = 0; i < len; i++) {
        to[i] = below(3) ? favourites[below(sizeof favourites - 1)] : (char)below(256);
        if (!any && (to[i] == '\0' || to[i] == '\r' || to[i] == '\n'))
            to[i] = 'x';
    }
    return len;
}

static void write_quoted(struct buffer *to, const char *data, size_t len)
{
    say(to, "\"");
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '"' || data[i] == '\\')
            say(to, "\\");
        buffer_append(to, data + i, 1);
    }
    say(to, "\"");
}

static void write_literal(struct buffer *to, const char *data, size_t len, bool waits)
{
    char announcement[32];

    snprintf(announcement, sizeof announcement, "{%s%zu%s}%s", below(8) ? "" : "00", len,
             waits ? "" : "+", line_end());
    say(to, announcement);
    buffer_append(to, data, len);
}

static void write_shown(struct buffer *to, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char hex[4];

        if ((unsigned char)data[i] > 32) {
            buffer_append(to, data + i, 1);
        } else {
            snprintf(hex, sizeof hex, "\\%02x", (unsigned int)(unsigned char)data[i]);
            say(to, hex);
        }
    }
}

/* A string argument in a random form; what it means goes to `events` unless that is NULL. */
static void write_string(struct model *model, struct buffer *events, bool may_wait)
{
    char data[200];
    bool quoted = below(2);
    size_t len = random_octets(data, below(20) ? 30 : sizeof data, !quoted);
    bool waits = !quoted && may_wait && below(3) == 0;

    say(&model->input, " ");
    if (quoted)
        write_quoted(&model->input, data, len);
    else
        write_literal(&model->input, data, len, waits);
    if (waits)
        say(&model->replies, "+ go ahead\n");
    if (events)
        write_shown(events, data, len);
}

static const struct {
    const char *word;
    size_t arguments;
} known[] = {
    { "NOOP", 0 },    { "FIND", 1 },       { "DELETE", 1 },
    { "RESERVE", 2 }, { "DEACTIVATE", 2 }, { "ACTIVATE", 3 },
    { "LIST", 0 },    { "LIST", 1 },
};

static void write_right(struct model *model, const char *tag)
{
    size_t n = below(sizeof known / sizeof known[0]);

    say(&model->input, tag);
    say(&model->input, " ");
    write_word(model, known[n].word);
    say(&model->events, known[n].word);
    if (strcmp(known[n].word, "NOOP") != 0)
        say(&model->events, "(");
    for (size_t i = 0; i < known[n].arguments; i++) {
        if (i > 0)
            say(&model->events, ",");
        write_string(model, &model->events, true);
    }
    say(&model->input, line_end());
    say(&model->events, strcmp(known[n].word, "NOOP") != 0 ? ")\n" : "\n");
    say(&model->replies, tag);
    say(&model->replies, " OK\n");
}

/* The rest of a refused command: literals that are not to be waited for. */
static void write_rest(struct model *model)
{
    for (size_t n = below(4); n > 0; n--) {
        char data[60];
        size_t len = random_octets(data, sizeof data, true);

        say(&model->input, " ");
        write_literal(&model->input, data, len, false);
    }
    if (below(4) == 0)
        say(&model->input, " {3}"); /* not invited, so nothing follows */
    say(&model->input, line_end());
}

static void write_wrong(struct model *model, const char *tag)
{
    const char *answered = tag;

    say(&model->input, tag);
    switch (below(12)) {
    case 0: /* unknown */
        say(&model->input, " FROBNICATE");
        for (size_t n = below(3); n > 0; n--)
            write_string(model, NULL, false);
        write_rest(model);
        break;
    case 1: /* too many arguments */
        say(&model->input, " FIND");
        write_string(model, NULL, false);
        write_string(model, NULL, false);
        write_rest(model);
        break;
    case 2: /* too few */
        say(&model->input, " ACTIVATE");
        write_string(model, NULL, false);
        write_string(model, NULL, false);
        say(&model->input, line_end());
        break;
    case 3: /* an atom */
        say(&model->input, " RESERVE");
        write_string(model, NULL, false);
        say(&model->input, " atom");
        write_rest(model);
        break;
    case 4: /* blanks */
        say(&model->input, below(2) ? "  NOOP" : " FIND  \"x\"");
        write_rest(model);
        break;
    case 5:
        say(&model->input, " FIND \"x\" ");
        say(&model->input, line_end());
        break;
    case 6: /* an escape that is none */
        say(&model->input, " FIND \"a\\n\"");
        write_rest(model);
        break;
    case 7: /* a string that is not closed hides what looks like a literal */
        say(&model->input, " FIND \"a {100+}");
        say(&model->input, line_end());
        break;
    case 8: /* a control character */
        buffer_append(&model->input, below(2) ? " NO\0OP" : " NO\rOP", 6);
        write_rest(model);
        break;
    case 9: { /* a literal past the limit */
        static const char zeros[140000];
        char announcement[32];
        size_t len = 131073 + below(1000);

        if (below(10) > 0) {
            say(&model->input, " DELETE {131073}");
            say(&model->input, line_end());
            break;
        }
        snprintf(announcement, sizeof announcement, " DELETE {%zu+}\r\n", len);
        say(&model->input, announcement);
        buffer_append(&model->input, zeros, len);
        write_rest(model);
        break;
    }
    case 10: /* a tag that is none; what was written of it is its start */
        say(&model->input, "\\ NOOP");
        write_rest(model);
        answered = "*";
        break;
    default: /* a line past the limit */
        say(&model->input, " FIND \"");
        for (size_t n = 8192 + below(20000); n > 0; n--)
            say(&model->input, "y");
        say(&model->input, "\"");
        write_rest(model);
        break;
    }
    say(&model->replies, answered);
    say(&model->replies, " BAD\n");
}

static void generate(struct model *model, size_t commands)
{
    for (size_t i = 0; i < commands; i++) {
        char tag[16];

        snprintf(tag, sizeof tag, "%c%zu", (char)('A' + below(26)), below(100000));
        if (below(3))
            write_right(model, tag);
        else
            write_wrong(model, tag);
    }
    buffer_append(&model->events, "", 1);
    buffer_append(&model->replies, "", 1);
}

static void random_commands_have_the_effect_they_were_made_for(void **state)
{
    static const enum server_support_answers answers[] = { ANSWER_AT_ONCE, ANSWER_LATE,
                                                           ANSWER_RANDOM };
    static const enum server_support_split splits[] = { SPLIT_WHOLE, SPLIT_RANDOM, SPLIT_RANDOM,
                                                        SPLIT_OCTETS };

    (void)state;
    for (unsigned int round = 0; round < ROUNDS; round++) {
        struct model model = { 0 };
        struct server_support support;
        struct mupdate_server_limits limits;

        srand(round + 1);
        generate(&model, COMMANDS);
        mupdate_server_limits_default(&limits);
        limits.commands_in_flight = 1 + below(10);
        limits.output_bytes = below(2) ? 1 + below(200) : 262144;
        server_support_open(&support, &limits);
        server_support_reach(&support, MUPDATE_SERVER_STATE_AUTHENTICATED);
        support.answers = answers[below(3)];
        assert_int_equal(server_support_feed(&support, buffer_bytes(&model.input),
                                             buffer_len(&model.input), splits[below(4)]),
                         buffer_len(&model.input));
        if (strcmp(server_support_replies(&support), (char *)buffer_bytes(&model.replies)) != 0)
            print_error("seed %u\n", round + 1);
        assert_string_equal(server_support_events(&support), (char *)buffer_bytes(&model.events));
        assert_string_equal(server_support_replies(&support),
                            (char *)buffer_bytes(&model.replies));
        server_support_close(&support);
        buffer_free(&model.input);
        buffer_free(&model.events);
        buffer_free(&model.replies);
    }
}

/* Noise has no meaning to compare; it must do no harm, and mean the same in every split. */
static void noise_means_the_same_however_it_is_split(void **state)
{
    static const char *const pieces[] = {
        "A1", " ", "NOOP", "FIND", "ACTIVATE", "\"", "\\", "{3+}", "{3}", "{0+}", "{", "}", "+",
        "=", "\r\n", "\n", "\r", "abc", "\"x\"", "AUTHENTICATE", "PLAIN", "*", "UPDATE", "LIST",
        "LOGOUT", "STARTTLS", "{200000+}", "\t", "(", "COMPRESS", "DEFLATE", "CHALLENGE", "AAAA",
        "\r\n", "\r\n", " ", " ", "1 NOOP\r\n",
    };

    (void)state;
    for (unsigned int round = 0; round < 1000; round++) {
        struct buffer input = { 0 };
        struct server_support whole;
        struct server_support split;
        enum mupdate_server_state at;

        srand(round + 77);
        for (int i = 0; i < 120; i++) {
            uint8_t octet = (uint8_t)below(256);

            if (below(30) == 0)
                buffer_append(&input, &octet, 1);
            else
                say(&input, pieces[below(sizeof pieces / sizeof pieces[0])]);
        }
        at = below(2) ? MUPDATE_SERVER_STATE_AUTHENTICATED : MUPDATE_SERVER_STATE_UNAUTHENTICATED;
        server_support_open(&whole, NULL);
        server_support_reach(&whole, at);
        server_support_open(&split, NULL);
        server_support_reach(&split, at);
        server_support_feed(&whole, buffer_bytes(&input), buffer_len(&input), SPLIT_WHOLE);
        server_support_feed(&split, buffer_bytes(&input), buffer_len(&input),
                            round % 2 ? SPLIT_OCTETS : SPLIT_RANDOM);
        if (strcmp(server_support_replies(&whole), server_support_replies(&split)) != 0)
            print_error("seed %u\n", round + 77);
        assert_string_equal(server_support_events(&whole), server_support_events(&split));
        assert_string_equal(server_support_replies(&whole), server_support_replies(&split));
        assert_int_equal(mupdate_server_state(whole.server), mupdate_server_state(split.server));
        server_support_close(&whole);
        server_support_close(&split);
        buffer_free(&input);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_commands_have_the_effect_they_were_made_for),
        cmocka_unit_test(noise_means_the_same_however_it_is_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
