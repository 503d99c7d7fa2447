"""Killed in the middle of a repair: the damaged table is there as it was, or the new one, whole.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import shutil
import subprocess
import time

from dumps import Table, body, compose, nasty_rows
from tables import PAGE, flip, pages

KILLS = 20 if os.environ.get("DAMAGE") == "all" else 5


def octets_of(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()
            if path.is_file() and path.name != "lock"}


def clean_up(table):
    for name in table.beside():
        shutil.rmtree(table.directory.parent / name)


def test_killed_at_any_time_nothing_but_the_exchange_is_seen(tmp_path):
    table = Table(tmp_path / "table" / "database")
    table.directory.parent.mkdir()
    (tmp_path / "saved").write_bytes(compose(nasty_rows(2000)))
    table.ctl("load", tmp_path / "saved")
    good = body(table.dump())
    flip(table.directory / "rows.db", pages(table.directory / "rows.db", "leaf")[2] * PAGE + 999)
    damaged = octets_of(table.directory)
    shutil.copytree(table.directory, tmp_path / "damaged")
    command = table.command("repair")
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    takes = time.monotonic() - start
    assert body(table.dump()) == good
    seen = set()
    for number in range(KILLS):
        clean_up(table)
        shutil.rmtree(table.directory)
        shutil.copytree(tmp_path / "damaged", table.directory)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(takes * (number + 0.5) / KILLS)
            except subprocess.TimeoutExpired:
                process.kill()
            killed = process.wait() == -9
        if octets_of(table.directory) == damaged:
            seen.add("damaged")
            assert killed
            # The next run is not troubled by what this one left.
            table.ctl("repair")
        else:
            seen.add("repaired")
            old, = [name for name in table.beside() if ".old-" in name]
            assert octets_of(table.directory.parent / old) == damaged
        assert body(table.dump()) == good
        assert table.ctl("verify").stdout.startswith(b"GOOD")
    assert "damaged" in seen


def test_a_repair_on_a_full_disk_changes_nothing(small_disk):
    prefix, inside, outside = small_disk
    table = Table(inside / "database", prefix)
    (outside / "saved").write_bytes(compose(nasty_rows(500)))
    table.ctl("load", inside / "saved")
    seen_from_here = outside / "database"
    flip(seen_from_here / "rows.db", 2 * PAGE + 999)
    before = octets_of(seen_from_here)
    (outside / "filler").write_bytes(b"x" * (80 << 20))
    for arguments in (["verify"], ["repair"]):
        done = table.ctl(*arguments, status=73)
        assert b"No space left" in done.stderr
    assert octets_of(seen_from_here) == before
    assert not list(outside.glob("database.*")) + list(seen_from_here.glob("copy-*"))
