"""Whatever one connection sends, the others work and the stream is exactly right.

SPDX-License-Identifier: BSD-3-Clause
"""

import contextlib
import random
import socket
import zlib

import pytest

from mupdated import Closed, command_octets, limits_rss, literal, row

LOCATION = "canary.test!default"


class Canary:
    """A connection and a subscriber that must stay up and right."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.pid = daemon.process.pid
        self.writer = daemon.client()
        self.stream = daemon.subscriber()
        self.turn = 0
        assert self.stream.changes() == []
        self.rss_mb = daemon.rss_mb()

    def check(self):
        """The process lives, FIND and ACTIVATE do what they must, and the stream says so only."""
        self.turn += 1
        name = f"canary.{self.turn % 7}"
        acl = f"anna\t{self.turn}\t"
        self.writer.ok("ACTIVATE", name, LOCATION, acl)
        assert self.writer.find(name) == row("MAILBOX", name, LOCATION, acl)
        assert self.writer.find("canary.none") is None
        assert self.stream.changes() == [row("MAILBOX", name, LOCATION, acl)]
        if self.turn % 5 == 0:
            self.writer.ok("DELETE", name)
            assert self.stream.change() == row("DELETE", name)
        assert self.daemon.process.poll() is None and self.daemon.process.pid == self.pid

    def close(self):
        limits_rss(self.daemon, self.rss_mb, 40)
        self.writer.close()
        self.stream.close()


@pytest.fixture(scope="module")
def canary(tmp_path_factory, certificate):
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("canary"))
    # Its log says much of the malformed; that is not what this is about.
    daemon = daemons.start(**certificate, log_level="notice", limit_output="64K",
                           sasl_mech_list="PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 "
                                          "SCRAM-SHA-256")
    canary = Canary(daemon)
    yield canary
    canary.check()
    canary.close()
    daemons.end()


@pytest.fixture(autouse=True)
def check(canary):
    """Each test ends with a look at the canary."""
    yield
    canary.check()


def inflict(client, octets):
    """Send what the server takes of it, in the end nothing more; return what it said."""
    with contextlib.suppress(OSError):
        client.send(octets)
        client.end_sending()
    try:
        return client.read_to_end()
    finally:
        client.close()


# What is sent on a connection that is logged in; all is safe to be said by anybody.
MALFORMED = {
    "nothing": b"",
    "empty lines": b"\r\n" * 5000,
    "NULs": b"\0" * 100000,
    "NULs in lines": b"\0\r\n" * 5000,
    "carriage returns": b"\r" * 100000,
    "a line without end": b"x" * 3000000,
    "a tag without end": b"A" * 1000000 + b"\r\n",
    "long lines": (b"A1 FIND \"" + b"x" * 20000 + b"\"\r\n") * 50,
    "quotes": b'"' * 100000 + b"\r\n",
    "backslashes": b'A1 FIND "' + b"\\" * 100000 + b"\r\n",
    "unclosed quotes": b'A1 FIND "a\r\n' * 1000,
    "braces": b"{" * 100000 + b"\r\n",
    "a huge literal": b"A1 FIND {4294967296+}\r\n" + b"x" * 3000000,
    "a huge literal that waits": b"A1 FIND {4294967296}\r\n" * 100,
    "an uncountable literal": b"A1 FIND {99999999999999999999+}\r\n" + b"x" * 100000,
    "a negative literal": b"A1 FIND {-1+}\r\nA2 FIND {-1}\r\n",
    "many literals announced": b"A1 FIND {131072}\r\n" * 100,
    "half a literal": b"A1 FIND {1000+}\r\nabc",
    "literals too long": (b"A1 DELETE {200000+}\r\n" + b"y" * 200000 + b"\r\n") * 10,
    "literals as commands": b"A1 {4+}\r\nNOOP\r\n" * 100,
    "many arguments": b"A1 FIND" + b' "a"' * 2000 + b"\r\n",
    "many servers": b"A1 UPDATE" + b' "a"' * 2000 + b"\r\n",
    "large servers": b"A1 UPDATE" + b"".join(b" " + literal(b"x" * 131072) for _ in range(64))
                     + b"\r\n",
    "unknown commands": b"A1 SELECT \"INBOX\"\r\n" * 1000,
    "IMAP": b'a1 LOGIN user pass\r\na2 LIST "" "*"\r\na3 CAPABILITY\r\n',
    "HTTP": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    "unknown names": b"".join(command_octets("A1", verb, name, *more)
                              for name in ("canary.none", "", "x" * 5000, b"\xff\xfe", b"a\0b",
                                           "a\r\nb", "user/../x", "%n%s%x")
                              for verb, more in (("DELETE", ()), ("DEACTIVATE", (LOCATION,)),
                                                 ("DEACTIVATE", ("",)), ("FIND", ()))),
    "unknown names many times": command_octets("A1", "DELETE", "canary.none") * 5000,
    "bad locations": b"".join(command_octets("A1", verb, "bad", location, *more)
                              for location in ("", "!", "a!b!c", b"a\0!b", "x" * 100000)
                              for verb, more in (("RESERVE", ()), ("ACTIVATE", ("acl",)))),
    "bad names": b"".join(command_octets("A1", "ACTIVATE", name, LOCATION, "")
                          for name in ("", b"\0", "\r", "\n", "x" * 100000)),
    "an ACL with NUL": command_octets("A1", "ACTIVATE", "bad", LOCATION, b"\0"),
    "an ACL too long": command_octets("A1", "ACTIVATE", "bad", LOCATION, b"x" * 70000),
    "updates in updates": b"U1 UPDATE\r\n" * 1000,
    "all after UPDATE": b"U1 UPDATE\r\n" + b"A1 FIND \"x\"\r\nA2 DELETE \"canary.1\"\r\n" * 500,
    "lists unread": b"L1 LIST\r\n" * 2000,
    "authenticate again": b'A1 AUTHENTICATE "PLAIN" {4+}\r\nAAAA\r\n' * 100,
    "starttls when logged in": b"S1 STARTTLS\r\n\x16\x03\x01\x00\x05hello",
    "logout and more": b"Q1 LOGOUT\r\n" + b"A1 NOOP\r\n" * 10000,
    "noops": b"A1 NOOP\r\n" * 50000,
}


@pytest.mark.parametrize("which", MALFORMED)
def test_malformed_input_of_a_user(canary, which):
    inflict(canary.daemon.client(), MALFORMED[which])


@pytest.mark.parametrize("which", MALFORMED)
def test_malformed_input_of_a_stranger(canary, which):
    inflict(canary.daemon.connect(), MALFORMED[which])


@pytest.mark.parametrize("which", ["NULs", "a huge literal", "a line without end", "noops",
                                   "lists unread", "quotes"])
def test_malformed_input_and_a_reset(canary, which):
    for client in (canary.daemon.client(), canary.daemon.connect()):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.send(MALFORMED[which])
        client.reset()


@pytest.mark.parametrize("seed", range(8))
def test_random_octets(canary, seed):
    chance = random.Random(seed)
    octets = chance.randbytes(200000)
    if seed % 2:
        octets = bytes(chance.choice(b'A1 FIND{}+"\\\r\n 0159*=') for _ in range(100000))
    inflict(canary.daemon.connect(), octets)
    inflict(canary.daemon.client(), octets)


@pytest.mark.parametrize("seed", range(4))
def test_a_session_with_octets_changed_on_the_way(canary, seed):
    chance = random.Random(seed)
    octets = bytearray(b"".join(
        command_octets(f"A{number}", verb, f"bad.{number}", *more) for number in range(300)
        for verb, more in (("FIND", ()), ("LIST", ()), ("NOOP", ()))))
    for _ in range(300):
        octets[chance.randrange(len(octets))] = chance.randrange(256)
    # No word of it can become the name of a command that changes anything.
    inflict(canary.daemon.client(), bytes(octets))


def test_half_commands_at_every_octet(canary):
    whole = b'A1 ACTIVATE {3+}\r\nbad "a!b!c" {3}\r\nacl\r\n'
    for at in range(len(whole)):
        client = canary.daemon.client()
        client.send(whole[:at])
        if at % 2:
            client.reset()
        else:
            client.end_sending()
            client.read_to_end()
            client.close()


HELLOS = [b"", b"A1 NOOP\r\n", b"\0" * 1000, b"\x16", b"\x16\x03\x01",
          b"\x15\x03\x03\x00\x02\x02\x28",
          b"\x16\x03\x01\xff\xff" + b"\xff" * 65535, b"\x16\x03\x01\x00\x00" * 100,
          b"\x80\x2e\x01\x03\x01" + b"\0" * 50, b"\x17\x03\x03\x40\x00" + b"x" * 16384,
          random.Random(1).randbytes(50000)]


@pytest.mark.parametrize("number", range(len(HELLOS)))
def test_garbage_instead_of_a_hello(canary, number):
    client = canary.daemon.connect()
    client.send("S1 STARTTLS\r\n")
    assert client.response()[:2] == ("S1", "OK")
    assert b" OK " not in inflict(client, HELLOS[number])
    inflict(canary.daemon.connect(), b"S1 STARTTLS\r\n" + HELLOS[number])


def test_malformed_input_under_tls(canary):
    for octets in (MALFORMED["NULs"], MALFORMED["a huge literal"], MALFORMED["noops"]):
        client = canary.daemon.connect()
        client.starttls()
        client.login()
        with contextlib.suppress(OSError):
            client.send(octets)
        client.reset()
        canary.check()


def test_garbage_in_the_records_of_a_tls_session(canary):
    for octets in (b"\x17\x03\x03\x00\x20" + b"\0" * 32, b"A1 NOOP\r\n",
                   b"\x14\x03\x03\x00\x01\x01", random.Random(2).randbytes(1000)):
        client = canary.daemon.connect()
        client.starttls()
        with socket.socket(fileno=client.socket.detach()) as inner:
            inner.sendall(octets)
        canary.check()


def test_compressed_garbage(canary):
    deflate = zlib.compressobj(9, wbits=-15)
    bomb = deflate.compress(b"x" * (32 << 20)) + deflate.flush()
    rows = zlib.compressobj(9, wbits=-15)
    lists = rows.compress(b"L1 LIST\r\n" * 100000) + rows.flush()
    for octets in (b"", b"\xff" * 1000, bomb, bomb * 3, lists, b"\x03\x00", b"A1 NOOP\r\n",
                   random.Random(3).randbytes(100000), zlib.compress(b"with a header" * 100)):
        client = canary.daemon.client()
        client.compress()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.socket.sendall(octets)
        with contextlib.suppress(OSError):
            client.end_sending()
        with contextlib.suppress(Closed, ConnectionResetError):
            while client.socket.recv(65536):
                pass
        client.close()
        canary.check()


SASL = [b"", b"=", b"*", b"AAAA", b"!!!!", b"A" * 70000, b"AAA=" * 10, b"biws", b"biwsbj0scj0=",
        b"AG11cmRlcg==", b"AG11cmRlcgB3cm9uZw==", b"/" * 40000, b"dXNlcm5hbWU9Im11cmRlciI="]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1",
                                       "SCRAM-SHA-256", "EXTERNAL", "GSSAPI", "x" * 1000])
def test_garbage_in_authentication(canary, mechanism):
    for octets in SASL:
        start = b"A1 AUTHENTICATE " + literal(mechanism)
        inflict(canary.daemon.connect(), start + b"\r\n" + (octets + b"\r\n") * 3)
        inflict(canary.daemon.connect(), start + b" " + literal(octets) + b"\r\n"
                + (octets + b"\r\n") * 3)
    client = canary.daemon.connect()
    client.send(b"A1 AUTHENTICATE " + literal(mechanism) + b"\r\n")
    client.reset()


def test_thousands_of_connects(canary):
    daemon = canary.daemon
    for turn in range(3000):
        client = socket.create_connection(("127.0.0.1", daemon.port))
        if turn % 3 == 0:
            client.send(b"A1 NO")
        if turn % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        if turn % 500 == 0:
            canary.check()


def test_many_connections_that_stay_and_say_nothing(canary):
    clients = [canary.daemon.connect() for _ in range(500)]
    canary.check()
    for client in clients:
        client.close()


def test_connections_that_are_full_of_answers_nobody_reads(canary):
    clients = []
    for _ in range(20):
        client = canary.daemon.client(receive_bytes=4096)
        client.socket.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            client.socket.sendall(b"L1 LIST\r\n" * 20000)
        clients.append(client)
    canary.check()
    for client in clients:
        client.reset()
