"""UPDATE: the dump, the stream, and what may be said meanwhile.

SPDX-License-Identifier: BSD-3-Clause
"""

import pytest

import mailboxes
from mupdated import row

ONE = "one.test!default"
TWO = "two.test!default"
ACL = "anna\tlrs\t"


@pytest.fixture
def daemon(start):
    """A master of which this test has the whole table."""
    return start()


def fill(client, count):
    names = mailboxes.nasty_names(count, 3)
    client.set_many([("ACTIVATE", name, ONE, ACL) if number % 3 else ("RESERVE", name, TWO)
                     for number, name in enumerate(names)])
    return sorted(names, key=mailboxes.cyrus36)


@pytest.mark.parametrize("count", [0, 1, 1500])
def test_the_dump_is_complete_and_in_order_and_ends_in_ok(daemon, count):
    with daemon.client() as client:
        names = fill(client, count)
        dump = client.update()
        assert [mailbox for _, mailbox, *_ in dump] == names
        assert {one[0]: one[2:] for one in dump} in (
            {}, {"RESERVE": (TWO.encode(),)},
            {"RESERVE": (TWO.encode(),), "MAILBOX": (ONE.encode(), ACL.encode())})
        client.noop()


def test_each_change_reaches_the_stream_at_once_with_nothing_asked_for(daemon):
    with daemon.subscriber() as stream, daemon.client() as client:
        assert stream.changes() == []  # it has shown that it is live: nothing is repeated for it
        for number in range(50):
            name = f"user.{number}"
            client.ok("RESERVE", name, ONE)
            assert stream.change() == row("RESERVE", name, ONE)
            client.ok("ACTIVATE", name, ONE, ACL)
            assert stream.change() == row("MAILBOX", name, ONE, ACL)
            client.ok("ACTIVATE", name, TWO, "")
            assert stream.change() == row("MAILBOX", name, TWO, "")
            client.ok("DEACTIVATE", name, ONE)
            assert stream.change() == row("RESERVE", name, ONE)
            client.ok("DELETE", name)
            assert stream.change() == row("DELETE", name)


def test_all_subscribers_get_every_change(daemon):
    streams = [daemon.subscriber() for _ in range(20)]
    for stream in streams:
        assert stream.changes() == []
    with daemon.client() as client:
        for number in range(100):
            client.ok("ACTIVATE", f"user.{number:03}", ONE, ACL)
    for stream in streams:
        got = [stream.change() for _ in range(100)]
        assert got == [row("MAILBOX", f"user.{number:03}", ONE, ACL) for number in range(100)]
        stream.close()


def test_noop_is_answered_after_all_changes_that_were_answered_before_it(daemon):
    with daemon.subscriber() as stream, daemon.client() as client:
        stream.changes()
        for number in range(100):
            names = [f"user.{number}.{part}" for part in range(20)]
            client.set_many([("ACTIVATE", name, ONE, ACL) for name in names])
            assert stream.changes() == [row("MAILBOX", name, ONE, ACL) for name in names]


def test_several_noops_may_be_under_way(daemon):
    with daemon.subscriber() as stream:
        stream.send("".join(f"N{number} NOOP\r\n" for number in range(50)))
        for number in range(50):
            assert stream.response()[:2] == (f"N{number}", "OK")


def test_a_noop_pipelined_behind_update_is_answered_behind_its_ok(daemon):
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", ONE)
        client.send("U1 UPDATE\r\nN1 NOOP\r\n")
        assert client.dump() == [row("RESERVE", "user.a", ONE)]
        assert client.response()[:2] == ("N1", "OK")


REFUSED = ['FIND "a"', "LIST", 'RESERVE "user.x" "a!b"', 'ACTIVATE "user.x" "a!b" ""',
           'DEACTIVATE "user.a" "a!b"', 'DELETE "user.a"', "UPDATE", 'UPDATE "a"', "STARTTLS",
           'AUTHENTICATE "PLAIN"', 'COMPRESS "DEFLATE"', "NONSENSE", "FIND {3+}\r\nabc",
           "FIND {999999999}", 'NOOP "x"', "x" * 10000]


def test_all_other_commands_get_bad_and_the_stream_goes_on(daemon):
    with daemon.client() as client, daemon.subscriber() as stream:
        assert stream.changes() == []
        client.ok("ACTIVATE", "user.a", ONE, ACL)
        assert stream.change() == row("MAILBOX", "user.a", ONE, ACL)
        for number, command in enumerate(REFUSED):
            rows, word, _ = stream.command(command)
            assert (rows, word) == ([], "BAD"), command
            client.ok("RESERVE", f"user.{number}", ONE)
            assert stream.change() == row("RESERVE", f"user.{number}", ONE)
        stream.send("\r\n")
        assert stream.response()[:2] == ("*", "BAD")
        assert client.find("user.a") == row("MAILBOX", "user.a", ONE, ACL)
        assert client.find("user.x") is None
        assert stream.command("LOGOUT")[1] == "BYE"
        assert stream.at_end()


# --- partial ---


def test_a_partial_dump_has_the_rows_of_its_servers(daemon):
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", "one.test!p", ACL)
        client.ok("RESERVE", "user.b", "one.test!q")
        client.ok("RESERVE", "user.c", "one.test")
        client.ok("ACTIVATE", "user.d", "one.test.org!p", ACL)
        client.ok("ACTIVATE", "user.e", "two.test!p", ACL)
        client.ok("ACTIVATE", "user.f", "three.test!p", ACL)
    for servers, expected in {("one.test",): b"abc", ("two.test",): b"e", ("nobody",): b"",
                              ("three.test", "one.test"): b"abcf", ("one",): b"",
                              ("one.test", "one.test"): b"abc", ("one.test!p",): b"",
                              ("",): b""}.items():
        with daemon.client() as client:
            assert [name[-1:] for _, name, *_ in client.update(*servers)] == [
                bytes([letter]) for letter in expected], servers


def test_a_partial_stream_has_the_changes_of_which_the_old_or_the_new_server_matches(daemon):
    with daemon.subscriber("one.test") as stream, daemon.client() as client:
        client.ok("RESERVE", "user.a", TWO)
        client.ok("RESERVE", "user.b", ONE)
        client.ok("ACTIVATE", "user.a", ONE, ACL)
        client.ok("ACTIVATE", "user.a", "one.test!other", ACL)
        client.ok("ACTIVATE", "user.a", TWO, ACL)
        client.ok("ACTIVATE", "user.a", TWO, "x")
        client.ok("DEACTIVATE", "user.a", ONE)
        client.ok("DELETE", "user.b")
        client.ok("RESERVE", "user.c", TWO)
        client.ok("DELETE", "user.c")
        # A change is sent as the state at that time, which may be a later one.
        seen = stream.changes()
        assert [one[1] for one in seen] == [
            b"user.b", b"user.a", b"user.a", b"user.a", b"user.a", b"user.b"]
        assert seen[-2:] == [row("RESERVE", "user.a", ONE), row("DELETE", "user.b")]


def test_a_partial_stream_step_by_step(daemon):
    with daemon.subscriber("one.test", "three.test") as stream, daemon.client() as client:
        client.ok("RESERVE", "user.a", TWO)
        client.ok("ACTIVATE", "user.a", ONE, ACL)
        assert stream.changes() == [row("MAILBOX", "user.a", ONE, ACL)]
        client.ok("ACTIVATE", "user.a", TWO, ACL)
        assert stream.changes() == [row("MAILBOX", "user.a", TWO, ACL)]
        client.ok("ACTIVATE", "user.a", TWO, "x")
        assert stream.changes() == []
        client.ok("ACTIVATE", "user.a", "three.test!", "x")
        assert stream.changes() == [row("MAILBOX", "user.a", "three.test!", "x")]
        client.ok("DELETE", "user.a")
        assert stream.changes() == [row("DELETE", "user.a")]
