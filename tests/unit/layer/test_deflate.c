/* SPDX-License-Identifier: BSD-3-Clause */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "layer/deflate.h"
#include "layer_support.h"

static void pair_init(struct peer *one, struct peer *other)
{
    peer_init(one);
    peer_init(other);
    assert_true(layer_stack_push(&one->stack, deflate_layer_new()));
    assert_true(layer_stack_push(&other->stack, deflate_layer_new()));
}

static void what_was_sent_can_be_read_at_once(void **state)
{
    struct peer one, other;

    (void)state;
    pair_init(&one, &other);
    for (size_t len = 1; len < 300; len++) {
        uint8_t *bytes = some_bytes(len);

        peer_say(&one, bytes, len);
        assert_int_equal(peers_talk(&one, &other, 50, 1000), LAYER_OK);
        assert_int_equal(buffer_len(&other.got), len);
        assert_memory_equal(buffer_bytes(&other.got), bytes, len);
        buffer_clear(&other.got);
        free(bytes);
    }
    peer_close(&one);
    peer_close(&other);
}

static void repeated_rows_shrink(void **state)
{
    static const char row[] =
        "U1 MAILBOX {7+}\r\nuser.u1 {28+}\r\nbackend1.murder.test!default\r\n";
    struct peer one, other;

    (void)state;
    pair_init(&one, &other);
    for (int i = 0; i < 1000; i++)
        peer_say(&one, row, sizeof row - 1);
    assert_in_range(buffer_len(&one.wire), 1, 1000 * (sizeof row - 1) / 4);
    peer_close(&one);
    peer_close(&other);
}

static void the_bytes_are_raw_deflate_ending_in_an_empty_block(void **state)
{
    struct peer one, other;

    (void)state;
    pair_init(&one, &other);
    peer_say(&one, "word", 4);
    assert_memory_equal(buffer_bytes(&one.wire) + buffer_len(&one.wire) - 4, "\0\0\xff\xff", 4);
    assert_int_not_equal(buffer_bytes(&one.wire)[0], 0x78);
    peer_close(&one);
    peer_close(&other);
}

static void a_few_bytes_that_stand_for_many_cost_no_more_memory_than_the_limit(void **state)
{
    enum { LIMIT = 65536, MILLION = 1 << 20 };
    uint8_t *zeros = calloc(1, MILLION);
    struct peer one, other;
    struct buffer up = {0};
    size_t total = 0, most = 0, before;

    (void)state;
    assert_non_null(zeros);
    pair_init(&one, &other);
    for (int i = 0; i < 256; i++)
        peer_say(&one, zeros, MILLION);
    assert_in_range(buffer_len(&one.wire), 1, 2 * MILLION);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    assert_int_equal(layer_stack_receive(&other.stack, buffer_bytes(&one.wire),
                                         buffer_len(&one.wire), &up, &other.wire, LIMIT),
                     LAYER_OK);
    for (;;) {
        size_t now = mallinfo2().uordblks + mallinfo2().hblkhd;

        if (now > most)
            most = now;
        assert_in_range(buffer_len(&up), 0, LIMIT);
        total += buffer_len(&up);
        buffer_clear(&up);
        if (!layer_stack_pending(&other.stack))
            break;
        assert_int_equal(
            layer_stack_receive(&other.stack, NULL, 0, &up, &other.wire, LIMIT), LAYER_OK);
    }
    assert_int_equal(total, (size_t)256 * MILLION);
    /* The compressed bytes wait inside, at most doubled by the buffer's growth. */
    assert_in_range(most, 0, before + 2 * buffer_len(&one.wire) + 4 * LIMIT);
    buffer_free(&up);
    free(zeros);
    peer_close(&one);
    peer_close(&other);
}

static void broken_bytes_are_a_failure_with_a_reason(void **state)
{
    static const char *const broken[] = {"\xff\xff\xff\xff", "\x01\x01\x01\x01\x01\x01",
                                         "X0 COMPRESS \"DEFLATE\"\r\n", "\x06\x06\x06\x06"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct peer one, other;

        pair_init(&one, &other);
        buffer_append(&one.wire, broken[i], strlen(broken[i]));
        assert_int_equal(peers_talk(&one, &other, 1 + i, 100), LAYER_FAILED);
        assert_memory_equal(layer_stack_error(&other.stack), "DEFLATE: decompressing: ", 24);
        peer_close(&one);
        peer_close(&other);
    }
}

static void random_changes_never_do_more_than_fail(void **state)
{
    uint8_t *bytes = some_bytes(20000);

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct peer one, other;
        enum layer_result result;

        pair_init(&one, &other);
        peer_say(&one, bytes, 20000);
        for (int j = 0; j < 3; j++)
            buffer_bytes(&one.wire)[next_random() % buffer_len(&one.wire)] ^=
                (uint8_t)(1u << next_random() % 8);
        result = peers_talk(&one, &other, 3000, 5000);
        assert_in_range(result, LAYER_OK, LAYER_FAILED);
        peer_close(&one);
        peer_close(&other);
    }
    free(bytes);
}

static void a_peer_may_end_its_stream(void **state)
{
    struct peer one, other;

    (void)state;
    pair_init(&one, &other);
    /* A last block, stored, of two bytes; then what has no meaning. */
    buffer_append(&one.wire, "\x01\x02\x00\xfd\xffhi++", 9);
    assert_int_equal(peers_talk(&one, &other, 100, 100), LAYER_CLOSED);
    assert_int_equal(buffer_len(&other.got), 2);
    assert_memory_equal(buffer_bytes(&other.got), "hi", 2);
    peer_close(&one);
    peer_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sent_can_be_read_at_once),
        cmocka_unit_test(repeated_rows_shrink),
        cmocka_unit_test(the_bytes_are_raw_deflate_ending_in_an_empty_block),
        cmocka_unit_test(a_few_bytes_that_stand_for_many_cost_no_more_memory_than_the_limit),
        cmocka_unit_test(broken_bytes_are_a_failure_with_a_reason),
        cmocka_unit_test(random_changes_never_do_more_than_fail),
        cmocka_unit_test(a_peer_may_end_its_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
