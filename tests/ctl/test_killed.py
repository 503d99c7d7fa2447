"""Killed in the middle, or out of room: one whole table stays in its place, always.

SPDX-License-Identifier: BSD-3-Clause
"""

import resource
import shutil

import pytest

from dumps import Table, body, compose, nasty_rows, parse
from fixtures import fill_up
from injection import choose, needs_strace, points, strike

EX_DATAERR, EX_CANTCREAT, EX_IOERR = 65, 73, 74
ROWS = 300
KILLS = 4
ERRORS = 3


def large_rows():
    """Some 40 MB."""
    return [(b"A", b"user.%05d" % number, b"one!p", b"x" * 60000, 1 + number, 1, b"m")
            for number in range(700)]


class Trial:
    """A table, and a command that would make another one of it (compact: the same, anew)."""

    def __init__(self, table, tmp_path, what):
        self.table = table
        new, self.rows = nasty_rows(ROWS, seed=2), nasty_rows(ROWS, seed=3)
        path = tmp_path / "new.mupdate"
        path.write_bytes(compose(new))
        self.whole = {}
        if what != "compact":
            table.load(new)
            self.whole[body(table.dump())] = "new"
            table.ctl("backup", tmp_path / "backup")
        self.arguments = {"load": ["load", path], "restore": ["restore", tmp_path / "backup"],
                          "compact": ["compact"]}[what]
        self.command = table.command(*self.arguments)
        self.set_up()
        self.whole[body(table.dump())] = "old"
        self.points = points(self.command, tmp_path / "trace")
        self.set_up()

    def set_up(self):
        for name in self.table.beside():
            shutil.rmtree(self.table.directory.parent / name)
        self.table.load(self.rows)
        for name in self.table.beside():
            shutil.rmtree(self.table.directory.parent / name)

    def there(self):
        """Which table is in its place."""
        return self.whole[body(self.table.dump())]


@needs_strace
@pytest.mark.parametrize("what", ["load", "restore", "compact"])
def test_killed_at_any_point_the_old_table_or_the_new_one_is_there_whole(table, tmp_path, what):
    trial = Trial(table, tmp_path, what)
    end = "old" if what == "compact" else "new"
    seen, left = set(), set()
    for point in choose(trial.points, KILLS):
        done = strike(trial.command, point, "signal=KILL")
        assert done.returncode == -9, (point, done)
        there = trial.there()
        new = set(table.beside()) - left
        put_away = [name for name in new if ".old-" in name]
        seen.add((there, not any(".new-" in name for name in new) and bool(put_away)))
        for name in put_away:
            # The old one is kept, whole; or the new one, which did not get its place.
            kept = trial.whole[body(Table(tmp_path / name).dump())]
            assert what == "compact" or {kept, there} == {"old", "new"}, (point, kept, there)
        left |= new
        if there == "new":
            trial.set_up()
            left.clear()
    assert ("old", False) in seen and (end, True) in seen
    # The next run is not troubled by what the last ones left, and names it.
    strike(trial.command, choose(trial.points, KILLS)[KILLS // 2], "signal=KILL")
    left = table.beside()
    text = table.ctl(*trial.arguments).stdout.decode()
    assert trial.there() == end
    assert left and all(name in text for name in left), (left, text)
    assert "left by a run that did not get to its end" in text


@needs_strace
@pytest.mark.parametrize("what", ["load", "restore", "compact"])
def test_when_the_disk_is_full_at_any_point_nothing_is_changed(table, tmp_path, what):
    trial = Trial(table, tmp_path, what)
    before = table.dump()
    writing = [point for point in trial.points
               if point[0] in ("pwrite64", "mkdir", "fdatasync", "renameat2", "fsync")]
    refused = 0
    for point in choose(writing, ERRORS):
        done = strike(trial.command, point, "error=ENOSPC")
        if done.returncode == 0 or b"run sync before" in done.stderr:
            # What failed then was not needed, such as the pid in the lock's file, or came behind
            # the exchange.
            assert trial.there() == ("old" if what == "compact" else "new"), (point, done)
            trial.set_up()
            before = table.dump()
            continue
        assert done.returncode in (EX_CANTCREAT, EX_DATAERR, EX_IOERR), (point, done)
        assert point[0] in ("fsync", "fdatasync") or b"No space left on device" in done.stderr, (
            point, done)
        assert b"nothing was changed in" in done.stderr or not table.beside(), (point, done)
        assert trial.table.beside() == [], point
        assert body(table.dump()) == body(before), point
        refused += 1
    assert refused >= 2


@needs_strace
def test_a_dump_and_a_backup_are_there_whole_or_not_at_all(table, tmp_path):
    table.load(nasty_rows(ROWS))
    before = table.dump()
    file, directory = tmp_path / "dump", tmp_path / "backup"
    for command, target in ((table.command("dump", "-o", file), file),
                            (table.command("backup", directory), directory)):
        found = points(command, tmp_path / "trace", "write,pwrite64,fsync,fdatasync,rename,mkdir,"
                       "renameat2")
        for how, statuses in (("signal=KILL", (-9,)),
                              ("error=ENOSPC", (EX_CANTCREAT, EX_IOERR, EX_DATAERR, 0))):
            for point in choose(found, ERRORS):
                if target.is_dir():
                    shutil.rmtree(target)
                target.unlink(missing_ok=True)
                done = strike(command, point, how)
                assert done.returncode in statuses, (point, done)
                if target == file and target.exists():
                    assert body(file.read_bytes()) == body(before)
                elif target.exists():
                    assert body(Table(directory).dump()) == body(before)
                else:
                    assert done.returncode != 0
                if "error" in how and done.returncode != 0:
                    # What was begun is taken away; what is there is whole, and said to be.
                    assert not target.exists() or b"is made" in done.stderr, (point, done)
    assert body(table.dump()) == body(before)


def test_on_a_full_disk_nothing_is_changed(small_disk):
    prefix, inside, outside = small_disk
    table = Table(inside / "database", prefix)
    (outside / "old.mupdate").write_bytes(compose(nasty_rows(1000)))
    table.ctl("load", inside / "old.mupdate")
    before = table.dump()
    table.ctl("backup", inside / "backup")
    (outside / "large.mupdate").write_bytes(compose(large_rows()))
    done = table.ctl("load", inside / "large.mupdate", status=None)
    assert done.returncode in (EX_CANTCREAT, EX_DATAERR), done
    assert b"nothing was changed in" in done.stderr
    assert sorted(path.name for path in outside.glob("database*")) == ["database"]
    assert body(table.dump()) == body(before)
    fill_up(outside / "filler")
    table.ctl("backup", inside / "another", status=EX_CANTCREAT)
    for command in (["restore", inside / "backup"], ["compact"], ["load", inside / "old.mupdate"]):
        done = table.ctl(*command, status=None)
        assert done.returncode in (EX_CANTCREAT, EX_DATAERR, EX_IOERR), done
        assert b"nothing was changed in" in done.stderr, done
    done = table.ctl("dump", "-o", inside / "dump", status=None)
    assert done.returncode in (EX_CANTCREAT, EX_IOERR), done
    assert sorted(path.name for path in outside.iterdir()) == [
        "backup", "database", "filler", "large.mupdate", "old.mupdate"]
    assert body(table.dump()) == body(before)


def test_a_limit_on_the_size_of_files_is_like_a_full_disk(table, tmp_path):
    table.load(nasty_rows(1000))
    before = table.dump()
    path = tmp_path / "large.mupdate"
    path.write_bytes(compose(large_rows()))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (17 << 20, 17 << 20))

    done = table.ctl("load", path, status=None, preexec_fn=limit)
    assert done.returncode in (EX_CANTCREAT, EX_DATAERR), done
    assert b"nothing was changed in" in done.stderr
    assert body(table.dump()) == body(before)
    assert parse(table.dump())[0][0] == parse(before)[0][0]
