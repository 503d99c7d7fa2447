"""mupdatectl load and confirm: all or nothing, and only what is good.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import os
import re

import pytest

from dumps import body, compose, line, nasty_rows, parse, seal
from mupdated import row

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_CANTCREAT = 64, 65, 66, 69, 73


@pytest.fixture
def loaded(table):
    """A table with rows, confirmed."""
    table.load(nasty_rows(1000))
    table.ctl("confirm")
    return table


def is_untouched(table, before):
    assert table.dump() == before or body(table.dump()) == body(before)
    assert parse(table.dump())[0][:4] == parse(before)[0][:4]
    assert not [name for name in table.beside() if ".new-" in name]


def test_a_load_says_what_it_did_and_what_is_to_be_done(table, tmp_path):
    path = tmp_path / "a.mupdate"
    path.write_bytes(compose(nasty_rows(10), sequence=77))
    text = table.ctl("load", path).stdout.decode()
    assert "Loaded 10 rows; the next change will have the number 78." in text
    assert "not confirmed" in text and "mupdatectl confirm" in text
    text = table.ctl("load", path).stdout.decode()
    old = re.search(r"The one before it is in (\S+);", text)[1]
    assert table.beside() == [os.path.basename(old)]
    # The one that was put away is a whole table.
    assert parse(table.ctl("--database", old, "dump").stdout)[1] == nasty_rows(10)


def test_numbers_go_on_behind_the_loaded_ones(start):
    daemon = start()
    path = daemon.directory / "a.mupdate"
    path.write_bytes(compose(nasty_rows(10), sequence=77))
    daemon.stop()
    daemon.ctl("load", path)
    daemon.ctl("confirm")
    daemon.start()
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.new", "one.test!p", "x")
        assert client.find("user.new") == row("MAILBOX", "user.new", "one.test!p", "x")
    daemon.stop()
    daemon.check_database()
    header, rows = parse(daemon.ctl("dump").stdout)
    assert header[2] == b"78"
    assert [one[4] for one in rows if one[1] == b"user.new"] == [78]


def test_while_the_master_runs_nothing_is_loaded(start):
    daemon = start()
    path = daemon.directory / "a.mupdate"
    path.write_bytes(compose(nasty_rows(10)))
    assert b"in use by process" in daemon.ctl("load", path, status=EX_UNAVAILABLE).stderr
    assert not list(daemon.directory.glob("database.*"))


def change(octets, what):
    """A dump with a fault, and the number of the line where it is."""
    lines = octets.splitlines(keepends=True)
    if what == "cut off":
        return octets[:len(octets) // 2], octets[:len(octets) // 2].count(b"\n") + 1
    if what == "without trailer":
        return b"".join(lines[:-1]), len(lines)
    if what == "empty":
        return b"", 1
    if what == "flipped":
        at = octets.index(b"anna")
        return octets[:at] + b"A" + octets[at + 1:], len(lines)
    if what == "a line is missing":
        return b"".join(lines[:5] + lines[6:]), len(lines) - 1
    if what == "two lines changed places":
        return seal(b"".join(lines[:5] + [lines[6], lines[5]] + lines[7:-1])), 7
    if what == "a name twice":
        return seal(b"".join(lines[:6] + [lines[5]] + lines[6:-1])), 7
    if what == "a bad location":
        return seal(b"".join(lines[:5] + [lines[5].replace(b"!default", b"!a!b")] + lines[6:-1])), 6
    if what == "newer":
        return octets.replace(b"mupdate-dump 1", b"mupdate-dump 2"), 1
    if what == "JSON":
        return b'{"mupdate_dump":1}\n', 1
    if what == "more behind":
        return octets + b"\n", len(lines) + 1
    raise KeyError(what)


@pytest.mark.parametrize("what", ["cut off", "without trailer", "empty", "flipped",
                                  "a line is missing", "two lines changed places", "a name twice",
                                  "a bad location", "newer", "JSON", "more behind"])
def test_a_dump_with_a_fault_is_refused_with_file_and_line(loaded, tmp_path, what):
    before = loaded.dump()
    path = tmp_path / "bad.mupdate"
    octets, number = change(compose(nasty_rows(200)), what)
    path.write_bytes(octets)
    for arguments in (["load", path], ["load", "--dry-run", path]):
        error = loaded.ctl(*arguments, status=EX_DATAERR).stderr.decode()
        assert f"{path}:{number}: " in error
        assert "take another dump" in error
    is_untouched(loaded, before)
    assert loaded.beside() == []


def test_no_more_than_twenty_complaints(loaded, tmp_path):
    path = tmp_path / "bad.mupdate"
    path.write_bytes(seal(compose(nasty_rows(1)).splitlines(keepends=True)[0] + b"nonsense\n" * 99))
    error = loaded.ctl("load", path, status=EX_DATAERR).stderr.decode()
    assert error.count(f"{path}:") == 20


def test_the_limits_of_the_configuration_hold(start):
    daemon = start(limit_name="1K")
    daemon.stop()
    path = daemon.directory / "a.mupdate"
    path.write_bytes(compose([(b"A", b"x" * 1025, b"one!p", b"", 1, 1, b"m")]))
    assert b"a.mupdate:2: mailbox name is too long" in daemon.ctl(
        "load", path, status=EX_DATAERR).stderr
    daemon.configure(limit_name="2K")
    daemon.ctl("load", path)


def test_a_dump_of_one_server_is_no_table(loaded, tmp_path):
    path = tmp_path / "a.mupdate"
    loaded.ctl("dump", "-o", path, "--server", "backend3.example.org")
    before = loaded.dump()
    assert b"one server only" in loaded.ctl("load", path, status=EX_DATAERR).stderr
    is_untouched(loaded, before)


def test_an_empty_dump_is_taken_only_when_it_is_meant(loaded, tmp_path):
    path = tmp_path / "a.mupdate"
    path.write_bytes(compose([], sequence=2000))
    before = loaded.dump()
    assert b"--allow-empty" in loaded.ctl("load", path, status=EX_DATAERR).stderr
    is_untouched(loaded, before)
    loaded.ctl("load", "--allow-empty", path)
    assert parse(loaded.dump())[1] == []


def test_what_is_no_file_is_refused(loaded, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "none", tmp_path, tmp_path / "fifo"):
        loaded.ctl("load", path, status=EX_NOINPUT)
    loaded.ctl("load", status=EX_USAGE)


def test_a_dry_run_shows_the_differences_by_server_and_changes_nothing(table, tmp_path):
    def one(name, server, acl=b"a\tlrs\t", state=b"A"):
        return (state, name, server + b"!p", acl if state == b"A" else b"", 1, 1, b"m")

    table.load([one(b"same", b"be1"), one(b"gone", b"be1"), one(b"acl", b"be1"),
                one(b"state", b"be2"), one(b"moves", b"be1")])
    before = table.dump()
    path = tmp_path / "a.mupdate"
    path.write_bytes(compose([one(b"same", b"be1"), one(b"new", b"be3"),
                              one(b"acl", b"be1", b"b\tl\t"), one(b"state", b"be2", state=b"R"),
                              one(b"moves", b"be2")]))
    found = [json.loads(each) for each in
             table.ctl("--json", "load", "--dry-run", path).stdout.splitlines()]
    keys = ("same", "added", "removed", "changed", "arrived", "left")
    assert {each.get("server"): tuple(each[key] for key in keys) for each in found} == {
        "be1": (1, 0, 1, 1, 0, 1), "be2": (0, 0, 0, 1, 1, 0), "be3": (0, 1, 0, 0, 0, 0),
        None: (1, 1, 1, 2, 1, 1)}
    text = table.ctl("load", "--dry-run", path).stdout.decode()
    assert "nothing was changed" in text
    assert re.search(r"^ +1 +0 +1 +1 +0 +1  be1$", text, re.MULTILINE)
    is_untouched(table, before)
    assert table.beside() == []


def test_a_dry_run_works_where_there_is_no_table_yet(table, tmp_path):
    path = tmp_path / "a.mupdate"
    path.write_bytes(compose(nasty_rows(10)))
    found = table.ctl("--json", "load", "--dry-run", path).stdout.splitlines()[-1]
    assert json.loads(found)["added"] == 10
    assert not table.directory.exists()


def test_a_table_that_cannot_be_opened_can_be_replaced(loaded, tmp_path):
    path = tmp_path / "a.mupdate"
    path.write_bytes(compose(nasty_rows(10)))
    (loaded.directory / "rows.db").write_bytes(b"x" * 8192)
    loaded.ctl("dump", status=EX_DATAERR)
    loaded.ctl("load", path)
    assert parse(loaded.dump())[1] == nasty_rows(10)


def test_what_cannot_be_exchanged_is_refused_before_the_work(small_disk):
    from dumps import Table
    prefix, inside, outside = small_disk
    (outside / "a.mupdate").write_bytes(compose(nasty_rows(10)))
    # The file system itself is the directory.
    done = Table(inside, prefix).ctl("load", inside / "a.mupdate", status=EX_CANTCREAT)
    assert b"a file system of its own" in done.stderr
    assert sorted(path.name for path in outside.iterdir()) == ["a.mupdate"]


def test_leftovers_are_named(loaded, tmp_path):
    path = tmp_path / "a.mupdate"
    path.write_bytes(compose(nasty_rows(10)))
    (tmp_path / "database.new-abcdef").mkdir()
    (tmp_path / "database.old-20200101T000000Z").mkdir()
    text = loaded.ctl("load", path).stdout.decode()
    assert "database.new-abcdef: left by a run that did not get to its end" in text
    assert "database.old-20200101T000000Z: put away by an earlier run" in text


def test_confirm_says_what_it_did(loaded, tmp_path):
    assert b"was confirmed already" in loaded.ctl("confirm").stdout
    path = tmp_path / "a.mupdate"
    path.write_bytes(compose(nasty_rows(10)))
    loaded.ctl("load", path)
    assert b"is not confirmed" in loaded.ctl("dump").stderr
    assert b"is confirmed" in loaded.ctl("confirm").stdout
    assert loaded.ctl("dump").stderr == b""
    assert json.loads(loaded.ctl("--json", "confirm").stdout) == {"confirmed": True, "before": True}


def test_a_row_written_by_another_program_is_as_good(table):
    """The form is documented: what others write by the book is taken."""
    text = (b"mupdate-dump 1 history=%s term=9 sequence=5 rows=1 order=octet "
            b"time=1999-12-31T23:59:59Z\n" % (b"ab" * 16)
            + line((b"A", b"user.a", b"one!p", b"", 5, -1, b"")))
    path = table.directory.parent / "a.mupdate"
    path.write_bytes(seal(text))
    table.ctl("load", path)
    assert parse(table.dump())[1] == [(b"A", b"user.a", b"one!p", b"", 5, -1, b"")]
