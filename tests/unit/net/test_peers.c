/*
 * Addresses and what is counted for each.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "mupdated/net/peers.h"

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = {.ss_family = AF_INET};

    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&address)->sin_addr) != 1) {
        address.ss_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&address)->sin6_addr),
                         1);
    }
    return address;
}

static struct peer *enter(struct peers *peers, const char *text)
{
    struct sockaddr_storage address = address_of(text);

    return peers_enter(peers, &address);
}

static void connections_are_counted_by_address(void **state)
{
    struct peers peers;
    struct peer *one, *other;

    (void)state;
    peers_init(&peers);
    one = enter(&peers, "192.0.2.1");
    other = enter(&peers, "192.0.2.2");
    assert_non_null(one);
    assert_non_null(other);
    assert_ptr_not_equal(one, other);
    assert_ptr_equal(enter(&peers, "192.0.2.1"), one);
    assert_int_equal(one->connections, 2);
    assert_int_equal(other->connections, 1);
    peers_leave(&peers, one, 0);
    assert_int_equal(one->connections, 1);
    peers_leave(&peers, one, 0);
    peers_leave(&peers, other, 0);
    peers_close(&peers);
}

static void an_address_of_ipv6_is_its_network_of_64_bits(void **state)
{
    struct peers peers;
    struct peer *one, *other;

    (void)state;
    peers_init(&peers);
    one = enter(&peers, "2001:db8:1:2::1");
    assert_ptr_equal(enter(&peers, "2001:db8:1:2:ffff::1"), one);
    other = enter(&peers, "2001:db8:1:3::1");
    assert_ptr_not_equal(other, one);
    assert_int_equal(one->connections, 2);
    peers_leave(&peers, one, 0);
    peers_leave(&peers, one, 0);
    peers_leave(&peers, other, 0);
    peers_close(&peers);
}

static void what_is_no_address_of_ip_is_not_counted(void **state)
{
    struct peers peers;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};

    (void)state;
    peers_init(&peers);
    assert_null(peers_enter(&peers, &address));
    peers_close(&peers);
}

static void who_fails_too_often_must_wait_until_a_second_for_each_too_many_has_passed(void **state)
{
    struct peers peers;
    struct peer *peer;

    (void)state;
    peers_init(&peers);
    peer = enter(&peers, "192.0.2.1");
    for (int i = 1; i < PEERS_FAILURES; i++)
        peers_failed(peer, 1000);
    assert_false(peers_must_wait(peer, 1000));
    peers_failed(peer, 1000);
    assert_true(peers_must_wait(peer, 1000));
    assert_true(peers_must_wait(peer, 1999));
    assert_false(peers_must_wait(peer, 2000));
    for (int i = 0; i < 100000; i++)
        peers_failed(peer, 5000);
    assert_true(peers_must_wait(peer, 5000));
    assert_false(peers_must_wait(peer, 5000 + PEERS_FAILURES * 1000 + 1000));
    peers_leave(&peers, peer, 100000);
    assert_int_equal(peers.remembered, 0);
    peers_close(&peers);
}

static void failures_are_remembered_when_all_connections_have_ended(void **state)
{
    struct peers peers;
    struct peer *peer;

    (void)state;
    peers_init(&peers);
    for (int i = 0; i < PEERS_FAILURES; i++) {
        peer = enter(&peers, "192.0.2.1");
        peers_failed(peer, 1000);
        peers_leave(&peers, peer, 1000);
    }
    peer = enter(&peers, "192.0.2.1");
    assert_true(peers_must_wait(peer, 1000));
    peers_leave(&peers, peer, 1000);
    assert_int_equal(peers.remembered, 1);
    /* And forgotten with the next one that leaves after a while. */
    peer = enter(&peers, "192.0.2.2");
    peers_failed(peer, 100000);
    peers_leave(&peers, peer, 100000);
    assert_int_equal(peers.remembered, 1);
    peer = enter(&peers, "192.0.2.1");
    assert_false(peers_must_wait(peer, 1000));
    peers_leave(&peers, peer, 100000);
    peers_close(&peers);
}

static void only_so_many_addresses_are_remembered(void **state)
{
    struct peers peers;
    char text[32];

    (void)state;
    peers_init(&peers);
    for (int i = 0; i < 3 * PEERS_REMEMBERED; i++) {
        struct peer *peer;

        snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
        peer = enter(&peers, text);
        assert_non_null(peer);
        peers_failed(peer, 1000);
        peers_leave(&peers, peer, 1000);
        assert_true(peers.remembered <= PEERS_REMEMBERED);
    }
    assert_int_equal(peers.remembered, PEERS_REMEMBERED);
    peers_close(&peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_counted_by_address),
        cmocka_unit_test(an_address_of_ipv6_is_its_network_of_64_bits),
        cmocka_unit_test(what_is_no_address_of_ip_is_not_counted),
        cmocka_unit_test(
            who_fails_too_often_must_wait_until_a_second_for_each_too_many_has_passed),
        cmocka_unit_test(failures_are_remembered_when_all_connections_have_ended),
        cmocka_unit_test(only_so_many_addresses_are_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
