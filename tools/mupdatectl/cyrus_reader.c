/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/mupdatectl/cyrus_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/mupdatectl/cyrus_entry.h"

/* Each name that a mailbox ever had is in its entry, in JSON. */
#define ENTRY_BYTES (1U << 20)
/* \u00HH */
#define ESCAPED_LEN 6

enum place {
    AT_BEGIN,  /* nothing but blank space was seen */
    AT_OPEN,   /* JSON: behind the brace, no member and no comma yet */
    AT_COMMA,  /* JSON: behind a comma */
    AT_MEMBER, /* JSON: in a member */
    AT_BEHIND, /* JSON: behind a member */
    AT_TAIL,   /* JSON: behind the last brace */
    AT_LINE,   /* text */
    AT_END,
};

/* Where an octet of JSON stands. */
enum quotes {
    QUOTES_NONE,
    QUOTES_IN,        /* in a string */
    QUOTES_BACKSLASH, /* behind a backslash in it */
};

struct cyrus_reader {
    enum cyrus_form form;
    dump_complain *complain;
    void *context;
    enum place place;
    enum cyrus_result verdict; /* at AT_END */
    size_t entry_max;

    const char *data; /* that was given, not yet used */
    size_t len;
    bool finished;
    uint64_t octets;
    uint64_t line;     /* of the next octet */
    unsigned complaints;

    struct buffer text; /* of the entry that is being read; JSON: with a brace before it */
    bool used;          /* text: it is that of the last entry */
    uint64_t text_line; /* where it begins */
    size_t depth;       /* JSON: of braces and brackets in it */
    enum quotes quotes; /* JSON */
    struct cyrus_member member;
};

enum cyrus_form cyrus_form_named(const char *name)
{
    return strcmp(name, "cyrus") == 0 || strcmp(name, "cyrus-json") == 0 ? CYRUS_JSON
           : strcmp(name, "cyrus-text") == 0                             ? CYRUS_TEXT
                                                                         : CYRUS_ANY;
}

struct cyrus_reader *cyrus_reader_new(enum cyrus_form form, const struct rule_policy *policy,
                                      dump_complain *complain, void *context)
{
    struct cyrus_reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return NULL;
    reader->form = form;
    reader->complain = complain;
    reader->context = context;
    reader->line = 1;
    /* The name stands in it twice. */
    reader->entry_max = ENTRY_BYTES + ESCAPED_LEN * (2 * policy->name_bytes +
                        policy->location_bytes + policy->acl_bytes);
    return reader;
}

void cyrus_reader_free(struct cyrus_reader *reader)
{
    if (!reader)
        return;
    cyrus_member_free(&reader->member);
    buffer_free(&reader->text);
    free(reader);
}

void cyrus_reader_give(struct cyrus_reader *reader, const void *data, size_t len)
{
    reader->data = data;
    reader->len = len;
}

void cyrus_reader_finish(struct cyrus_reader *reader)
{
    reader->finished = true;
}

enum cyrus_form cyrus_reader_form(const struct cyrus_reader *reader)
{
    return reader->form;
}

uint64_t cyrus_reader_octets(const struct cyrus_reader *reader)
{
    return reader->octets;
}

static enum cyrus_result end(struct cyrus_reader *reader, enum cyrus_result verdict)
{
    reader->place = AT_END;
    reader->verdict = verdict;
    return verdict;
}

/* Where reading can go on: with the next entry, unless that was enough. */
static void complain(struct cyrus_reader *reader, uint64_t line, const char *text)
{
    reader->complain(reader->context, line, text);
    if (++reader->complaints == DUMP_COMPLAINTS_MAX)
        (void)end(reader, CYRUS_BAD);
}

/* Where it cannot. */
static enum cyrus_result give_up(struct cyrus_reader *reader, const char *text)
{
    complain(reader, reader->line, text);
    return end(reader, CYRUS_BAD);
}

static void take(struct cyrus_reader *reader, size_t len)
{
    reader->octets += len;
    reader->data += len;
    reader->len -= len;
}

/* Add octets of the data to the entry and take them. False: it is at its end. */
static bool keep(struct cyrus_reader *reader, size_t len)
{
    if (buffer_len(&reader->text) + len > reader->entry_max) {
        reader->line = reader->text_line;
        (void)give_up(reader, "the entry that begins here is longer than the limits of "
                              "mupdated.conf allow: raise limit_name or limit_acl, or the file "
                              "is no dump of Cyrus's");
        return false;
    }
    buffer_append(&reader->text, reader->data, len);
    take(reader, len);
    if (reader->text.failed)
        (void)end(reader, CYRUS_NO_MEMORY);
    return !reader->text.failed;
}

/* The entry that was read is at hand: hand it out, unless it has a fault. */
static bool hand_out(struct cyrus_reader *reader, const char *wrong, uint64_t line)
{
    reader->used = true;
    if (!wrong)
        return reader->complaints == 0;
    if (strcmp(wrong, CYRUS_ENTRY_NO_MEMORY) == 0)
        (void)end(reader, CYRUS_NO_MEMORY);
    else
        complain(reader, line, wrong);
    return false;
}

static void begin_entry(struct cyrus_reader *reader)
{
    buffer_clear(&reader->text);
    reader->used = false;
    reader->text_line = reader->line;
}

/* --- JSON --- */

static bool is_blank(char octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

static void take_octet(struct cyrus_reader *reader)
{
    reader->line += *reader->data == '\n';
    take(reader, 1);
}

/* Behind this octet of a string. */
static enum quotes within_quotes(enum quotes quotes, char octet)
{
    if (quotes == QUOTES_BACKSLASH)
        return QUOTES_IN;
    return octet == '\\' ? QUOTES_BACKSLASH : octet == '"' ? QUOTES_NONE : QUOTES_IN;
}

/* True with the entry at its end, which is a comma or a brace that is not taken. */
static bool read_member(struct cyrus_reader *reader)
{
    size_t at = 0;

    for (; at < reader->len; at++) {
        char octet = reader->data[at];

        reader->line += octet == '\n';
        if (reader->quotes != QUOTES_NONE) {
            reader->quotes = within_quotes(reader->quotes, octet);
            continue;
        }
        if (octet == '"')
            reader->quotes = QUOTES_IN;
        else if (octet == '{' || octet == '[')
            reader->depth++;
        else if (reader->depth == 0 && (octet == ',' || octet == '}' || octet == ']'))
            break;
        else if (octet == '}' || octet == ']')
            reader->depth--;
    }
    /* The octet at which it ends may be a fault, but never the end of a line. */
    return keep(reader, at) && reader->len > 0;
}

static bool parse_member(struct cyrus_reader *reader, struct cyrus_entry *entry)
{
    const char *wrong;
    uint64_t line;

    buffer_append(&reader->text, "}", 1);
    if (reader->text.failed) {
        (void)end(reader, CYRUS_NO_MEMORY);
        return false;
    }
    reader->place = AT_BEHIND;
    entry->line = reader->text_line;
    wrong = cyrus_member_read(&reader->member, (const char *)buffer_bytes(&reader->text),
                              buffer_len(&reader->text), entry, &line);
    return hand_out(reader, wrong, reader->text_line + line);
}

/*
 * An octet between the members. True, with the entry's line, when Cyrus left one out: there is
 * nothing between two commas.
 */
static bool read_between(struct cyrus_reader *reader, struct cyrus_entry *entry)
{
    char octet = *reader->data;
    bool lost = false;

    if (octet == '"' && reader->place != AT_BEHIND) {
        begin_entry(reader);
        buffer_append(&reader->text, "{", 1);
        reader->depth = 0;
        reader->quotes = QUOTES_NONE;
        reader->place = AT_MEMBER;
        return false;
    }
    if (octet == ',') {
        lost = reader->place != AT_BEHIND;
        reader->place = AT_COMMA;
    } else if (octet == '}') {
        lost = reader->place == AT_COMMA;
        reader->place = AT_TAIL;
    } else if (!is_blank(octet)) {
        (void)give_up(reader, "here a mailbox's name in quotes, a comma or the last brace should "
                              "stand");
        return false;
    }
    entry->line = reader->line;
    take_octet(reader);
    return lost && reader->complaints == 0;
}

/* --- both --- */

/* What it is, from its first octet. */
static void begin(struct cyrus_reader *reader)
{
    char octet = *reader->data;

    if (reader->form == CYRUS_ANY)
        reader->form = octet == '{' ? CYRUS_JSON : CYRUS_TEXT;
    if (reader->form == CYRUS_TEXT) {
        reader->place = AT_LINE;
        begin_entry(reader);
    } else if (octet == '{') {
        take(reader, 1);
        reader->place = AT_OPEN;
    } else if (is_blank(octet)) {
        take_octet(reader);
    } else {
        (void)give_up(reader, "the file does not begin with a brace, as JSON of Cyrus's does");
    }
}

/* True when there is a whole line in the text. */
static bool read_line(struct cyrus_reader *reader)
{
    const char *end_of_line = memchr(reader->data, '\n', reader->len);
    size_t len = end_of_line ? (size_t)(end_of_line - reader->data) : reader->len;

    if (reader->used)
        begin_entry(reader);
    if (!keep(reader, len) || !end_of_line)
        return false;
    take(reader, 1);
    reader->line++;
    return true;
}

static bool parse_line(struct cyrus_reader *reader, struct cyrus_entry *entry)
{
    static const char own[] = "mupdate-dump ";
    const char *text = (const char *)buffer_bytes(&reader->text);
    size_t len = buffer_len(&reader->text);
    const char *wrong;

    entry->line = reader->text_line;
    wrong = cyrus_line_read(text, len, entry);
    if (wrong && text && len >= sizeof own - 1 && memcmp(text, own, sizeof own - 1) == 0)
        wrong = "this is no dump of Cyrus's but of mupdatectl's: load takes it";
    return hand_out(reader, wrong, reader->text_line);
}

static void finish(struct cyrus_reader *reader)
{
    switch (reader->place) {
    case AT_BEGIN:
        (void)give_up(reader, "the file is empty");
        break;
    case AT_OPEN:
    case AT_COMMA:
    case AT_MEMBER:
    case AT_BEHIND:
        (void)give_up(reader, "the file ends here, before the brace that closes it: it is not "
                              "whole");
        break;
    case AT_LINE:
        if (!reader->used && buffer_len(&reader->text) > 0)
            (void)give_up(reader, "the file ends in the middle of this line");
        break;
    case AT_TAIL:
    case AT_END:
        break;
    }
    if (reader->place != AT_END)
        (void)end(reader, reader->complaints > 0 ? CYRUS_BAD : CYRUS_END);
}

enum cyrus_result cyrus_reader_next(struct cyrus_reader *reader, struct cyrus_entry *entry)
{
    for (;;) {
        if (reader->place == AT_END)
            return reader->verdict;
        if (reader->len == 0) {
            if (!reader->finished)
                return CYRUS_MORE;
            finish(reader);
            continue;
        }
        switch (reader->place) {
        case AT_BEGIN:
            begin(reader);
            break;
        case AT_MEMBER:
            if (read_member(reader) && parse_member(reader, entry))
                return CYRUS_ENTRY;
            break;
        case AT_OPEN:
        case AT_COMMA:
        case AT_BEHIND:
            if (read_between(reader, entry))
                return CYRUS_LOST;
            break;
        case AT_LINE:
            if (read_line(reader) && parse_line(reader, entry))
                return CYRUS_ENTRY;
            break;
        case AT_TAIL:
            if (!is_blank(*reader->data))
                (void)give_up(reader, "there is something behind the brace that closes it");
            else
                take_octet(reader);
            break;
        case AT_END:
            break;
        }
    }
}
