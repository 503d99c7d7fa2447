"""A full disk: changes are refused, questions answered, and nothing acknowledged is lost.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import resource

from fixtures import fill_up
from mupdated import row

LOCATION = "one.test!default"
ACL = "x" * 20000
EX_OK = 0


def write_until_refused(client, prefix):
    """Returns (names that were acknowledged, text of the refusal)."""
    names = []
    for number in range(20000):
        name = f"{prefix}.{number:05}"
        word, text = client.set("ACTIVATE", name, LOCATION, ACL)
        if word != "OK":
            assert word == "NO"
            return names, text
        names.append(name)
    raise AssertionError("nothing was refused")


def holds(daemon, names):
    with daemon.client() as client:
        assert client.list() == [row("MAILBOX", name, LOCATION, ACL) for name in sorted(names)]


def test_changes_are_refused_while_the_disk_is_full_and_stored_again_afterwards(
        daemons, small_disk):
    prefix, inside, outside = small_disk
    daemon = daemons.make(prefix=prefix, database_directory=inside / "database",
                          cache_size="16M").start()
    with daemon.client() as client, daemon.subscriber() as stream:
        stream.changes()
        client.ok("ACTIVATE", "user.first", LOCATION, ACL)
        names = ["user.first"]
        for turn in range(3):
            fill_up(outside / "filler")
            more, text = write_until_refused(client, f"user.{turn}")
            names += more
            assert text.startswith("not stored: ") and "space" in text
            daemon.wait_for_log("writer: changes are being refused")
            # What was there is found, and the refused one is not.
            assert client.find("user.first") == row("MAILBOX", "user.first", LOCATION, ACL)
            assert len(client.list()) == len(names)
            assert client.set("DELETE", "user.none") == ("NO", "mailbox doesn't exist")
            client.ok("RESERVE", "user.first", LOCATION)
            os.unlink(outside / "filler")
            client.ok("ACTIVATE", f"user.{turn}.again", LOCATION, ACL)
            names.append(f"user.{turn}.again")
            daemon.wait_for_log("writer: changes are stored again")
        assert [one[1].decode() for one in stream.changes()] == names
    holds(daemon, names)
    daemon.restart()
    holds(daemon, names)
    daemon.stop()
    daemon.check_database()


def test_a_kill_on_a_full_disk_loses_nothing_acknowledged(daemons, small_disk):
    prefix, inside, outside = small_disk
    daemon = daemons.make(prefix=prefix, database_directory=inside / "database",
                          cache_size="16M").start()
    # Berkeley DB itself loses some bytes when a recovery meets a full disk.
    daemon.environment["LSAN_OPTIONS"] = "detect_leaks=0"
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.first", LOCATION, ACL)
        fill_up(outside / "filler")
        names = ["user.first", *write_until_refused(client, "user.full")[0]]
        daemon.kill()
    daemon.start()
    holds(daemon, names)
    with daemon.client() as client:
        os.unlink(outside / "filler")
        client.ok("ACTIVATE", "user.last", LOCATION, ACL)
    holds(daemon, [*names, "user.last"])
    daemon.stop()
    daemon.check_database()


def test_a_limit_on_the_size_of_files_is_like_a_full_disk(start):
    daemon = start(cache_size="16M")
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.first", LOCATION, ACL)
        names = ["user.first"]
        unlimited = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
        # Below the size of a file of Berkeley DB's log, of which there must be a second soon.
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (4 << 20, unlimited[1]))
        more, text = write_until_refused(client, "user.limited")
        names += more
        assert text.startswith("not stored: ")
        assert client.find("user.first") == row("MAILBOX", "user.first", LOCATION, ACL)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, unlimited)
        client.ok("ACTIVATE", "user.last", LOCATION, ACL)
        names.append("user.last")
    holds(daemon, names)
    daemon.kill()
    daemon.start()
    holds(daemon, names)
