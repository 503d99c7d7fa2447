"""mupdatectl backup and restore.

SPDX-License-Identifier: BSD-3-Clause
"""

import errno
import fcntl
import json
import os
import subprocess
import time

import pytest

from dumps import body, nasty_rows, parse
from mupdated import CTL, row

EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_CANTCREAT = 65, 66, 69, 73
HERE = "one.test!p"


@pytest.fixture
def stopped(start):
    """A master that was stopped, with rows and a log of changes; and its backup."""
    daemon = start()
    with daemon.client() as client:
        for number in range(200):
            client.ok("ACTIVATE", f"user.{number}", HERE, "anna\tlrs\t")
        client.ok("RESERVE", b"user.\xff \\", HERE)
        client.ok("DELETE", "user.7")
    daemon.stop()
    backup = daemon.directory / "backup"
    daemon.ctl("backup", backup)
    return daemon, backup


def octets_of(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_backup_restored_is_the_same_table_with_its_log(stopped):
    daemon, backup = stopped
    before = daemon.ctl("dump").stdout
    with daemon.start().client() as client:
        client.ok("DELETE", "user.8")
        client.ok("ACTIVATE", "user.new", HERE, "x")
    daemon.stop()
    kept = octets_of(backup)
    text = daemon.ctl("restore", backup).stdout.decode()
    assert "Restored 200 rows and the last 202 changes" in text and "mupdatectl confirm" in text
    after = daemon.ctl("dump").stdout
    assert body(after) == body(before)
    assert parse(after)[0][1:4] == parse(before)[0][1:4]
    assert parse(after)[0][0] != parse(before)[0][0]
    assert octets_of(backup) == kept
    daemon.check_database()
    daemon.ctl("confirm")
    with daemon.start().client() as client:
        assert client.find("user.8") == row("MAILBOX", "user.8", HERE, "anna\tlrs\t")
        client.ok("ACTIVATE", "user.8", HERE, "y")
    daemon.stop()
    daemon.check_database()
    assert parse(daemon.ctl("dump").stdout)[0][2] == b"203"


def test_a_backup_says_what_it_holds_and_is_not_made_over_another(stopped):
    daemon, backup = stopped
    kept = octets_of(backup)
    error = daemon.ctl("backup", backup, status=EX_CANTCREAT).stderr
    assert b"is there already" in error
    assert octets_of(backup) == kept
    other = daemon.directory / "other"
    assert json.loads(daemon.ctl("--json", "backup", other).stdout) == {"rows": 200,
                                                                         "changes": 202}
    assert "ballast" not in octets_of(other)
    daemon.ctl("backup", daemon.directory / "no" / "such", status=EX_CANTCREAT)
    assert not [path for path in daemon.directory.iterdir() if ".new-" in path.name]


def test_a_dry_run_shows_the_differences_and_changes_nothing(stopped):
    daemon, backup = stopped
    with daemon.start().client() as client:
        client.ok("DELETE", "user.8")
        client.ok("ACTIVATE", "user.new", HERE, "x")
    daemon.stop()
    before, kept = daemon.ctl("dump").stdout, octets_of(backup)
    found = json.loads(daemon.ctl("--json", "restore", "--dry-run", backup).stdout.splitlines()[-1])
    assert (found["same"], found["added"], found["removed"]) == (199, 1, 1)
    assert b"nothing was changed" in daemon.ctl("restore", "--dry-run", backup).stdout
    assert parse(daemon.ctl("dump").stdout) [1] == parse(before)[1]
    assert octets_of(backup) == kept
    assert not list(daemon.directory.glob("database.*"))


@pytest.mark.parametrize("name", ["rows.db", "changes.db", "meta.db"])
@pytest.mark.parametrize("how", ["flipped", "cut off", "missing"])
def test_a_damaged_backup_is_refused_or_mended_from_its_log(stopped, name, how):
    daemon, backup = stopped
    saved = daemon.ctl("dump").stdout
    with daemon.start().client() as client:
        client.ok("ACTIVATE", "user.new", HERE, "x")
    daemon.stop()
    before = daemon.ctl("dump").stdout
    path = backup / name
    octets = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "cut off":
        path.write_bytes(octets[:len(octets) - 4096])
    else:
        at = len(octets) - 100
        path.write_bytes(octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:])
    done = daemon.ctl("restore", backup, status=None)
    if done.returncode == 0 and how != "flipped":
        # The log reaches back to when the table was made: all of it can be made anew.
        assert body(daemon.ctl("dump").stdout) == body(saved)
        daemon.check_database()
        return
    assert done.returncode in (EX_DATAERR, EX_NOINPUT), done
    assert b"nothing was changed in" in done.stderr
    assert body(daemon.ctl("dump").stdout) == body(before)
    assert not list(daemon.directory.glob("database.*"))


def test_what_is_no_backup_is_refused(stopped, tmp_path):
    daemon, _ = stopped
    (tmp_path / "empty").mkdir()
    assert b"holds no table" in daemon.ctl("restore", tmp_path / "empty",
                                           status=EX_NOINPUT).stderr
    daemon.ctl("restore", tmp_path / "none", status=EX_NOINPUT)
    assert not list(daemon.directory.glob("database.*"))


def test_a_table_in_use_is_no_backup(start, stopped):
    daemon, _ = stopped
    other = start()
    done = daemon.ctl("restore", other.settings["database_directory"], status=EX_UNAVAILABLE)
    assert b"is in use" in done.stderr


class Paused:
    """A restore that stops in the middle of its copy, until it is left alone again."""

    def __init__(self, daemon, backup):
        self.pause = backup / "log.pause"
        os.mkfifo(self.pause)
        self.tool = subprocess.Popen([CTL, "-C", daemon.config_path, "restore", backup],
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        """Wait until it reads that file of the log, which has a writer from then on."""
        self.writer = None
        while self.writer is None and self.tool.poll() is None:
            try:
                self.writer = os.open(self.pause, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                assert error.errno == errno.ENXIO
                time.sleep(0.01)
        assert self.writer is not None, self.tool.communicate()
        return self

    def __exit__(self, *_):
        os.close(self.writer)
        self.out, self.error = self.tool.communicate(timeout=60)


def test_nobody_can_use_the_source_before_all_of_it_is_copied(stopped):
    daemon, backup = stopped
    (backup / "lock").touch()
    with Paused(daemon, backup) as restore, open(backup / "lock", "rb") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert restore.tool.returncode == 0 and b"Restored 200 rows" in restore.out, restore.error


def test_a_backup_that_was_put_to_use_while_it_was_copied_is_refused(stopped):
    daemon, backup = stopped
    before = daemon.ctl("dump").stdout
    (backup / "lock").unlink(missing_ok=True)
    with Paused(daemon, backup) as restore:
        (backup / "lock").touch()
    assert restore.tool.returncode == EX_UNAVAILABLE
    assert b"was put to use while it was copied" in restore.error
    assert body(daemon.ctl("dump").stdout) == body(before)


def test_a_loaded_table_can_be_backed_up_and_restored(table, tmp_path):
    rows = nasty_rows(1000)
    table.load(rows)
    before = table.dump()
    table.ctl("backup", tmp_path / "backup")
    table.load(nasty_rows(5, seed=2))
    table.ctl("restore", tmp_path / "backup")
    assert body(table.dump()) == body(before)
