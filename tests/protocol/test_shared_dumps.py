"""Dumps of many at once: pieces are encoded once, and each client gets the whole table all the same.

SPDX-License-Identifier: BSD-3-Clause
"""

import ssl
import threading

import pytest

from mupdated import PATIENCE_S, row

ONE = "one.test!default"
ROWS = 6000
ACL = ("anna\tlrswipkxtecda\t" * 10)[:170]


@pytest.fixture(scope="module")
def full(tmp_path_factory, certificate):
    """A master with a table of many pieces."""
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("full"))
    daemon = daemons.start(**certificate)
    with daemon.client() as client:
        words = client.set_many([("ACTIVATE", f"user.{number:06}", ONE, ACL)
                                 for number in range(ROWS)])
        assert words == ["OK"] * ROWS
    yield daemon
    daemons.end()


def start_with_tag(client, tag):
    client.send(f"{tag} UPDATE\r\n")


def test_clients_with_and_without_layers_get_the_same_dump_at_once(full):
    plain, tls, packed, both = (full.connect() for _ in range(4))
    for client in (tls, both):
        client.starttls()
    for client in (plain, tls, packed, both):
        client.login()
    for client in (packed, both):
        client.compress()
    clients = (plain, tls, packed, both)
    for client in clients:
        client.start_update()
    dumps = {}
    threads = [threading.Thread(target=lambda one=client: dumps.update({one: one.dump()}))
               for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    expected = [row("MAILBOX", f"user.{number:06}", ONE, ACL) for number in range(ROWS)]
    for client in clients:
        assert dumps[client] == expected
        client.close()


def test_each_dump_has_its_own_tag(full):
    tags = ["U01", "U1", "L01", "U01"]
    clients = [full.client(receive_bytes=4096) for _ in tags]
    for client, tag in zip(clients, tags):
        start_with_tag(client, tag)
    for client, tag in zip(clients, tags):
        rows, word, _ = client.answer(tag)
        assert word == "OK" and len(rows) == ROWS
        client.close()


def test_a_list_beside_dumps_shows_what_was_acknowledged_before_it(full):
    stalled = [full.client(receive_bytes=4096) for _ in range(3)]
    for client in stalled:
        client.start_update()
        while b"U1 MAILBOX" not in client.buffer:
            client._more()
    with full.client() as client:
        for turn in range(10):
            client.ok("ACTIVATE", "user.000000", ONE, f"turn {turn}")
            assert client.list()[0] == row("MAILBOX", "user.000000", ONE, f"turn {turn}")
        client.ok("ACTIVATE", "user.000000", ONE, ACL)
        expected = client.list()
    for client in stalled:
        table = {one[1]: one for one in client.dump()}
        table.update({one[1]: one for one in client.changes()})
        assert sorted(table.values()) == sorted(expected)
        client.close()


class RecordedTls:
    """A socket under TLS that remembers what came."""

    def __init__(self, raw):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.raw, self.came = raw, bytearray()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self._until_done(self.tls.do_handshake)

    def _until_done(self, step):
        while True:
            try:
                result = step()
                self.raw.sendall(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.raw.sendall(self.outgoing.read())
                octets = self.raw.recv(65536)
                if not octets:
                    return b""
                self.came += octets
                self.incoming.write(octets)

    def recv(self, count):
        return self._until_done(lambda: self.tls.read(count))

    def sendall(self, octets):
        self._until_done(lambda: self.tls.write(octets))

    def close(self):
        self.raw.close()

    def records(self):
        """Lengths of the whole records of application data that came."""
        at, lengths = 0, []
        while at + 5 <= len(self.came):
            length = int.from_bytes(self.came[at + 3:at + 5], "big")
            if self.came[at] == 23:
                lengths.append(length)
            at += 5 + length
        return lengths


def test_a_dump_under_tls_goes_in_full_records(full):
    with full.connect() as client:
        assert client.command("STARTTLS")[1] == "OK"
        client.socket = RecordedTls(client.socket)
        client.capabilities = client.banner()
        client.login()
        before = len(client.socket.records())
        assert len(client.update()) == ROWS
        records = client.socket.records()[before:]
        assert len(records) > 50
        # All but the ends of pieces, which lack a part of a row, and the OK.
        short = [length for length in records if length < 16384 - 512]
        assert len(short) <= 3
