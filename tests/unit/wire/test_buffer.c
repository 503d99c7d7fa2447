/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void bytes_come_out_as_they_went_in(void **state)
{
    struct buffer buffer = { 0 };
    uint8_t next_in = 0;
    uint8_t next_out = 0;

    (void)state;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        uint8_t chunk[97];
        size_t len = (size_t)rand() % sizeof chunk;

        if (rand() % 2) {
            for (size_t i = 0; i < len; i++)
                chunk[i] = next_in++;
            buffer_append(&buffer, chunk, len);
        } else {
            if (len > buffer_len(&buffer))
                len = buffer_len(&buffer);
            for (size_t i = 0; i < len; i++)
                assert_int_equal(buffer_bytes(&buffer)[i], next_out++);
            buffer_consume(&buffer, len);
        }
    }
    assert_false(buffer.failed);
    buffer_free(&buffer);
}

static void reserved_room_counts_only_what_was_added(void **state)
{
    struct buffer buffer;
    uint8_t *to;

    (void)state;
    buffer_init(&buffer);
    to = buffer_reserve(&buffer, 1000);
    assert_non_null(to);
    memcpy(to, "abc", 3);
    buffer_added(&buffer, 3);
    buffer_append_string(&buffer, "def");
    assert_int_equal(buffer_len(&buffer), 6);
    assert_memory_equal(buffer_bytes(&buffer), "abcdef", 6);
    buffer_free(&buffer);
    assert_int_equal(buffer_len(&buffer), 0);
}

static void an_emptied_buffer_gives_a_large_allocation_back(void **state)
{
    struct buffer buffer = { 0 };

    (void)state;
    assert_non_null(buffer_reserve(&buffer, 1000000));
    buffer_added(&buffer, 1000000);
    buffer_consume(&buffer, 1000000);
    assert_null(buffer.data);
    buffer_append_string(&buffer, "again");
    assert_int_equal(buffer_len(&buffer), 5);
    buffer_free(&buffer);
}

static void a_queue_that_is_never_empty_does_not_grow(void **state)
{
    struct buffer buffer = { 0 };
    uint8_t chunk[100] = { 0 };

    (void)state;
    buffer_append(&buffer, chunk, sizeof chunk);
    for (int i = 0; i < 10000; i++) {
        buffer_append(&buffer, chunk, sizeof chunk);
        buffer_consume(&buffer, sizeof chunk);
    }
    assert_true(buffer.size <= 1024);
    buffer_free(&buffer);
}

static void a_size_that_cannot_be_had_fails_the_buffer_for_good(void **state)
{
    struct buffer buffer = { 0 };

    (void)state;
    buffer_append_string(&buffer, "kept");
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 1));
    assert_true(buffer.failed);
    buffer_append_string(&buffer, "lost");
    assert_int_equal(buffer_len(&buffer), 4);
    buffer_free(&buffer);
    assert_false(buffer.failed);
}

static bool all_zero(const uint8_t *data, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (data[i] != 0)
            return false;
    return true;
}

static void a_secret_buffer_overwrites_what_leaves_it(void **state)
{
    struct buffer buffer = { .secret = true };

    (void)state;
    buffer_append_string(&buffer, "password and more");
    buffer_consume(&buffer, 8);
    assert_true(all_zero(buffer.data, 0, 8));
    assert_memory_equal(buffer_bytes(&buffer), " and more", 9);
    buffer_consume(&buffer, 9);
    assert_true(all_zero(buffer.data, 0, 17));
    buffer_append_string(&buffer, "password");
    buffer_clear(&buffer);
    assert_non_null(buffer.data);
    assert_true(all_zero(buffer.data, 0, 17));
    buffer_free(&buffer);
    assert_true(buffer.secret);
}

static void a_secret_buffer_leaves_nothing_where_it_moved_from(void **state)
{
    struct buffer buffer = { .secret = true };

    (void)state;
    for (int i = 0; i < 25; i++)
        buffer_append_string(&buffer, "0123456789");
    assert_int_equal(buffer.size, 256);
    buffer_consume(&buffer, 200);
    buffer_append_string(&buffer, "0123456789");
    assert_int_equal(buffer.start, 0);
    assert_int_equal(buffer_len(&buffer), 60);
    assert_true(all_zero(buffer.data, 60, 250));
    buffer_free(&buffer);
}

static void an_ordinary_buffer_spares_the_work(void **state)
{
    struct buffer buffer = { 0 };

    (void)state;
    buffer_append_string(&buffer, "public");
    buffer_consume(&buffer, 6);
    assert_memory_equal(buffer.data, "public", 6);
    buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(reserved_room_counts_only_what_was_added),
        cmocka_unit_test(an_emptied_buffer_gives_a_large_allocation_back),
        cmocka_unit_test(a_queue_that_is_never_empty_does_not_grow),
        cmocka_unit_test(a_secret_buffer_overwrites_what_leaves_it),
        cmocka_unit_test(a_secret_buffer_leaves_nothing_where_it_moved_from),
        cmocka_unit_test(an_ordinary_buffer_spares_the_work),
        cmocka_unit_test(a_size_that_cannot_be_had_fails_the_buffer_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
