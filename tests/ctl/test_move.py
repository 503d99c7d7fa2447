"""mupdatectl move: the rows of a retired back-end go to another, while mupdated runs.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import os
import pty
import subprocess

import pytest

from control import Refused
from mupdated import CTL, row, wait_for

EX_USAGE, EX_UNAVAILABLE = 64, 69
OLD, NEW = "old.test", "new.test"


@pytest.fixture
def daemon(start):
    daemon = start(audit="yes")
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", f"{OLD}!p", "anna\tlrs\t")
        client.ok("ACTIVATE", "user.b", f"{OLD}!q", "")
        client.ok("ACTIVATE", "user.c", f"{OLD}!", "x")
        client.ok("ACTIVATE", "user.d", OLD, "x")
        client.ok("RESERVE", "user.e", f"{OLD}!p")
        client.ok("ACTIVATE", "user.f", f"{OLD}er!p", "x")
        client.ok("ACTIVATE", b"user.\xff", f"{OLD}!p", "x")
        client.ok("ACTIVATE", "user.n", f"{NEW}!p", "x")
    return daemon


def test_every_row_of_the_server_goes_and_keeps_partition_acl_and_state(daemon):
    with daemon.subscriber() as subscriber, daemon.client() as client:
        subscriber.changes()
        done = daemon.ctl("move", "--from", OLD, "--to", NEW, "--yes")
        assert done.stdout == b"Moved 5 active and 1 reserved mailboxes.\n"
        moved = [row("MAILBOX", "user.a", f"{NEW}!p", "anna\tlrs\t"),
                 row("MAILBOX", "user.b", f"{NEW}!q", ""),
                 row("MAILBOX", "user.c", f"{NEW}!", "x"),
                 row("MAILBOX", "user.d", NEW, "x"),
                 row("RESERVE", "user.e", f"{NEW}!p"),
                 row("MAILBOX", b"user.\xff", f"{NEW}!p", "x")]
        assert subscriber.changes() == moved
        assert [client.find(one[1]) for one in moved] == moved
        assert client.find("user.f") == row("MAILBOX", "user.f", f"{OLD}er!p", "x")
    daemon.stop()
    daemon.check_database()


def test_each_row_is_a_change_of_the_operators_in_both_logs(daemon):
    daemon.ctl("move", "--from", OLD, "--to", f"{NEW}!z", "--yes")
    changes = [line.split("\t") for line in
               daemon.ctl("log", "--last", "6").stdout.decode().splitlines()]
    assert [one[1] for one in changes] == [str(number) for number in range(9, 15)]
    assert all(one[2].startswith("control:") for one in changes)
    assert changes[4][4] == f"reserved {OLD}!p -> reserved {NEW}!z"
    daemon.wait_for_log(r"move begins: from=old\.test to=new\.test!z active=5 reserved=1 "
                        r"by=control:")
    daemon.wait_for_log(r"moved: mailbox=user\.a from=old\.test!p to=new\.test!z "
                        r"user=control:\S+ client=\[control\]$")
    daemon.wait_for_log(r"audit: \[control\] user=control:\S+ sequence=9 command=ACTIVATE "
                        r"mailbox=user\.a old_state=active old_location=old\.test!p .* "
                        r"new_location=new\.test!z .* acl_changed=no")
    daemon.wait_for_log(r"move ended: from=old\.test to=new\.test!z active=5 reserved=1 changed=0 "
                        r"end=done by=control:")


def test_one_partition_may_be_moved_also_to_another_of_the_same_server(daemon):
    daemon.ctl("move", "--from", f"{OLD}!p", "--to", f"{OLD}!r", "--yes")
    with daemon.client() as client:
        assert {one[1] for one in client.list(f"{OLD}!r")} == {b"user.a", b"user.e", b"user.\xff"}
        assert not client.list(f"{OLD}!p")
        assert client.find("user.b")[2] == b"old.test!q"


def test_to_run_it_twice_changes_nothing_more(daemon):
    daemon.ctl("move", "--from", OLD, "--to", NEW, "--yes")
    before = daemon.sequence()
    done = daemon.ctl("--json", "move", "--from", OLD, "--to", NEW, "--yes")
    assert json.loads(done.stdout) == {"moved": {"active": 0, "reserved": 0}, "changed": 0}
    assert daemon.sequence() == before
    # And so does it where each row is there already.
    daemon.ctl("move", "--from", NEW, "--to", f"{NEW}!p", "--yes")
    before = daemon.sequence()
    daemon.ctl("move", "--from", NEW, "--to", f"{NEW}!p", "--yes")
    assert daemon.sequence() == before


def test_a_dry_run_shows_what_would_go_and_changes_nothing(daemon):
    before = daemon.sequence()
    text = daemon.ctl("move", "--dry-run", "--from", OLD, "--to", f"{NEW}!z").stdout.decode()
    lines = text.splitlines()
    assert lines[0] == ("5 active and 1 reserved mailboxes are to go from old.test to new.test!z, "
                        "which has 1.")
    assert lines[1] == "  active\tuser.a\told.test!p -> new.test!z"
    assert lines[6] == "  active\tuser.\\xff\told.test!p -> new.test!z"
    assert lines[-1] == "Nothing was changed." and len(lines) == 8
    found = json.loads(daemon.ctl("--json", "move", "--dry-run", "--from", OLD, "--to",
                                  NEW).stdout)
    assert found["moves"] == {"active": 5, "reserved": 1}
    assert found["target"] == {"active": 1, "reserved": 0}
    assert found["first"][1] == {"state": "active", "name": "user.b", "location": f"{OLD}!q",
                                 "acl": "", "to": f"{NEW}!q"}
    assert daemon.sequence() == before and "move begins" not in daemon.log()


def test_where_nobody_can_be_asked_nothing_is_moved_without_yes(daemon):
    before = daemon.sequence()
    assert b"--yes" in daemon.ctl("move", "--from", OLD, "--to", NEW, status=EX_USAGE).stderr
    assert daemon.sequence() == before


@pytest.mark.parametrize("word, status", [("yes", 0), ("no", EX_UNAVAILABLE)])
def test_on_a_terminal_it_asks(daemon, word, status):
    ours, theirs = pty.openpty()
    before = daemon.sequence()
    with subprocess.Popen([CTL, "-C", daemon.config_path, "move", "--from", OLD, "--to", NEW],
                          stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        os.write(ours, word.encode() + b"\n")
        output, error = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == status, error
    assert b"are to go from old.test to new.test" in output and b"Write yes:" in error
    assert daemon.sequence() == before + (6 if status == 0 else 0)


def test_wrong_servers_are_refused(daemon):
    for arguments in (["--from", OLD], ["--to", NEW], ["--from", OLD, "--to", NEW, "--rate", "0"],
                      ["--from", OLD, "--to", NEW, "--rate", "10001"], ["x"]):
        daemon.ctl("move", "--yes", *arguments, status=EX_USAGE)
    before = daemon.sequence()
    for origin, target, reason in ((OLD, OLD, "same server"), (f"{OLD}!p", OLD, "same server"),
                                   (OLD, "!p", "no server"), (OLD, "a!b!c", "more than one"),
                                   (OLD, "", "say which servers"),
                                   (OLD, f"{NEW}!", "a partition is missing"),
                                   (f"{OLD}!", NEW, "a partition is missing"),
                                   (OLD, "x" * 5000, "too long")):
        with daemon.control() as control, pytest.raises(Refused, match=reason):
            control.ask("move", **{"from": origin, "to": target})
    for rate in (0, -1, 10001, "1"):
        with daemon.control() as control, pytest.raises(Refused, match="rate is a number"):
            control.ask("move", rate=rate, **{"from": OLD, "to": NEW})
    error = daemon.ctl("move", "--yes", "--from", OLD, "--to", OLD, status=EX_USAGE).stderr
    assert b"same server" in error and b"older" not in error
    assert daemon.sequence() == before
    daemon.stop()
    daemon.ctl("move", "--from", OLD, "--to", NEW, "--yes", status=EX_UNAVAILABLE)


def test_an_operator_may_move_what_deny_location_conflict_denies_to_others(start):
    daemon = start(location_conflict="deny")
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", f"{OLD}!p", "x")
        assert client.set("ACTIVATE", "user.a", f"{NEW}!p", "x")[0] == "NO"
        daemon.ctl("move", "--from", OLD, "--to", NEW, "--yes")
        assert client.find("user.a") == row("MAILBOX", "user.a", f"{NEW}!p", "x")


def test_what_others_change_at_the_same_time_is_never_overwritten(start):
    daemon = start()
    names = [f"user.{number:04}" for number in range(1500)]
    with daemon.client() as client:
        client.set_many([("ACTIVATE", name, f"{OLD}!p", "x") for name in names])
        with daemon.control() as control:
            control.send("move", rate=10000, **{"from": OLD, "to": NEW})
            # Backwards, so that they meet.
            client.set_many([("ACTIVATE", name, "third.test!p", "y") for name in reversed(names)])
            end = list(control.answers())[-1]
        assert len(client.list("third.test!")) == len(names)
        assert end["moved"]["active"] + end["changed"] <= len(names)


def test_a_client_that_leaves_ends_it_and_the_next_run_does_the_rest(start):
    daemon = start()
    names = [f"user.{number:04}" for number in range(300)]
    with daemon.client() as client:
        client.set_many([("ACTIVATE", name, f"{OLD}!p", "x") for name in names])
        with daemon.control() as control:
            control.send("move", rate=100, **{"from": OLD, "to": NEW})
            wait_for(lambda: client.list(f"{NEW}!"), "the first to be moved")
        daemon.wait_for_log(r"move ended: .* end=client-left by=")
        left = len(client.list(f"{OLD}!"))
        assert 0 < left < len(names)
        done = daemon.ctl("move", "--from", OLD, "--to", NEW, "--yes")
        assert done.stdout == b"Moved %d active and 0 reserved mailboxes.\n" % left
        assert len(client.list(f"{NEW}!")) == len(names)


def test_a_daemon_that_stops_or_is_killed_meanwhile_has_whole_rows(start):
    daemon = start()
    names = [f"user.{number:04}" for number in range(400)]
    with daemon.client() as client:
        client.set_many([("ACTIVATE", name, f"{OLD}!p", "x") for name in names])
    for end in (daemon.stop, daemon.kill):
        with daemon.control() as control, daemon.client() as client:
            already = len(client.list(f"{NEW}!"))
            control.send("move", rate=500, **{"from": OLD, "to": NEW})
            wait_for(lambda: len(client.list(f"{NEW}!")) > already, "some to be moved")
            end()
        daemon.start()
    with daemon.client() as client:
        rows = client.list()
        assert [one[1].decode() for one in rows] == names
        assert {one[2] for one in rows} == {b"old.test!p", b"new.test!p"}
    daemon.ctl("move", "--from", OLD, "--to", NEW, "--yes")
    with daemon.client() as client:
        assert len(client.list(f"{NEW}!")) == len(names)
    daemon.stop()
    daemon.check_database()
