"""The planted damages, each with what verify must find and what repair must save.

SPDX-License-Identifier: BSD-3-Clause
"""

import shutil
import struct

from tables import (HERE, LONG, PAGE, Damage, cut, flip, log_end, logs, pages, plant, reencode,
                    root, row_record, sequence)

ROWS, CHANGES, META = "rows.db", "changes.db", "meta.db"


def flip_page(name, kind, which=0, at=PAGE - 100):
    """Flip some bits in a page of a kind; where all of a page is used."""
    def damage(directory, _):
        flip(directory / name, pages(directory / name, kind)[which] * PAGE + at)
    return damage


def flip_root(directory, _):
    flip(directory / ROWS, root(directory / ROWS)[0] * PAGE + PAGE - 100)


def flip_internal(directory, _):
    number, others = root(directory / ROWS)
    assert number and others
    flip(directory / ROWS, others[0] * PAGE + PAGE - 100)


def flip_many(directory, _):
    for number in pages(directory / ROWS, "leaf")[3:40:3]:
        flip(directory / ROWS, number * PAGE + 2000)


def cut_to(name, size):
    def damage(directory, _):
        octets = (directory / name).stat().st_size
        cut(directory / name, size(octets) if callable(size) else size)
    return damage


def middle(octets):
    return octets // 2 // PAGE * PAGE


def delete(*names):
    def damage(directory, _):
        for name in names:
            (directory / name).unlink()
    return damage


def delete_all_databases(directory, _):
    for path in directory.glob("*.db"):
        path.unlink()


def swap(name):
    """The file of another table in the place of this one's."""
    def damage(directory, tables):
        shutil.copy(tables["young"].directory / name, directory / name)
    return damage


def swap_loaded(directory, tables):
    """Of two tables without any changes, that nothing else tells apart."""
    shutil.copy(tables["other"].directory / ROWS, directory / ROWS)


def old_rows(directory, tables):
    """An operator copied one file of a backup over."""
    backup = tables["stopped"].saved.with_name("saved.backup")
    shutil.copy(backup / ROWS, directory / ROWS)


def delete_logs(directory, _):
    for path in logs(directory):
        path.unlink()


def cut_log(directory, _):
    last = logs(directory)[-1]
    begins, _ = log_end(last)
    cut(last, begins[-20] + 7)


def flip_log(directory, _):
    """A record that nobody can recover without, of a change that was acknowledged."""
    last = logs(directory)[-1]
    begins, _ = log_end(last)
    flip(last, begins[-20] + 30)


def zero_sector_of_log(directory, _):
    """As of a disk that was copied in spite of a bad sector; batches that were acknowledged follow.

    The first record after the start that was killed is of a batch, and two more were waited for.
    """
    last = logs(directory)[-1]
    octets = bytearray(last.read_bytes())
    at = octets.index(b"user.new.100") // 512 * 512
    octets[at:at + 512] = bytes(512)
    last.write_bytes(octets)


def zero_log(directory, _):
    last = logs(directory)[-1]
    octets = last.read_bytes()
    last.write_bytes(b"\0" * len(octets))


# --- records ---

def of(tables, name):
    return next(table for table in tables.values() if name in table.rows).rows[name]


def put_row(name, **changes):
    """Another row in the place of one, as nobody would have stored it."""
    def damage(directory, tables):
        row = tables[directory.name].rows[name]
        plant(directory, ROWS, "put", name, reencode(row, **changes))
    return damage


def delete_row(name):
    return lambda directory, _: plant(directory, ROWS, "delete", name)


def add_row(directory, tables):
    table = tables[directory.name]
    plant(directory, ROWS, "put", b"user.ghost",
          row_record(2, table.last - 5, 1795341600000000, HERE.encode(), b""))


def add_ghost(directory, _):
    """One that the log of changes does not reach back to."""
    plant(directory, ROWS, "put", b"user.ghost",
          row_record(2, 1, 1795341600000000, HERE.encode(), b""))


def delete_any_row(directory, tables):
    plant(directory, ROWS, "delete", sorted(tables[directory.name].rows)[100])


def cut_changes(directory, tables):
    """As of a disk that lost the write of the last page: the newest changes are deletions."""
    last = tables[directory.name].last
    for number in range(last - 9, last + 1):
        plant(directory, CHANGES, "delete", sequence(number))


def cut_last_change(directory, tables):
    last = tables[directory.name].last
    record = plant(directory, CHANGES, "get", sequence(last))
    plant(directory, CHANGES, "put", sequence(last), record[:4])


def add_deleted_row(directory, tables):
    """One that its newest change deleted."""
    assert b"user.0025" not in tables[directory.name].rows
    plant(directory, ROWS, "put", b"user.0025",
          row_record(2, 1, 1795341600000000, HERE.encode(), b""))


def put_octets(database, key, value):
    return lambda directory, _: plant(directory, database, "put", key, value)


def last_sequence(directory, tables):
    """The number of a change that the log of changes does not have."""
    row = tables[directory.name].rows[b"user.new.3"]
    plant(directory, ROWS, "put", row[1],
          reencode(row, number=tables[directory.name].last + 1000))


def gap(directory, tables):
    plant(directory, CHANGES, "delete", sequence(tables[directory.name].last - 40))


def gap_of_a_deletion(directory, tables):
    """What made the row is in the log of changes yet, before what is missing."""
    assert b"user.0034" not in tables[directory.name].rows
    plant(directory, CHANGES, "delete", sequence(tables[directory.name].last - 5))


def undecodable_change(directory, tables):
    plant(directory, CHANGES, "put", sequence(tables[directory.name].last - 40), b"\1\2")


def duplicate_change(directory, tables):
    """A change once more, under the number of another."""
    last = tables[directory.name].last
    record = plant(directory, CHANGES, "get", sequence(last - 30))
    plant(directory, CHANGES, "put", sequence(last - 20), record)


def extra_change(directory, tables):
    """A change of a row that has none: what an index would have too much."""
    last = tables[directory.name].last
    record = bytearray(plant(directory, CHANGES, "get", sequence(last - 60)))
    name = b"user.new."
    at = record.index(name)
    record[at:at + len(name)] = b"user.gho."
    plant(directory, CHANGES, "put", sequence(last - 60), bytes(record))


def bad_change_key(directory, _):
    plant(directory, CHANGES, "put", b"later than all numbers", b"x")


NEWER = struct.pack(">I", 99)
ROW = b"user.new.3"
OLD_ROW = (LONG + "0100").encode()

DAMAGES = [
    # pages
    Damage("the meta page of the rows", "stopped", flip_page(ROWS, "meta", at=40),
           {("page", ROWS), ("recovery", "log.*")}),
    Damage("the root of the rows", "stopped", flip_root, {("page", ROWS)}),
    Damage("an internal page of the rows", "stopped", flip_internal, {("page", ROWS)}),
    Damage("a leaf of old rows", "stopped", flip_page(ROWS, "leaf", 5), {("page", ROWS)},
           "some", "--dump"),
    Damage("a leaf of old rows, with a backup", "stopped", flip_page(ROWS, "leaf", 5),
           {("page", ROWS)}, "some", "--backup"),
    Damage("many leaves of the rows", "stopped", flip_many, {("page", ROWS)}, "some", "--dump"),
    Damage("a leaf of a young table", "young", flip_page(ROWS, "leaf", 5), {("page", ROWS)}),
    Damage("an overflow page of the rows", "stopped", flip_page(ROWS, "overflow"),
           {("page", ROWS)}, "some", "--dump"),
    Damage("a free page of the rows", "stopped", flip_page(ROWS, "free"), {("page", ROWS)}),
    Damage("the meta page of the changes", "stopped", flip_page(CHANGES, "meta", at=40),
           {("page", CHANGES), ("recovery", "log.*")}),
    Damage("the root of the changes", "stopped",
           lambda directory, _: flip(directory / CHANGES,
                                     root(directory / CHANGES)[0] * PAGE + PAGE - 100),
           {("page", CHANGES)}),
    Damage("a leaf of the changes", "stopped", flip_page(CHANGES, "leaf", 3),
           {("page", CHANGES)}),
    Damage("the last leaf of the changes", "stopped",
           lambda directory, _: flip(directory / CHANGES, last_leaf(directory / CHANGES) * PAGE
                                     + PAGE - 100),
           {("page", CHANGES)}, "all"),
    Damage("the meta page of the identity", "stopped", flip_page(META, "meta", at=40),
           {("page", META), ("recovery", "log.*")}),
    Damage("the records of the identity", "stopped", flip_page(META, "leaf", at=PAGE - 10),
           {("page", META)}, "all"),
    Damage("a leaf of the rows after kill -9", "killed", flip_page(ROWS, "leaf", 5),
           {("page", ROWS)}, "some", "--dump"),
    # files
    Damage("the rows cut to nothing", "stopped", cut_to(ROWS, 0), {("file", ROWS)}, "some",
           "--dump"),
    Damage("the rows cut in a page", "stopped", cut_to(ROWS, lambda octets: octets // 2 + 777),
           {("page", ROWS)}, "some", "--dump"),
    Damage("the rows cut between pages", "stopped", cut_to(ROWS, middle), {("page", ROWS)},
           "some", "--dump"),
    Damage("the changes cut to nothing", "stopped", cut_to(CHANGES, 0), {("file", CHANGES)},
           "all"),
    Damage("the changes cut between pages", "stopped", cut_to(CHANGES, middle),
           {("page", CHANGES), ("structure", CHANGES), ("sequence", CHANGES)}, "all"),
    Damage("the identity cut to nothing", "stopped", cut_to(META, 0), {("file", META)}, "all"),
    Damage("the rows deleted", "stopped", delete(ROWS), {("file", ROWS)}, "some", "--dump"),
    Damage("the rows of a young table deleted", "young", delete(ROWS), {("file", ROWS)}),
    Damage("the changes deleted", "stopped", delete(CHANGES), {("file", CHANGES)}, "all"),
    Damage("the identity deleted", "stopped", delete(META), {("file", META)}, "all"),
    Damage("all databases deleted", "young", delete_all_databases, {("file", ROWS)}),
    Damage("the rows of another table", "stopped", swap(ROWS),
           {("identity", ROWS)}, "some"),
    Damage("the changes of another table", "stopped", swap(CHANGES),
           {("identity", CHANGES)}, "all"),
    Damage("the rows of another table without changes", "loaded", swap_loaded,
           {("identity", ROWS)}, "none"),
    Damage("the identity of another table", "stopped", swap(META), {("identity", META)}, "all"),
    Damage("the rows of a backup", "stopped", old_rows, {("agreement", ROWS)}, "all"),
    # Berkeley DB's log
    Damage("the log deleted", "stopped", delete_logs, {("log", "log.*")}, "all"),
    Damage("the log deleted after kill -9", "killed", delete_logs, {("log", "log.*")}, "some"),
    Damage("the log cut after kill -9", "killed", cut_log, {("log", None)}, "some"),
    Damage("the log flipped after kill -9", "killed", flip_log, {("log", None)}, "some"),
    Damage("a sector of zeros in the log after kill -9", "killed", zero_sector_of_log,
           {("log", None)}, "some"),
    Damage("the log full of zeros", "killed", zero_log, {("log", None), ("log", ROWS)}, "some"),
    # records
    Damage("a row with another location", "stopped", put_row(ROW, location=b"three.test!p"),
           {("agreement", ROWS)}, "all"),
    Damage("a missing row", "stopped", delete_row(ROW), {("agreement", ROWS)}, "all"),
    Damage("a missing row from before the log of changes", "stopped", delete_row(OLD_ROW),
           {("agreement", ROWS)}, "some", "--dump", "all"),
    Damage("a row from before the log of changes with another ACL", "stopped",
           put_row(OLD_ROW, acl=b"eve\tlrswipcda\t"), {("agreement", ROWS)}, "some"),
    Damage("a row of before the log of changes that was deleted", "stopped", add_ghost,
           {("agreement", ROWS)}, "some"),
    Damage("a missing row of a loaded table", "loaded", delete_any_row, {("agreement", ROWS)},
           "some"),
    Damage("a missing row of a young table", "young", delete_row(OLD_ROW),
           {("agreement", ROWS)}, "all"),
    Damage("the end of the changes, in which a row was deleted", "stopped", cut_changes,
           {("agreement", ROWS)}, "some"),
    Damage("the last change cut off", "stopped", cut_last_change, {("record", CHANGES)}, "some"),
    Damage("a row that no change made", "stopped", add_row, {("agreement", ROWS)}, "all"),
    Damage("a row that was deleted", "stopped", add_deleted_row, {("agreement", ROWS)}, "all"),
    Damage("a row of a change that is not there", "stopped", last_sequence,
           {("agreement", ROWS)}, "some"),
    Damage("a row that breaks the rules", "stopped", put_row(ROW, location=b"a!b!c"),
           {("rule", ROWS)}, "all"),
    Damage("an old row that cannot be read", "stopped", put_octets(ROWS, OLD_ROW, b"\1\2\3"),
           {("record", ROWS)}, "some", "--dump"),
    Damage("a change is missing", "stopped", gap, {("sequence", CHANGES)}),
    Damage("a change that deleted a row is missing", "young", gap_of_a_deletion,
           {("sequence", CHANGES)}),
    Damage("a change that cannot be read", "stopped", undecodable_change,
           {("record", CHANGES)}),
    Damage("a change that is there twice", "stopped", duplicate_change,
           {("agreement", CHANGES)}, "some"),
    Damage("a change of a row that is not there", "stopped", extra_change,
           {("agreement", ROWS)}, "some"),
    Damage("a change without a number", "stopped", bad_change_key, {("record", CHANGES)}),
    Damage("the identity without a history", "stopped",
           lambda directory, _: plant(directory, META, "delete", b"history"),
           {("identity", META)}, "all"),
    Damage("a term that goes back", "stopped",
           put_octets(META, b"term", struct.pack(">Q", 0)), {("identity", META)}, "all"),
]


def last_leaf(path):
    octets = path.read_bytes()
    return next(number for number in pages(path, "leaf")
                if struct.unpack_from("<I", octets, number * PAGE + 16)[0] == 0)
