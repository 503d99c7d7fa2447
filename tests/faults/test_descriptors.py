"""A full file table: who is connected goes on, and others come in again afterwards.

SPDX-License-Identifier: BSD-3-Clause
"""

import pathlib
import resource
import socket

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
        wait_for(lambda: descriptors(daemon) >= limit - 1, "the file table to be full")
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


def test_a_restart_with_few_descriptors_says_so(daemons):
    daemon = daemons.make(prefix=["prlimit", "--nofile=256:256"])
    daemon.start()
    assert "descriptors: limit=256 is too low for mupdate_connections_max=4096" in daemon.log()
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", LOCATION)
