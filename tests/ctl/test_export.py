"""mupdatectl export: the table as Cyrus's ctl_mboxlist -u takes it.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import re

import pytest

import cyrus_dump
from cyrus_dump import DATA
from dumps import nasty_rows, parse
from mupdated import row

EX_USAGE = 64
FOUND = 1


def one(name, location=b"be1.test!p", acl=b"a\tlrs\t", state=b"A"):
    return (state, name, location, acl if state == b"A" else b"", 1, 1700000000000000, b"m")


def test_what_was_imported_is_exported_octet_for_octet(table):
    text = (DATA / "frontend.json").read_bytes()
    table.ctl("import", DATA / "frontend.json", status=FOUND)
    table.ctl("confirm")
    done = table.ctl("export")
    assert done.stderr == b""
    # But for the hole that Cyrus left, and the unique ids that its -u asks for.
    assert cyrus_dump.without(done.stdout, "uniqueid") == text.replace(b"\n,\n", b"\n")
    ids = [entry["uniqueid"] for entry in json.loads(done.stdout).values()]
    assert len(set(ids)) == len(ids) == len(cyrus_dump.parse(text))
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                            each) for each in ids)


def test_what_is_exported_is_imported_as_the_same(table, tmp_path):
    table.load(nasty_rows(2000))
    left = {}
    for form in ("cyrus", "cyrus-text"):
        path = tmp_path / form
        report = tmp_path / "report"
        table.ctl("export", "-o", path, "--format", form, "--report", report, "--json",
                  status=FOUND)
        left[form] = len(report.read_text().splitlines())
        assert path.stat().st_mode & 0o777 == 0o600
    before = [each[:4] for each in parse(table.dump())[1]]
    for form, count in left.items():
        table.ctl("import", tmp_path / form)
        after = [each[:4] for each in parse(table.dump())[1]]
        # All that was not left out, and nothing else.
        assert len(after) + count == len(before) == 2000 and set(after) <= set(before)


def test_a_running_master_is_exported_as_it_is_now(start):
    daemon = start()
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.new", "be1.test!p", "x\tlrs\t")
        client.ok("RESERVE", "user.reserved", "be1.test!p")
        entries = cyrus_dump.parse(daemon.ctl("export").stdout)
        assert entries == [(b"user.new", b"er", b"be1.test", b"p", b"x\tlrs\t"),
                           (b"user.reserved", b"erz", b"be1.test", b"p", b"")]
        assert client.find("user.new") == row("MAILBOX", "user.new", "be1.test!p", "x\tlrs\t")


def test_names_come_in_the_order_of_each_cyrus(table):
    names = [b"user.a", b"user.a.b", b"user.a b", b"user.a-b", b"user.a^c", b"user.a2"]
    table.load([one(name) for name in names])
    assert [entry[0] for entry in cyrus_dump.parse(table.ctl("export").stdout)] == names
    text = table.ctl("export", "--format", "cyrus-text").stdout
    assert [line.split(b"\t")[0] for line in text.splitlines()] == sorted(names)


def test_the_text_is_that_of_older_versions(table):
    rows = [one(b"user.a", b"be1.test!p", b"a\tlrs\tb\tl\t"), one(b"user.b", b"be1.test!", b""),
            one(b"user.c", b"be2.test!p", state=b"R"), one(b"user.d\xff", b"be2.test")]
    table.load(rows)
    assert table.ctl("export", "--format", "cyrus-text").stdout == cyrus_dump.compose_text(
        [(b"user.a", b"er", b"be1.test", b"p", b"a\tlrs\tb\tl\t"),
         (b"user.b", b"er", b"be1.test", b"", b""), (b"user.c", b"erz", b"be2.test", b"p", b""),
         (b"user.d\xff", b"er", b"be2.test", b"", b"a\tlrs\t")], "2.5")


CANNOT_HOLD = [
    ("cyrus", one(b"user.\xff"), b"not UTF-8"),
    ("cyrus", one(b"user.a", acl=b"\xff\tlrs\t"), b"not UTF-8"),
    ("cyrus", one(b"user.\x1fa"), b"a name that Cyrus takes for another"),
    ("cyrus", one(b"user.a."), b"a name that Cyrus takes for another"),
    ("cyrus", one(b"user.a", b"be1!" + b"p" * 64), b"a location that Cyrus's dump cannot hold"),
    ("cyrus", one(b"user.a", acl=b"a\tlrs"), b"an ACL that Cyrus would keep as another"),
    ("cyrus", one(b"user.a", acl=b"a\tl\ta\tp\t"), b"an ACL that Cyrus would keep as another"),
    ("cyrus-text", one(b"user.\ta"), b"a name with a tab"),
    ("cyrus-text", one(b"user.a", b"be 1!p"), b"a location that Cyrus's dump cannot hold"),
    ("cyrus-text", one(b"user.a", acl=b"a>b\tl\t"), b"an ACL that Cyrus would keep as another"),
]


@pytest.mark.parametrize("form", ["cyrus", "cyrus-text"])
def test_what_cyrus_cannot_hold_is_left_out_counted_and_named(table, form):
    bad = [(b"user.%d%s" % (number, row_[1][5:]), reason, row_)
           for number, (form_, row_, reason) in enumerate(CANNOT_HOLD) if form_ == form]
    table.load([one(name, row_[2], row_[3]) for name, _, row_ in bad] + [one(b"user.good")])
    table.ctl("confirm")
    done = table.ctl("export", "--format", form, status=FOUND)
    assert b"user.good" in done.stdout
    assert not re.search(rb"user\.\d", done.stdout)
    for _, reason, _ in bad:
        count = sum(other == reason for _, other, _ in bad)
        assert re.search(rb"^ +%d  %s" % (count, reason), done.stderr, re.M)
        assert done.stderr.count(b"  the table: " + reason) == count


def test_an_empty_table_is_an_empty_dump(table):
    table.load([])
    assert table.ctl("export").stdout == b"{\n\n}\n"
    assert table.ctl("export", "--format", "cyrus-text").stdout == b""


def test_wrong_usage_and_a_table_that_is_not_confirmed_are_told(table):
    table.load([one(b"user.a")])
    assert b"note: the table that is exported is not confirmed" in table.ctl("export").stderr
    for arguments in (["--format", "xml"], ["file"]):
        table.ctl("export", *arguments, status=EX_USAGE)
