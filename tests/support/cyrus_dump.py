"""Dumps of Cyrus's ctl_mboxlist -d, read and written by code that is not mupdated's.

An entry: (name, type, server, partition, acl), all octets; type as JSON has it ("er"), server
None on the back-end that the mailbox is on.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import pathlib
import re

DATA = pathlib.Path(__file__).resolve().parent.parent / "ctl" / "data"
# Up to Cyrus 3.4 types were bits, here of those that matter.
BITS = {"r": 1, "z": 2, "m": 8, "d": 16, "i": 256}


def parse(octets):
    """The entries of JSON in its order; where Cyrus left one out there is none."""
    text = octets.decode()
    while re.search(r",\s*,|\{\s*,|,\s*\}", text):
        text = re.sub(r",(\s*)([,}])", r"\1\2", text)
        text = re.sub(r"\{(\s*),", r"{\1", text)
    return [(name.encode(), row["mbtype"].encode(),
             row["server"].encode() if "server" in row else None,
             row.get("partition", "").encode(),
             b"".join(b"%s\t%s\t" % (key.encode(), rights.encode())
                      for key, rights in row["acl"].items()))
            for name, row in json.loads(text).items()]


def compose(entries, indent=None, **more):
    """JSON as Cyrus 3.6 prints it; with indent as other tools lay it out."""
    rows = {}
    for name, kind, server, partition, acl in entries:
        words = acl.decode().split("\t")[:-1]
        rows[name.decode()] = {
            "name": name.decode(), "mtime": "1700000000", "uidvalidity": "0",
            "createdmodseq": "0", "foldermodseq": "0", "mbtype": kind.decode(),
            "partition": partition.decode(), **({} if server is None else
                                                {"server": server.decode()}),
            "acl": dict(zip(words[::2], words[1::2])), **more, "name_history": []}
    if indent is not None:
        return json.dumps(rows, indent=indent).encode()
    return ("{\n" + ",\n".join(json.dumps({name: row}, ensure_ascii=False)[1:-1]
                               for name, row in rows.items()) + "\n}\n").encode()


def compose_text(entries, version):
    """Lines as Cyrus 2.2, 2.3, 2.5 and 3.4 print them."""
    lines = []
    for name, kind, server, partition, acl in entries:
        number = b"%d" % sum(bit for letter, bit in BITS.items() if letter.encode() in kind)
        place = partition if server is None else server + b"!" + partition
        lines.append({
            "2.2": b"%s\t%s\t%s\n" % (name, place, acl),
            "2.3": b"%s\t%s %s\t%s\n" % (name, number, place, acl),
            "2.5": b"%s\t%s %s %s\n" % (name, number, place, acl),
            "3.4": b"%s\t%s %s %s>%s 1700000000 1700000001 3 1 \n" % (
                name, number, place, acl, b"" if server else b"8edex7ayi51okodhwa59maiy"),
        }[version])
    return b"".join(lines)


def without(octets, *keys):
    """JSON without some members that are strings."""
    for key in keys:
        octets = re.sub(rb'"%s": "[^"]*", ' % key.encode(), b"", octets)
    return octets
