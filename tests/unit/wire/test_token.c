/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LINE(text) text, sizeof text - 1

/* A line's tokens as text: a(tom) q(uoted) e(scaped) l(iteral, its length) = */
static void describe(const char *line, size_t len, size_t from, char *to, size_t size)
{
    struct wire_token items[8];
    struct wire_tokens tokens = { items, 0, 8 };
    struct wire_literal literal;
    const char *error = NULL;
    uint8_t copy[256];
    enum wire_scan scan;
    size_t used = 0;

    memcpy(copy, line, len);
    scan = wire_scan_line(copy, from, len, &tokens, &literal, &error);
    for (size_t i = 0; i < tokens.count; i++) {
        struct wire_token *token = &items[i];

        if (token->type == WIRE_LITERAL) {
            used += (size_t)snprintf(to + used, size - used, "l%zu%s ", token->len,
                                     literal.waits ? "" : "+");
        } else {
            char type = "aqel="[token->type];
            struct mupdate_text text = wire_token_text(copy, token);

            used += (size_t)snprintf(to + used, size - used, "%c%.*s ", type, (int)text.len,
                                     text.data);
        }
    }
    snprintf(to + used, size - used, "%s",
             scan == WIRE_SCAN_END ? "." : scan == WIRE_SCAN_LITERAL ? "..." : "!");
    if (scan == WIRE_SCAN_ERROR)
        assert_non_null(error);
}

static void splits_lines_into_tokens(void **state)
{
    static const struct {
        const char *line;
        size_t len;
        const char *tokens;
    } cases[] = {
        { LINE("A1 NOOP\r\n"), "aA1 aNOOP ." },
        { LINE("A1 NOOP\n"), "aA1 aNOOP ." },
        { LINE("A1\r\n"), "aA1 ." },
        { LINE("* OK ! #$%&' +,-./ :;<=>?@ [ ] ^_`\r\n"),
          "a* aOK a! a#$%&' a+,-./ a:;<=>?@ a[ a] !" },
        { LINE("A \"\"\r\n"), "aA q ." },
        { LINE("A \"b c\" \"d\"\r\n"), "aA qb c qd ." },
        { LINE("A \"\t\x80\xff\x01\x7f(){}\"\r\n"), "aA q\t\x80\xff\x01\x7f(){} ." },
        { LINE("A \"a\\\"b\\\\c\"\r\n"), "aA ea\"b\\c ." },
        { LINE("A \"\\\"\"\r\n"), "aA e\" ." },
        { LINE("A {0}\r\n"), "aA l0 ..." },
        { LINE("A {10+}\r\n"), "aA l10+ ..." },
        { LINE("A {0010+}\n"), "aA l10+ ..." },
        { LINE("A ={0+}\r\n"), "aA = ..." },
        { LINE("A ={0}\r\n"), "aA = ..." },
        { LINE("A =\r\n"), "aA a= ." },
        { LINE("{3+}\r\n"), "l3+ ..." },
        { LINE("A {18446744073709551615+}\r\n"), "aA l18446744073709551615+ ..." },
        { LINE("A {18446744073709551616+}\r\n"), "aA l18446744073709551615+ ..." },
        /* what is wrong, behind the tokens that are right */
        { LINE("\r\n"), "!" },
        { LINE("\n"), "!" },
        { LINE(" A\r\n"), "!" },
        { LINE("A \r\n"), "aA !" },
        { LINE("A  B\r\n"), "aA !" },
        { LINE("A B \r\n"), "aA aB !" },
        { LINE("A\tB\r\n"), "!" },
        { LINE("A B\rC\r\n"), "aA !" },
        { LINE("A B\r\r\n"), "aA !" },
        { LINE("A B\0\r\n"), "aA !" },
        { LINE("A \xc3\xa4\r\n"), "aA !" },
        { LINE("A (B)\r\n"), "aA !" },
        { LINE("A B(\r\n"), "aA !" },
        { LINE("A \\B\r\n"), "aA !" },
        { LINE("A B\"c\"\r\n"), "aA !" },
        { LINE("A \"b\"c\r\n"), "aA !" },
        { LINE("A \"b\"\"c\"\r\n"), "aA !" },
        { LINE("A \"b\r\n"), "aA !" },
        { LINE("A \"b\\\r\n"), "aA !" },
        { LINE("A \"b\\\n"), "aA !" },
        { LINE("A \"b\\n\"\r\n"), "aA !" },
        { LINE("A \"b\0c\"\r\n"), "aA !" },
        { LINE("A \"b\rc\"\r\n"), "aA !" },
        { LINE("A \"b\"{3+}\r\n"), "aA !" },
        { LINE("A b{3+}\r\n"), "aA !" },
        { LINE("A ={1+}\r\n"), "aA !" },
        { LINE("A ={000000000000000000000+}\r\n"), "aA !" },
        { LINE("A =={0+}\r\n"), "aA !" },
        { LINE("A {}\r\n"), "aA !" },
        { LINE("A {+}\r\n"), "aA !" },
        { LINE("A {-1}\r\n"), "aA !" },
        { LINE("A {1x}\r\n"), "aA !" },
        { LINE("A { 1}\r\n"), "aA !" },
        { LINE("A {1++}\r\n"), "aA !" },
        { LINE("A {1\r\n"), "aA !" },
        { LINE("A {1+\r\n"), "aA !" },
        { LINE("A {1}\r\r\n"), "aA !" },
        { LINE("A {1} B\r\n"), "aA !" },
        { LINE("A {1+} \r\n"), "aA !" },
        { LINE("A 1 2 3 4 5 6 7\r\n"), "aA a1 a2 a3 a4 a5 a6 a7 ." },
        { LINE("A 1 2 3 4 5 6 7 8\r\n"), "aA a1 a2 a3 a4 a5 a6 a7 !" },
        { LINE("A 1 2 3 4 5 6 7 {8+}\r\n"), "aA a1 a2 a3 a4 a5 a6 a7 !" },
        /* without the line's end: only what is delimited counts */
        { LINE("A1 FIN"), "aA1 !" },
        { LINE("A1"), "!" },
        { LINE("A1 {3+}"), "aA1 !" },
        { LINE("A1 \"b\""), "aA1 !" },
        { LINE("A1 \"b\"\r"), "aA1 !" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char tokens[256];

        describe(cases[i].line, cases[i].len, 0, tokens, sizeof tokens);
        assert_string_equal(tokens, cases[i].tokens);
    }
}

static void a_line_goes_on_behind_a_literal(void **state)
{
    static const struct {
        const char *line;
        size_t len;
        const char *tokens;
    } cases[] = {
        { LINE("abc\r\n"), "." },
        { LINE("abc\n"), "." },
        { LINE("abc B\r\n"), "aB ." },
        { LINE("abc {4+}\r\n"), "l4+ ..." },
        { LINE("abcB\r\n"), "!" },
        { LINE("abc{4+}\r\n"), "!" },
        { LINE("abc \r\n"), "!" },
        { LINE("abc  B\r\n"), "!" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char tokens[256];

        describe(cases[i].line, cases[i].len, 3, tokens, sizeof tokens);
        assert_string_equal(tokens, cases[i].tokens);
    }
}

/* The characters of RFC 2244 that are none of an atom: ( ) { SP CTL " \ and 8-bit. */
static void every_octet_is_part_of_an_atom_or_not(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        uint8_t line[] = { 'A', ' ', (uint8_t)c, '\r', '\n' };
        struct wire_token items[4];
        struct wire_tokens tokens = { items, 0, 4 };
        struct wire_literal literal;
        const char *error;
        bool atom = c > 32 && c < 127 && !strchr("(){\"\\", c);

        assert_int_equal(wire_scan_line(line, 0, sizeof line, &tokens, &literal, &error) ==
                             WIRE_SCAN_END && tokens.count == 2,
                         atom);
    }
}

static void every_octet_but_four_stands_for_itself_between_quotes(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        uint8_t line[] = { '"', 'x', (uint8_t)c, 'y', '"', '\n' };
        struct wire_token items[4];
        struct wire_tokens tokens = { items, 0, 4 };
        struct wire_literal literal;
        const char *error;
        bool fits = c != 0 && c != '\r' && c != '\n' && c != '"' && c != '\\';

        assert_int_equal(wire_scan_line(line, 0, sizeof line, &tokens, &literal, &error) ==
                             WIRE_SCAN_END && tokens.count == 1,
                         fits);
    }
}

static void words_are_compared_without_case(void **state)
{
    static const uint8_t bytes[] = "NoOp NOOPS NOO";
    struct wire_token noop = { WIRE_ATOM, 0, 4 };
    struct wire_token noops = { WIRE_ATOM, 5, 5 };
    struct wire_token noo = { WIRE_ATOM, 11, 3 };
    struct wire_token quoted = { WIRE_QUOTED, 0, 4 };

    (void)state;
    assert_true(wire_token_is(bytes, &noop, "NOOP"));
    assert_false(wire_token_is(bytes, &noops, "NOOP"));
    assert_false(wire_token_is(bytes, &noo, "NOOP"));
    assert_false(wire_token_is(bytes, &quoted, "NOOP"));
}

static void counts_know_when_64_bits_are_not_enough(void **state)
{
    static const struct {
        const char *digits;
        uint64_t octets;
        bool overflow;
    } cases[] = {
        { "0", 0, false },
        { "4294967296", 4294967296u, false },
        { "18446744073709551615", UINT64_MAX, false },
        { "00000000000000000001", 1, false },
        { "18446744073709551616", 0, true },
        { "99999999999999999999", 0, true },
        { "000000000000000000001", 0, true },
        { "184467440737095516150", 0, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_count count = { 0 };

        for (const char *p = cases[i].digits; *p; p++)
            wire_count_digit(&count, (uint8_t)*p);
        assert_int_equal(count.overflow, cases[i].overflow);
        if (!count.overflow)
            assert_true(count.octets == cases[i].octets);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_lines_into_tokens),
        cmocka_unit_test(a_line_goes_on_behind_a_literal),
        cmocka_unit_test(every_octet_is_part_of_an_atom_or_not),
        cmocka_unit_test(every_octet_but_four_stands_for_itself_between_quotes),
        cmocka_unit_test(words_are_compared_without_case),
        cmocka_unit_test(counts_know_when_64_bits_are_not_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
