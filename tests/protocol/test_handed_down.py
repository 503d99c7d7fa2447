"""Sockets that a service manager hands down, so that clients wait instead of being refused.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import pathlib
import shutil
import socket
import stat
import threading

import pytest

from mupdated import Client, Closed, free_port
from test_listen import needs_ipv6, works

EX_UNAVAILABLE, EX_CONFIG = 69, 78

# As systemd does it: the descriptors have the numbers from 3 on, in the process of that number.
HAND_DOWN = """
import fcntl, os, sys
numbers = [fcntl.fcntl(int(word), fcntl.F_DUPFD, 100) for word in sys.argv[1].split()]
for i, number in enumerate(numbers):
    os.dup2(number, 3 + i)
    os.close(number)
os.environ.update(LISTEN_FDS=str(len(numbers)), LISTEN_FDNAMES=sys.argv[2],
                  LISTEN_PID=sys.argv[3] or str(os.getpid()))
os.execv(sys.argv[4], sys.argv[4:])
"""


def listening(address):
    """A socket that listens there."""
    family = (socket.AF_UNIX if isinstance(address, str) else
              socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    one = socket.socket(family)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(address)
    one.listen(4096)
    return one


@pytest.fixture
def hand_down(daemons):
    """Makes a master that gets these sockets, not started yet."""
    ours = []

    def make(*sockets, pid="", **settings):
        ours.extend(sockets)
        daemon = daemons.make(**settings)
        daemon.pass_fds = [one.fileno() for one in sockets]
        daemon.prefix = ["/usr/bin/python3", "-S", "-c", HAND_DOWN,
                         " ".join(map(str, daemon.pass_fds)),
                         ":".join(f"socket{i}" for i in range(len(sockets))), pid]
        return daemon

    yield make
    for one in ours:
        one.close()


@pytest.fixture
def local(hand_down):
    """A master that gets the socket of its own port."""
    port = free_port()
    daemon = hand_down(listening(("127.0.0.1", port)), listen=f"127.0.0.1:{port}")
    daemon.port = port
    return daemon


def waits(daemon):
    """A client that is connected, and hears nothing yet."""
    client = Client(("127.0.0.1", daemon.port), banner=False)
    assert client.has_nothing()
    return client


def is_served(client):
    client.banner()
    client.login()
    client.noop()
    client.close()


def test_clients_wait_while_no_master_runs(local):
    before = waits(local)
    local.start()
    is_served(before)
    local.stop()
    between = waits(local)
    local.start()
    is_served(between)
    local.kill()
    after_a_crash = waits(local)
    local.start()
    is_served(after_a_crash)


def test_nobody_is_refused_while_the_master_restarts(local):
    """Each client gets through to a greeting, and the sessions that end do so in order."""
    local.start()
    failures, greeted, stop = [], [0] * 4, threading.Event()

    def come_and_go(number):
        while not stop.is_set():
            try:
                with local.connect() as client:
                    greeted[number] += 1
                    try:
                        client.login()
                        client.noop()
                    except (Closed, AssertionError, ConnectionError):
                        pass  # it was connected when the master stopped
            except Exception as failure:  # pylint: disable=broad-except
                failures.append(repr(failure))
                return

    threads = [threading.Thread(target=come_and_go, args=(i,)) for i in range(len(greeted))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            before = list(greeted)
            local.restart()
            while not failures and any(now < then + 3 for now, then in zip(greeted, before)):
                stop.wait(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_what_is_not_handed_down_is_bound_as_ever(hand_down, tmp_path):
    ports = [free_port(), free_port()]
    hand_down(listening(("127.0.0.1", ports[1])),
              listen=f"127.0.0.1:{ports[0]} 127.0.0.1:{ports[1]} unix:{tmp_path}/socket").start()
    for address in (("127.0.0.1", ports[0]), ("127.0.0.1", ports[1]), tmp_path / "socket"):
        works(address)


def test_a_unix_socket_is_left_as_its_maker_made_it(hand_down, tmp_path):
    path = tmp_path / "socket"
    daemon = hand_down(listening(str(path)), listen=f"unix:{path}")
    path.chmod(0o606)
    daemon.start()
    works(path)
    daemon.stop()
    assert stat.S_IMODE(path.stat().st_mode) == 0o606
    client = Client(path, banner=False)
    daemon.start()
    is_served(client)


def test_the_port_says_whether_tls_comes_first(hand_down, certificate):
    ports = [free_port(), free_port()]
    hand_down(*(listening(("127.0.0.1", port)) for port in reversed(ports)),
              listen=f"127.0.0.1:{ports[0]} tls:127.0.0.1:{ports[1]}", **certificate).start()
    works(("127.0.0.1", ports[0]))
    with Client(("127.0.0.1", ports[1]), banner=False) as client:
        client.start_tls()
        client.login()


@needs_ipv6
def test_one_socket_for_both_ips_tells_the_clients_addresses_as_two_would(hand_down):
    port = free_port("::1")
    daemon = hand_down(socket.create_server(("::", port), family=socket.AF_INET6,
                                            dualstack_ipv6=True), listen=f"*:{port}").start()
    works(("127.0.0.1", port))
    daemon.wait_for_log(r"login: \[127\.0\.0\.1\] port=\d+ user=murder")
    works(("::1", port))
    daemon.wait_for_log(r"login: \[::1\] port=\d+ user=murder")
    assert "::ffff:" not in daemon.log()


def test_no_program_that_is_executed_later_gets_them(hand_down, tmp_path):
    port = free_port()
    daemon = hand_down(listening(("127.0.0.1", port)), listening(str(tmp_path / "socket")),
                       listen=f"127.0.0.1:{port} unix:{tmp_path}/socket").start()
    for number in (3, 4):
        info = pathlib.Path(f"/proc/{daemon.process.pid}/fdinfo/{number}").read_text()
        flags = int(info.split("flags:")[1].split()[0], 8)
        assert flags & os.O_CLOEXEC and flags & os.O_NONBLOCK
        assert os.readlink(f"/proc/{daemon.process.pid}/fd/{number}").startswith("socket:")
    assert daemon.log().count("info: handed down: fd=") == 2


def test_sockets_for_another_process_are_not_taken(hand_down):
    port = free_port()
    done = hand_down(listening(("127.0.0.1", port)), listen=f"127.0.0.1:{port}", pid="1").run()
    assert done.returncode == EX_UNAVAILABLE and "handed down" not in done.stderr
    assert f"cannot listen on 127.0.0.1 port {port}: the address is in use" in done.stderr


def datagrams(port):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", port))
    return one


def not_listening(port):
    one = socket.socket()
    one.bind(("127.0.0.1", port))
    return one


@pytest.mark.parametrize("make_socket, listen, said", [
    (datagrams, "127.0.0.1:{}", "fd=3 name=socket0 cannot be used: it is no stream socket: "),
    (lambda port: open("/dev/null", encoding="ascii"), "127.0.0.1:{}",
     "fd=3 name=socket0 cannot be used: it is no stream socket: "),
    (not_listening, "127.0.0.1:{}", "fd=3 name=socket0 cannot be used: it does not listen: "),
    (lambda port: listening("\0" + f"mupdated-test-{port}"), "127.0.0.1:{}",
     "fd=3 name=socket0 cannot be used: it has no path"),
    (lambda port: listening(("127.0.0.2", port)), "127.0.0.1:{}",
     'name=socket0 address="127.0.0.2 port {}" is in no word of the key listen: '),
    (lambda port: listening(("127.0.0.1", port)), "*:{}",
     'name=socket0 address="127.0.0.1 port {}" is in no word of the key listen: '),
])
def test_a_socket_that_cannot_be_meant_is_refused(hand_down, make_socket, listen, said):
    port = free_port()
    daemon = hand_down(make_socket(port), listen=f"127.0.0.2:{free_port('127.0.0.2')} "
                       + listen.format(free_port() if "no word" in said else port))
    done = daemon.run()
    assert done.returncode == EX_CONFIG
    assert f"error: handed down: {said.format(port)}" in done.stderr


def test_a_unix_socket_that_is_not_configured_is_refused(hand_down, tmp_path):
    """With the database open by then, which is closed in good order."""
    daemon = hand_down(listening(str(tmp_path / "other")), listen=f"unix:{tmp_path}/socket")
    done = daemon.run()
    assert done.returncode == EX_CONFIG
    assert (f"handed down: name=socket0 address={tmp_path}/other is in no word of the key listen"
            in done.stderr)
    daemon.prefix = []
    daemon.check_database()


@needs_ipv6
def test_a_socket_for_both_ips_is_refused_where_only_one_is_configured(hand_down):
    port = free_port("::1")
    done = hand_down(socket.create_server(("::", port), family=socket.AF_INET6,
                                          dualstack_ipv6=True), listen=f"[::]:{port}").run()
    assert done.returncode == EX_CONFIG
    assert f'address="[::] port {port}", which takes IPv4 too, is in no word' in done.stderr


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None,
                    reason="systemd-socket-activate is not there (package systemd)")
def test_systemds_own_program_starts_it_for_the_first_client(daemons):
    daemon = daemons.make()
    daemon.prefix = ["systemd-socket-activate", f"--listen=127.0.0.1:{daemon.port}",
                     "--fdname=mupdate", *(f"--setenv={name}" for name in os.environ)]
    daemon.start(wait=False)
    daemon.wait_for_log("Listening on 127.0.0.1")
    assert not pathlib.Path(daemon.settings["database_directory"]).exists()
    works(("127.0.0.1", daemon.port))
    daemon.wait_for_log(f'handed down: fd=3 name=mupdate address="127.0.0.1 port {daemon.port}"')
