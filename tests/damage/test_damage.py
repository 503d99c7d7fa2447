"""Damage is planted into a table: verify finds it, mupdated never serves a wrong answer on it, and
repair saves what was acknowledged or says what is lost.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import os
import shutil
import struct

import pytest

import mupdated
from damages import CHANGES, DAMAGES, META, NEWER, OLD_ROW, ROWS, flip_log
from dumps import Table, nasty_rows, parse
from injection import needs_strace, strace
from tables import facts, make_loaded, make_old, make_young, plant, sequence

EX_DATAERR, EX_UNAVAILABLE = 65, 69


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """{name: the table}: stopped and killed, whose logs do not reach back, and young."""
    directory = tmp_path_factory.mktemp("tables")
    daemons = mupdated.Daemons(directory / "daemons")
    stopped, killed = make_old(daemons, directory)
    young = make_young(daemons, directory)
    daemons.end()
    loaded = make_loaded(directory, "loaded", nasty_rows(300))
    return {"loaded": loaded, "other": make_loaded(directory, "other", nasty_rows(300, seed=2)),
            "stopped": stopped, "killed": killed, "young": young}


@pytest.fixture
def copy_of(tables, tmp_path):
    """Makes a copy of a table, to damage."""
    def make(name):
        target = tmp_path / name
        shutil.copytree(tables[name].directory, target)
        return target
    return make


def octets_of(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()
            and path.name != "lock"}


def verify(directory, status):
    lines = [json.loads(line) for line in
             Table(directory).ctl("--json", "verify", status=status).stdout.splitlines()]
    return lines[:-1], lines[-1]


def serves(daemons, directory, rows):
    """Start a master on a copy: it must not start, or serve these rows, or close."""
    target = daemons.directory / "served"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(directory, target)
    daemon = daemons.make(database_directory=target)
    daemon.start(wait=False)
    mupdated.wait_for(lambda: daemon._ready_or_dead(), "mupdated to be ready or to end")
    if daemon.process.poll() is not None:
        assert daemon.wait() != 0
        assert "store: " in daemon.log() or "cannot read the table" in daemon.log()
        return "refuses"
    try:
        with daemon.client() as client:
            listed = {row[1]: row for row in client.list()}
    except (mupdated.Closed, ConnectionResetError):
        daemon.process.kill()
        daemon.wait()
        return "closes"
    wanted = {name: ("RESERVE" if row[0] == b"R" else "MAILBOX", name, row[2],
                     *([] if row[0] == b"R" else [row[3]])) for name, row in rows.items()}
    wrong = {name for name in wanted.keys() | listed.keys()
             if wanted.get(name) != listed.get(name)}
    assert not wrong, sorted(wrong)[:5]
    daemon.process.kill()
    daemon.wait()
    return "right"


def repair(directory, *options):
    """(what was said, the result) of a repair."""
    table = Table(directory)
    done = table.ctl("--json", "repair", *options, status=None)
    assert done.returncode in (0, 1), done
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["result"] == ("same" if done.returncode == 0 else "new history")
    return [line["repair"] for line in lines if line.get("lost")], lines[-1]


def check_repaired(directory, result, lost, table, expected):
    header, rows = facts(directory)
    verify(directory, 0)
    if expected == "same":
        assert (result["result"], lost) == ("same", [])
        assert (header[0], int(header[2]), result["confirmed"]) == (table.history, table.last, True)
        assert rows == table.rows
    else:
        assert result["result"] == "new history" and lost and not result["confirmed"]
        assert header[0] != table.history
        # What was not on a damaged page, or is in the log of changes, is there in any case.
        same = sum(rows.get(name) == row for name, row in table.rows.items())
        assert same >= {"all": 1, "some": 0.4, "none": 0}[expected] * len(table.rows)
        assert expected == "some" or len(rows) == same


# All of them take a while: "make check-damage". In between some of each kind.
PLANTED = DAMAGES if os.environ.get("DAMAGE") == "all" else DAMAGES[3::8]


@pytest.mark.parametrize("damage", PLANTED, ids=lambda damage: damage.what.replace(" ", "-"))
def test_planted(damage, tables, copy_of, daemons):
    directory = copy_of(damage.table)
    table = tables[damage.table]
    damage.plant(directory, tables)
    damaged = octets_of(directory)

    findings, verdict = verify(directory, 1)
    assert verdict["verdict"] == "damaged" and verdict["findings"] == sum(verdict["kinds"].values())
    kinds = {(finding["finding"], finding["file"]) for finding in findings}
    kinds |= {(kind, None) for kind, _ in kinds}
    assert kinds & damage.found, findings
    assert all(finding["do"] and finding["text"] for finding in findings)
    assert octets_of(directory) == damaged

    serves(daemons, directory, table.rows)

    tried = Table(directory).ctl("repair", "--dry-run", status=None)
    assert b"Nothing was changed" in tried.stdout, tried
    assert octets_of(directory) == damaged
    lost, result = repair(directory)
    assert tried.returncode == (0 if result["result"] == "same" else 1)
    check_repaired(directory, result, lost, table, damage.repaired)
    old, = directory.parent.glob(f"{directory.name}.old-*")
    assert octets_of(old) == damaged
    assert not list(directory.glob("copy-*")) + list(directory.parent.glob("*.new-*"))

    if damage.saved:
        saved = table.saved.with_name("saved" if damage.saved == "--dump" else "saved.backup")
        lost, result = repair(old, damage.saved, saved)
        check_repaired(old, result, lost, table, damage.again)


def test_at_least_thirty_damages_are_planted():
    assert len(DAMAGES) >= 30
    assert len({damage.what for damage in DAMAGES}) == len(DAMAGES)


@pytest.mark.parametrize("name", ["stopped", "killed", "young"])
def test_a_good_table_is_good_and_stays_as_it_is(name, tables, copy_of, daemons):
    directory = copy_of(name)
    before = octets_of(directory)
    findings, verdict = verify(directory, 0)
    assert (findings, verdict["verdict"]) == ([], "good")
    assert verdict["rows"] == len(tables[name].rows) and verdict["sequence"] == tables[name].last
    assert verdict["history"].encode() == tables[name].history and verdict["confirmed"]
    assert b"nothing to repair" in Table(directory).ctl("repair").stdout
    assert octets_of(directory) == before
    assert serves(daemons, directory, tables[name].rows) == "right"


def test_a_table_of_a_newer_format_is_left_to_the_newer_program(copy_of, daemons):
    directory = copy_of("stopped")
    plant(directory, META, "put", b"format", NEWER)
    before = octets_of(directory)
    for command in ("verify", "repair"):
        error = Table(directory).ctl(command, status=EX_DATAERR).stderr
        assert b"has format 99" in error and b"use the newer program" in error
    assert serves(daemons, directory, {}) == "refuses"
    assert octets_of(directory) == before


@needs_strace
def test_what_the_disk_cannot_read_is_damage_and_not_a_write_that_was_not_finished(copy_of):
    directory = copy_of("killed")
    log, = directory.glob("log.*")
    table = Table(directory)

    def on_a_bad_disk(*arguments):
        return strace(table.command(*arguments), "-P", log, "-e", "trace=pread64", "-o",
                      "/dev/null", "-e", "inject=pread64:error=EIO:when=1+")
    done = on_a_bad_disk("verify")
    assert done.returncode == 1 and b"log.0000000002: the disk cannot read all of it" in done.stdout
    # What mupdated refuses repair does not take for good.
    assert on_a_bad_disk("dump").returncode == EX_DATAERR
    done = on_a_bad_disk("repair", "--dry-run")
    assert done.returncode == 1 and b"Something may be lost" in done.stdout, done


def test_a_backup_with_a_damaged_log_is_not_restored_as_a_shorter_one(copy_of, tmp_path):
    directory = copy_of("killed")
    flip_log(directory, None)
    done = Table(tmp_path / "restored").ctl("restore", directory, status=EX_DATAERR)
    assert b"changes may be lost" in done.stderr
    assert b"--database %s verify" % str(directory).encode() in done.stderr


@pytest.mark.parametrize("name", ["loaded", "stopped"])
@pytest.mark.parametrize("command", [["dump"], ["export"], ["compact"], ["backup", "{target}"],
                                     ["restore", "{source}"]], ids=lambda words: words[0])
def test_a_table_that_lacks_a_row_is_not_taken_for_a_good_one(name, command, tables, copy_of,
                                                             tmp_path):
    directory = copy_of(name)
    plant(directory, ROWS, "delete", OLD_ROW if name == "stopped" else min(tables[name].rows))
    before = (directory / ROWS).read_bytes()
    words = [word.format(target=tmp_path / "backup", source=directory) for word in command]
    table = Table(tmp_path / "restored" if command[0] == "restore" else directory)
    done = table.ctl(*words, status=EX_DATAERR)
    rows = len(tables[name].rows)
    assert b"it holds %d rows, and must hold %d" % (rows - 1, rows) in done.stderr
    assert not done.stdout and not (tmp_path / "restored").exists()
    assert (directory / ROWS).read_bytes() == before


def test_the_rows_can_be_dumped_whatever_the_last_change_is(tables, copy_of):
    directory = copy_of("stopped")
    plant(directory, CHANGES, "put", sequence(tables["stopped"].last), b"\2")
    header, rows = parse(Table(directory).dump())
    assert {row[1]: row for row in rows} == tables["stopped"].rows
    assert int(header[2]) == tables["stopped"].last


def test_files_that_are_left_over_do_no_harm(tables, copy_of, daemons):
    directory = copy_of("stopped")
    for name in ("__db.001", "__db.rep.system", "next-log", "next-log.part", "core"):
        (directory / name).write_bytes(b"rubbish" * 1000)
    (directory / "copy-abcdef").mkdir()
    (directory / "copy-abcdef" / "rows.db").write_bytes(b"")
    assert verify(directory, 0)[1]["verdict"] == "good"
    assert serves(daemons, directory, tables["stopped"].rows) == "right"


def test_a_table_in_use_is_verified_by_a_copy_and_not_repaired(start):
    daemon = start()
    with daemon.client() as client:
        for number in range(50):
            client.ok("ACTIVATE", f"user.{number}", "one.test!p", "x")
        found = json.loads(daemon.ctl("--json", "verify").stdout.splitlines()[-1])
        assert (found["verdict"], found["rows"], found["sequence"]) == ("good", 50, 50)
        client.ok("ACTIVATE", "user.more", "one.test!p", "x")
    error = daemon.ctl("repair", status=EX_UNAVAILABLE).stderr
    assert b"stop mupdated" in error
    mupdated.wait_for(lambda: not list(daemon.settings["database_directory"].glob("copy-*")),
                      "the copies to be removed")


def test_a_table_that_was_not_confirmed_is_not_confirmed_by_a_repair(tables, copy_of):
    directory = copy_of("stopped")
    plant(directory, META, "put", b"confirmed", b"\0")
    assert not verify(directory, 0)[1]["confirmed"]
    octets = bytearray((directory / "rows.db").read_bytes())
    number, = struct.unpack_from("<I", octets, 88)
    octets[number * 4096 + 4000] ^= 1
    (directory / "rows.db").write_bytes(octets)
    _, result = repair(directory)
    assert (result["result"], result["confirmed"]) == ("same", False)
    assert facts(directory)[1] == tables["stopped"].rows
    assert not verify(directory, 0)[1]["confirmed"]


def test_a_dump_of_another_table_is_refused(tables, copy_of, tmp_path):
    directory = copy_of("stopped")
    (directory / "rows.db").unlink()
    other = Table(copy_of("young"))
    (tmp_path / "other").write_bytes(other.dump())
    before = octets_of(directory)
    done = Table(directory).ctl("repair", "--dump", tmp_path / "other", status=None)
    assert done.returncode == 65 and b"another history" in done.stderr
    assert octets_of(directory) == before and parse(other.dump())[0][0] == tables["young"].history


def test_what_can_no_longer_be_said_is_counted(tables, copy_of):
    directory = copy_of("stopped")
    octets = bytearray((directory / "rows.db").read_bytes())
    for number in range(1, len(octets) // 4096):
        octets[number * 4096 + 2000] ^= 1
    (directory / "rows.db").write_bytes(octets)
    text = Table(directory).ctl("verify", status=1).stdout.decode()
    assert "more of this kind (page)" in text and "DAMAGED" in text
    assert "mupdatectl repair --dry-run" in text
    assert text.count("its checksum is wrong") <= 20 and tables
