"""Round trips of 1,000,000 rows with nasty names.

SPDX-License-Identifier: BSD-3-Clause
"""

import hashlib

from dumps import compose, nasty_rows

ROWS = 1000000


def digest(path):
    """Of all but the first line and the last, in which history, time and digest differ."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        header = file.readline()
        last = b""
        for line in file:
            total.update(last)
            last = line
    assert last.startswith(b"end rows=%d " % ROWS)
    return header.split(b" time=")[0].split(b" term=")[1], total.digest()


def test_dump_load_dump_backup_restore_and_compact_are_identical(table, tmp_path):
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    first.write_bytes(compose(nasty_rows(ROWS)))
    table.ctl("load", first)
    table.ctl("dump", "-o", second)
    assert digest(second) == digest(first)
    table.ctl("backup", tmp_path / "backup")
    table.ctl("restore", tmp_path / "backup")
    table.ctl("dump", "-o", third)
    assert digest(third) == digest(second)
    table.ctl("verify", "--against", second)
    table.ctl("compact")
    table.ctl("dump", "-o", third)
    assert digest(third) == digest(second)
