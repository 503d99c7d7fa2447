"""What the unit for systemd lets the daemon do, and what the daemon does.

SPDX-License-Identifier: BSD-3-Clause
"""

import re
import shutil
import subprocess

import pytest

import mupdated

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                                   reason="systemd-analyze is not there (package systemd)")
needs_tracing = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or shutil.which("strace") is None,
    reason="systemd-analyze or strace is not there (packages systemd and strace)")


def settings(unit, name):
    """The values that a unit, a path, gives to a key."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


def allowed_calls(unit):
    """The system calls that the unit allows, by systemd's own lists."""
    allowed = _expand("@default")
    for line in settings(unit, "SystemCallFilter"):
        names = set().union(*map(_expand, line.lstrip("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed | _expand("@default")


def _expand(name):
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True,
                          text=True, check=True).stdout
    lines = [line.strip() for line in said.splitlines()[1:]]
    return set().union(*(_expand(line) for line in lines if line and not line.startswith("#")))


class Traced(mupdated.Daemon):
    """A daemon whose system calls strace writes into a file."""

    def __init__(self, directory, trace, **settings_):
        self.trace = trace
        super().__init__(directory, prefix=[
            "strace", "-f", "-qq", "-I", "never", "-o", trace], **settings_)
        # It cannot look for leaks in a process that is traced, and ends it for that.
        self.environment["LSAN_OPTIONS"] = "detect_leaks=0"

    @classmethod
    def make(cls, daemons, trace, **settings_):
        """One that is not started yet, and ends with the others."""
        daemons.all.append(cls(daemons.directory / f"traced{len(daemons.all)}", trace,
                               **settings_))
        return daemons.all[-1]

    def signal(self, number):
        """To the daemon: strace is its parent."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            subprocess.run(["kill", f"-{int(number)}", file.read().split()[0]], check=True)

    def calls(self):
        """The names of the calls that it made."""
        return set(re.findall(r"^\d+ +(\w+)\(", self.trace.read_text(errors="replace"),
                              re.MULTILINE))
