"""mupdatectl status: true, readable, and fit for monitoring.

SPDX-License-Identifier: BSD-3-Clause
"""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

import mupdated
from dumps import compose, nasty_rows
from fixtures import fill_up
from mupdated import CTL, wait_for

EX_USAGE, EX_UNAVAILABLE, EX_NOPERM, EX_CONFIG = 64, 69, 77, 78
HERE = "one.test!p"


@pytest.fixture
def daemon(start):
    return start()


def status_of(daemon):
    return json.loads(daemon.ctl("status", "--json").stdout)


def check(daemon, *arguments, status):
    """The line of a check."""
    line = daemon.ctl("status", "--check", *arguments, status=status).stdout.decode()
    assert line.count("\n") == 1
    return line


def test_the_screen_tells_what_the_test_did(daemon):
    with daemon.client() as client, daemon.subscriber():
        for number in range(1200):
            client.ok("ACTIVATE", f"user.{number}", HERE, "x")
        client.ok("RESERVE", "user.r", "two.test!p")
        assert client.set("DELETE", "user.none")[0] == "NO"
        screen = daemon.ctl("status").stdout.decode()
    program = daemon.run("--version").stdout.strip()
    assert screen.startswith(f"mupdate.test: master, {program}, process {daemon.process.pid}")
    assert "Table        1,201 rows: 1,200 active, 1 reserved\n" in screen
    assert "Position     change 1,201, log of changes from 1, term 1\n" in screen
    assert "Changes      1,201 stored, 1 refused, 0 waiting\n" in screen
    assert "Connections  2 of " in screen and "1 commands, 0 dumping, 1 streaming" in screen
    assert "Logins       2 good, 0 refused; 0 connections turned away\n" in screen
    assert re.search(r"^one\.test +1200 +0$", screen, re.MULTILINE)
    assert re.search(r"^two\.test +0 +1$", screen, re.MULTILINE)
    assert re.search(r"^murder +2$", screen, re.MULTILINE)
    assert "NOT CONFIRMED" not in screen and "REFUSED" not in screen


def test_json_is_what_the_daemon_says(daemon):
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", HERE, "x")
        shown = status_of(daemon)
        with daemon.control() as control:
            said = control.status()
    for changing in ("time_us", "uptime_seconds", "resident_bytes", "disk"):
        del shown[changing], said[changing]
    assert shown == said
    assert shown["table"]["confirmed"] is True


def test_refused_logins_are_counted(daemon):
    with daemon.connect() as client:
        assert client.command(b'AUTHENTICATE "PLAIN" ' + mupdated.literal("AGEAYg=="))[1] == "NO"
    assert "0 good, 1 refused" in daemon.ctl("status").stdout.decode()


def test_the_lag_of_a_stopped_subscriber_is_shown_and_warned_of(daemon):
    with daemon.subscriber(receive_bytes=4096), daemon.subscriber() as quick, \
            daemon.client() as writer:
        for number in range(300):
            writer.ok("ACTIVATE", f"user.{number}", HERE, "x" * 60000)
            quick.change()
        wait_for(lambda: status_of(daemon)["subscribers"]["behind_seconds"] > 0.01, "a lag")
        shown = status_of(daemon)["subscribers"]
        assert [one["behind"] > 0 for one in shown["list"]] == [True, False]
        assert shown["behind"] == shown["list"][0]["behind"]
        line = check(daemon, "--lag", "0", status=1)
        assert line.startswith("MUPDATE WARNING - a subscriber is ")
        assert check(daemon, "--lag", "1d", status=0).startswith("MUPDATE OK - 300 rows")


def test_a_check_of_a_good_master_is_one_line_with_figures(daemon):
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", HERE, "x")
    line = check(daemon, "--free", "1", status=0)
    assert re.fullmatch(
        r"MUPDATE OK - 1 rows, change 1, 0 subscribers \| rows=1 reserved=0 stale=0;0 "
        r"lag=0\.000s;60 free=\d+B;1: connections=\d+ subscribers=0\n", line), line


def test_old_reservations_and_a_full_disk_are_warnings(daemon):
    with daemon.client() as client:
        for number in range(3):
            client.ok("RESERVE", f"user.{number}", HERE)
        client.ok("ACTIVATE", "user.0", HERE, "x")
    assert "2 reservations older than" in check(daemon, "--reserved-for", "0s", status=1)
    check(daemon, "--reserved-for", "1h", status=0)
    line = check(daemon, "--reserved-for", "0s", "--free", "9999T", status=1)
    assert "free on the disk" in line and "2 reservations" in line and line.count(";") >= 2


def test_an_unconfirmed_table_is_critical(daemons):
    daemon = daemons.make()
    path = daemon.directory / "a.mupdate"
    path.write_bytes(compose(nasty_rows(20)))
    daemon.ctl("load", path)
    daemon.start()
    assert "the table is not confirmed" in check(daemon, status=2)
    assert "NOT CONFIRMED: see mupdatectl confirm" in daemon.ctl("status").stdout.decode()
    assert status_of(daemon)["table"]["confirmed"] is False


def test_without_a_daemon_it_says_what_to_do(daemon):
    daemon.stop()
    error = daemon.ctl("status", status=EX_UNAVAILABLE).stderr.decode()
    assert "no mupdated answers at" in error and "systemctl status mupdated" in error
    assert check(daemon, status=2).startswith("MUPDATE CRITICAL - no mupdated answers at ")


def test_the_socket_is_found_by_the_database_or_named(start, tmp_path):
    daemon = start(control_socket=str(tmp_path / "elsewhere"))
    assert status_of(daemon)["pid"] == daemon.process.pid
    for found in (["--socket", tmp_path / "elsewhere"], ["-C", daemon.config_path]):
        done = subprocess.run([CTL, *found, "--json", "status"], capture_output=True, check=True)
        assert json.loads(done.stdout)["pid"] == daemon.process.pid
    other = start()
    database = other.settings["database_directory"]
    done = daemon.ctl("--database", database, "--json", "status")
    assert json.loads(done.stdout)["pid"] == other.process.pid


def test_a_socket_that_is_not_to_be_there_is_told(start):
    error = start(control_socket="none").ctl("status", status=EX_UNAVAILABLE).stderr
    assert b"control_socket in mupdated.conf is none" in error


def test_a_configuration_that_cannot_be_read_is_told(tmp_path):
    done = subprocess.run([CTL, "-C", tmp_path / "none.conf", "status"], capture_output=True,
                          check=False)
    assert done.returncode == EX_CONFIG and b"--socket" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_somebody_else_is_told_of_the_group(start, mode):
    directory = mupdated.tempfile.mkdtemp(prefix="control.")
    path = os.path.join(directory, "socket")
    try:
        os.chmod(directory, 0o755)
        start(control_socket=path)
        os.chmod(path, mode)
        with open(CTL, "rb") as program:
            copy = os.path.join(directory, "mupdatectl")
            with open(copy, "wb") as file:
                file.write(program.read())
            os.chmod(copy, 0o755)
        done = subprocess.run([copy, "--socket", path, "status"], user=65534, group=65534,
                              extra_groups=[], capture_output=True, check=False)
        assert done.returncode == EX_NOPERM and b"control_group" in done.stderr, done
    finally:
        mupdated.shutil.rmtree(directory)


@pytest.mark.parametrize("arguments", [
    ["5"], ["--lag", "1"], ["--check", "--lag", "x"], ["--check", "--free", "1GB"],
    ["--check", "--watch"], ["--check", "--json"], ["--watch", "0"], ["--watch=x"],
    ["--check", "--reserved-for", "-1"]])
def test_wrong_options_are_refused(tmp_path, arguments):
    done = subprocess.run([CTL, "--socket", tmp_path / "none", "status", *arguments],
                          capture_output=True, check=False)
    assert done.returncode == EX_USAGE and done.stderr


# --- again and again ---

class Terminal:
    """The tool on a terminal of its own."""

    def __init__(self, daemon, *arguments, rows=24, columns=80):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([CTL, "-C", daemon.config_path, *arguments],
                                        stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.shown = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)

    def screen(self, condition):
        """The next whole screen, its lines, of which condition is true."""
        while True:
            while self.shown.count(b"\x1b[J") == 0:
                self.shown += os.read(self.ours, 65536)
            one, self.shown = self.shown.split(b"\x1b[J", 1)
            assert b"\x1b[H" in one
            lines = one[one.index(b"\x1b[H") + 3:].replace(b"\x1b[K", b"").decode().split("\r\n")
            if condition("\n".join(lines)):
                return lines[:-1]


def test_watch_refreshes_in_place(daemon):
    with Terminal(daemon, "status", "--watch", "0.05") as terminal, daemon.client() as client:
        terminal.screen(lambda text: "Table        0 rows" in text)
        client.ok("ACTIVATE", "user.a", HERE, "x")
        terminal.screen(lambda text: "Table        1 rows" in text)


def test_watch_keeps_to_the_size_of_the_terminal(daemon):
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number}", f"{number}.test!p", "x")
                         for number in range(100)])
        with Terminal(daemon, "status", "--watch=0.05", rows=30, columns=40) as terminal:
            lines = terminal.screen(lambda text: "100 rows" in text)
    assert len(lines) < 30 and max(map(len, lines)) <= 40
    assert any(re.fullmatch(r"\.\.\. and \d+ more", line) for line in lines)


def test_watch_goes_on_over_a_restart(daemon):
    with Terminal(daemon, "status", "--watch=0.05") as terminal:
        first = daemon.process.pid
        terminal.screen(lambda text: f"process {first}," in text)
        daemon.stop()
        terminal.screen(lambda text: "no mupdated answers" in text)
        daemon.start()
        terminal.screen(lambda text: f"process {daemon.process.pid}," in text)


def test_watch_without_a_terminal_has_no_control_sequences(daemon):
    with subprocess.Popen([CTL, "-C", daemon.config_path, "--json", "status", "--watch=0.05"],
                          stdout=subprocess.PIPE) as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.kill()
    assert {one["pid"] for one in lines} == {daemon.process.pid}


def test_names_cannot_write_on_the_terminal(daemon):
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", b"\x1b[2Jevil\xff!p", "x")
    screen = daemon.ctl("status").stdout
    assert b"\\x1b[2Jevil\\xff" in screen and b"\x1b" not in screen


def test_a_master_that_refuses_changes_is_critical(daemons, small_disk):
    prefix, place, here = small_disk
    daemon = daemons.make(prefix=prefix, database_directory=place / "database")
    daemon.configure(control_socket=str(daemon.directory / "control"))
    daemon.start()
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", HERE, "x")
        fill_up(here / "filler")
        assert client.set("ACTIVATE", "user.b", HERE, "x" * 60000)[0] == "NO"
        assert "changes are being refused" in check(daemon, "--free", "0", status=2)
        assert "REFUSED: the last one could not be stored" in daemon.ctl("status").stdout.decode()
        (here / "filler").unlink()
        client.ok("ACTIVATE", "user.b", HERE, "x")
    check(daemon, "--free", "0", status=0)
