"""Tables of an older form and of a newer one.

SPDX-License-Identifier: BSD-3-Clause
"""

import pathlib
import re
import subprocess

import pytest

import mupdated
from mupdated import CTL, ROOT, row

EX_DATAERR = 65
ONE = "one.test!default"
FORMAT = int(re.search(r"^#define FORMAT_VERSION (\d+)$",
                       (ROOT / "mupdated/store/format.h").read_text(), re.MULTILINE)[1])

# Every command is one of these: those that talk to a server, or to the mupdated that runs ...
NO_TABLE = {"find", "list", "watch", "reserve", "activate", "deactivate", "delete", "ping",
            "status", "connections", "kick", "reservations", "release", "move"}
# ... those that put another table in the place of the one that is there, whatever that is ...
REPLACING = {"load": ["{dump}"], "restore": ["{backup}"], "import": ["{cyrus}"]}
# ... and those that read or change it. (A command that is not built is left out.)
READING = {
    "dump": [], "log": [], "confirm": [], "backup": ["{new}"],
    "load": ["--dry-run", "{dump}"], "restore": ["--dry-run", "{backup}"],
    "import": ["--dry-run", "{cyrus}"], "export": [], "verify": [], "repair": ["--dry-run"],
    "compact": [], "trim": [],
}
COMMANDS = re.findall(r"^  ([a-z]+) ", subprocess.run(
    [CTL, "--help"], capture_output=True, text=True, check=True).stdout, re.MULTILINE)


def records(daemon, database):
    """[(key, value)] of a database of a stopped daemon."""
    lines = subprocess.run(["db5.3_dump", daemon.settings["database_directory"] / database],
                           capture_output=True, text=True, check=True).stdout.splitlines()
    texts = lines[lines.index("HEADER=END") + 1:lines.index("DATA=END")]
    octets = [bytes.fromhex(text) for text in texts]
    return list(zip(octets[::2], octets[1::2]))


def put(daemon, database, some):
    lines = "".join(f" {key.hex()}\n {value.hex()}\n" for key, value in some)
    subprocess.run(["db5.3_load", "-h", daemon.settings["database_directory"], database],
                   input=f"VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n{lines}"
                   "DATA=END\n", text=True, check=True)


def set_format(daemon, number):
    """Have the table of a stopped daemon look as if another version had made it."""
    if number < 3:
        put(daemon, "changes.db", [(key, b"\1" + value[1:19] + value[43:])
                                   for key, value in records(daemon, "changes.db")])
    put(daemon, "meta.db", [(b"format", number.to_bytes(4, "big"))])


def have_digests(daemon):
    return [value[0] == 2 for _, value in records(daemon, "changes.db")]


def too_new(daemon):
    return (f"{daemon.settings['database_directory']}: the table has format {FORMAT + 1}, "
            f"this program reads up to {FORMAT}: use the newer program\n")


def fill(daemon):
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", ONE)
        client.ok("ACTIVATE", "user.b", ONE, "anna lrs")
        client.ok("ACTIVATE", "user.c", ONE, "")
        client.ok("DELETE", "user.c")


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """A stopped master whose table a newer version made; what was saved of it stands beside it."""
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("newer"))
    daemon = daemons.start()
    fill(daemon)
    daemon.stop()
    daemon.ctl("dump", "-o", daemon.directory / "dump")
    daemon.ctl("backup", daemon.directory / "backup")
    (daemon.directory / "cyrus").write_text("user.d\t0 one.test!default anna\tlrs\t\n")
    set_format(daemon, FORMAT + 1)
    yield daemon
    daemons.end()


def arguments(daemon, words):
    return [word.format(**{name: daemon.directory / name
                           for name in ("dump", "backup", "cyrus", "new")}) for word in words]


def contents(daemon):
    return {path.name: path.read_bytes()
            for path in pathlib.Path(daemon.settings["database_directory"]).glob("*.db")}


@pytest.mark.parametrize("older", range(1, FORMAT))
def test_an_older_table_is_taken_over_with_all_that_it_has(start, older):
    daemon = start()
    fill(daemon)
    daemon.stop()
    saved = daemon.ctl("dump").stdout.splitlines()[1:-1]
    daemon.start().stop()
    position = re.findall(r"table: rows=.*", daemon.log_since_start())
    log = daemon.ctl("log").stdout
    set_format(daemon, older)

    daemon.start()
    assert (f"the table has format {FORMAT} now and had {older}: an older program will refuse it\n"
            in daemon.log_since_start())
    assert re.findall(r"table: rows=.*", daemon.log_since_start()) == position
    with daemon.client() as client:
        assert client.update() == [row("RESERVE", "user.a", ONE),
                                   row("MAILBOX", "user.b", ONE, "anna lrs")]
    daemon.stop()
    assert daemon.ctl("dump").stdout.splitlines()[1:-1] == saved
    assert daemon.ctl("log").stdout == log and log.count(b"\n") == 4
    daemon.check_database()
    assert "the table has format" not in daemon.start().log_since_start()
    with daemon.client() as client:
        client.ok("DELETE", "user.a")
    daemon.stop()
    assert have_digests(daemon) == [older >= 3] * 4 + [True]
    daemon.start()


def test_an_older_table_that_contradicts_itself_is_refused(start):
    daemon = start()
    fill(daemon)
    daemon.stop()
    set_format(daemon, 2)
    put(daemon, "rows.db", [(key, value.replace(b"anna", b"emma"))
                            for key, value in records(daemon, "rows.db")])
    assert daemon.start(wait=False).wait() == EX_DATAERR
    assert re.search("cannot read the table: store: .*: rows.db: the record of user.b is damaged: "
                     "it is not what its newest change made it", daemon.log_since_start())


def test_a_newer_table_is_refused_by_the_daemon(newer):
    before = contents(newer)
    for words in ([], ["--check-database"]):
        done = newer.run(*words)
        assert done.returncode == EX_DATAERR
        assert done.stderr.endswith(too_new(newer))
    assert contents(newer) == before


def test_each_command_is_here():
    assert set(COMMANDS) <= NO_TABLE | set(READING), "say above what it does with the table"


@pytest.mark.parametrize("name", [name for name in READING if name in COMMANDS])
def test_a_newer_table_is_refused_by_each_command_that_looks_at_it(newer, name):
    before = contents(newer)
    done = newer.ctl(name, *arguments(newer, READING[name]), status=EX_DATAERR)
    assert too_new(newer) in done.stderr.decode() and done.stdout == b""
    assert contents(newer) == before
    assert not (newer.directory / "new").exists()


@pytest.mark.parametrize("name", [name for name in REPLACING if name in COMMANDS])
def test_going_back_puts_a_dump_of_the_newer_version_in_the_place_of_its_table(start, newer, name):
    """The newer table is kept beside it."""
    daemon = start()
    fill(daemon)
    daemon.stop()
    set_format(daemon, FORMAT + 1)
    said = daemon.ctl(name, *arguments(newer, REPLACING[name])).stdout.decode()
    kept = pathlib.Path(re.search(r"The one before it is in (\S+);", said)[1])
    assert (kept / "rows.db").exists()
    daemon.ctl("confirm")
    daemon.start()
    with daemon.client() as client:
        assert len(client.update()) == (1 if name == "import" else 2)
