"""1,000,000 mailboxes of Cyrus's, there and back again.

Cyrus's own ctl_mboxlist -u makes a transaction of each mailbox, which takes a millisecond and
more: it gets the first CYRUS_ROWS of them, where it is installed.

SPDX-License-Identifier: BSD-3-Clause
"""

import grp
import json
import os
import pathlib
import pwd
import random
import shutil
import subprocess
import tempfile
import time

import pytest

import cyrus_dump
from dumps import Table

ROWS = 1000000
CYRUS_ROWS = int(os.environ.get("CYRUS_ROWS", "100000"))
CTL_MBOXLIST = pathlib.Path("/usr/lib/cyrus/bin/ctl_mboxlist")


def key(name):
    """Cyrus's order."""
    return name.encode().translate(bytes.maketrans(b".^", b"\x1f."))


def names():
    """Odd names, each of which Cyrus keeps as it is."""
    random_ = random.Random(1)
    plain = [chr(octet) for octet in range(0x20, 0x7f) if chr(octet) not in ".!"]
    letters = plain + ["\x01", "\x7f", "\t", "\u00e4", "\u65e5", "\U0001f600"]
    made = {f"user.long{'x' * 200}", f"shared.{'y' * 400}", "example.org!user.anna",
            "DELETED.user.anna.6B02ECDE", "a", " "}
    while len(made) < ROWS:
        user = f"user.{random_.getrandbits(40):x}{random_.choice(letters)}"
        made.add(user)
        for _ in range(random_.randrange(4)):
            made.add(user + "." + "".join(random_.choices(letters, k=random_.randrange(1, 9))))
    return sorted(sorted(made)[:ROWS], key=key)


def member(number, name):
    """A mailbox as ctl_mboxlist -d of a front-end prints it."""
    acl = {} if number % 17 == 0 else {
        f"user{number % 1000}": "lrswipkxtecdan", "group:two words": "", "-anyone": "lrs"}
    return json.dumps({name: {
        "name": name, "mtime": str(1700000000 + number), "uidvalidity": "0",
        "createdmodseq": "0", "foldermodseq": "0", "mbtype": "erz" if number % 17 == 0 else "er",
        "partition": "default" if number % 5 else "", "server": f"backend{number % 7}.example.org",
        "acl": acl, "name_history": []}}, ensure_ascii=False)[1:-1]


def write(path, members):
    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n")
        for number, one in enumerate(members):
            file.write((",\n" if number else "") + one)
        file.write("\n}\n")


def assert_same(one, other, *keys):
    """Two dumps, but for some members."""
    with open(one, "rb") as left, open(other, "rb") as right:
        for number, (line, twin) in enumerate(zip(left, right)):
            assert cyrus_dump.without(line, *keys) == cyrus_dump.without(twin, *keys), number
        assert left.read() == right.read() == b""


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """What Cyrus would print, and the first of it."""
    directory = tmp_path_factory.mktemp("original")
    members = [member(number, name) for number, name in enumerate(names())]
    write(directory / "all.json", members)
    write(directory / "some.json", members[:CYRUS_ROWS])
    return directory


def test_a_dump_of_cyrus_is_imported_and_exported_as_the_same(table, tmp_path, original, report):
    begun = time.monotonic()
    table.ctl("import", original / "all.json")
    imported = time.monotonic()
    table.ctl("export", "-o", tmp_path / "exported")
    report(f"import of {ROWS:,} mailboxes of Cyrus's JSON: {imported - begun:.1f} s, "
           f"export: {time.monotonic() - imported:.1f} s")
    assert_same(tmp_path / "exported", original / "all.json", "uniqueid")
    table.ctl("export", "-o", tmp_path / "text", "--format", "cyrus-text",
              "--report", tmp_path / "left", status=None)
    before = table.dump().split(b"\n", 1)[1]
    table.ctl("import", tmp_path / "text")
    # Names with a tab, which is the end of a name there.
    left = (tmp_path / "left").read_bytes().count(b"\n")
    rows = {line.rsplit(b" ", 3)[0] for line in before.splitlines()[:-1]}
    again = {line.rsplit(b" ", 3)[0] for line in table.dump().splitlines()[1:-1]}
    assert again <= rows and len(again) + left == len(rows) == ROWS and 0 < left < ROWS // 10


@pytest.fixture
def cyrus():
    """The configuration of a Cyrus node, and its directory; in memory where there is some."""
    if not CTL_MBOXLIST.exists():
        pytest.skip("Cyrus's ctl_mboxlist is not installed")
    user = pwd.getpwnam("cyrus") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        directory = pathlib.Path(name)
        for folder in ("db", "proc", "socket", "lock"):
            (directory / folder).mkdir()
        config = directory / "imapd.conf"
        config.write_text(
            f"servername: frontend.test\nconfigdirectory: {directory}\n"
            f"proc_path: {directory}/proc\nmboxname_lockpath: {directory}/lock\n"
            f"cyrus_user: {user.pw_name}\ncyrus_group: {grp.getgrgid(user.pw_gid).gr_name}\n")
        for path in (directory, *directory.iterdir()):
            shutil.chown(path, user.pw_uid, user.pw_gid)
        directory.chmod(0o755)
        yield config


def test_real_cyrus_takes_the_export_and_dumps_it_as_the_same(table, tmp_path, original, cyrus,
                                                              report):
    table.ctl("import", original / "some.json")
    table.ctl("export", "-o", tmp_path / "exported")
    begun = time.monotonic()
    with open(tmp_path / "exported", "rb") as file:
        done = subprocess.run([CTL_MBOXLIST, "-C", cyrus, "-u"], stdin=file, capture_output=True,
                              check=True)
    assert done.stdout + done.stderr == b""
    report(f"ctl_mboxlist -u of {CYRUS_ROWS:,} mailboxes: {time.monotonic() - begun:.1f} s")
    with open(tmp_path / "again", "wb") as file:
        subprocess.run([CTL_MBOXLIST, "-C", cyrus, "-d"], stdout=file, check=True)
    assert_same(tmp_path / "again", tmp_path / "exported", "mtime")
    # And what it dumps is the table once more.
    other = Table(tmp_path / "other")
    other.ctl("import", tmp_path / "again")
    other.ctl("export", "-o", tmp_path / "once more")
    assert_same(tmp_path / "once more", tmp_path / "again", "mtime")
