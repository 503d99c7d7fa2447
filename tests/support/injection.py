"""A command whose system calls fail, or kill it, at a point that is chosen: by strace.

SPDX-License-Identifier: BSD-3-Clause
"""

import re
import shutil
import subprocess

import pytest

# What changes files; write() apart, which fills new log files with thousands of them.
CHANGES = ("pwrite64,fdatasync,fsync,rename,renameat2,mkdir,unlinkat,unlink,ftruncate,fallocate,"
           "fchmod,fchown")


def can_trace():
    return (shutil.which("strace") is not None and
            subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True,
                           check=False).returncode == 0)


needs_strace = pytest.mark.skipif(not can_trace(), reason="strace is not there, or may not trace")


def strace(command, *options, **more):
    return subprocess.run(["strace", "-qq", *options, *map(str, command)], check=False,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=300, **more)


def points(command, trace, calls=CHANGES):
    """[(call, its number among those of its kind)] of a run that succeeds, in order."""
    done = strace(command, "-o", str(trace), "-e", f"trace={calls}")
    assert done.returncode == 0, done
    counts, found = {}, []
    for line in trace.read_text(errors="replace").splitlines():
        call = re.match(r"(\w+)\(", line)
        if call:
            counts[call[1]] = counts.get(call[1], 0) + 1
            found.append((call[1], counts[call[1]]))
    return found


def choose(found, count):
    """So many of them, spread over the run, and with them the end, where things get their place."""
    step = max(1, len(found) // count)
    exchange = {number + more for number, point in enumerate(found)
                if point[0] == "renameat2" for more in (0, 1)}
    return [point for number, point in enumerate(found)
            if number % step == step // 2 or number in exchange]


def strike(command, point, how):
    """Run it; at the point do how, as strace's -e inject= has it: "signal=KILL"."""
    call, number = point
    return strace(command, "-o", "/dev/null", "-e", f"trace={call}",
                  "-e", f"inject={call}:{how}:when={number}{'' if 'signal' in how else '+'}")
