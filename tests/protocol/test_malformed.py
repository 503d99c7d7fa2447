"""What is no command is answered, and the next command works.

SPDX-License-Identifier: BSD-3-Clause
"""

import pytest

from mupdated import limits_rss

# What is sent, and the tag and text of the answer.
MALFORMED = {
    b"\r\n": ("*", "empty line"),
    b"\n": ("*", "empty line"),
    b" \r\n": ("*", ""),
    b" A1 NOOP\r\n": ("*", ""),
    b"A1\r\n": ("A1", "command"),
    b"A1 \r\n": ("A1", ""),
    b"A1  NOOP\r\n": ("A1", ""),
    b"A1 NOOP \r\n": ("A1", ""),
    b"A1\tNOOP\r\n": ("*", ""),
    b"A1 NONSENSE\r\n": ("A1", "unknown command"),
    b"A1 SELECT \"INBOX\"\r\n": ("A1", "unknown command"),
    b"A1 NOO\r\n": ("A1", "unknown command"),
    b"A1 NOOPX\r\n": ("A1", "unknown command"),
    b"A1 \"NOOP\"\r\n": ("A1", ""),
    b"A1 {4+}\r\nNOOP\r\n": ("A1", ""),
    b"* NOOP\r\n": ("*", "tag"),
    b"+ NOOP\r\n": ("*", "tag"),
    b"*1 NOOP\r\n": ("*", "tag"),
    b"\"A1\" NOOP\r\n": ("*", "tag"),
    b"(A1) NOOP\r\n": ("*", ""),
    b"A\xf61 NOOP\r\n": ("*", ""),
    b"A1 NOOP \"x\"\r\n": ("A1", "too many"),
    b"A1 LOGOUT \"x\"\r\n": ("A1", "too many"),
    b"A1 FIND\r\n": ("A1", "too few"),
    b"A1 FIND \"a\" \"b\"\r\n": ("A1", "too many"),
    b"A1 FIND {1+}\r\na {1+}\r\nb\r\n": ("A1", "too many"),
    b"A1 FIND a\r\n": ("A1", "quoted string or a literal"),
    b"A1 FIND  \"a\"\r\n": ("A1", ""),
    b"A1 FIND \"a\r\n": ("A1", "not closed"),
    b"A1 FIND \"a\"b\r\n": ("A1", ""),
    b"A1 FIND \"a\"\"b\"\r\n": ("A1", ""),
    b"A1 FIND \"\\a\"\r\n": ("A1", "escapes"),
    b"A1 FIND \"a\\\"\r\n": ("A1", "not closed"),
    b"A1 FIND \"a\0b\"\r\n": ("A1", "NUL"),
    b"A1 FIND \0\r\n": ("A1", ""),
    b"\0\r\n": ("*", ""),
    b"\0A1 NOOP\r\n": ("*", ""),
    b"A1 NOOP\0\r\n": ("A1", ""),
    b"A1 FIND {}\r\n": ("A1", "literal"),
    b"A1 FIND {+}\r\n": ("A1", "literal"),
    b"A1 FIND {x}\r\n": ("A1", "literal"),
    b"A1 FIND {-1+}\r\n": ("A1", "literal"),
    b"A1 FIND {1 }\r\n": ("A1", "literal"),
    b"A1 FIND {1++}\r\n": ("A1", "literal"),
    b"A1 FIND {5\r\n": ("A1", "literal"),
    b"A1 FIND {5} \r\n": ("A1", "literal"),
    b"A1 FIND x{5+}\r\n": ("A1", "literal"),
    b"A1 FIND ={0+}\r\n\r\n": ("A1", ""),
    b"A1 FIND {3+}\r\nabcd\r\n": ("A1", ""),
    b"A1 FIND {3+}\r\nabc \r\n": ("A1", ""),
    b"A1 FIND {3+}\r\nabc\"d\"\r\n": ("A1", ""),
    b"A1 LIST \"a\" \"b\"\r\n": ("A1", "too many"),
    b"A1 LIST a\r\n": ("A1", "quoted string or a literal"),
    b"A1 ACTIVATE \"a\" \"b!c\"\r\n": ("A1", "too few"),
    b"A1 ACTIVATE \"a\" \"b!c\" \"\" \"\"\r\n": ("A1", "too many"),
    b"A1 RESERVE \"a\"\r\n": ("A1", "too few"),
    b"A1 DEACTIVATE \"a\"\r\n": ("A1", "too few"),
    b"A1 DELETE\r\n": ("A1", "too few"),
    b"A1 UPDATE (\"a\")\r\n": ("A1", ""),
    b"A1 UPDATE a\r\n": ("A1", ""),
    b"A1 COMPRESS\r\n": ("A1", "too few"),
    b"A1 FIND {131073}\r\n": ("A1", "literal is too long"),
    b"A1 FIND {131073+}\r\n" + b"x" * 131073 + b"\r\n": ("A1", "literal is too long"),
    b"A1 FIND {131073+}\r\n" + b"\r\nX1 NOOP\r\n".ljust(131073) + b"\r\n":
        ("A1", "literal is too long"),
    b"A1 ACTIVATE \"a\" {200000+}\r\n" + b"x" * 200000 + b" {5+}\r\nX1 NO\r\n":
        ("A1", "literal is too long"),
    b"A1 NONSENSE {5+}\r\nX1 NO {9+}\r\n\r\nX2 NOOP\r\n": ("A1", "unknown command"),
    b"A1 NONSENSE {5}\r\n": ("A1", "unknown command"),
    b"x" * 70000 + b"\r\n": ("*", "line is too long"),
    b"A1 " + b"x" * 70000 + b"\r\n": ("A1", "line is too long"),
    b"A1 FIND \"" + b"x" * 70000 + b"\"\r\n": ("A1", "line is too long"),
}


@pytest.mark.parametrize("sent", MALFORMED, ids=lambda sent: repr(sent[:40])[2:-1])
def test_a_malformed_command_is_answered_and_the_next_one_works(client, sent):
    tag, words = MALFORMED[sent]
    client.send(sent + b"N1 NOOP\r\n")
    got, word, (text,) = client.response()
    assert (got, word) == (tag, "BAD") and words in text.decode()
    assert client.response() == ("N1", "OK", [b"Noop done"])


def test_malformed_commands_in_between_do_not_upset_the_order(client, name):
    client.send(f'A1 RESERVE "{name}" "a!b"\r\nA2 NONSENSE\r\nA3 FIND "{name}"\r\n\r\n'
                f'A4 DELETE "{name}"\r\nA5 FIND\r\nA6 NOOP\r\n')
    got = [client.response()[:2] for _ in range(8)]
    assert got == [("A1", "OK"), ("A2", "BAD"), ("A3", "RESERVE"), ("A3", "OK"), ("*", "BAD"),
                   ("A4", "OK"), ("A5", "BAD"), ("A6", "OK")]


@pytest.mark.parametrize("count", [2**31, 2**32 + 5, 2**62])
def test_a_huge_literal_is_refused_at_once_and_never_held(start, count):
    daemon = start()
    with daemon.client() as client:
        before = daemon.rss_mb()
        client.send(b"A1 FIND {%d+}\r\n" % count)
        assert client.response() == ("A1", "BAD", [b"the literal is too long"])
        for _ in range(1000):
            client.send(b"NOOP" * 16384)
        assert client.has_nothing()
        limits_rss(daemon, before, 8)
    with daemon.client() as client:
        client.noop()


@pytest.mark.parametrize("count", ["18446744073709551616", "99999999999999999999999999",
                                   "9" * 1000])
def test_a_literal_whose_length_cannot_be_counted_ends_the_connection(master, count):
    with master.client() as client:
        client.send(f"A1 FIND {{{count}+}}\r\n")
        assert client.response() == ("A1", "BAD", [b"the literal is too long"])
        assert client.at_end()
    with master.client() as client:
        client.noop()


def test_the_servers_of_an_update_are_limited_in_number(client):
    _, word, text = client.command("UPDATE" + ' "a"' * 65)
    assert (word, text) == ("BAD", "too many arguments")
    assert client.update(*["nobody"] * 64) == []


def test_the_servers_of_an_update_are_limited_in_all(client):
    octets = b"x" * 131072
    client.send(b"A1 UPDATE" + b"".join(b" {%d+}\r\n" % len(octets) + octets for _ in range(10))
                + b"\r\n")
    assert client.response() == ("A1", "BAD", [b"the literal is too long"])
    client.noop()
