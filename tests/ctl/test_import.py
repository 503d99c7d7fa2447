"""mupdatectl import: what Cyrus has becomes a table, all of it or nothing.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import re
import subprocess

import pytest

import cyrus_dump
from cyrus_dump import DATA
from dumps import Table, body, nasty_rows, parse
from mupdated import PASSWORD, row

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_TEMPFAIL = 64, 65, 66, 69, 75
FOUND = 1
REMOTE = [
    (b"user.a", b"er", b"be1.test", b"default", b"a\tlrs\t"),
    (b"user.a b", b"er", b"be1.test", b"default", b""),
    (b"user.a-b", b"er", b"be2.test", b"", b"a\tlrs\tgroup:x\tl\t-b\tw\t"),
    (b"user.a^b.c", b"erz", b"be2.test", b"fast", b""),
    (b"user.\xc3\xa9", b"er", b"be1.test", b"fast", b"\xc3\xa9\tl\t"),
]


def as_rows(entries, server=None):
    """(state, name, location, acl) of entries, in the order of a table."""
    return sorted(((b"R" if b"z" in kind else b"A", name,
                    (on or server) + b"!" + partition, acl)
                   for name, kind, on, partition, acl in entries), key=lambda one: one[1])


def rows_of(table):
    return [one[:4] for one in parse(table.dump())[1]]


@pytest.fixture
def take(table, tmp_path):
    """Import octets from a file; returns the finished process."""
    def import_(octets, *arguments, **options):
        path = tmp_path / "cyrus.dump"
        path.write_bytes(octets)
        return table.ctl("import", *arguments, path, **options)
    return import_


@pytest.fixture
def loaded(table):
    """A table with rows, confirmed."""
    table.load(nasty_rows(200))
    table.ctl("confirm")
    return table


# --- what Cyrus prints ---


@pytest.mark.parametrize("node", ["mupdate", "frontend"])
def test_a_dump_of_a_master_and_of_a_frontend_becomes_the_table(table, node):
    text = (DATA / f"{node}.json").read_bytes()
    done = table.ctl("import", DATA / f"{node}.json", status=FOUND)
    entries = cyrus_dump.parse(text)
    assert rows_of(table) == as_rows(entries)
    assert {b"user.reserved", b"user.tab\there", b'user.quote"back\\slash',
            b"user.K&AOQ-se".replace(b"user.", b"user.anna.")} <= {one[0] for one in entries}
    # One name is not UTF-8: Cyrus left it out, and the operator hears of it.
    line = text[:re.search(rb"\n,\n", text).start()].count(b"\n") + 2
    said = done.stdout.decode()
    assert f"Imported {len(entries)} rows" in said
    assert re.search(r"^ +1  left out by Cyrus, whose JSON cannot hold its name", said, re.M)
    assert f"{DATA / node}.json:{line}: left out by Cyrus" in said


def test_a_dump_of_a_backend_needs_to_be_told_whose_it_is(table, tmp_path):
    text = (DATA / "backend.json").read_bytes()
    report = tmp_path / "report"
    error = table.ctl("import", "--report", report, DATA / "backend.json",
                      status=EX_DATAERR).stderr.decode()
    assert "a back-end's own dump" in error and "--server NAME" in error
    assert not table.directory.exists()
    assert len(report.read_text().splitlines()) == len(cyrus_dump.parse(text))
    said = table.ctl("import", "--server", "backend1.test", "--report", report,
                     DATA / "backend.json").stdout.decode()
    entries = cyrus_dump.parse(text)
    gone = [entry for entry in entries if b"d" in entry[1]]
    assert gone and rows_of(table) == as_rows([entry for entry in entries if entry not in gone],
                                              b"backend1.test")
    # What is no mailbox is counted, and in the report, but no reason to be alarmed.
    assert re.search(rf"^ +{len(gone)}  deleted: ", said, re.M) and "Of these" not in said
    lines = report.read_text().splitlines()
    assert [line.rsplit(": ", 1)[1].encode() for line in lines] == [entry[0] for entry in gone]
    assert report.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("version", ["2.3", "2.5", "3.4"])
def test_the_text_of_older_versions_is_read_as_the_same(take, table, version):
    take(cyrus_dump.compose_text(REMOTE, version))
    assert rows_of(table) == as_rows(REMOTE)
    assert table.beside() == []


def test_text_without_types_has_no_reservations(take, table):
    entries = [entry for entry in REMOTE if b"z" not in entry[1]]
    take(cyrus_dump.compose_text(entries, "2.2"))
    assert rows_of(table) == as_rows(entries)


def test_text_keeps_octets_that_are_not_utf_8_and_acls_of_any_form(take, table):
    entries = [(b"user.\xf6\xff", b"er", b"be1.test", b"p", b"\xf6\tlrs\t"),
               (b"user.odd", b"er", b"be1.test", b"p", b"a\tlrs"),
               (b"user.word", b"er", b"be1.test", b"p", b"word")]
    take(cyrus_dump.compose_text(entries, "2.5"))
    assert rows_of(table) == as_rows(entries)


def test_json_in_any_layout_is_read_as_the_same(take, table):
    take(cyrus_dump.compose(REMOTE))
    first = rows_of(table)
    for indent in (0, 2):
        take(cyrus_dump.compose(REMOTE, indent=indent))
        assert rows_of(table) == first == as_rows(REMOTE)


def test_the_time_is_that_of_cyrus_where_it_gives_one(take, table):
    take(cyrus_dump.compose(REMOTE))
    assert {one[5] for one in parse(table.dump())[1]} == {1700000000000000}
    take(cyrus_dump.compose_text(REMOTE, "3.4"))
    assert {one[5] for one in parse(table.dump())[1]} == {1700000000000000}
    take(cyrus_dump.compose_text(REMOTE, "2.5"))
    times = {one[5] for one in parse(table.dump())[1]}
    assert len(times) == 1 and times.pop() > 1700000000000000


def test_standard_input_is_read_too(table):
    done = subprocess.run(table.command("import", "-"), input=cyrus_dump.compose(REMOTE),
                          capture_output=True, check=True)
    assert b"Imported 5 rows" in done.stdout
    assert rows_of(table) == as_rows(REMOTE)


# --- what comes of it ---


def test_the_new_table_has_a_history_of_its_own_and_is_not_confirmed(start, tmp_path):
    path = tmp_path / "cyrus.json"
    path.write_bytes(cyrus_dump.compose(REMOTE))
    daemon = start()
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.before", "be1.test!p", "x")
    # Nothing is even read while it runs.
    assert b"in use by process" in daemon.ctl("import", tmp_path / "none",
                                              status=EX_UNAVAILABLE).stderr
    daemon.stop()
    before = parse(daemon.ctl("dump").stdout)[0][0]
    said = daemon.ctl("import", path).stdout
    assert b"Imported 5 rows; the next change will have the number 6." in said
    assert b"not confirmed" in said and b"mupdatectl confirm" in said
    header, rows = parse(daemon.ctl("dump").stdout)
    assert header[0] != before and header[1:3] == (b"1", b"5")
    assert {one[6] for one in rows} == {b"import"}
    assert sorted(one[4] for one in rows) == [1, 2, 3, 4, 5]
    daemon.start()
    assert "unconfirmed" in daemon.log_since_start()
    daemon.ctl("confirm")
    with daemon.client() as client:
        assert client.find("user.a") == row("MAILBOX", "user.a", "be1.test!default", "a\tlrs\t")


def test_a_dry_run_shows_the_differences_and_changes_nothing(take, loaded):
    before = loaded.dump()
    found = [json.loads(one) for one in
             take(cyrus_dump.compose(REMOTE + [(b"user.gone", b"erd", b"be1.test", b"p", b"")]),
                  "--dry-run", "--json").stdout.splitlines()]
    assert [one["added"] for one in found if "same" in one and "server" not in one] == [5]
    assert found[-1]["left_out"] == [{"reason": found[-1]["left_out"][0]["reason"], "count": 1}]
    assert body(loaded.dump()) == body(before)
    assert loaded.beside() == []


def test_what_cannot_be_taken_is_left_out_counted_and_named(take, table, tmp_path):
    many = [(b"user.x%d" % number, b"e", None, b"default", b"") for number in range(20)]
    bad = [(b"user.\r", b"er", b"be1.test", b"p", b""),
           (b"x" * 5000, b"er", b"be1.test", b"p", b""),
           (b"user.moving", b"erm", b"be1.test", b"p", b""),
           (b"user.mid", b"eri", b"be1.test", b"p", b""),
           (b"user.two", b"er", b"be1.test", b"p!q", b""),
           (b"user.long", b"er", b"be1.test", b"p" * 2000, b""),
           (b"user.acl", b"er", b"be1.test", b"p", b"a" * 70000 + b"\tl\t")]
    report = tmp_path / "report"
    text = cyrus_dump.compose(REMOTE + many + bad)
    said = take(text, "--report", report, status=FOUND).stdout.decode()
    assert rows_of(table) == as_rows(REMOTE)
    for count, reason in ((20, "local: "), (1, "mailbox name contains NUL, CR or LF"),
                          (1, "mailbox name is too long"), (1, "on its way to another back-end"),
                          (1, "intermediate: "), (1, 'location contains more than one "!"'),
                          (1, "location is too long"), (1, "ACL is too long")):
        assert re.search(rf"^ +{count}  {reason}", said, re.M), (reason, said)
    assert said.count("  " + str(tmp_path / "cyrus.dump")) == 10
    lines = report.read_text().splitlines()
    assert len(lines) == 27 and lines[0].startswith(f"{tmp_path}/cyrus.dump:7: local: ")
    take(text, "--report", report, "--json", status=FOUND)
    assert [json.loads(line).get("name") for line in report.read_text().splitlines()] == [
        entry[0].decode() for entry in many + bad]


def test_of_a_name_that_stands_there_twice_the_first_is_taken(take, table):
    two = [(b"user.a", b"er", b"be1.test", b"p", b""), (b"user.a", b"er", b"be2.test", b"p", b"")]
    done = take(cyrus_dump.compose_text([two[0], *REMOTE[1:], two[1]], "2.5"), status=FOUND)
    assert rows_of(table) == as_rows([two[0], *REMOTE[1:]])
    assert b"cyrus.dump:6: its name stands there twice: the first one is taken: user.a: " \
           b"be1.test!p of line 1, not be2.test!p" in done.stdout
    # Twice the same loses nothing.
    take(cyrus_dump.compose_text([*REMOTE, REMOTE[0]], "2.5"), status=0)
    assert rows_of(table) == as_rows(REMOTE)


# --- what is no dump ---


GOOD = cyrus_dump.compose(REMOTE)
TEXT = cyrus_dump.compose_text(REMOTE, "2.5")
FAULTS = {
    "empty": (b"", 1, "the file is empty"),
    "blank": (b"\n\n", 1, "it has no tab"),
    "cut in a member": (GOOD[:300], 3, "before the brace that closes it"),
    "cut before the brace": (GOOD[:-3], 6, "before the brace that closes it"),
    "more behind": (GOOD + b"x", 8, "something behind the brace"),
    "not UTF-8": (GOOD.replace(b"user.a-b", b"user.a\xff", 1), 4, "it is not UTF-8"),
    "no JSON": (GOOD.replace(b'"acl": {}', b'"acl": {]', 1), 3, "it is no JSON"),
    "no comma": (GOOD.replace(b"},\n", b"}\n", 1), 3, "it is no JSON"),
    "a key twice": (GOOD.replace(b'"mtime"', b'"name"', 1), 2, "it has one key twice"),
    "a NUL": (GOOD.replace(b"user.a-b", b"user.\\u0000b", 1), 4, "there is a NUL in it"),
    "no type": (cyrus_dump.without(GOOD, "mbtype"), 2, "mbtype is missing"),
    "no acl": (re.sub(rb'"acl": \{[^}]*\}, ', b"", GOOD), 2, "acl is missing"),
    "rights that are no text": (GOOD.replace(b'"a": "lrs"', b'"a": 1', 1), 2, "no string"),
    "a list": (b"[]\n", 1, "it has no tab"),
    "deep": (b'{"a": ' + b"[" * 100000 + b"]" * 100000 + b"}", 1, "nested too deeply"),
    "a huge member": (b'{"a": "' + b"x" * 2000000 + b'"}', 1, "longer than the limits"),
    "a huge line": (TEXT + b"x" * 2000000, 6, "longer than the limits"),
    "text cut off": (TEXT[:-3], 5, "ends in the middle of this line"),
    "text without a tab": (TEXT + b"nonsense\n", 6, "it has no tab"),
    "text without a location": (TEXT + b"user.x\t1\n", 6, "nothing behind the location"),
    "text with a NUL": (TEXT + b"user.\0x\t1 be1!p \n", 6, "there is a NUL in it"),
    "a dump of mupdatectl's": (b"mupdate-dump 1 history=0\n", 1, "load takes it"),
}


def test_what_is_no_dump_is_refused_with_file_and_line_and_nothing_is_touched(
        take, loaded, tmp_path):
    before = loaded.dump()
    for what, (octets, line, text) in FAULTS.items():
        error = take(octets, status=EX_DATAERR).stderr.decode()
        assert f"{tmp_path}/cyrus.dump:{line}: " in error and text in error, what
        assert "take another dump with ctl_mboxlist -d" in error, what
    assert body(loaded.dump()) == body(before) and loaded.beside() == []


def test_no_more_than_twenty_complaints(take, tmp_path):
    error = take(b"nonsense\n" * 99, status=EX_DATAERR).stderr.decode()
    assert error.count(f"{tmp_path}/cyrus.dump:") == 20


def test_a_form_that_is_forced_is_the_only_one_that_is_read(take, table):
    take(GOOD, "--format", "cyrus-json")
    take(TEXT, "--format", "cyrus-text")
    assert rows_of(table) == as_rows(REMOTE)
    assert b"does not begin with a brace" in take(TEXT, "--format", "cyrus-json",
                                                  status=EX_DATAERR).stderr
    assert b"it has no tab" in take(GOOD, "--format", "cyrus-text", status=EX_DATAERR).stderr
    assert b"--format xml: give" in take(GOOD, "--format", "xml", status=EX_USAGE).stderr


def test_a_dump_without_a_mailbox_is_taken_only_when_it_is_meant(take, loaded):
    assert b"--allow-empty" in take(b"{\n\n}\n", status=EX_DATAERR).stderr
    assert len(rows_of(loaded)) == 200
    take(b"{\n\n}\n", "--allow-empty")
    assert rows_of(loaded) == []


def test_wrong_usage_is_told(table, tmp_path):
    for arguments in ([], ["--from", "localhost", tmp_path], ["--from", "a:b:c/x"],
                      ["--from", "localhost", "--server", "x"], ["--server", "a!b", tmp_path],
                      [tmp_path, tmp_path]):
        table.ctl("import", *arguments, status=EX_USAGE)
    for path in (tmp_path / "none", tmp_path):
        table.ctl("import", path, status=EX_NOINPUT)


# --- over the wire ---


@pytest.fixture
def ask(tmp_path):
    """Import from a daemon into a table; returns the finished process."""
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(PASSWORD + "\n")

    def import_(table, daemon, *arguments, **options):
        return table.ctl("import", "-u", "murder", "--password-file", password, "--from",
                         f"127.0.0.1:{daemon.port}", *arguments, **options)
    return import_


def test_a_running_master_is_asked_for_its_table(start, ask, tmp_path):
    daemon = start()
    daemon.stop()
    source = Table(daemon.directory / "database")
    source.load(nasty_rows(1000))
    source.ctl("confirm")
    daemon.start()
    table = Table(tmp_path / "new")
    assert b"Imported 1000 rows" in ask(table, daemon).stdout
    daemon.stop()
    assert rows_of(table) == rows_of(source)


def test_a_master_that_will_not_tell_changes_nothing(start, ask, loaded):
    daemon = start()
    daemon.stop()
    before = loaded.dump()
    assert b"Connection refused" in ask(loaded, daemon, status=EX_TEMPFAIL).stderr
    source = Table(daemon.directory / "database")
    source.load(nasty_rows(10))
    daemon.start()
    # It is not confirmed: it does not give away what it does not believe itself.
    assert b"the answer is incomplete" in ask(loaded, daemon, status=EX_TEMPFAIL).stderr
    assert body(loaded.dump()) == body(before) and loaded.beside() == []
