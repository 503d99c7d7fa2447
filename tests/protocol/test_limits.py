"""Limits of a session, at the edge and past it.

SPDX-License-Identifier: BSD-3-Clause
"""

import pytest

from mupdated import command_octets, limits_rss, literal, row

HERE = "backend1.test!default"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A master with limits of its own."""
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("narrow"))
    yield daemons.start(limit_tag=14, limit_line="1K", limit_literal="64K", limit_acl="64K",
                        limit_commands=1, limit_output="4K")
    daemons.end()


@pytest.fixture(params=["default", "configured"])
def either(request, master, narrow):
    """(master, {limit: value}), once with the defaults and once with others."""
    if request.param == "default":
        return master, {"tag": 64, "line": 8192, "literal": 131072}
    return narrow, {"tag": 14, "line": 1024, "literal": 65536}


def test_a_tag_may_have_the_limit_and_no_more(either):
    master, limits = either
    with master.client() as client:
        tag = "x" * limits["tag"]
        client.send(f"{tag} NOOP\r\n{tag}x NOOP\r\n{tag} NOOP\r\n")
        assert client.response()[:2] == (tag, "OK")
        got, word, (text,) = client.response()
        assert (got, word) == ("*", "BAD") and b"tag" in text
        assert client.response()[:2] == (tag, "OK")


def line_of(length):
    """FIND in a line of so many octets, CR LF included."""
    return b'A1 FIND "' + b"x" * (length - 12) + b'"\r\n'


def test_a_line_may_have_the_limit_and_no_more(either):
    master, limits = either
    with master.client() as client:
        client.send(line_of(limits["line"]))
        # Whether such a name is allowed is another limit's business.
        assert client.response()[:2] in (("A1", "OK"), ("A1", "NO"))
        client.send(line_of(limits["line"] + 1))
        assert client.response() == ("A1", "BAD", [b"the line is too long"])
        client.noop()


def test_each_line_of_a_command_may_have_the_limit(either, name):
    master, limits = either
    with master.client() as client:
        client.send(f"A1 ACTIVATE {{{len(name)}+}}\r\n{name}".encode())
        client.send(b' "b!' + b"x" * 200 + b'" {1+}\r\na')
        client.send(b"\r\n")
        assert client.response()[:2] == ("A1", "OK")
        location = b"x" * (limits["line"] - 5)
        client.send(f"A1 RESERVE {{{len(name)}+}}\r\n{name}".encode() + b' "' + location
                    + b'"\r\n')
        assert client.response()[:2] == ("A1", "NO")
        client.send(f"A1 RESERVE {{{len(name)}+}}\r\n{name}".encode() + b' "x' + location
                    + b'"\r\n')
        assert client.response() == ("A1", "BAD", [b"the line is too long"])
        client.noop()


@pytest.mark.parametrize("plus", ["", "+"])
def test_a_literal_may_have_the_limit_and_no_more(either, plus):
    master, limits = either
    with master.client() as client:
        for length, expected in ((limits["literal"], ("NO", b"mailbox name is too long")),
                                 (limits["literal"] + 1, ("BAD", b"the literal is too long"))):
            client.send(f"A1 FIND {{{length}{plus}}}\r\n")
            if not plus and expected[0] == "NO":
                assert client.line() == b"+ go ahead"
            if plus or expected[0] == "NO":
                client.send(b"x" * length + b"\r\n")
            assert client.response() == ("A1", expected[0], [expected[1]])
        client.noop()


def test_more_commands_than_may_be_in_flight_wait_and_are_all_answered(either, name):
    master, _ = either
    with master.client() as client:
        client.send(b"".join(command_octets(f"A{number}", "RESERVE", f"{name}.{number}", HERE)
                             for number in range(500)))
        for number in range(500):
            assert client.answer(f"A{number}") == ([], "OK", "done")


def test_a_client_that_sends_no_more_gets_the_answers_to_all_that_waits(either, name):
    master, _ = either
    with master.client() as client:
        client.send(b"".join(command_octets(f"A{number}", "RESERVE", f"{name}.{number}", HERE)
                             for number in range(500)))
        client.end_sending()
        for number in range(500):
            assert client.answer(f"A{number}") == ([], "OK", "done")
        assert client.at_end()


def test_a_client_that_sends_no_more_and_reads_slowly_gets_the_answers_to_all_that_waits(
        either, name):
    master, _ = either
    with master.client() as other:
        other.ok("ACTIVATE", name, HERE, "x" * 65536)
    with master.client(receive_bytes=4096) as client:
        client.send(b"".join(command_octets(f"F{number}", "FIND", name) for number in range(200)))
        client.end_sending()
        with master.client() as other:
            for _ in range(100):
                other.noop()
        for number in range(200):
            assert client.answer(f"F{number}")[0] == [row("MAILBOX", name, HERE, "x" * 65536)]
        assert client.at_end()


def test_a_client_that_reads_no_answers_is_not_read_from_and_costs_bounded_memory(either, name):
    master, _ = either
    with master.client() as other:
        other.ok("ACTIVATE", name, HERE, "x" * 65536)
    with master.client(receive_bytes=4096) as client:
        before = master.rss_mb()
        commands = b"".join(command_octets(f"F{number}", "FIND", name) for number in range(400))
        # Far more answers than the kernel's buffers hold: 400 * 64 kB.
        client.send(commands)
        with master.client() as other:
            for _ in range(200):
                other.noop()
        limits_rss(master, before, 8)
        for number in range(400):
            assert client.answer(f"F{number}")[0] == [row("MAILBOX", name, HERE, "x" * 65536)]
        client.noop()


def test_a_client_that_never_stops_to_send_and_never_reads_is_stopped_by_its_socket(
        master, name):
    with master.client() as other:
        other.ok("ACTIVATE", name, HERE, "x" * 65536)
    with master.client(receive_bytes=4096) as client:
        before = master.rss_mb()
        octets = b"".join(b"F1 FIND " + literal(name) + b"\r\n" for _ in range(1000))
        client.socket.settimeout(0.5)
        sent = 0
        try:
            while sent < 1 << 28:
                sent += client.socket.send(octets)
        except TimeoutError:
            pass
        assert sent < 1 << 28
        limits_rss(master, before, 8)
        with master.client() as other:
            other.noop()
