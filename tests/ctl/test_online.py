"""dump, backup and confirm while mupdated runs.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import os
import signal
import subprocess
import threading

import pytest

import mupdated
from control import Refused
from dumps import Table, body, compose, nasty_rows, parse
from mupdated import CTL, row, wait_for

EX_UNAVAILABLE, EX_TEMPFAIL = 69, 75
HERE = "one.test!p"


@pytest.fixture
def daemon(start):
    daemon = start()
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number}", HERE, "anna\tlrs\t")
                         for number in range(2000)])
        client.ok("RESERVE", b"user.\xff \\", HERE)
        client.ok("DELETE", "user.7")
    return daemon


def copies(daemon):
    return [path.name for path in daemon.settings["database_directory"].iterdir()
            if path.name.startswith("copy-")]


def no_copies(daemon):
    wait_for(lambda: not copies(daemon), "the copy to be removed")


def test_a_dump_of_a_running_master_is_that_of_the_stopped_one(daemon):
    online = daemon.ctl("dump").stdout
    no_copies(daemon)
    daemon.stop()
    assert body(online) == body(daemon.ctl("dump").stdout)
    assert parse(online)[0][2] == b"2002"


def test_a_dump_beside_changes_is_the_table_of_one_moment(daemon):
    begun, done = threading.Event(), threading.Event()

    def change():
        with daemon.client() as client:
            number = 0
            while not done.is_set():
                client.set_many([("ACTIVATE", f"user.{index}", f"{number}.test!p", "x")
                                 for index in range(50)])
                begun.set()
                number += 1

    changer = threading.Thread(target=change)
    changer.start()
    try:
        assert begun.wait(60)
        dumps = [parse(daemon.ctl("dump").stdout) for _ in range(5)]
    finally:
        done.set()
        changer.join()
    for (_, _, sequence, _, _, _), rows in dumps:
        by_name = {one[1]: one for one in rows}
        newest = [by_name[b"user.%d" % index][4] for index in range(8, 50)]
        assert max(one[4] for one in rows) == int(sequence)
        # One was changed after the other, always in this order: none is ahead of its turn.
        turn = newest.index(max(newest))
        assert newest[:turn + 1] == sorted(newest[:turn + 1])
        assert newest[turn + 1:] == sorted(newest[turn + 1:])
    daemon.stop()
    daemon.check_database()


def test_a_backup_of_a_running_master_restores_to_its_table(daemon, tmp_path):
    backup = tmp_path / "backup"
    text = daemon.ctl("backup", backup).stdout.decode()
    assert "holds 2000 rows and the last 2002 changes, and was verified" in text
    no_copies(daemon)
    with daemon.client() as client:
        client.ok("DELETE", "user.8")
    daemon.stop()
    other = Table(tmp_path / "restored")
    other.ctl("restore", backup)
    rows = parse(other.dump())[1]
    assert len(rows) == 2000 and any(one[1] == b"user.8" for one in rows)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no second file system")
def test_a_backup_goes_to_another_file_system_too(daemon):
    directory = mupdated.tempfile.mkdtemp(prefix="backup.", dir="/dev/shm")
    if os.stat(directory).st_dev == os.stat(daemon.directory).st_dev:
        pytest.skip("it is the same")
    try:
        backup = os.path.join(directory, "backup")
        found = json.loads(daemon.ctl("--json", "backup", backup).stdout)
        assert found == {"rows": 2000, "changes": 2002}
        assert os.listdir(directory) == ["backup"]
        no_copies(daemon)
    finally:
        mupdated.shutil.rmtree(directory)


def test_a_dry_run_compares_with_the_running_master(daemon, tmp_path):
    path = tmp_path / "a.mupdate"
    path.write_bytes(daemon.ctl("dump").stdout)
    no_copies(daemon)
    with daemon.client() as client:
        client.ok("DELETE", "user.8")
    found = json.loads(daemon.ctl("--json", "load", "--dry-run",
                                  path).stdout.splitlines()[-1])
    assert (found["same"], found["added"], found["removed"]) == (1999, 1, 0)


def test_confirm_makes_the_running_master_serve_at_once(daemons):
    daemon = daemons.make()
    path = daemon.directory / "a.mupdate"
    path.write_bytes(compose([(b"A", b"user.a", b"one.test!p", b"x", 1, 1795341600000000,
                               b"murder")]))
    daemon.ctl("load", path)
    daemon.start()
    with daemon.client() as client:
        with pytest.raises(mupdated.Closed):
            client.find("user.a")
    assert b"is confirmed: mupdated serves it." in daemon.ctl("confirm").stdout
    with daemon.client() as client:
        assert client.find("user.a") == row("MAILBOX", "user.a", "one.test!p", "x")
    assert b"was confirmed already" in daemon.ctl("confirm").stdout
    daemon.wait_for_log(r"notice: confirmed: by=(root|uid=\d+)$")
    daemon.kill()
    daemon.start()
    assert "unconfirmed" not in daemon.log_since_start()


def test_a_copy_is_there_as_long_as_who_asked_for_it(daemon):
    with daemon.control() as control:
        control.send("copy")
        name = next(answer["copy"] for answer in control.answers() if "copy" in answer)
        assert copies(daemon) == [name]
        with daemon.control() as other:
            with pytest.raises(Refused, match="busy"):
                other.ask("copy")
        daemon.ctl("dump", status=EX_TEMPFAIL)
        with daemon.client() as client:
            client.ok("ACTIVATE", "user.x", HERE, "x")
    no_copies(daemon)
    daemon.ctl("dump")


def test_a_tool_that_is_killed_leaves_no_copy(daemon):
    for _ in range(10):
        with subprocess.Popen([CTL, "-C", daemon.config_path, "dump"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            wait_for(lambda: copies(daemon) or process.poll() is not None, "a copy")
            process.kill()
        no_copies(daemon)


def test_a_daemon_that_is_killed_removes_its_copies_at_the_next_start(daemon):
    with daemon.control() as control:
        control.send("copy")
        while "copy" not in control.line():
            pass
        daemon.kill()
    assert copies(daemon)
    daemon.start()
    assert not copies(daemon)
    daemon.wait_for_log(r"notice: control: a copy of the table was left behind, removed: ")


def test_stopping_ends_a_copy_that_is_under_way(daemon):
    controls = [daemon.control() for _ in range(2)]
    for control in controls:
        control.send("copy")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert not copies(daemon)
    for control in controls:
        control.close()
    daemon.start()
    daemon.stop()
    daemon.check_database()


def test_without_room_for_a_copy_it_is_refused_and_mail_goes_on(daemons, small_disk):
    prefix, place, here = small_disk
    daemon = daemons.make(prefix=prefix, database_directory=place / "database",
                          control_socket="none")
    daemon.configure(control_socket=str(daemon.directory / "control"))
    daemon.start()
    (here / "filler").write_bytes(b"x" * (60 << 20))
    done = daemon.ctl("dump", status=EX_UNAVAILABLE)
    assert b"No space left on device" in done.stderr
    assert not list((here / "database").glob("copy-*"))
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", HERE, "x")


def test_a_table_of_every_octet_is_dumped_online_as_offline(daemons):
    daemon = daemons.make()
    path = daemon.directory / "a.mupdate"
    path.write_bytes(compose(nasty_rows(500)))
    daemon.ctl("load", path)
    daemon.start()
    done = daemon.ctl("dump")
    assert body(done.stdout) == body(path.read_bytes())
    assert b"not confirmed" in done.stderr
