"""mupdatectl verify --against: two tables compared, a digest first, then row by row.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import json
import threading

import pytest

from dumps import compose, nasty_rows, seal
from mupdated import PASSWORD, USER

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_NOHOST, EX_TEMPFAIL = 64, 65, 66, 68, 75
ROWS = [("user.a", "one.test!p", "anna\tlrs\t"), ("user.b", "one.test!p", "x"),
        ("user.c", "two.test!p", "x"), ("user.d", "two.test!q", "")]


@pytest.fixture
def pair(daemons):
    """Two masters with the same rows, made in another order."""
    pair = daemons.start(), daemons.start()
    for daemon, rows in zip(pair, (ROWS, ROWS[::-1])):
        with daemon.client() as client:
            client.set_many([("ACTIVATE", *one) for one in rows])
            client.ok("RESERVE", b"user.\xff", "one.test!p")
    return pair


def against(daemon, other, *options, status=0):
    """Compare with another master, over the wire."""
    password = other.directory / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    return daemon.ctl(*options, "verify", "--against", f"127.0.0.1:{other.port}", "-u", USER,
                      "--password-file", password, status=status).stdout.decode().splitlines()


def change(daemon):
    with daemon.client() as client:
        client.ok("DELETE", "user.a")
        client.ok("ACTIVATE", "user.b", "two.test!p", "y")
        client.ok("DEACTIVATE", "user.c", "two.test!p")
        client.ok("ACTIVATE", "user.d", "two.test!q", "anna\tlr\t")
        client.ok("ACTIVATE", "user.e", "two.test!p", "x")


DIFFERENCES = ["only-here\tuser.a\tactive one.test!p\t-",
               "location\tuser.b\tone.test!p\ttwo.test!p", "acl\tuser.b\tx\ty",
               "state\tuser.c\tactive\treserved",
               "acl\tuser.d\t\tanna lr", "only-there\tuser.e\t-\tactive two.test!p",
               "DIFFERENT: 5 rows: 1 only-here, 1 only-there, 1 state, 1 location, 2 acl; 1 are "
               "the same."]


def test_equal_tables_are_told_by_their_digest_alone(pair):
    here, other = pair
    with here.control() as control:
        digest = control.status()["table"]["digest"]
    assert against(here, other) == [f"EQUAL: 5 rows, digest {digest}."]
    assert json.loads(against(here, other, "--json")[0]) == {
        "verdict": "equal", "digest": digest, "same": 5, "different": 0, "only-here": 0,
        "only-there": 0, "state": 0, "location": 0, "acl": 0, "elsewhere": 0, "reservation": 0,
        "not-compared": 0}
    # No copy was made for it.
    assert "copy-" not in " ".join(path.name for path in (here.directory / "database").iterdir())
    dump = here.directory / "dump"
    here.ctl("dump", "-o", dump)
    assert other.ctl("verify", "--against", dump).stdout.decode() == \
        f"EQUAL: 5 rows, digest {digest}.\n"
    other.stop()
    assert other.ctl("verify", "--against", dump).stdout.decode() == \
        f"EQUAL: 5 rows, digest {digest}.\n"


def test_what_differs_is_listed_and_nothing_else(pair):
    here, other = pair
    change(other)
    assert against(here, other, status=1) == DIFFERENCES
    lines = [json.loads(line) for line in against(here, other, "--json", status=1)]
    assert lines[1] == {
        "name": "user.b", "differs": ["location", "acl"],
        "here": {"state": "active", "name": "user.b", "location": "one.test!p", "acl": "x"},
        "there": {"state": "active", "name": "user.b", "location": "two.test!p", "acl": "y"}}
    assert lines[0]["there"] is None and lines[4]["here"] is None
    assert lines[-1]["verdict"] == "different" and lines[-1]["acl"] == 2 and lines[-1]["same"] == 1
    here.stop()
    assert against(here, other, status=1) == DIFFERENCES


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_dump_is_compared_as_a_server_is(pair, form):
    here, other = pair
    change(other)
    dump = here.directory / "dump"
    other.ctl(*(["--json"] if form == "json" else []), "dump", "-o", dump)
    assert here.ctl("verify", "--against", dump, status=1).stdout.decode().splitlines() == \
        DIFFERENCES
    here.stop()
    assert here.ctl("verify", "--against", dump, status=1).stdout.decode().splitlines() == \
        DIFFERENCES


@pytest.mark.parametrize("form", ["text", "json"])
def test_of_a_dump_of_one_server_only_that_ones_mailboxes_are_compared(pair, form):
    here, other = pair
    dump = here.directory / "dump"
    other.ctl(*(["--json"] if form == "json" else []), "dump", "--server", "one.test", "-o", dump)
    assert here.ctl("verify", "--against", dump).stdout == \
        b"EQUAL: 3 rows; the dump has those of one.test only.\n"
    done = json.loads(here.ctl("--json", "verify", "--against", dump).stdout)
    assert (done["verdict"], done["server"]) == ("equal", "one.test")
    with here.client() as client:
        client.ok("ACTIVATE", "user.b", "two.test!p", "x")
        client.ok("ACTIVATE", "user.new", "one.test!p", "x")
    assert here.ctl("verify", "--against", dump, status=1).stdout.decode().splitlines()[:2] == [
        "location\tuser.b\ttwo.test!p\tone.test!p", "only-here\tuser.new\tactive one.test!p\t-"]


def test_a_dump_that_is_damaged_is_no_table_to_compare_with(table, tmp_path):
    table.load(nasty_rows(300))
    good = table.ctl("--json", "dump").stdout
    path = tmp_path / "other"
    lines = good.splitlines(keepends=True)
    for wrong, text in (
            (good[:-1], b"in the middle of a line"),
            (b"".join(lines[:-1]), b"before its last line"),
            (good.replace(b'"reserved"', b'"mailbox"', 1), b"neither active nor reserved"),
            (good.replace(b"backend0", b"backend9", 1), b"SHA-256"), (good + b"\n", b"follows"),
            (b"".join([lines[0], lines[2], lines[1], *lines[3:]]), b"behind that of the line"),
            (b"".join([lines[0], *lines[2:]]), b"number of rows"),
            (good.replace(b'"mupdate_dump":1', b'"mupdate_dump":2'), b"version 1"),
            (good.replace(lines[5], b"[]\n"), b"no JSON object")):
        path.write_bytes(wrong)
        done = table.ctl("verify", "--against", path, status=EX_DATAERR)
        assert text in done.stderr and not done.stdout, done
    path.write_bytes(good)
    table.ctl("verify", "--against", path)
    path.write_bytes(table.dump()[:-3])
    table.ctl("verify", "--against", path, status=EX_DATAERR)
    path.write_bytes(seal(compose(nasty_rows(3)).rsplit(b"end", 1)[0]
                          .replace(b"rows=3", b"rows=4")))
    table.ctl("verify", "--against", path, status=EX_DATAERR)


def test_every_octet_of_a_name_is_compared_online_and_in_every_form(daemons):
    here, other = daemons.make(), daemons.make()
    rows = nasty_rows(400)
    path = here.directory / "a.mupdate"
    path.write_bytes(compose(rows))
    here.ctl("load", path)
    path.write_bytes(compose(rows[:100] + rows[101:]))
    other.ctl("load", path)
    gone = rows[100][1]
    for daemon in (here, other):
        daemon.ctl("confirm")
        daemon.start()
    lines = [json.loads(line) for line in against(here, other, "--json", status=1)]
    assert len(lines) == 2 and lines[0]["differs"] == ["only-here"]
    assert gone == (lines[0]["name"].encode() if "name" in lines[0]
                    else base64.b64decode(lines[0]["name_base64"]))
    other.ctl("--json", "dump", "-o", path)
    assert [json.loads(line) for line in here.ctl("--json", "verify", "--against", path,
                                                  status=1).stdout.splitlines()] == lines


def test_what_is_changed_meanwhile_is_asked_again_and_not_told(pair):
    """Both are changed, one right behind the other, all the time."""
    here, other = pair
    done = threading.Event()

    def make_changes():
        with here.client() as ours, other.client() as theirs:
            number = 0
            while not done.is_set():
                for client in (ours, theirs):
                    client.set_many([("ACTIVATE", f"user.x{(number + i) % 3000}", "one.test!p",
                                      str(number)) for i in range(30)])
                number += 30

    changer = threading.Thread(target=make_changes)
    changer.start()
    try:
        with other.client() as client:
            client.ok("ACTIVATE", "user.a", "three.test!p", "anna\tlrs\t")
        found = [line for _ in range(3) for line in against(here, other, status=1)
                 if not line.startswith("DIFFERENT")]
    finally:
        done.set()
        changer.join()
    assert found.count("location\tuser.a\tone.test!p\tthree.test!p") == 3
    # Of thousands of changes hardly one falls between two questions about one row, five times.
    assert len(found) <= 5


def test_what_cannot_be_compared_with_is_told_of(pair):
    here, other = pair
    for what, status, text in (
            ("/no/such/file", EX_NOINPUT, b"cannot read"), ("./none", EX_NOINPUT, b"cannot read"),
            ("/dev/null", EX_NOINPUT, b"no regular file"), ("/", EX_NOINPUT, b"no regular file"),
            ("127.0.0.1:1", EX_TEMPFAIL, b"cannot reach"),
            ("a:b:c/x", EX_USAGE, b"there is no such file; --against a:b:c/x")):
        assert text in here.ctl("verify", "--against", what, status=status).stderr
    other.stop()
    against(here, other, status=EX_TEMPFAIL)


def test_a_server_that_is_not_confirmed_is_no_table_to_compare_with(daemons):
    here, other = daemons.start(), daemons.make()
    path = other.directory / "a.mupdate"
    path.write_bytes(compose(nasty_rows(10)))
    other.ctl("load", path)
    other.start()
    against(here, other, status=EX_TEMPFAIL)
