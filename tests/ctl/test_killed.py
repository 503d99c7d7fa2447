"""Killed in the middle, or out of room: one whole table stays in its place, always.

SPDX-License-Identifier: BSD-3-Clause
"""

import resource
import shutil
import subprocess
import time

import pytest

from dumps import Table, body, compose, nasty_rows, parse
from fixtures import fill_up

EX_CANTCREAT, EX_DATAERR = 73, 65
KILLS = 16
ROWS = 3000


def run_and_kill(command, after_s):
    """True when it was killed before its end."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() == -9


def seconds(command):
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - start


def clean_up(table):
    for name in table.beside():
        shutil.rmtree(table.directory.parent / name)


@pytest.mark.parametrize("what", ["load", "restore"])
def test_killed_at_any_time_the_old_table_or_the_new_one_is_there_whole(table, tmp_path, what):
    new = nasty_rows(ROWS, seed=2)
    path = tmp_path / "new.mupdate"
    path.write_bytes(compose(new))
    table.load(new)
    table.ctl("backup", tmp_path / "backup")
    command = table.command(*(["load", path] if what == "load"
                              else ["restore", tmp_path / "backup"]))
    whole = {body(table.dump()): "new"}
    takes = seconds(command)
    old = nasty_rows(ROWS, seed=3)
    table.load(old)
    whole[body(table.dump())] = "old"
    seen = []
    for number in range(KILLS):
        clean_up(table)
        killed = run_and_kill(command, takes * (number + 0.5) / KILLS)
        found = whole[body(table.dump())]
        assert killed or found == "new"
        if found == "new":
            # The old one is kept, whole.
            kept = [name for name in table.beside() if ".old-" in name]
            assert [whole[body(Table(tmp_path / name).dump())] for name in kept] == ["old"]
            table.load(old)
        seen.append((killed, found))
    assert (True, "old") in seen
    clean_up(table)
    # The next run is not troubled by what the last ones left.
    subprocess.run(command, check=True, capture_output=True)
    assert whole[body(table.dump())] == "new"


def test_a_backup_that_was_killed_has_no_name(table, tmp_path):
    table.load(nasty_rows(ROWS))
    before = table.dump()
    command = table.command("backup", tmp_path / "backup")
    takes = seconds(command)
    killed = 0
    for number in range(KILLS // 2):
        shutil.rmtree(tmp_path / "backup", ignore_errors=True)
        killed += run_and_kill(command, takes * (number + 0.5) / (KILLS // 2))
        if (tmp_path / "backup").exists():
            assert body(Table(tmp_path / "backup").dump()) == body(before)
    assert killed > 0
    assert body(table.dump()) == body(before)


def test_on_a_full_disk_nothing_is_changed(small_disk):
    prefix, inside, outside = small_disk
    table = Table(inside / "database", prefix)
    (outside / "old.mupdate").write_bytes(compose(nasty_rows(1000)))
    table.ctl("load", inside / "old.mupdate")
    before = table.dump()
    large = [(b"A", b"user.%05d" % number, b"one!p", b"x" * 60000, 1 + number, 1, b"m")
             for number in range(700)]
    (outside / "large.mupdate").write_bytes(compose(large))
    done = table.ctl("load", inside / "large.mupdate", status=None)
    assert done.returncode in (EX_CANTCREAT, EX_DATAERR), done
    assert b"nothing was changed in" in done.stderr
    assert sorted(path.name for path in outside.glob("database*")) == ["database"]
    assert body(table.dump()) == body(before)
    fill_up(outside / "filler")
    table.ctl("backup", inside / "backup", status=EX_CANTCREAT)
    assert not list(outside.glob("backup*"))
    assert body(table.dump()) == body(before)


def test_a_limit_on_the_size_of_files_is_like_a_full_disk(table, tmp_path):
    table.load(nasty_rows(1000))
    before = table.dump()
    path = tmp_path / "large.mupdate"
    path.write_bytes(compose((b"A", b"user.%05d" % number, b"one!p", b"x" * 60000, 1 + number, 1,
                              b"m") for number in range(700)))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (17 << 20, 17 << 20))

    done = table.ctl("load", path, status=None, preexec_fn=limit)
    assert done.returncode in (EX_CANTCREAT, EX_DATAERR), done
    assert b"nothing was changed in" in done.stderr
    assert body(table.dump()) == body(before)
    assert parse(table.dump())[0][0] == parse(before)[0][0]
