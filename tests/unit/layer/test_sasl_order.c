/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "layer/sasl_internal.h"
#include "layer_support.h"

enum { HEAD = 16 };

/* A token with this number and body_len octets behind its head; returns its length. */
static size_t make_token(uint8_t *to, uint64_t number, size_t body_len)
{
    memset(to, 0xee, HEAD + body_len);
    to[0] = 0x05;
    to[1] = 0x04;
    for (size_t i = 0; i < 8; i++)
        to[8 + i] = (uint8_t)(number >> (56 - 8 * i));
    return HEAD + body_len;
}

static size_t make_packet(uint8_t *to, uint64_t number, size_t body_len)
{
    size_t len = make_token(to + 4, number, body_len);

    to[0] = to[1] = 0;
    to[2] = (uint8_t)(len >> 8);
    to[3] = (uint8_t)len;
    return 4 + len;
}

static struct sasl_order order_after(uint64_t number)
{
    struct sasl_order order = {0};
    uint8_t token[64];

    sasl_order_note(&order, token, make_token(token, number, 30));
    assert_true(order.known);
    return order;
}

static void packets_in_order_pass_in_any_pieces(void **state)
{
    uint8_t packets[3000];
    size_t len = 0;

    (void)state;
    for (uint64_t i = 0; i < 12; i++)
        len += make_packet(packets + len, 0xfffffffe + i, i * 17);
    for (size_t piece = 1; piece < 60; piece++) {
        struct sasl_order order = order_after(0xfffffffd);

        for (size_t at = 0; at < len; at += piece) {
            size_t take = len - at < piece ? len - at : piece;

            assert_true(sasl_order_check(&order, packets + at, take));
        }
    }
}

static void the_number_after_the_largest_is_zero(void **state)
{
    struct sasl_order order = order_after(UINT64_MAX);
    uint8_t packet[100];

    (void)state;
    assert_true(sasl_order_check(&order, packet, make_packet(packet, 0, 5)));
}

static void a_packet_with_another_number_than_the_next_does_not_pass(void **state)
{
    static const uint64_t wrong[] = {40, 41, 43, 44, 42 + (UINT64_C(1) << 32), 0};
    uint8_t packet[100];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sasl_order order = order_after(41);

        assert_false(sasl_order_check(&order, packet, make_packet(packet, wrong[i], 5)));
    }
}

static void a_repeated_packet_does_not_pass(void **state)
{
    struct sasl_order order = order_after(41);
    uint8_t packet[100];
    size_t len = make_packet(packet, 42, 5);

    (void)state;
    assert_true(sasl_order_check(&order, packet, len));
    assert_false(sasl_order_check(&order, packet, len));
}

static void what_is_no_token_does_not_pass(void **state)
{
    uint8_t packet[100];
    size_t len;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct sasl_order order = order_after(41);

        len = make_packet(packet, 42, 5);
        if (i == 0)
            packet[4] = 0x60;
        else if (i == 1)
            packet[5] = 0x01;
        else
            packet[3] = HEAD - 1; /* shorter than a head */
        assert_false(sasl_order_check(&order, packet, len));
    }
}

static void tokens_without_a_number_leave_the_order_unknown(void **state)
{
    static const uint8_t old_token[] =
        "\x60\x3f\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x02\x01\x11";
    struct sasl_order order = order_after(1);
    uint8_t token[64];

    (void)state;
    sasl_order_note(&order, old_token, sizeof old_token - 1);
    assert_false(order.known);
    order = order_after(1);
    sasl_order_note(&order, token, make_token(token, 2, 0) - 1);
    assert_false(order.known);
    sasl_order_note(&order, token, 0);
    assert_false(order.known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_in_order_pass_in_any_pieces),
        cmocka_unit_test(the_number_after_the_largest_is_zero),
        cmocka_unit_test(a_packet_with_another_number_than_the_next_does_not_pass),
        cmocka_unit_test(a_repeated_packet_does_not_pass),
        cmocka_unit_test(what_is_no_token_does_not_pass),
        cmocka_unit_test(tokens_without_a_number_leave_the_order_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
