"""The tables that are damaged, and what to damage them with.

SPDX-License-Identifier: BSD-3-Clause
"""

import dataclasses
import pathlib
import shutil
import struct
import subprocess
import typing

from dumps import Table, parse
from mupdated import BUILD

PLANT = BUILD / "tests" / "damage" / "plant"
PAGE = 4096
KINDS = {0: "free", 3: "internal", 5: "leaf", 7: "overflow", 9: "meta"}
HERE, THERE = "one.test!p", "two.test!q"
LONG = "user." + "x" * 600 + "."


@dataclasses.dataclass
class Made:
    """A table that is stopped or was killed, and what was acknowledged of it."""

    directory: pathlib.Path
    rows: dict  # name -> the whole row as a dump has it
    history: bytes
    last: int
    saved: pathlib.Path = None  # a dump, and beside it a backup, of a moment before


def keep(daemon, target):
    """A copy of the database of a daemon that does not run: its files, and no spare room."""
    target.mkdir()
    for path in daemon.settings["database_directory"].iterdir():
        if path.name.endswith(".db") or path.name.startswith("log."):
            subprocess.run(["cp", "--sparse=always", path, target], check=True)
    return target


def facts(directory):
    """(header, rows by name) of a good table, which stays as it is."""
    copy = directory.with_name(directory.name + ".look")
    shutil.copytree(directory, copy)
    header, rows = parse(Table(copy).dump())
    shutil.rmtree(copy)
    return header, {row[1]: row for row in rows}


def made(directory, saved=None):
    header, rows = facts(directory)
    return Made(directory, rows, header[0], int(header[2]), saved)


def all_ok(client, commands):
    assert set(client.set_many(commands)) == {"OK"}


def fill(client):
    """Rows whose changes will not be kept; pages of all kinds."""
    all_ok(client, [("ACTIVATE", f"{LONG}{number:04}", HERE, "anna\tlrs\t")
                    for number in range(250)])
    all_ok(client, [("ACTIVATE", f"user.{number:04}", HERE,
                     "anna\tlrs\t" * (900 if number % 20 == 0 else 1)) for number in range(200)])
    all_ok(client, [("RESERVE", f"user.reserved.{number}", THERE) for number in range(20)])


def change(client, begin):
    """Changes that are kept: of new rows, of some that were there, and deletions."""
    all_ok(client, [("ACTIVATE", f"user.new.{begin + number}", THERE, "bert\tlrs\t")
                    for number in range(60)])
    all_ok(client, [("ACTIVATE", f"user.{number:04}", THERE, "x")
                    for number in range(begin, begin + 20)])
    all_ok(client, [("DELETE", f"user.{number:04}")
                    for number in range(begin + 20, begin + 40)])


def make_old(daemons, directory):
    """(stopped, killed): neither log reaches back to the begin."""
    daemon = daemons.start(log_changes=1000, subscriber_backlog=1000)
    with daemon.client() as client:
        fill(client)
        # Berkeley DB's log is in its second file then, and pages become free.
        big = "z" * 60000
        all_ok(client, [("ACTIVATE", f"user.big.{number}", HERE, big) for number in range(80)])
        all_ok(client, [("DELETE", f"user.big.{number}") for number in range(80)])
        for turn in range(5):
            all_ok(client, [("ACTIVATE", f"user.busy.{number}", HERE, f"{turn}")
                            for number in range(500)])
        saved = directory / "saved"
        daemon.ctl("dump", "-o", saved)
        daemon.ctl("backup", directory / "saved.backup")
        change(client, 0)
    daemon.stop()
    stopped = made(keep(daemon, directory / "stopped"), saved)
    assert not (stopped.directory / "log.0000000001").exists()
    daemon.start()
    with daemon.client() as client:
        change(client, 100)
        daemon.kill()
    killed = made(keep(daemon, directory / "killed"), saved)
    assert killed.last == stopped.last + 100
    return stopped, killed


def make_loaded(directory, name, rows):
    """Without any changes."""
    (directory / name).mkdir()
    table = Table(directory / name / "database")
    table.load(rows)
    for path in table.directory.iterdir():
        if path.name in ("ballast", "next-log", "lock"):
            path.unlink()
    return made(table.directory)


def make_young(daemons, directory):
    """Both logs reach back to the begin."""
    daemon = daemons.start()
    with daemon.client() as client:
        fill(client)
        change(client, 0)
    daemon.stop()
    return made(keep(daemon, directory / "young"))


# --- octets ---

def flip(path, at):
    octets = bytearray(path.read_bytes())
    octets[at] ^= 0x41
    path.write_bytes(octets)


def cut(path, size):
    octets = path.read_bytes()
    assert size < len(octets)
    path.write_bytes(octets[:size])


def pages(path, kind):
    """The numbers of the pages of a kind."""
    octets = path.read_bytes()
    return [number for number in range(len(octets) // PAGE)
            if KINDS.get(octets[number * PAGE + 25]) == kind and any(octets[number * PAGE:][:PAGE])]


def root(path):
    """The number of the root, and those of the other internal pages."""
    number, = struct.unpack_from("<I", path.read_bytes(), 88)
    return number, [other for other in pages(path, "internal") if other != number]


def logs(directory):
    return sorted(directory.glob("log.*"))


def log_end(path):
    """(begin of each record, where the log ends) of a log file."""
    octets, at, begins = path.read_bytes(), 0, []
    while (length := struct.unpack_from("<I", octets, at + 4)[0]) != 0:
        begins.append(at)
        at += length
    return begins, at


# --- records ---

def plant(directory, database, verb, key, value=b""):
    done = subprocess.run([PLANT, directory, database, verb, key.hex(), value.hex()],
                          capture_output=True, check=True)
    return bytes.fromhex(done.stdout.decode())


def sequence(number):
    return struct.pack(">Q", number)


def row_record(state, number, time_us, location, acl, who=b"murder"):
    return (struct.pack(">BBQqIII", 1, state, number, time_us, len(location), len(acl), len(who))
            + location + acl + who)


def reencode(row, **changes):
    """The record of a row of a dump, with changes."""
    fields = {"state": 2 if row[0] == b"A" else 1, "number": row[4], "time_us": row[5],
              "location": row[2], "acl": row[3], "who": row[6], **changes}
    return row_record(**fields)


@dataclasses.dataclass
class Damage:
    """One planted damage and what must come of it."""

    what: str
    table: str           # stopped, killed or young
    plant: typing.Callable  # of the directory, and the table
    found: set           # (kind, file) of a finding that verify must have, any of them
    # same; all: a new history with every row; some: rows may be lost; none: all of them
    repaired: str = "same"
    saved: str = ""      # with "--dump" or "--backup" the repair gives the same table, or
    again: str = "same"  # what this says
