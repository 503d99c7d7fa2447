"""mupdatectl dump: what it writes, and that load takes it back.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import hashlib
import json
import os
import stat
import subprocess

import pytest

from dumps import Table, body, compose, nasty_rows, parse
from fixtures import fill_up
from mupdated import CTL

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE = 64, 65, 66, 69
EX_CANTCREAT, EX_IOERR, EX_NOPERM = 73, 74, 77


def test_a_dump_loaded_and_dumped_again_is_the_same_but_for_history_and_time(table):
    rows = nasty_rows(1000)
    loaded = table.load(rows)
    first = table.dump()
    assert body(first) == body(loaded)
    assert parse(first)[1] == rows
    table.load(parse(first)[1])
    second = table.dump()
    assert body(second) == body(first)
    (history, term, sequence, count, _, server), _ = parse(first)
    assert (term, sequence, count, server) == (b"1", b"1000", b"1000", None)
    assert parse(second)[0][1:4] == (term, sequence, count)
    assert len({history, parse(second)[0][0], b"0" * 32}) == 3


def test_a_running_masters_changes_are_dumped_as_they_were_made(start):
    daemon = start()
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", "one.test!p")
        client.ok("ACTIVATE", "user.b", "one.test!p", "anna\tlrs\t")
        client.ok("ACTIVATE", b"user.\xff\" \\", "two.test", "")
        client.ok("DELETE", "user.a")
    daemon.stop()
    (_, _, sequence, _, _, _), rows = parse(daemon.ctl("dump").stdout)
    assert sequence == b"4"
    assert [row[:5] + row[6:] for row in rows] == [
        (b"A", b"user.b", b"one.test!p", b"anna\tlrs\t", 2, b"murder"),
        (b"A", b"user.\xff\" \\", b"two.test", b"", 3, b"murder")]


def test_a_master_that_cannot_be_asked_is_told_of(start):
    daemon = start(control_socket="none")
    for arguments in (["dump"], ["confirm"], ["backup", daemon.directory / "backup"]):
        done = daemon.ctl(*arguments, status=EX_UNAVAILABLE)
        assert b"in use by process" in done.stderr and b"control_socket" in done.stderr
    assert not (daemon.directory / "backup").exists()
    assert not list(daemon.directory.glob("backup*"))


def test_one_server_only(table):
    rows = nasty_rows(100)
    table.load(rows)
    header, found = parse(table.ctl("dump", "--server", "backend3.example.org").stdout)
    assert header[5] == b"backend3.example.org"
    assert found == [row for row in rows if row[2].startswith(b"backend3.")]
    assert parse(table.ctl("dump", "--server", "nobody").stdout)[1] == []


def test_json_has_the_same_rows_and_a_digest(table):
    rows = nasty_rows(300)
    table.load(rows)
    octets = table.ctl("dump", "--json").stdout
    lines = octets.splitlines(keepends=True)
    header, trailer = json.loads(lines[0]), json.loads(lines[-1])
    assert header["mupdate_dump"] == 1 and header["order"] == "octet"
    assert (header["rows"], header["sequence"], header["term"]) == (300, 300, 1)
    assert trailer == {"end": True, "rows": 300,
                       "sha256": hashlib.sha256(b"".join(lines[:-1])).hexdigest()}

    def text(one, key):
        if key + "_base64" in one:
            return base64.b64decode(one[key + "_base64"])
        return one[key].encode()

    found = []
    for each in lines[1:-1]:
        one = json.loads(each)
        active = one["state"] == "active"
        found.append((b"A" if active else b"R", text(one, "name"), text(one, "location"),
                      text(one, "acl") if active else b"", one["sequence"], one["time_us"],
                      text(one, "who")))
    assert found == rows


def test_a_file_is_there_whole_or_not_at_all_and_for_its_owner_only(table, tmp_path):
    table.load(nasty_rows(50))
    path = tmp_path / "table.mupdate"
    path.write_text("the last one")
    path.chmod(0o644)
    table.ctl("dump", "-o", path)
    assert body(path.read_bytes()) == body(table.dump())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.glob("table.*")] == ["table.mupdate"]
    table.ctl("dump", "-o", tmp_path / "no" / "such", status=EX_CANTCREAT)
    # What is no regular file is written to, not replaced.
    table.ctl("dump", "-o", "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_full_disk_leaves_the_last_dump(table, small_disk):
    prefix, inside, outside = small_disk
    rows = [(b"A", b"user.%05d" % number, b"one!p", b"x" * 60000, 1 + number, 1, b"m")
            for number in range(100)]
    small = nasty_rows(10)
    inner = Table(inside / "database", prefix)
    (outside / "small").write_bytes(compose(small))
    inner.ctl("load", inside / "small")
    inner.ctl("dump", "-o", inside / "table.mupdate")
    good = (outside / "table.mupdate").read_bytes()
    table.load(rows)
    fill_up(outside / "filler")
    # Half of what the dump needs.
    os.truncate(outside / "filler", (outside / "filler").stat().st_size - (3 << 20))
    done = subprocess.run([*prefix, CTL, "-C", "/dev/null", "--database", table.directory, "dump",
                           "-o", inside / "table.mupdate"], capture_output=True, check=False)
    assert done.returncode == EX_IOERR and b"No space left" in done.stderr
    assert (outside / "table.mupdate").read_bytes() == good
    assert not list(outside.glob("*.part-*"))


def test_a_reader_that_goes_away_is_no_crash(table):
    table.load(nasty_rows(5000))
    with subprocess.Popen(table.command("dump"), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(60) == EX_IOERR
        assert process.stderr.read() == b""


def test_where_there_is_no_table_the_tool_says_so_and_makes_none(table):
    assert b"no such directory" in table.ctl("dump", status=EX_NOINPUT).stderr
    assert not table.directory.exists()
    table.directory.mkdir()
    assert b"there is no table" in table.ctl("dump", status=EX_NOINPUT).stderr
    # Nor is anything left that verify would take for the rest of a table.
    assert [path.name for path in table.directory.iterdir()] == ["lock"]
    assert b"there is no table" in table.ctl("verify", status=EX_NOINPUT).stderr
    table.directory.joinpath("lock").unlink()
    table.directory.rmdir()
    table.directory.touch()
    assert b"no directory" in table.ctl("dump", status=EX_NOINPUT).stderr


def test_a_missing_configuration_is_named(tmp_path):
    done = subprocess.run([CTL, "-C", tmp_path / "none.conf", "dump"], capture_output=True,
                          check=False)
    assert done.returncode == 78 and b"none.conf" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_roots_work_leaves_nothing_of_roots_and_others_are_refused(table, tmp_path):
    table.load(nasty_rows(20))
    nobody = 65534
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path.stat().st_mode & 0o005 != 0o005:
            path.chmod(path.stat().st_mode | 0o055)
    for path in (table.directory, *table.directory.iterdir()):
        os.chown(path, nobody, nobody)
    table.ctl("dump", "-o", tmp_path / "table.mupdate")
    table.ctl("load", tmp_path / "table.mupdate")
    table.ctl("confirm")
    backup = tmp_path / "backup"
    table.ctl("backup", backup)
    table.ctl("restore", backup)
    for place in (table.directory, backup):
        for path in (place, *place.iterdir()):
            assert (path.stat().st_uid, path.stat().st_gid) == (nobody, nobody), path
    done = table.ctl("dump", status=EX_NOPERM, user=12345, group=12345, extra_groups=[])
    assert b"run this as root" in done.stderr
