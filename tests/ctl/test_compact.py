"""mupdatectl compact and trim: room on the disk, and nothing that is needed goes.

SPDX-License-Identifier: BSD-3-Clause
"""

import json

import pytest

from dumps import Table, body, nasty_rows, parse
from mupdated import row

EX_USAGE, EX_NOINPUT, EX_UNAVAILABLE = 64, 66, 69
HERE = "one.test!p"
MADE = 2000


@pytest.fixture
def daemon(daemons):
    """A stopped master, of whose rows most were deleted; log_changes: 1000."""
    daemon = daemons.make(log_changes="1000", subscriber_backlog="1000")
    daemon.start()
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number:05}", HERE, "x" * 400)
                         for number in range(MADE)])
        client.set_many([("DELETE", f"user.{number:05}") for number in range(MADE)
                         if number % 20])
    daemon.stop()
    return daemon


def long_log(daemon):
    """Let the log be longer than log_changes, as after it was lowered."""
    daemon.configure(log_changes="100000", subscriber_backlog="1000")
    daemon.start()
    with daemon.client() as client:
        client.set_many([("ACTIVATE", "user.again", HERE, str(number))
                         for number in range(3000)])
    daemon.stop()
    daemon.configure(log_changes="1000")


def numbers(daemon):
    return [int(line.split("\t")[1]) for line in daemon.ctl("log").stdout.decode().splitlines()]


def test_a_compacted_table_is_the_same_in_less_room(daemon):
    before, log = daemon.ctl("dump").stdout, daemon.ctl("log").stdout
    planned = json.loads(daemon.ctl("--json", "compact", "--dry-run").stdout)
    assert sorted(path.name for path in daemon.directory.glob("database*")) == ["database"]
    text = daemon.ctl("compact").stdout.decode()
    assert "has the new table." in text and "The table took " in text
    old = list(daemon.directory.glob("database.old-*"))
    assert len(old) == 1 and body(Table(old[0]).dump()) == body(before)
    assert parse(daemon.ctl("dump").stdout)[0][:4] == parse(before)[0][:4]
    assert body(daemon.ctl("dump").stdout) == body(before)
    assert daemon.ctl("log").stdout == log
    sizes = [(place / "rows.db").stat().st_size for place in
             (old[0], daemon.directory / "database")]
    assert sizes[1] < sizes[0] / 4
    assert planned["rows"] == MADE // 20
    assert planned["bytes_after"] < planned["bytes_before"]
    daemon.check_database()


def test_changes_go_on_behind_it_and_it_is_as_confirmed_as_it_was(daemon):
    daemon.ctl("compact")
    daemon.start()
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.new", HERE, "x")
        assert client.find("user.new") == row("MAILBOX", "user.new", HERE, "x")
    assert daemon.sequence() == MADE + MADE * 19 // 20 + 1
    daemon.stop()
    daemon.check_database()


def test_a_loaded_table_stays_unconfirmed_and_keeps_its_numbers(table):
    table.load(nasty_rows(500))
    before = table.dump()
    table.ctl("compact")
    after = table.ctl("dump")
    assert b"not confirmed" in after.stderr
    assert body(after.stdout) == body(before) and parse(after.stdout)[0][:4] == parse(before)[0][:4]
    table.ctl("confirm")
    table.ctl("compact")
    assert b"not confirmed" not in table.ctl("dump").stderr
    table.ctl("verify")


def test_while_mupdated_runs_neither_is_done(daemon):
    daemon.start()
    for command in (["compact"], ["compact", "--dry-run"], ["trim"], ["trim", "--dry-run"]):
        assert b"in use by process" in daemon.ctl(*command, status=EX_UNAVAILABLE).stderr
    assert sorted(path.name for path in daemon.directory.glob("database*")) == ["database"]


def test_where_there_is_no_table_nothing_is_made(table):
    table.directory.mkdir()
    for command in ("compact", "trim"):
        table.ctl(command, status=EX_NOINPUT)
    assert not table.beside()


def test_trim_leaves_what_log_changes_promises_and_the_rows(daemon):
    long_log(daemon)
    before, count = body(daemon.ctl("dump").stdout), len(numbers(daemon))
    last = numbers(daemon)[-1]
    assert daemon.ctl("trim", "--dry-run").stdout.decode() == (
        f"{count - 1000} changes would go and 1000 stay; the last 1000 always do "
        "(log_changes).\n")
    assert len(numbers(daemon)) == count
    text = daemon.ctl("trim").stdout.decode()
    assert text.startswith(f"Dropped {count - 1000} changes, 1000 stay.\n")
    assert numbers(daemon) == list(range(last - 999, last + 1))
    assert body(daemon.ctl("dump").stdout) == before
    assert json.loads(daemon.ctl("--json", "trim").stdout)["dropped"] == 0
    daemon.ctl("compact")
    assert numbers(daemon) == list(range(last - 999, last + 1))
    daemon.check_database()
    daemon.start()


def test_trim_drops_by_number_count_and_age_and_never_more_than_may_go(daemon):
    long_log(daemon)
    first, last = numbers(daemon)[0], numbers(daemon)[-1]
    daemon.ctl("trim", "--before", str(first + 100))
    assert numbers(daemon)[0] == first + 100
    daemon.ctl("trim", "--older-than", "1d")
    assert numbers(daemon)[0] == first + 100
    daemon.ctl("trim", "--keep", "2000")
    assert numbers(daemon) == list(range(last - 1999, last + 1))
    assert b"promises 1000" in daemon.ctl("trim", "--keep", "999", status=EX_USAGE).stderr
    daemon.ctl("trim", "--older-than", "0s")
    assert numbers(daemon) == list(range(last - 999, last + 1))
    daemon.ctl("trim", "--before", str(last + 5))
    assert numbers(daemon) == list(range(last - 999, last + 1))
    for wrong in (["--keep", "x"], ["--keep", "0"], ["--before", "-1"], ["--older-than", "old"],
                  ["--keep", "2000", "--before", "5"], ["x"]):
        daemon.ctl("trim", *wrong, status=EX_USAGE)
