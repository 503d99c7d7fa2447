"""mupdatectl log: who changed what and when, of a master that runs and of one that does not.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import re
import select
import subprocess

import pytest

from mupdated import CTL

EX_USAGE, EX_UNAVAILABLE = 64, 69
HERE, THERE = "one.test!p", "two.test!p"


@pytest.fixture
def daemon(start):
    daemon = start()
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", HERE)
        client.ok("ACTIVATE", "user.a", HERE, "anna\tlrs\t")
        client.ok("ACTIVATE", "user.b", HERE, "")
        client.ok("ACTIVATE", "user.a", THERE, "anna\tlrs\tbob\tp\t")
        client.ok("DEACTIVATE", "user.a", THERE)
        client.ok("DELETE", "user.a")
        client.ok("RESERVE", b"user.\xff \x1b\\", HERE)
    return daemon


def both(daemon, *arguments, status=0):
    """What it says while the master runs; when that is stopped it says the same."""
    online = daemon.ctl("log", *arguments, status=status)
    daemon.stop()
    offline = daemon.ctl("log", *arguments, status=status)
    assert online.stdout == offline.stdout
    daemon.start()
    return online.stdout


def numbers(octets):
    return [json.loads(line)["sequence"] for line in octets.splitlines()]


def test_each_change_is_told_with_time_user_old_and_new(daemon):
    lines = both(daemon).decode().splitlines()
    fields = [line.split("\t") for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", one[0]) for one in fields)
    assert [one[1:] for one in fields] == [
        ["1", "murder", "user.a", f"- -> reserved {HERE}"],
        ["2", "murder", "user.a", f"reserved {HERE} -> active {HERE}", "anna lrs"],
        ["3", "murder", "user.b", f"- -> active {HERE}", ""],
        ["4", "murder", "user.a", f"active {HERE} -> active {THERE}", "anna lrs bob p"],
        ["5", "murder", "user.a", f"active {THERE} -> reserved {THERE}"],
        ["6", "murder", "user.a", f"reserved {THERE} -> deleted"],
        ["7", "murder", r"user.\xff \x1b\x5c", f"- -> reserved {HERE}"]]


def test_json_is_the_same_online_and_offline(daemon):
    shown = [json.loads(line) for line in both(daemon, "--json").splitlines()]
    assert [one["state"] for one in shown] == ["reserved", "active", "active", "active", "reserved",
                                               "deleted", "reserved"]
    assert shown[3]["old_location"] == HERE and shown[3]["who"] == "murder"
    assert "old_state" not in shown[0]
    assert shown[6]["name_base64"] == "dXNlci7/IBtc"


def test_the_changes_of_one_mailbox(daemon):
    assert numbers(both(daemon, "--json", "--mailbox", "user.b")) == [3]
    assert numbers(both(daemon, "--json", "--mailbox", b"user.\xff \x1b\\")) == [7]
    assert numbers(both(daemon, "--json", "--mailbox", "user")) == []


def test_the_last_changes_and_the_last_of_a_mailbox(daemon):
    assert numbers(both(daemon, "--json", "--last", "3")) == [5, 6, 7]
    assert numbers(both(daemon, "--json", "--last", "0")) == []
    assert numbers(both(daemon, "--json", "--last", "100")) == list(range(1, 8))
    assert numbers(both(daemon, "--json", "--last", "2", "--mailbox", "user.a")) == [5, 6]


def test_the_changes_since_a_time(daemon):
    assert numbers(both(daemon, "--json", "--since", "1d")) == list(range(1, 8))
    assert numbers(both(daemon, "--json", "--since", "1999-12-31")) == list(range(1, 8))
    assert numbers(both(daemon, "--json", "--since", "2999-12-31T10:00Z")) == []
    daemon.ctl("log", "--since", "soon", status=EX_USAGE)
    daemon.ctl("log", "--last", "-1", status=EX_USAGE)


class Following:
    """The tool that follows the log."""

    def __init__(self, daemon, *arguments):
        self.process = subprocess.Popen([CTL, "-C", daemon.config_path, "log", "--json",
                                         *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def next(self):
        return json.loads(self.process.stdout.readline())["sequence"]


def test_follow_shows_the_last_ten_and_then_each_as_it_comes(daemon):
    with daemon.client() as client:
        for number in range(10):
            client.ok("ACTIVATE", f"user.{number}", HERE, "x")
        with Following(daemon, "-f") as following:
            assert [following.next() for _ in range(10)] == list(range(8, 18))
            for number in range(20):
                client.ok("ACTIVATE", "user.b", HERE, str(number))
                assert following.next() == 18 + number


def test_follow_of_one_mailbox_shows_only_its_changes(daemon):
    with daemon.client() as client, \
            Following(daemon, "--follow", "--mailbox", "user.a", "--last", "2") as following:
        assert [following.next() for _ in range(2)] == [5, 6]
        client.ok("ACTIVATE", "user.b", HERE, "other")
        client.ok("ACTIVATE", "user.a", HERE, "mine")
        assert following.next() == 9


def test_follow_of_nothing_before_shows_only_what_comes(daemon):
    with daemon.client() as client, Following(daemon, "-f", "--last", "0") as following:
        made = 0
        while not select.select([following.process.stdout], [], [], 0.1)[0]:
            made += 1
            client.ok("ACTIVATE", "user.b", HERE, str(made))
        assert following.next() > 7


def test_follow_ends_when_the_daemon_does(daemon):
    with Following(daemon, "-f") as following:
        following.next()
        daemon.stop()
        _, error = following.process.communicate()
        assert following.process.returncode == 75 and b"was lost" in error


def test_follow_needs_a_daemon(daemon):
    daemon.stop()
    daemon.ctl("log", "-f", status=EX_UNAVAILABLE)


def test_a_missing_socket_alone_does_not_make_it_read_a_table_in_use(daemon):
    (daemon.settings["database_directory"] / "control").unlink()
    error = daemon.ctl("log", status=EX_UNAVAILABLE).stderr.decode()
    assert "in use by process" in error
