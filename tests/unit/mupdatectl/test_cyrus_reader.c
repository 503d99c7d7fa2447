/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tools/mupdatectl/cyrus_reader.h"

#define SAID_BYTES 8192

static const struct rule_policy policy = {
    .name_bytes = 4096, .location_bytes = 1024, .acl_bytes = 65536};

/* What the reader said, a line for each entry, hole and complaint, and how it ended. */
struct said {
    char text[SAID_BYTES];
    size_t len;
};

static __attribute__((format(printf, 2, 3))) void say(struct said *said, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    said->len += (size_t)vsnprintf(said->text + said->len, SAID_BYTES - said->len, format,
                                   arguments);
    va_end(arguments);
    assert_true(said->len < SAID_BYTES);
}

static void complain(void *context, uint64_t line, const char *text)
{
    say(context, "%u: %s\n", (unsigned)line, text);
}

static void say_text(struct said *said, struct mupdate_text text)
{
    say(said, "|%.*s", text.data ? (int)text.len : 1, text.data ? text.data : "?");
}

static void say_entry(struct said *said, const struct cyrus_entry *entry)
{
    say(said, "%u %u %lld", (unsigned)entry->line, entry->flags, (long long)entry->time_s);
    say_text(said, entry->name);
    say_text(said, entry->server);
    say_text(said, entry->partition);
    say(said, "|%.*s\n", (int)entry->acl.len, entry->acl.len ? entry->acl.data : "");
}

/* Read text in pieces of so many octets. */
static void read_pieces(struct said *said, const char *text, size_t piece)
{
    struct cyrus_reader *reader = cyrus_reader_new(CYRUS_ANY, &policy, complain, said);
    struct cyrus_entry entry;
    size_t at = 0;
    enum cyrus_result result;

    memset(said, 0, sizeof *said);
    assert_non_null(reader);
    while ((result = cyrus_reader_next(reader, &entry)) <= CYRUS_MORE) {
        if (result == CYRUS_ENTRY) {
            say_entry(said, &entry);
        } else if (result == CYRUS_LOST) {
            say(said, "%u lost\n", (unsigned)entry.line);
        } else {
            size_t rest = strlen(text + at);
            size_t len = rest < piece ? rest : piece;

            if (len == 0)
                cyrus_reader_finish(reader);
            cyrus_reader_give(reader, text + at, len);
            at += len;
        }
    }
    say(said, result == CYRUS_END ? "end" : result == CYRUS_BAD ? "bad" : "no memory");
    cyrus_reader_free(reader);
}

static void reads_as(const char *text, const char *expected)
{
    struct said said;

    for (size_t piece = 1; piece < 70; piece += piece < 8 ? 1 : 30) {
        read_pieces(&said, text, piece);
        assert_string_equal(said.text, expected);
    }
}

static void json_is_read_in_any_layout_and_cut_anywhere(void **state)
{
    (void)state;
    reads_as("{\n"
             "\"user.a\": {\"mtime\": \"17\", \"mbtype\": \"er\", \"partition\": \"p\", "
             "\"server\": \"be1\", \"acl\": {\"b\": \"l\", \"a\": \"lrs\"}},\n"
             "\"user.\\u00e9,}\\\"\": {\"mbtype\": \"erz\", \"acl\": {}}\n"
             "}\n",
             "2 1 17|user.a|be1|p|b\tl\ta\tlrs\t\n"
             "3 3 -1|user.\xc3\xa9,}\"|?|?|\n"
             "end");
    reads_as("{\"a\"\n:\n{\"mbtype\":\"edmi\",\"x\":[{}],\"acl\":{}}}", "1 28 -1|a|?|?|\nend");
    reads_as("{\n\n}\n", "end");
}

static void holes_that_cyrus_leaves_are_counted(void **state)
{
    static const char member[] = "\"a\": {\"mbtype\": \"e\", \"acl\": {}}";
    char text[256];

    (void)state;
    (void)snprintf(text, sizeof text, "{\n,\n%s,\n,\n,\n\n}\n", member);
    reads_as(text, "2 lost\n3 0 -1|a|?|?|\n4 lost\n5 lost\n7 lost\nend");
}

static void each_form_of_text_is_read_as_the_same(void **state)
{
    (void)state;
    reads_as("a\t1 be1!p x\tl\t\nb c\t3 be1!\t\n", "1 1 -1|a|be1|p|x\tl\t\n2 3 -1|b c|be1||\nend");
    reads_as("a\tbe1!p\tx\tl\t\nb\tp\t\r\n", "1 0 -1|a|be1|p|x\tl\t\n2 0 -1|b|?|p|\nend");
    reads_as("a\t1 be1!p x\tl\t>id 17 18 0 0 \nb\t16 p >id 17\nc\t264 p >x\ty\t\n",
             "1 1 17|a|be1|p|x\tl\t\n2 8 17|b|?|p|\n3 20 -1|c|?|p|>x\ty\t\nend");
}

static void faults_are_told_with_their_line_and_no_entry_comes_behind_them(void **state)
{
    (void)state;
    reads_as("a\t1 be1!p \nnonsense\nb\t1 be1!p \n",
             "1 1 -1|a|be1|p|\n"
             "2: it has no tab: a line is name, tab, type, location and ACL\nbad");
    reads_as("{\n\"a\": 1,\n\"b\": {\"mbtype\": \"e\", \"acl\": {}},\n\"c\": {}\n}\n",
             "2: it is no object\n4: its mbtype is missing or no string\nbad");
    reads_as("{\n\"a\": {\"mbtype\":\n\"e\", ]}\n}\n",
             "3: it is no JSON\n4: there is something behind the brace that closes it\nbad");
    reads_as("{\n\"a\": {},\nx\n}\n",
             "2: its mbtype is missing or no string\n"
             "3: here a mailbox's name in quotes, a comma or the last brace should stand\nbad");
    reads_as("", "1: the file is empty\nbad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_read_in_any_layout_and_cut_anywhere),
        cmocka_unit_test(holes_that_cyrus_leaves_are_counted),
        cmocka_unit_test(each_form_of_text_is_read_as_the_same),
        cmocka_unit_test(faults_are_told_with_their_line_and_no_entry_comes_behind_them),
    };

    return cmocka_run_group_tests_name("cyrus_reader", tests, NULL, NULL);
}
