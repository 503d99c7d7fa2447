"""Orders of mailbox names, and the rows that a Cyrus replica may lose, as models.

SPDX-License-Identifier: BSD-3-Clause
"""

import random


def cyrus36(name):
    """A sort key for the order of Cyrus 3.6 and later."""
    domain, mark, rest = name.partition(b"!")
    if not mark:
        domain, rest = b"", name
    rest = rest.replace(b".", b"\x1f").replace(b"^", b"\x2e")
    return domain + (b"\x1d" if mark else b"") + rest, name


def octet(name):
    return name


def at_risk(departed, present):
    """The present names that a replica may lose which had the departed ones."""
    return [name for name in sorted(present, key=cyrus36)
            if any(cyrus36(gone) < cyrus36(name) and gone > name for gone in departed)]


def merge(replica, dump):
    """The names that Cyrus's merge of a dump, in list order, leaves a replica with.

    Both lists are in list order; the merge compares by plain octets.
    """
    mine = sorted(replica, key=cyrus36)
    kept = set(replica)
    at = 0
    for name in dump:
        while at < len(mine) and mine[at] < name:
            kept.discard(mine[at])
            at += 1
        if at < len(mine) and mine[at] == name:
            at += 1
        else:
            kept.add(name)
    kept.difference_update(mine[at:])
    return kept


def nasty_names(count, seed, octets=b"ab. -^2!\t"):
    """Different names of few octets, so that they often differ in one."""
    chance = random.Random(seed)
    names = set()
    while len(names) < count:
        names.add(b"u." + bytes(chance.choice(octets) for _ in range(chance.randint(1, 5))))
    return sorted(names)


def wild_names(count, seed):
    """Names of all octets that a name may have."""
    return nasty_names(count, seed, bytes(o for o in range(1, 256) if o not in b"\r\n"))
