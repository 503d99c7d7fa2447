"""What the kernel is told about a client's socket.

SPDX-License-Identifier: BSD-3-Clause
"""

import ctypes
import errno
import os
import pathlib
import socket

import pytest

from mupdated import Client

# Of asm-generic/unistd.h, the same on all architectures of Linux.
PIDFD_OPEN, PIDFD_GETFD = 434, 438


def entry(client, table, width):
    """The server's side of the connection in the kernel's table."""
    ours, theirs = (f":{address[1]:04X}" for address in (client.socket.getsockname(),
                                                         client.socket.getpeername()))
    for line in pathlib.Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        if words[1].endswith(theirs) and words[2].endswith(ours) and len(words[1]) == width + 5:
            return words
    raise AssertionError("no such connection")


def allowed(descriptor, call):
    """What the call returned; the test is skipped where nobody may make it."""
    error = ctypes.get_errno() if descriptor < 0 else 0
    if error in (errno.EPERM, errno.ENOSYS):
        pytest.skip(f"{call}: {os.strerror(error)}")
    assert error == 0, f"{call}: {os.strerror(error)}"
    return descriptor


def server_socket(master, inode):
    """A copy of the daemon's own socket."""
    pid = master.process.pid
    for number in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{number}") == f"socket:[{inode}]":
            break
    else:
        raise AssertionError("no such descriptor")
    call = ctypes.CDLL(None, use_errno=True).syscall
    process = allowed(call(PIDFD_OPEN, pid, 0), "pidfd_open")
    copy = call(PIDFD_GETFD, process, int(number), 0)
    os.close(process)
    allowed(copy, "pidfd_getfd")
    return socket.socket(fileno=copy)


def can_bind(address):
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("address, table, width", [("127.0.0.1", "tcp", 8), ("::1", "tcp6", 32)])
def test_each_connection_is_kept_alive_and_sends_without_delay(daemons, address, table, width):
    if not can_bind(address):
        pytest.skip("no IPv6 here")
    master = daemons.make()
    master.configure(listen=f"[{address}]:{master.port}" if ":" in address else
                     f"{address}:{master.port}")
    master.start()
    with Client((address, master.port)) as client:
        inode = entry(client, table, width)[9]
        with server_socket(master, inode) as theirs:
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert theirs.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 300
