"""No memory left: changes are refused, sessions live on, and all works again afterwards.

SPDX-License-Identifier: BSD-3-Clause
"""

import pathlib
import re
import resource
import socket

import pytest

import mupdated
from mupdated import Closed, command_octets, row

LOCATION = "one.test!default"
ACL = "x" * 60000

pytestmark = pytest.mark.skipif(mupdated.SANITIZED,
                                reason="a sanitizer's memory cannot be limited so")


def address_space(daemon):
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmSize:\s+(\d+) kB", status)[1]) * 1024


def limit_memory(daemon, more_bytes):
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS,
                     (address_space(daemon) + more_bytes, resource.RLIM_INFINITY))


def unlimit_memory(daemon):
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def write_until_refused(client, prefix):
    """Returns the names that were acknowledged."""
    names = []
    for number in range(5000):
        name = f"{prefix}.{number:05}"
        word, text = client.set("ACTIVATE", name, LOCATION, ACL)
        if word != "OK":
            assert (word, text) == ("NO", "not stored: out of memory")
            return names
        names.append(name)
    raise AssertionError("nothing was refused")


def test_changes_are_refused_while_there_is_no_memory_and_stored_again_afterwards(start):
    daemon = start(cache_size="16M", log_level="notice")
    pid = daemon.process.pid
    with daemon.client() as client, daemon.subscriber() as stream:
        stream.changes()
        client.ok("ACTIVATE", "user.first", LOCATION, "x")
        names = ["user.first"]
        for turn in range(3):
            limit_memory(daemon, 24 << 20)
            names += write_until_refused(client, f"user.{turn}")
            daemon.wait_for_log("memory: changes and new connections are being refused")
            # What was there is found, the refused one is not, and this session goes on.
            assert client.find("user.first") == row("MAILBOX", "user.first", LOCATION, "x")
            assert client.find(f"user.{turn}.99999") is None
            client.noop()
            unlimit_memory(daemon)
            client.ok("ACTIVATE", f"user.{turn}.again", LOCATION, "x")
            names.append(f"user.{turn}.again")
            daemon.wait_for_log("memory: changes and new connections are taken again")
        assert [change[1].decode() for change in stream.changes()] == names
        assert sorted(one[1].decode() for one in client.list()) == sorted(names)
    assert daemon.process.pid == pid and daemon.process.poll() is None
    daemon.restart()
    with daemon.client() as client:
        assert sorted(one[1].decode() for one in client.list()) == sorted(names)


def test_pipelined_changes_are_refused_in_their_order(start):
    daemon = start(cache_size="16M", log_level="notice")
    with daemon.client() as client:
        # The first change takes address space for all that follow.
        client.ok("ACTIVATE", "user.first", LOCATION, "x")
        limit_memory(daemon, 24 << 20)
        tags = [f"P{number}" for number in range(1000)]
        client.send(b"".join(command_octets(tag, "ACTIVATE", f"user.{tag}", LOCATION, ACL)
                             for tag in tags))
        words = [client.answer(tag)[1] for tag in tags]
        assert set(words) <= {"OK", "NO"} and "NO" in words
        unlimit_memory(daemon)
        stored = [f"user.{tag}" for tag, word in zip(tags, words) if word == "OK"]
        assert [one[1].decode() for one in client.list()] == sorted(["user.first", *stored])


def test_newcomers_are_refused_with_bye_or_served_and_the_daemon_lives_on(start):
    daemon = start(cache_size="16M", log_level="notice", connections_per_address=4096,
                   limit_unauthenticated=4096)
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.first", LOCATION, "x")
        limit_memory(daemon, 16 << 20)
        newcomers = []
        refused = 0
        for _ in range(1500):
            newcomer = daemon.connect(banner=False)
            newcomers.append(newcomer)
            try:
                if newcomer.response()[1] == "BYE":
                    refused += 1
                else:
                    newcomer.send(b"A1 AUTHENTICATE PLAIN {65000+}\r\n" + b"A" * 64000)
            except (Closed, ConnectionError):
                refused += 1
        assert refused > 0
        assert client.find("user.first") == row("MAILBOX", "user.first", LOCATION, "x")
        for newcomer in newcomers:
            newcomer.close()
        unlimit_memory(daemon)
        with daemon.client() as other:
            other.ok("ACTIVATE", "user.second", LOCATION, "x")
        client.ok("ACTIVATE", "user.third", LOCATION, "x")


def test_the_control_socket_is_there_again_after_a_time_without_memory(start):
    daemon = start(cache_size="16M", log_level="notice", connections_per_address=4096,
                   limit_unauthenticated=4096)
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.first", LOCATION, "x")
        limit_memory(daemon, 0)
        newcomers = [daemon.connect(banner=False) for _ in range(1000)]
        operators = []
        for _ in range(100):
            operator = socket.socket(socket.AF_UNIX)
            operator.connect(str(daemon.settings["database_directory"] / "control"))
            operators.append(operator)
        client.noop()
        for one in newcomers + operators:
            one.close()
        unlimit_memory(daemon)
        mupdated.wait_for(lambda: daemon.ctl("--json", "status", status=None).returncode == 0,
                          "the control socket")
