# SPDX-License-Identifier: BSD-3-Clause
"""What the liar says instead of the truth; see liar.py."""

import liar


def replace(verb, old, new):
    """A lie: the first occurrence of old in the answer to verb is new."""
    def lie(words, honest):
        return honest.replace(old, new, 1) if words[1] == verb else honest
    return lie


def instead(verb, said):
    def lie(words, honest):
        return said if words[1] == verb else honest
    return lie


def only_once(lie):
    """What one subscriber of several is told; the others hear the truth."""
    told = []

    def choose(words, honest):
        said = lie(words, honest)
        if said != honest and not told:
            told.append(words)
            return said
        return honest
    return choose


def another_order(words, honest):
    """The same answer with its rows the other way round."""
    if words[1] != b"UPDATE":
        return honest
    rows = honest.split(words[0] + b" ")[1:]
    return b"".join(words[0] + b" " + row for row in [*rows[-2::-1], rows[-1]])


def twice_the_row(words, honest):
    if words[1] not in (b"FIND", b"UPDATE"):
        return honest
    first, rest = honest.split(b"\t\r\n", 1)
    return first + b"\t\r\n" + first + b"\t\r\n" + rest


def no_row(words, honest):
    return liar.done(words[0]) if words[1] == b"FIND" else honest


LIES = {
    "find_another_name": ("find", replace(b"FIND", b"user.bench", b"user.other")),
    "find_another_location": ("find", replace(b"FIND", b"!default", b"!damaged")),
    "find_another_acl": ("find", replace(b"FIND", b"lrswip", b"lrswit")),
    "find_no_row": ("find", no_row),
    "find_row_twice": ("find", twice_the_row),
    "find_another_tag": ("find", replace(b"FIND", b"OK", b"OK \"\"\r\nX9 OK")),
    "find_text_missing": ("find", replace(b"FIND", b' "done"', b"")),
    "find_text_without_quotes": ("find", replace(b"FIND", b'"done"', b"done")),
    "find_refused": ("find", replace(b"FIND", b"OK", b"NO")),
    "create_reserve_refused": ("create", replace(b"RESERVE", b"OK", b"NO")),
    "create_activate_bad": ("create", replace(b"ACTIVATE", b"OK", b"BAD")),
    "delete_refused": ("delete", replace(b"DELETE", b"OK", b"NO")),
    "dump_row_missing": ("dump", replace(b"UPDATE", b"bench00000003.Sent", b"stray00000003.Sent")),
    "dump_row_twice": ("dump", twice_the_row),
    "dump_another_acl": ("dump", replace(b"UPDATE", b"lrswip", b"lrswit")),
    "dump_ends_with_no": ("dump", instead(b"UPDATE", b'X1 NO "sorry"\r\n')),
    "dump_empty": ("dump", instead(b"UPDATE", b'X1 OK "done"\r\n')),
    "dump_with_a_deletion": ("dump", instead(b"UPDATE", b'X1 DELETE "user.a"\r\n')),
    "stream_another_location": ("latency", replace(b"STREAM", b"!default", b"!damaged")),
    "stream_another_row": ("latency", replace(b"STREAM", b"{18+}\r\nuser.bench0000000",
                                              b"{18+}\r\nuser.bench0100000")),
    "stream_silent": ("latency", instead(b"STREAM", b"")),
    "cycle_no_row": ("cycle", no_row),
}
