"""mupdatectl repair: what meta.db says wrongly. (All other damages: tests/damage.)

SPDX-License-Identifier: BSD-3-Clause
"""

import subprocess

import pytest

from dumps import body, nasty_rows


def set_meta(table, key, value):
    """Write this record into meta.db, as a fault of some machine might."""
    subprocess.run(["db5.3_load", "-h", table.directory, "meta.db"],
                   input=f"VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n {key.hex()}\n"
                   f" {value.hex()}\nDATA=END\n", text=True, check=True)


@pytest.mark.parametrize("key, value, why", [
    (b"confirmed", b"\2", "it is neither confirmed nor not"),
    (b"confirmed", b"", "it is neither confirmed nor not"),
    (b"base", b"\0\0", "the sequence number that it was loaded with has a wrong length"),
    (b"rows-file", b"x", "the id of a file has a wrong length")])
def test_a_table_whose_meta_is_wrong_is_not_the_same_table_after_a_repair(table, key, value, why):
    table.load(nasty_rows(20))
    table.ctl("confirm")
    before = table.dump()
    set_meta(table, key, value)
    said = table.ctl("repair", status=1).stdout.decode()
    assert f"record {key.decode()} is not used: {why}" in said
    assert "meta.db does not tell which table it is" in said
    after = table.dump()
    assert body(after) == body(before)
    assert b"not confirmed" in table.ctl("verify").stdout
