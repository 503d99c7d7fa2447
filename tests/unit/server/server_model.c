/* SPDX-License-Identifier: BSD-3-Clause */
#include "server_model.h"

#include <stdio.h>
#include <string.h>

static size_t below(struct server_model *model, size_t limit)
{
    return model->below(model->context, limit);
}

static void say(struct buffer *to, const char *text)
{
    buffer_append_string(to, text);
}

static const char *line_end(struct server_model *model)
{
    return below(model, 4) ? "\r\n" : "\n";
}

/* A word in random case. */
static void write_word(struct server_model *model, const char *word)
{
    for (; *word; word++) {
        bool small = below(model, 2) && *word >= 'A' && *word <= 'Z';
        char c = small ? (char)(*word - 'A' + 'a') : *word;

        buffer_append(&model->input, &c, 1);
    }
}

/* Octets that may be in a literal; without NUL, CR and LF they may be quoted too. */
static size_t random_octets(struct server_model *model, char *to, size_t max, bool any)
{
    static const char favourites[] = "\"\\{+} ()*=%0A\t";
    size_t len = below(model, max + 1);

    for (size_t i = 0; i < len; i++) {
        to[i] = below(model, 3) ? favourites[below(model, sizeof favourites - 1)]
                                : (char)below(model, 256);
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

static void write_literal(struct server_model *model, const char *data, size_t len, bool waits)
{
    char announcement[32];

    snprintf(announcement, sizeof announcement, "{%s%zu%s}%s", below(model, 8) ? "" : "00", len,
             waits ? "" : "+", line_end(model));
    say(&model->input, announcement);
    buffer_append(&model->input, data, len);
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
static void write_string(struct server_model *model, struct buffer *events, bool may_wait)
{
    char data[200];
    bool quoted = below(model, 2);
    size_t len = random_octets(model, data, below(model, 20) ? 30 : sizeof data, !quoted);
    bool waits = !quoted && may_wait && below(model, 3) == 0;

    say(&model->input, " ");
    if (quoted)
        write_quoted(&model->input, data, len);
    else
        write_literal(model, data, len, waits);
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

static void write_right(struct server_model *model, const char *tag)
{
    size_t n = below(model, sizeof known / sizeof known[0]);

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
    say(&model->input, line_end(model));
    say(&model->events, strcmp(known[n].word, "NOOP") != 0 ? ")\n" : "\n");
    say(&model->replies, tag);
    say(&model->replies, " OK\n");
}

/* The rest of a refused command: literals that are not to be waited for. */
static void write_rest(struct server_model *model)
{
    for (size_t n = below(model, 4); n > 0; n--) {
        char data[60];
        size_t len = random_octets(model, data, sizeof data, true);

        say(&model->input, " ");
        write_literal(model, data, len, false);
    }
    if (below(model, 4) == 0)
        say(&model->input, " {3}"); /* not invited, so nothing follows */
    say(&model->input, line_end(model));
}

static void write_wrong(struct server_model *model, const char *tag)
{
    const char *answered = tag;

    say(&model->input, tag);
    switch (below(model, 12)) {
    case 0: /* unknown */
        say(&model->input, " FROBNICATE");
        for (size_t n = below(model, 3); n > 0; n--)
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
        say(&model->input, line_end(model));
        break;
    case 3: /* an atom */
        say(&model->input, " RESERVE");
        write_string(model, NULL, false);
        say(&model->input, " atom");
        write_rest(model);
        break;
    case 4: /* blanks */
        say(&model->input, below(model, 2) ? "  NOOP" : " FIND  \"x\"");
        write_rest(model);
        break;
    case 5:
        say(&model->input, " FIND \"x\" ");
        say(&model->input, line_end(model));
        break;
    case 6: /* an escape that is none */
        say(&model->input, " FIND \"a\\n\"");
        write_rest(model);
        break;
    case 7: /* a string that is not closed hides what looks like a literal */
        say(&model->input, " FIND \"a {100+}");
        say(&model->input, line_end(model));
        break;
    case 8: /* a control character */
        buffer_append(&model->input, below(model, 2) ? " NO\0OP" : " NO\rOP", 6);
        write_rest(model);
        break;
    case 9: { /* a literal past the limit */
        static const char zeros[140000];
        char announcement[32];
        size_t len = 131073 + below(model, 1000);

        if (below(model, 10) > 0) {
            say(&model->input, " DELETE {131073}");
            say(&model->input, line_end(model));
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
        for (size_t n = 8192 + below(model, 20000); n > 0; n--)
            say(&model->input, "y");
        say(&model->input, "\"");
        write_rest(model);
        break;
    }
    say(&model->replies, answered);
    say(&model->replies, " BAD\n");
}

void server_model_generate(struct server_model *model, size_t commands)
{
    for (size_t i = 0; i < commands; i++) {
        char tag[16];

        snprintf(tag, sizeof tag, "%c%zu", (char)('A' + below(model, 26)), below(model, 100000));
        if (below(model, 3))
            write_right(model, tag);
        else
            write_wrong(model, tag);
    }
    buffer_append(&model->events, "", 1);
    buffer_append(&model->replies, "", 1);
}

void server_model_free(struct server_model *model)
{
    buffer_free(&model->input);
    buffer_free(&model->events);
    buffer_free(&model->replies);
}
