"""COMPRESS "DEFLATE", with zlib on the client's side.

SPDX-License-Identifier: BSD-3-Clause
"""

import zlib

import pytest

from mupdated import limits_rss, literal, row

ACL = "anna\tlrswipkxtecda\t"


@pytest.fixture(scope="module")
def tls(tmp_path_factory, certificate):
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("compress"))
    yield daemons.start(**certificate)
    daemons.end()


@pytest.fixture(params=["in the clear", "under TLS"])
def compressed(request, tls):
    with tls.connect() as client:
        if request.param == "under TLS":
            client.starttls()
        client.login()
        client.compress()
        yield client


def test_a_session_works_compressed(compressed, name):
    compressed.ok("ACTIVATE", name, f"{name}!p", ACL)
    assert compressed.find(name) == row("MAILBOX", name, f"{name}!p", ACL)
    words = compressed.set_many([("ACTIVATE", f"{name}.{number:04}", f"{name}!p", ACL)
                                 for number in range(1000)])
    assert words == ["OK"] * 1000
    assert len(compressed.list(f"{name}!p")) == 1001
    assert len(compressed.update(name)) == 1001
    assert compressed.command("LOGOUT")[1] == "BYE"


def test_changes_reach_a_compressed_stream_at_once(tls, compressed, name):
    compressed.update()
    compressed.changes()
    with tls.client() as client:
        for number in range(20):
            client.ok("RESERVE", f"{name}.{number}", "a!b")
            assert compressed.change() == row("RESERVE", f"{name}.{number}", "a!b")


def test_compressed_bytes_in_any_split(compressed, name):
    octets = b"".join(b"A%d RESERVE " % number + literal(f"{name}.{number}") + b' "a!b"\r\n'
                      for number in range(20))
    octets = compressed.deflate.compress(octets) + compressed.deflate.flush(zlib.Z_SYNC_FLUSH)
    for octet in octets:
        compressed.socket.sendall(bytes([octet]))
    for number in range(20):
        assert compressed.answer(f"A{number}")[1] == "OK"


def test_the_answers_are_smaller_than_the_rows(tls, name):
    with tls.client() as client:
        client.set_many([("ACTIVATE", f"{name}.{number:04}", f"{name}!p", ACL)
                         for number in range(2000)])
        client.compress()
        client.send(b"L1 LIST " + literal(f"{name}!p") + b"\r\n")
        compressed = plain = 0
        inflated = b""
        while b"L1 OK" not in inflated[-100:]:
            octets = client.socket.recv(65536)
            assert octets
            compressed += len(octets)
            piece = client.inflate.decompress(octets)
            plain += len(piece)
            inflated = inflated[-100:] + piece
        assert plain > 100000 and compressed < plain / 4


def test_only_deflate_is_known_and_only_once(tls):
    with tls.client() as client:
        assert client.command('COMPRESS "LZ4"')[1] == "NO"
        assert client.command('COMPRESS ""')[1] == "NO"
        client.compress()
        assert client.command('COMPRESS "DEFLATE"') == ([], "NO", "compression is active already")
        client.noop()


@pytest.mark.parametrize("argument", ['"DEFLATE"', '"deflate"', "DEFLATE", "{7+}\r\nDEFLATE"])
def test_the_algorithm_is_an_atom_or_a_string_in_any_case(tls, argument):
    with tls.client() as client:
        assert client.command("COMPRESS " + argument)[1] == "OK"


def test_what_was_sent_plain_behind_compress_is_not_taken_for_a_command(tls, name):
    with tls.client() as client:
        client.send(f'Z1 COMPRESS "DEFLATE"\r\nX1 RESERVE "{name}" "a!b"\r\n')
        assert client.response()[:2] == ("Z1", "OK")
        client.read_to_end() if client.buffer else None
    with tls.client() as client:
        assert client.find(name) is None


def test_a_stranger_gets_no_compression(tls):
    with tls.connect() as client:
        assert client.command('COMPRESS "DEFLATE"') == ([], "NO", "authenticate first")
        client.starttls()
        assert client.command('COMPRESS "DEFLATE"') == ([], "NO", "authenticate first")
        client.login()
        client.compress()
        client.noop()


@pytest.mark.parametrize("garbage", [b"\xff" * 100, b"A1 NOOP\r\n" * 10, b"\x07" * 5,
                                     b"\x03\x00garbage behind the end"], ids=repr)
def test_garbage_in_the_compressed_stream_ends_this_connection_only(tls, garbage):
    with tls.client() as other, tls.client() as client:
        client.compress()
        client.socket.sendall(garbage)
        client.end_sending()
        assert client.at_end()
        other.noop()


def bomb(octets, head=b"", tail=b""):
    deflate = zlib.compressobj(level=9, wbits=-15)
    return (deflate.compress(head) + deflate.compress(octets) + deflate.compress(tail)
            + deflate.flush(zlib.Z_SYNC_FLUSH)), deflate


BOMBS = {
    "a line without end": (b"x" * (64 << 20), b"", b"\r\n", "the line is too long"),
    "a refused literal": (b"x" * (64 << 20), b"A1 FIND {67108864+}\r\n", b"\r\n",
                          "the literal is too long"),
}


@pytest.mark.parametrize("which", BOMBS)
def test_a_bomb_costs_bounded_memory_and_the_connection_goes_on(tls, compressed, which):
    octets, head, tail, text = BOMBS[which]
    before = tls.rss_mb()
    packed, deflate = bomb(octets, head, tail)
    assert len(packed) < len(octets) / 500
    # The window of the new stream begins empty, as the server's does not; it refers to none.
    compressed.deflate.compress(b"")
    compressed.socket.sendall(packed)
    compressed.deflate = deflate
    assert compressed.response()[1:] == ("BAD", [text.encode()])
    compressed.noop()
    limits_rss(tls, before, 8)


def test_a_bomb_of_commands_is_answered_at_the_clients_pace(tls, compressed):
    before = tls.rss_mb()
    packed, deflate = bomb(b"A1 NOOP\r\n" * 1000000)
    compressed.socket.sendall(packed)
    compressed.deflate = deflate
    with tls.client() as other:
        for _ in range(50):
            other.noop()
    limits_rss(tls, before, 8)
    for _ in range(1000):
        assert compressed.response()[:2] == ("A1", "OK")
