"""LIST: which rows, in which order.

SPDX-License-Identifier: BSD-3-Clause
"""

import pytest

import mailboxes
from mupdated import row

ORDERS = {"cyrus36": mailboxes.cyrus36, "octet": mailboxes.octet}


@pytest.fixture(scope="module", params=ORDERS)
def ordered(request, tmp_path_factory):
    """(master, sort key)"""
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp(request.param))
    yield daemons.start(list_order=request.param), ORDERS[request.param]
    daemons.end()


def names_of(rows):
    return [name for _, name, *_ in rows]


EXAMPLES = [b"user.a", b"user.a.b", b"user.a b", b"user.a-b", b"user.a^c", b"user.a2"]


def test_the_order_of_cyrus_36_is_the_default(start):
    with start().client() as client:
        client.set_many([("RESERVE", name, "a!b") for name in reversed(EXAMPLES)])
        assert names_of(client.list()) == EXAMPLES
        assert names_of(client.update()) == EXAMPLES


def test_in_the_order_of_cyrus_36_a_dot_in_a_user_comes_before_a_digit(start):
    with start().client() as client:
        client.set_many([("RESERVE", name, "a!b") for name in ("user.john2", "user.john^doe")])
        assert names_of(client.list()) == [b"user.john^doe", b"user.john2"]


def test_the_octet_order_is_that_of_plain_octets(start):
    with start(list_order="octet").client() as client:
        client.set_many([("RESERVE", name, "a!b") for name in EXAMPLES])
        assert names_of(client.list()) == sorted(EXAMPLES)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["nasty", "wild", "domains"])
def test_random_names_come_in_order(ordered, name, kind, seed):
    daemon, key = ordered
    if kind == "domains":
        names = mailboxes.nasty_names(300, seed, b"a.b^!!- ")
    else:
        names = getattr(mailboxes, kind + "_names")(300, seed)
    location = name + "!p"
    with daemon.client() as client:
        for mailbox in names:
            client.set("DELETE", mailbox)
        assert set(client.set_many([("RESERVE", mailbox, location) for mailbox in names])) == {"OK"}
        expected = sorted(names, key=key)
        assert names_of(client.list(location)) == expected
        assert names_of(client.update(name)) == expected


def test_every_octet_has_its_place_in_the_order(ordered, name):
    daemon, key = ordered
    names = [b"u" + bytes([octet]) + b"x" for octet in range(1, 256) if octet not in b"\r\n"]
    with daemon.client() as client:
        client.set_many([("DELETE", mailbox) for mailbox in names])
        client.set_many([("RESERVE", mailbox, name) for mailbox in reversed(names)])
        assert names_of(client.list(name)) == sorted(names, key=key)


def test_the_order_is_the_same_after_a_restart(start):
    daemon = start()
    names = mailboxes.nasty_names(500, 7)
    with daemon.client() as client:
        client.set_many([("ACTIVATE", mailbox, "a!b", mailbox) for mailbox in names])
        before = client.list()
    daemon.restart()
    with daemon.client() as client:
        assert client.list() == before
        assert names_of(before) == sorted(names, key=mailboxes.cyrus36)


# --- the prefix ---

LOCATIONS = ["one.test!default", "one.test!other", "one.test!", "one.test", "one.test.org!default",
             "two.test!default", "ONE.test!default"]


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    """A master with a mailbox at each location."""
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("placed"))
    daemon = daemons.start()
    with daemon.client() as client:
        for number, location in enumerate(LOCATIONS):
            client.ok("ACTIVATE", f"user.{number}", location, "x")
            client.ok("RESERVE", f"user.{number}.r", location)
    yield daemon
    daemons.end()


@pytest.mark.parametrize("prefix", ["one.test!", "one.test!d", "one.test", "one", "t", "", "x",
                                    "one.test!default", "one.test!default!", "ne.test!", "ONE"])
def test_the_prefix_is_compared_with_the_location_octet_by_octet(placed, prefix):
    expected = []
    for number, location in enumerate(LOCATIONS):
        if location.startswith(prefix):
            expected.append(row("MAILBOX", f"user.{number}", location, "x"))
            expected.append(row("RESERVE", f"user.{number}.r", location))
    with placed.client() as client:
        rows, word, _ = client.command(f'LIST "{prefix}"')
        assert (rows, word) == (expected, "OK")


def test_without_a_prefix_all_rows_are_listed(placed):
    with placed.client() as client:
        assert len(client.list()) == 2 * len(LOCATIONS)


def test_a_list_while_rows_change_has_every_row_that_stands_still_once(placed):
    names = [f"still.{number:05}" for number in range(5000)]
    with placed.client() as client, placed.client() as other:
        client.set_many([("ACTIVATE", mailbox, "still!p", "x" * 100) for mailbox in names])
        client.send('L1 LIST "still!"\r\n' * 3)
        for number in range(1000):
            other.send(f'A1 RESERVE "still.{number:05}x" "still!p"\r\n'
                       f'A1 DELETE "still.{number:05}x"\r\n')
        for _ in range(3):
            rows = client.answer("L1")[0]
            assert [mailbox for mailbox in names_of(rows) if not mailbox.endswith(b"x")] == [
                mailbox.encode() for mailbox in names]
        for _ in range(2000):
            assert other.response()[:2] == ("A1", "OK")
        client.set_many([("DELETE", mailbox) for mailbox in names])
