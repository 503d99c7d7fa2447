"""A subscriber that does not read costs others nothing, and itself its connection in the end.

SPDX-License-Identifier: BSD-3-Clause
"""

import pytest

from mupdated import limits_rss, row

ONE = "one.test!default"

# More than the kernel's buffers hold: 30,000 rows of about 600 octets.
ROWS = 30000
ACL = ("anna\tlrswipkxtecda\t" * 30)[:540]


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A master with a large table; tests may add names that begin with "z"."""
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("big"))
    daemon = daemons.start(heal_resync="no")
    with daemon.client() as client:
        words = client.set_many([("ACTIVATE", f"user.{number:06}", ONE, ACL)
                                 for number in range(ROWS)])
        assert words == ["OK"] * ROWS
    yield daemon
    daemons.end()


def stalled_dump(daemon):
    """A client in the middle of a dump that it does not read."""
    client = daemon.client(receive_bytes=4096)
    client.start_update()
    while b"U1 MAILBOX" not in client.buffer:
        client._more()
    return client


def names_of(rows):
    return [one[1].decode() for one in rows]


def dumped(rows, prefix=b"user."):
    return [one for one in rows if one[1].startswith(prefix)]


EXPECTED = [row("MAILBOX", f"user.{number:06}", ONE, ACL) for number in range(ROWS)]


def test_a_large_dump_is_complete(big):
    with big.client() as client:
        assert dumped(client.update()) == EXPECTED


def test_a_dump_to_a_client_that_does_not_read_delays_no_writer(big, name):
    with stalled_dump(big) as stalled, big.client() as client, big.subscriber() as other:
        other.changes()
        names = [f"z.{name}.{number}" for number in range(2000)]
        assert set(client.set_many([("RESERVE", one, ONE) for one in names])) == {"OK"}
        assert names_of(other.changes()) == names
        assert client.find(names[-1]) == row("RESERVE", names[-1], ONE)
        # It was not through: its end is still to be read, and is right.
        assert dumped(stalled.dump()) == EXPECTED
        assert names_of(stalled.changes()) == names
        client.set_many([("DELETE", one) for one in names])


def test_changes_during_a_dump_arrive_behind_its_ok_as_the_last_state(big, name):
    with stalled_dump(big) as stalled, big.client() as client:
        # One before the place where the dump stands, one behind it, and some that go.
        first, last = f"a.{name}", f"z.{name}"
        for one in (first, last):
            client.ok("RESERVE", one, ONE)
            client.ok("ACTIVATE", one, ONE, "old")
            client.ok("ACTIVATE", one, ONE, "new")
        client.ok("RESERVE", last + ".gone", ONE)
        client.ok("DELETE", last + ".gone")
        client.ok("ACTIVATE", "user.000000", ONE, "changed")
        client.ok("ACTIVATE", f"user.{ROWS - 1:06}", ONE, "changed")
        table = {one[1]: one for one in stalled.dump()}
        changes = stalled.changes()
        for change in changes:
            table[change[1]] = change
        for one in (first, last):
            assert table[one.encode()] == row("MAILBOX", one, ONE, "new")
        assert table[(last + ".gone").encode()] == row("DELETE", last + ".gone")
        assert {one for one in table.values() if one[0] != "DELETE"} == set(client.list())
        client.ok("ACTIVATE", "user.000000", ONE, ACL)
        client.ok("ACTIVATE", f"user.{ROWS - 1:06}", ONE, ACL)
        client.ok("DELETE", first)
        client.ok("DELETE", last)


def test_many_dumps_to_clients_that_do_not_read_cost_bounded_memory(big):
    before = big.rss_mb()
    stalled = [stalled_dump(big) for _ in range(40)]
    with big.client() as client:
        client.noop()
    # 40 dumps are 720 MB.
    limits_rss(big, before, 40)
    assert dumped(stalled[0].dump()) == EXPECTED
    for client in stalled:
        client.close()


def test_a_subscriber_that_does_not_read_costs_the_others_nothing_and_bounded_memory(start):
    daemon = start(cache_size="16M")
    silent = [daemon.subscriber(receive_bytes=4096) for _ in range(5)]
    with daemon.subscriber() as reading, daemon.client() as client:
        reading.changes()
        # Names come again, so that the table itself stays small.
        client.set_many([("ACTIVATE", f"user.{number}", ONE, ACL) for number in range(100)])
        assert len(reading.changes()) == 100
        before = daemon.rss_mb()
        for turn in range(50):
            commands = [("ACTIVATE", f"user.{number % 100}", ONE, f"{turn}.{number}.{ACL}")
                        for number in range(1000)]
            assert set(client.set_many(commands)) == {"OK"}
            assert len(reading.changes()) == 1000
        # 50,000 names of which it is told, for all of the silent ones together.
        limits_rss(daemon, before, 60)
        expected = {one[1]: one for one in client.list()}
        table = {}
        for change in silent[0].changes():
            table[change[1]] = change
        assert table == expected
    for client in silent:
        client.close()


def test_a_subscriber_that_is_too_far_behind_is_disconnected_and_comes_back_to_the_whole_table(
        start):
    daemon = start(subscriber_backlog=1000, log_changes=5000)
    silent = daemon.subscriber(receive_bytes=4096)
    silent.changes()
    port = silent.socket.getsockname()[1]
    with daemon.subscriber() as reading, daemon.client() as client:
        reading.changes()
        acl = "x" * 20000
        for turn in range(20):
            words = client.set_many([("ACTIVATE", f"user.{number}", ONE, f"{turn}.{acl}")
                                     for number in range(100)])
            assert set(words) == {"OK"}
            reading.changes()
        for number in range(2000):
            client.send(f'A1 ACTIVATE "user.{number % 100}" "{ONE}" "{number}"\r\n')
        for number in range(2000):
            assert client.response()[1] == "OK"
        daemon.wait_for_log(rf"closed: \[127\.0\.0\.1\] port={port} user=murder "
                            r'reason="too far behind: subscriber_backlog"')
        rest = silent.read_to_end()
        assert b"BYE" not in rest and b" OK " not in rest
        assert reading.changes()
        with daemon.client() as again:
            assert again.update() == client.list()
    silent.close()
