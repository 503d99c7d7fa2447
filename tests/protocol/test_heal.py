"""After the OK of an UPDATE exactly the rows come once more that a replica's merge may have lost.

SPDX-License-Identifier: BSD-3-Clause
"""

import random

import pytest

import mailboxes
from mupdated import row

ONE = "one.test!default"


def names_of(rows):
    return [name for _, name, *_ in rows]


def reserve(client, names):
    assert set(client.set_many([("RESERVE", name, ONE) for name in names])) <= {"OK"}


def delete(client, names):
    assert set(client.set_many([("DELETE", name) for name in names])) <= {"OK"}


def healed(client):
    """The rows that come between the OK of an UPDATE and that of a NOOP; that ends the wait."""
    return client.changes()


@pytest.fixture
def waiting(start):
    """A master that waits long with the rows at risk, unless a NOOP shows that the OK was read."""
    return start(heal_delay="1m")


def test_nothing_comes_again_when_nothing_was_deleted(waiting):
    with waiting.client() as client:
        reserve(client, mailboxes.nasty_names(300, 1))
        with waiting.subscriber() as stream:
            assert healed(stream) == []


def test_the_row_that_a_deleted_folder_endangers_comes_again(waiting):
    with waiting.client() as client:
        reserve(client, [b"user.a", b"user.a.b", b"user.a-b", b"user.b"])
        client.ok("ACTIVATE", "user.a-b", ONE, "anna\tlrs\t")
        delete(client, [b"user.a.b"])
        with waiting.subscriber() as stream:
            assert healed(stream) == [row("MAILBOX", "user.a-b", ONE, "anna\tlrs\t")]
            assert stream.changes() == []


@pytest.mark.parametrize("seed", range(12))
def test_exactly_the_rows_at_risk_come_again(waiting, seed):
    chance = random.Random(seed)
    names = mailboxes.nasty_names(150, seed)
    departed = set(chance.sample(names, 60))
    returned = set(chance.sample(sorted(departed), 20))
    with waiting.client() as client:
        reserve(client, names)
        delete(client, departed)
        reserve(client, returned)
        present = (set(names) - departed) | returned
        with waiting.subscriber() as stream:
            assert names_of(healed(stream)) == mailboxes.at_risk(departed - returned, present)
            assert stream.changes() == []


@pytest.mark.parametrize("seed", range(12))
def test_a_replica_that_merges_as_cyrus_does_has_the_masters_table_in_the_end(waiting, seed):
    chance = random.Random(seed)
    names = mailboxes.nasty_names(200, seed)
    with waiting.client() as client:
        reserve(client, names)
        present = set(names)
        replica = set(names)
        lost_any = False
        for _ in range(5):
            for _ in range(30):
                name = chance.choice(names)
                if name in present:
                    delete(client, [name])
                else:
                    reserve(client, [name])
                present ^= {name}
            with waiting.client() as stream:
                replica = mailboxes.merge(replica, names_of(stream.update()))
                lost_any = lost_any or replica != present
                replica |= set(names_of(healed(stream)))
            assert replica == present
        assert lost_any


def test_the_rows_come_by_themselves_a_moment_later(start):
    with start(heal_delay="100ms").client() as client:
        reserve(client, [b"user.a.b", b"user.a-b"])
        delete(client, [b"user.a.b"])
        assert names_of(client.update()) == [b"user.a-b"]
        assert client.change() == row("RESERVE", "user.a-b", ONE)


def test_the_rows_do_not_come_before_their_time(waiting):
    with waiting.client() as client, waiting.client() as other:
        reserve(other, [b"user.a.b", b"user.a-b"])
        delete(other, [b"user.a.b"])
        assert names_of(client.update()) == [b"user.a-b"]
        # The stream works, and what comes first is the change.
        other.ok("RESERVE", "user.c", ONE)
        assert client.change() == row("RESERVE", "user.c", ONE)
        assert client.has_nothing()
        assert names_of(healed(client)) == [b"user.a-b"]


def test_what_is_deleted_before_the_rows_come_does_not_come_again(waiting):
    with waiting.client() as other, waiting.client() as client:
        reserve(other, [b"user.a.b", b"user.a-b", b"user.a-c"])
        delete(other, [b"user.a.b"])
        client.update()
        delete(other, [b"user.a-b"])
        assert healed(client) == [row("DELETE", "user.a-b"), row("RESERVE", "user.a-c", ONE)]


def test_rows_that_a_later_deletion_endangers_come_again(waiting):
    """The dump may have had that row or not; the replica's own list had it."""
    with waiting.client() as other, waiting.client() as client:
        reserve(other, [b"user.a.b", b"user.a-b"])
        client.update()
        delete(other, [b"user.a.b"])
        assert row("RESERVE", "user.a-b", ONE) in healed(client)


def test_the_last_change_of_that_moment_is_repeated(waiting):
    """A Cyrus replica does not look at what it read with the OK until more comes."""
    with waiting.client() as other, waiting.client() as client:
        client.update()
        other.ok("RESERVE", "user.a", ONE)
        assert client.change() == row("RESERVE", "user.a", ONE)
        other.ok("ACTIVATE", "user.a", ONE, "x")
        assert client.change() == row("MAILBOX", "user.a", ONE, "x")
        assert healed(client) == [row("MAILBOX", "user.a", ONE, "x")]
        assert client.changes() == []


def test_what_is_at_risk_is_known_after_a_restart_and_after_a_crash(start):
    daemon = start(heal_delay="1m")
    names = mailboxes.nasty_names(150, 99)
    departed = set(names[::3])
    with daemon.client() as client:
        reserve(client, names)
        delete(client, departed)
    expected = mailboxes.at_risk(departed, set(names) - departed)
    assert expected
    for end in (daemon.stop, daemon.kill):
        end()
        daemon.start()
        with daemon.subscriber() as stream:
            assert names_of(healed(stream)) == expected


def test_what_the_log_of_changes_no_longer_holds_is_forgotten(start):
    daemon = start(heal_delay="1m", log_changes=1000, subscriber_backlog=1000)
    with daemon.client() as client:
        reserve(client, [b"user.a.b", b"user.a-b", b"user.b.b", b"user.b-b"])
        delete(client, [b"user.a.b"])
        for _ in range(2500):
            client.send('A1 RESERVE "x" "a!b"\r\nA1 DELETE "x"\r\n')
        for _ in range(5000):
            assert client.response()[1] == "OK"
        delete(client, [b"user.b.b"])
    daemon.restart()
    with daemon.subscriber() as stream:
        assert names_of(healed(stream)) == [b"user.b-b"]


def endangered(daemon):
    with daemon.client() as client:
        reserve(client, [b"user.a.b", b"user.a-b"])
        delete(client, [b"user.a.b"])


def test_heal_resync_no_sends_nothing_again(start):
    daemon = start(heal_resync="no", heal_delay="10ms")
    endangered(daemon)
    with daemon.subscriber() as stream:
        assert stream.changes() == []
    assert "reload: done" in daemon.reload(heal_resync="yes")
    with daemon.subscriber() as stream:
        assert names_of(healed(stream)) == [b"user.a-b"]


def test_a_partial_update_is_not_healed(start):
    daemon = start(heal_delay="10ms")
    endangered(daemon)
    with daemon.subscriber("one.test") as stream:
        assert stream.changes() == []


def test_in_octet_order_nothing_is_at_risk(start):
    daemon = start(heal_delay="10ms", list_order="octet")
    endangered(daemon)
    with daemon.subscriber() as stream:
        assert stream.changes() == []
