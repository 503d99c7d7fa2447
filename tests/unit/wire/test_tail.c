/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *line;
    enum wire_tail_state state;
    uint64_t octets;
} cases[] = {
    { "\n", WIRE_TAIL_END, 0 },
    { "A1 GARBAGE\r\n", WIRE_TAIL_END, 0 },
    { "A1 X {5+}\r\n", WIRE_TAIL_LITERAL, 5 },
    { "A1 X {5+}\n", WIRE_TAIL_LITERAL, 5 },
    { "A1 X {0+}\n", WIRE_TAIL_LITERAL, 0 },
    { " {5+}\n", WIRE_TAIL_LITERAL, 5 },
    { "((( ) \\ {4294967296+}\r\n", WIRE_TAIL_LITERAL, 4294967296u },
    { "A {18446744073709551615+}\r\n", WIRE_TAIL_LITERAL, UINT64_MAX },
    { "A {18446744073709551616+}\r\n", WIRE_TAIL_ENDLESS, 0 },
    { "A {000000000000000000000000005+}\r\n", WIRE_TAIL_ENDLESS, 0 },
    { "A {18446744073709551616}\r\n", WIRE_TAIL_END, 0 },
    { "A {5}\r\n", WIRE_TAIL_END, 0 },
    { "A ={0+}\r\n", WIRE_TAIL_LITERAL, 0 },
    { "A =={0+}\r\n", WIRE_TAIL_END, 0 },
    /* no blank before it, or something behind it */
    { "A{5+}\r\n", WIRE_TAIL_END, 0 },
    { "{5+}\r\n", WIRE_TAIL_END, 0 },
    { "A \"b\"{5+}\r\n", WIRE_TAIL_END, 0 },
    { "A {5+} \r\n", WIRE_TAIL_END, 0 },
    { "A {5+}\r\r\n", WIRE_TAIL_END, 0 },
    { "A {5+}}\r\n", WIRE_TAIL_END, 0 },
    { "A {}\r\n", WIRE_TAIL_END, 0 },
    { "A {+}\r\n", WIRE_TAIL_END, 0 },
    { "A {-1+}\r\n", WIRE_TAIL_END, 0 },
    { "A {1x+}\r\n", WIRE_TAIL_END, 0 },
    { "A {1+\r\n", WIRE_TAIL_END, 0 },
    { "A {1\n", WIRE_TAIL_END, 0 },
    /* started anew within the line */
    { "A {5 {6+}\r\n", WIRE_TAIL_LITERAL, 6 },
    { "A {5+ {6+}\r\n", WIRE_TAIL_LITERAL, 6 },
    { "A {5+} {6+}\r\n", WIRE_TAIL_LITERAL, 6 },
    { "A {5+}\r {6+}\r\n", WIRE_TAIL_LITERAL, 6 },
    { "A  {6+}\r\n", WIRE_TAIL_LITERAL, 6 },
    { "A = {6+}\r\n", WIRE_TAIL_LITERAL, 6 },
    { "A {99999999999999999999999 {6+}\r\n", WIRE_TAIL_LITERAL, 6 },
    /* quotes */
    { "A \"b {5+}\r\n", WIRE_TAIL_END, 0 },
    { "A \"b\\\" {5+}\r\n", WIRE_TAIL_END, 0 },
    { "A \"b\\\\\" {5+}\r\n", WIRE_TAIL_LITERAL, 5 },
    { "A \"b\\x\" {5+}\r\n", WIRE_TAIL_LITERAL, 5 },
    { "A b\"c\" {5+}\r\n", WIRE_TAIL_LITERAL, 5 },
    { "A {5\" {5+}\r\n", WIRE_TAIL_END, 0 },
    { "A \"b\\\n", WIRE_TAIL_END, 0 },
};

static void tells_whether_a_literal_follows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct wire_tail tail = { .state = WIRE_TAIL_PLAIN };
        const uint8_t *line = (const uint8_t *)cases[i].line;
        size_t len = strlen(cases[i].line);

        assert_int_equal(wire_tail_feed(&tail, line, len), len);
        assert_int_equal(tail.state, cases[i].state);
        if (tail.state == WIRE_TAIL_LITERAL)
            assert_true(tail.count.octets == cases[i].octets);

        tail = (struct wire_tail){ .state = WIRE_TAIL_PLAIN };
        for (size_t at = 0; at < len; at++) {
            assert_false(wire_tail_done(&tail));
            assert_int_equal(wire_tail_feed(&tail, line + at, 1), 1);
        }
        assert_int_equal(tail.state, cases[i].state);
    }
}

static void stops_behind_the_line(void **state)
{
    struct wire_tail tail = { .state = WIRE_TAIL_PLAIN };

    (void)state;
    assert_int_equal(wire_tail_feed(&tail, (const uint8_t *)"ab\ncd\n", 6), 3);
    assert_true(wire_tail_done(&tail));
}

static void a_raw_line_announces_nothing(void **state)
{
    struct wire_tail tail = { .state = WIRE_TAIL_RAW };

    (void)state;
    assert_int_equal(wire_tail_feed(&tail, (const uint8_t *)"a\" {5+}\r\n", 9), 9);
    assert_int_equal(tail.state, WIRE_TAIL_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_whether_a_literal_follows),
        cmocka_unit_test(stops_behind_the_line),
        cmocka_unit_test(a_raw_line_announces_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
