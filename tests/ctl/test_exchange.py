"""The exchange of the new table for the old one, when the file system fails in the middle of it.

SPDX-License-Identifier: BSD-3-Clause
"""

import re
import subprocess

from dumps import body, compose, nasty_rows
from injection import needs_strace, points, strace

EX_IOERR = 74


def prepare(table, tmp_path):
    """A table, and the command that loads another one."""
    table.load(nasty_rows(3, seed=3))
    path = tmp_path / "new.mupdate"
    path.write_bytes(compose(nasty_rows(5, seed=2)))
    return table.dump(), table.command("load", path)


@needs_strace
def test_without_a_table_in_its_place_nothing_is_removed_and_the_way_back_is_told(table, tmp_path):
    before, command = prepare(table, tmp_path)
    last = points(command, tmp_path / "trace", "rename")[-1][1]
    table.load(nasty_rows(3, seed=3))
    # There is no exchange; behind it the new one gets its name back and the old one another, and
    # then nothing gets a name any more.
    done = strace(command, "-o", "/dev/null", "-e", "trace=rename,renameat2",
                  "-e", "inject=renameat2:error=EINVAL",
                  "-e", f"inject=rename:error=EIO:when={last + 3}+")
    assert done.returncode == EX_IOERR, done
    text = done.stderr.decode()
    old, new = re.search(r"rename (\S+), the old one, back to \S+ before anything else: "
                         r"the new one, (\S+), could not", text).groups()
    assert "nothing was changed" not in text and not table.directory.exists()
    subprocess.run(["mv", old, table.directory], check=True)
    assert body(table.dump()) == body(before)
    subprocess.run(["mv", table.directory, old], check=True)
    subprocess.run(["mv", new, table.directory], check=True)
    assert len(body(table.dump()).splitlines()) == len(body(before).splitlines()) + 2


@needs_strace
def test_an_exchange_that_a_power_failure_may_undo_is_told_of(table, tmp_path):
    before, command = prepare(table, tmp_path)
    last = [number for call, number in points(command, tmp_path / "trace") if call == "fsync"][-1]
    table.load(nasty_rows(3, seed=3))
    done = strace(command, "-o", "/dev/null", "-e", "trace=fsync",
                  "-e", f"inject=fsync:error=EIO:when={last}+")
    assert done.returncode == EX_IOERR, done
    assert b"run sync before mupdated is started" in done.stderr
    assert b"nothing was changed" not in done.stderr and b"has the new table" in done.stdout
    assert len(body(table.dump()).splitlines()) == len(body(before).splitlines()) + 2
