"""What is left of a secret in the memory of a process.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import re
import secrets
import string

# Freed memory keeps all but its first octets, where the allocator writes; so a piece is enough.
PIECE = 12


def make_password():
    """One that nothing else in memory looks like a piece of."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(64))


def _pieces(octets):
    return {octets[at:at + PIECE] for at in range(0, len(octets) - PIECE + 1)}


def forms(password):
    """Pieces of the password as it is, and as base64 writes it wherever it begins."""
    octets = password.encode()
    found = _pieces(octets)
    for before in range(3):
        text = base64.b64encode(b"\0" * before + octets)
        found |= _pieces(text[4:-4])
    return found


def search(pid, password):
    """Where pieces of the password are in the writable memory: [(address, mapping, octets)]."""
    # One expression of all pieces is slow on much memory: the first four octets select.
    pieces = forms(password)
    starts = re.compile(b"|".join(re.escape(start) for start in {piece[:4] for piece in pieces}))
    found = []
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            words = line.split(maxsplit=5)
            if "w" not in words[1] or words[-1].strip() in ("[vvar]", "[vsyscall]"):
                continue
            start, end = (int(number, 16) for number in words[0].split("-"))
            octets = _read(memory, start, end)
            found += [(hex(start + hit.start()), words[5].strip() if len(words) > 5 else "anonymous",
                       octets[hit.start():hit.start() + PIECE])
                      for hit in starts.finditer(octets)
                      if octets[hit.start():hit.start() + PIECE] in pieces]
    return found


def _read(memory, start, end):
    """What can be read of it; a mapping may have gone, or lie behind the end of a file."""
    octets = bytearray()
    for at in range(start, end, 1 << 20):
        try:
            memory.seek(at)
            octets += memory.read(min(1 << 20, end - at))
        except OSError:
            octets += bytes(min(1 << 20, end - at))
    return bytes(octets)
