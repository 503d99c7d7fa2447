"""Where the master can be reached.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import socket
import stat

import pytest

from mupdated import Client, free_port

EX_UNAVAILABLE = 69


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
        return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this kernel has no IPv6")


def works(address):
    with Client(address) as client:
        client.login()
        client.noop()


def test_a_unix_socket(start, tmp_path):
    path = tmp_path / "socket"
    daemon = start(listen=f"unix:{path}")
    works(path)
    daemon.wait_for_log("login: unix user=murder mechanism=PLAIN")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    daemon.stop()
    assert not path.exists()


def test_a_unix_socket_that_a_crash_left_is_replaced(start, tmp_path):
    path = tmp_path / "socket"
    daemon = start(listen=f"unix:{path}")
    daemon.kill()
    assert path.exists()
    daemon.start()
    works(path)


def test_a_file_in_the_place_of_a_unix_socket_is_left_alone(daemons, tmp_path):
    path = tmp_path / "socket"
    path.write_text("precious")
    done = daemons.make(listen=f"unix:{path}").run()
    assert done.returncode == EX_UNAVAILABLE
    assert f"cannot listen on {path}: " in done.stderr and path.read_text() == "precious"


@needs_ipv6
def test_an_ipv6_address(start):
    port = free_port("::1")
    daemon = start(listen=f"[::1]:{port}")
    works(("::1", port))
    daemon.wait_for_log(r"login: \[::1\] port=\d+ user=murder")


def test_several_addresses(start, tmp_path):
    ports = [free_port(), free_port("127.0.0.2")]
    daemon = start(listen=f"127.0.0.1:{ports[0]} 127.0.0.2:{ports[1]} unix:{tmp_path}/socket")
    for address in (("127.0.0.1", ports[0]), ("127.0.0.2", ports[1]), tmp_path / "socket"):
        works(address)
    assert daemon.log().count("info: listening: address=") == 3


def test_all_addresses(start):
    port = free_port()
    start(listen=f"*:{port}")
    works(("127.0.0.1", port))
    works(("127.0.0.2", port))
    if has_ipv6():
        works(("::1", port))


def test_a_host_name_and_the_default_port(start):
    port = free_port()
    start(listen="localhost", mupdate_port=port)
    works(("127.0.0.1", port))


def test_an_address_in_use_is_refused_with_a_message(start, daemons):
    first = start()
    second = daemons.make(listen=f"127.0.0.1:{first.port}")
    done = second.run()
    assert done.returncode == EX_UNAVAILABLE
    assert f"cannot listen on 127.0.0.1 port {first.port}: the address is in use" in done.stderr
    works(("127.0.0.1", first.port))


def test_a_unix_socket_in_use_is_refused_with_a_message(start, daemons, tmp_path):
    path = tmp_path / "socket"
    start(listen=f"unix:{path}")
    done = daemons.make(listen=f"unix:{path}").run()
    assert done.returncode == EX_UNAVAILABLE
    assert f"cannot listen on {path}: " in done.stderr and "in use" in done.stderr
    works(path)


def test_one_address_that_cannot_be_used_prevents_the_start(daemons):
    port = free_port()
    done = daemons.make(listen=f"127.0.0.1:{port} 192.0.2.1:{port}").run()
    assert done.returncode == EX_UNAVAILABLE
    assert f"cannot listen on 192.0.2.1 port {port}: " in done.stderr
