"""A full file table: who is connected goes on, and others come in again afterwards.

SPDX-License-Identifier: BSD-3-Clause
"""

import pathlib
import resource
import socket
import threading

import pytest

from mupdated import row, wait_for

LOCATION = "one.test!default"


def descriptors(daemon):
    return len(list(pathlib.Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def test_a_full_file_table_stops_new_connections_only_and_only_while_it_lasts(start):
    daemon = start()
    with daemon.client() as client, daemon.subscriber() as stream:
        stream.changes()
        unlimited = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        limit = descriptors(daemon) + 10
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (limit, unlimited[1]))
        strangers = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(100)]

        def full():
            if descriptors(daemon) >= limit - 1:
                return True
            # All who wait are sent away while a file that is soon closed is open: one wave may
            # leave room.
            strangers.append(socket.create_connection(("127.0.0.1", daemon.port)))
            return False

        wait_for(full, "the file table to be full")
        logged = len(daemon.log())
        for number in range(500):
            client.ok("ACTIVATE", f"user.{number}", LOCATION, "x")
            assert stream.change() == row("MAILBOX", f"user.{number}", LOCATION, "x")
        # What it cannot do is not said again and again.
        assert daemon.log()[logged:].count("\n") < 500
        for stranger in strangers:
            stranger.close()
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, unlimited)
        with daemon.client() as other:
            assert len(other.list()) == 500
            other.ok("DELETE", "user.0")
        assert stream.change() == row("DELETE", "user.0")


def test_who_finds_no_descriptor_left_is_told_so(daemons):
    daemon = daemons.make(prefix=["prlimit", "--nofile=512:512"]).start()
    with daemon.client() as client:
        others = [daemon.client() for _ in range(367)]
        for _ in range(500):
            with daemon.connect(banner=False) as refused:
                assert refused.response() == ("*", "BYE", [b"too many open files"])
                assert refused.at_end()
            client.noop()
        # Those who came in can write, with all that opens files; operators come in.
        others[-1].ok("ACTIVATE", "user.a", LOCATION, "x")
        operators = [daemon.control() for _ in range(32)]
        for operator in operators:
            operator.status()
        for operator in operators:
            operator.close()
        full = descriptors(daemon)
        for other in others[:10]:
            other.close()
        wait_for(lambda: descriptors(daemon) <= full - 10, "the descriptors to be free again")
        with daemon.client() as other:
            assert other.find("user.a") == row("MAILBOX", "user.a", LOCATION, "x")
        for other in others:
            other.close()
    daemon.wait_for_log(r'warning: refused: .* reason="too many open files" limit=368')


def test_logins_that_ask_others_have_descriptors_of_their_own(daemons):
    daemon = daemons.make(prefix=["prlimit", "--nofile=512:512"]).start()
    for threads, room in [(1, 398), (50, 300)]:
        daemon.reload(authentication_threads=threads)
        clients = [daemon.client() for _ in range(room)]
        with daemon.connect(banner=False) as refused:
            assert refused.response() == ("*", "BYE", [b"too many open files"])
        for client in clients:
            client.close()
        wait_for(lambda: descriptors(daemon) < 100, "the descriptors to be free again")


def test_descriptors_beyond_those_of_select_work(start):
    """Of libsasl's and Berkeley DB's calls too."""
    daemon = start(connections_per_address=4096)
    clients = [daemon.connect() for _ in range(1000)] + [daemon.client() for _ in range(100)]
    for number, client in enumerate(clients[-100:]):
        client.ok("ACTIVATE", f"user.{number}", LOCATION, "x")
    client = daemon.connect()
    client.send('A1 AUTHENTICATE "PLAIN" {4+}\r\nAAAA\r\n')
    assert client.response()[:2] == ("A1", "NO")
    assert len(clients[-1].list()) == 100
    for one in [*clients, client]:
        one.close()


@pytest.fixture
def saslauthd(tmp_path):
    """The directory of a saslauthd that says yes to all, octet by octet."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "mux"))
        listening.listen()

        def serve():
            while True:
                try:
                    asking = listening.accept()[0]
                except OSError:
                    return
                with asking:
                    asking.recv(4096)
                    for octet in b"\0\2OK":
                        asking.send(bytes([octet]))

        thread = threading.Thread(target=serve)
        thread.start()
        yield tmp_path
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_password_is_checked_over_a_descriptor_beyond_those_of_select(start, saslauthd):
    daemon = start(sasl_pwcheck_method="saslauthd", sasl_saslauthd_path=saslauthd / "mux",
                   connections_per_address=4096, password_cache="off")
    daemon.client().close()
    strangers = [daemon.connect() for _ in range(1020)]
    assert descriptors(daemon) > 1024
    with daemon.client() as client:
        client.noop()
    for stranger in strangers:
        stranger.close()


def test_a_restart_with_few_descriptors_says_so(daemons):
    daemon = daemons.make(prefix=["prlimit", "--nofile=256:256"])
    daemon.start()
    assert "descriptors: limit=256 is too low for mupdate_connections_max=4096" in daemon.log()
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", LOCATION)
