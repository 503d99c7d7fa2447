/*
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include "message.h"

#include <string.h>

/* A position in the buffer; every step says WHOLE when it got what it wanted. */
struct scanner {
    const char *at;
    const char *end;
};

static bool is_atom(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '*' ||
           c == '-';
}

static enum message_result scan_atom(struct scanner *scanner, struct message_text *text)
{
    const char *start = scanner->at;
    while (scanner->at < scanner->end && is_atom(*scanner->at)) {
        scanner->at++;
    }
    if (scanner->at == scanner->end) {
        return MESSAGE_PARTIAL;
    }
    text->data = start;
    text->len = (size_t)(scanner->at - start);
    return text->len > 0 ? MESSAGE_WHOLE : MESSAGE_BAD;
}

static enum message_result scan_octet(struct scanner *scanner, char wanted)
{
    if (scanner->at == scanner->end) {
        return MESSAGE_PARTIAL;
    }
    return *scanner->at++ == wanted ? MESSAGE_WHOLE : MESSAGE_BAD;
}

static enum message_result scan_line_end(struct scanner *scanner)
{
    enum message_result result = scan_octet(scanner, '\r');
    return result == MESSAGE_WHOLE ? scan_octet(scanner, '\n') : result;
}

static enum message_result scan_quoted(struct scanner *scanner, struct message_text *text)
{
    const char *start = ++scanner->at;
    for (; scanner->at < scanner->end; scanner->at++) {
        if (*scanner->at == '"') {
            text->data = start;
            text->len = (size_t)(scanner->at++ - start);
            return MESSAGE_WHOLE;
        }
        if (*scanner->at == '\r' || *scanner->at == '\n') {
            return MESSAGE_BAD;
        }
        if (*scanner->at == '\\' && ++scanner->at == scanner->end) {
            break;
        }
    }
    return MESSAGE_PARTIAL;
}

static enum message_result scan_literal(struct scanner *scanner, struct message_text *text)
{
    size_t len = 0;
    const char *start = ++scanner->at;
    while (scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9') {
        len = len * 10 + (size_t)(*scanner->at++ - '0');
        if (len > MESSAGE_LITERAL_BYTES) {
            return MESSAGE_BAD;
        }
    }
    if (scanner->at == scanner->end) {
        return MESSAGE_PARTIAL;
    }
    if (scanner->at == start) {
        return MESSAGE_BAD;
    }
    if (*scanner->at == '+') {
        scanner->at++;
    }
    enum message_result result = scan_octet(scanner, '}');
    if (result == MESSAGE_WHOLE) {
        result = scan_line_end(scanner);
    }
    if (result != MESSAGE_WHOLE) {
        return result;
    }
    if ((size_t)(scanner->end - scanner->at) < len) {
        return MESSAGE_PARTIAL;
    }
    text->data = scanner->at;
    text->len = len;
    scanner->at += len;
    return MESSAGE_WHOLE;
}

static enum message_result scan_string(struct scanner *scanner, struct message_text *text)
{
    if (scanner->at == scanner->end) {
        return MESSAGE_PARTIAL;
    }
    if (*scanner->at == '{') {
        return scan_literal(scanner, text);
    }
    return *scanner->at == '"' ? scan_quoted(scanner, text) : MESSAGE_BAD;
}

enum message_result message_parse(const char *data, size_t len, struct message *message)
{
    struct scanner scanner = {data, data + len};
    enum message_result result = scan_atom(&scanner, &message->tag);
    if (result == MESSAGE_WHOLE) {
        result = scan_octet(&scanner, ' ');
    }
    if (result == MESSAGE_WHOLE) {
        result = scan_atom(&scanner, &message->word);
    }
    message->count = 0;
    while (result == MESSAGE_WHOLE && *scanner.at == ' ') {
        if (message->count == MESSAGE_ARGUMENTS) {
            return MESSAGE_BAD;
        }
        scanner.at++;
        result = scan_string(&scanner, &message->arguments[message->count++]);
        if (result == MESSAGE_WHOLE && scanner.at == scanner.end) {
            result = MESSAGE_PARTIAL;
        }
    }
    if (result == MESSAGE_WHOLE) {
        result = scan_line_end(&scanner);
    }
    message->octets = (size_t)(scanner.at - data);
    return result;
}

bool message_text_is(struct message_text text, const char *word)
{
    size_t len = strlen(word);
    return text.len == len && memcmp(text.data, word, len) == 0;
}

bool message_tag_number(struct message_text tag, uint64_t *number)
{
    if (tag.len < 2 || tag.len > 15 || tag.data[0] != 'X') {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 1; i < tag.len; i++) {
        if (tag.data[i] < '0' || tag.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(tag.data[i] - '0');
    }
    *number = value;
    return true;
}
