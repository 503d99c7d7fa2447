"""Dumps (mupdate-dump(5)) written and read by code that is not mupdated's.

SPDX-License-Identifier: BSD-3-Clause
"""

import hashlib
import random
import re
import subprocess

from mupdated import CTL

HEADER = re.compile(rb"mupdate-dump 1 history=([0-9a-f]{32}) term=(\d+) sequence=(\d+) rows=(\d+) "
                    rb"order=octet time=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)(?: server=(\S+))?\n")
TRAILER = re.compile(rb"end rows=(\d+) sha256=([0-9a-f]{64})\n")


def escape(octets):
    if not octets:
        return rb"\-"
    return re.sub(rb"[^!-\[\]-~]", lambda match: b"\\x%02X" % match[0][0], octets)


def unescape(field):
    if field == rb"\-":
        return b""
    return re.sub(rb"\\x([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), field)


def line(row):
    """row: (state, name, location, acl, sequence, time_us, who)"""
    state, name, location, acl, sequence, time_us, who = row
    return b"%s %s %s %s %d %d %s\n" % (state, escape(name), escape(location), escape(acl),
                                        sequence, time_us, escape(who))


def seal(text):
    """Text, a header and lines, with its trailer."""
    return text + b"end rows=%d sha256=%s\n" % (text.count(b"\n") - 1,
                                                hashlib.sha256(text).hexdigest().encode())


def compose(rows, sequence=None, history=b"0" * 32):
    """The octets of a dump of rows, in any order."""
    rows = sorted(rows, key=lambda row: row[1])
    sequence = max((row[4] for row in rows), default=0) if sequence is None else sequence
    return seal(b"mupdate-dump 1 history=%s term=1 sequence=%d rows=%d order=octet "
                b"time=2026-11-22T10:00:00Z\n" % (history, sequence, len(rows))
                + b"".join(map(line, rows)))


def parse(octets):
    """(header as HEADER's groups, rows) of a dump, which must be good."""
    lines = octets.splitlines(keepends=True)
    header, trailer = HEADER.fullmatch(lines[0]), TRAILER.fullmatch(lines[-1])
    assert header and trailer, (lines[0], lines[-1])
    assert int(header[4]) == int(trailer[1]) == len(lines) - 2
    assert trailer[2].decode() == hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    rows = []
    for one in lines[1:-1]:
        state, name, location, acl, sequence, time_us, who = one[:-1].split(b" ")
        rows.append((state, unescape(name), unescape(location), unescape(acl), int(sequence),
                     int(time_us), unescape(who)))
    assert [row[1] for row in rows] == sorted({row[1] for row in rows})
    return header.groups(), rows


def body(octets):
    """What two dumps of equal tables have in common: all but the first line and the last."""
    return octets[octets.index(b"\n"):octets.rindex(b"\nend ")]


def nasty_rows(count, seed=1):
    """Rows with every octet that a name may have, quotes, blanks, long ones, 8 bit."""
    random_ = random.Random(seed)
    octets = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")
    special = [b"\\-", b"-", b"\\", b"\\x41", b"x41", b'"', b"'", b" ", b"\t", b"!", b"end ",
               b"R", b"A", b"%s%n", b"user.\xc3\xb6", b"user.\xf6", b"z" * 4096, b"\xff" * 4096]
    names = set((special + [octets[i:i + 1] for i in range(len(octets))])[:count])
    while len(names) < count:
        plain = b"user.%x" % random_.getrandbits(48)
        at = random_.randrange(len(octets))
        names.add(plain + octets[at:at + random_.randrange(4)] + b".tail" * random_.randrange(3))
    rows = []
    for number, name in enumerate(sorted(names)):
        reserved = number % 7 == 0
        server = b"backend%d.example.org" % (number % 5)
        rows.append((b"R" if reserved else b"A", name, server + b"!default",
                     b"" if reserved or number % 11 == 0 else b"anna\tlrs\t" + name[:40] + b"\tp\t",
                     1 + number, 1795341600000000 + number, b"murder" if number % 3 else name[:9]))
    return rows


class Table:
    """A database directory and the tool on it."""

    def __init__(self, directory, prefix=()):
        self.directory = directory
        self.prefix = list(prefix)

    def command(self, *arguments):
        return [*self.prefix, CTL, "-C", "/dev/null", "--database", self.directory, *arguments]

    def ctl(self, *arguments, status=0, **options):
        done = subprocess.run(self.command(*arguments), capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=300, **options)
        assert status is None or done.returncode == status, (arguments, done)
        return done

    def load(self, rows, **options):
        """Make it a table of these rows; return the dump."""
        path = self.directory.parent / "loaded.mupdate"
        path.write_bytes(compose(rows, **options))
        self.ctl("load", "--allow-empty", path)
        return path.read_bytes()

    def dump(self):
        return self.ctl("dump").stdout

    def beside(self):
        """The names of what lies beside the directory and belongs to it."""
        return sorted(path.name for path in self.directory.parent.iterdir()
                      if path.name.startswith(self.directory.name + "."))
