"""The unit for systemd, and what comes with it.

SPDX-License-Identifier: BSD-3-Clause
"""

import re
import shutil
import subprocess

import pytest

from installing import make_install, run

# systemd's own measure, from 0 (nothing can be reached) to 10.
EXPOSURE_MAX = 2.0

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                                   reason="systemd-analyze is not there (package systemd)")


@pytest.fixture(scope="module")
def unit(installed):
    return installed / "usr/lib/systemd/system/mupdated.service"


def settings(unit, name):
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


@needs_systemd
def test_the_sandbox_leaves_little_exposed(unit):
    said = run("systemd-analyze", "security", "--offline=yes", unit)
    exposure = float(re.search(r"Overall exposure level for mupdated.service: ([0-9.]+)", said)[1])
    assert exposure <= EXPOSURE_MAX, said


@needs_systemd
def test_systemd_understands_every_line(unit):
    """What it says of the program and the manual is that they are not installed here."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                          text=True, check=False)
    said = [line for line in done.stderr.splitlines()
            if "mupdated.service" in line and "is not executable" not in line]
    assert said == []


def test_the_unit_starts_what_was_installed(unit, installed):
    assert settings(unit, "Type") == ["notify"]
    for name in ("ExecStartPre", "ExecStart"):
        words = settings(unit, name)[0].split()
        assert (installed / words[0][1:]).exists()
        assert words[1:3] == ["-C", "/etc/mupdated.conf"]
        assert (installed / words[2][1:]).exists()


def test_another_prefix_is_in_all_paths(build, tmp_path):
    make_install(tmp_path / "build", tmp_path / "place", "PREFIX=/opt/mupdated")
    place = tmp_path / "place/opt/mupdated"
    unit = place / "lib/systemd/system/mupdated.service"
    assert settings(unit, "ExecStart") == [
        "/opt/mupdated/sbin/mupdated -C /opt/mupdated/etc/mupdated.conf"]
    assert "/opt/mupdated/etc/mupdated.conf " in (place / "lib/tmpfiles.d/mupdated.conf").read_text()


def test_the_user_of_the_unit_is_made_and_may_read_the_configuration(unit, installed):
    user, = settings(unit, "User")
    assert re.search(rf"^u {user} ", (installed / "usr/lib/sysusers.d/mupdated.conf").read_text(),
                     re.MULTILINE)
    assert re.search(rf"^z /etc/mupdated.conf 0640 root {user}$",
                     (installed / "usr/lib/tmpfiles.d/mupdated.conf").read_text(), re.MULTILINE)


def test_a_mistake_of_the_operator_does_not_make_it_start_for_ever(unit):
    codes = set(settings(unit, "RestartPreventExitStatus")[0].split())
    assert {"64", "77", "78"} <= codes


def filtered_calls(unit):
    """The system calls that the unit allows, by systemd's own lists."""
    allowed = expand("@default")
    for line in settings(unit, "SystemCallFilter"):
        names = set().union(*map(expand, line.lstrip("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed | expand("@default")


def expand(name):
    if not name.startswith("@"):
        return {name}
    lines = [line.strip() for line in
             run("systemd-analyze", "syscall-filter", name).splitlines()[1:]]
    return set().union(*(expand(line) for line in lines if line and not line.startswith("#")))


@needs_systemd
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not there (package strace)")
def test_the_daemon_makes_only_system_calls_that_the_unit_allows(unit, daemons, tmp_path,
                                                                 certificate):
    """Start, logins, changes, a dump, TLS, a reload and the end."""
    trace = tmp_path / "trace"
    daemon = daemons.make(prefix=["strace", "-f", "-qq", "-I", "never", "-o", trace], **certificate)
    daemon.configure(listen=f"127.0.0.1:{daemon.port} unix:{tmp_path}/socket")
    daemon.start()
    for tls in (False, True):
        with daemon.connect() as client:
            if tls:
                client.starttls()
            client.login()
            client.compress()
            client.ok("ACTIVATE", "user.a", "one.test!default", "anna lrs")
            assert client.find("user.a")
            assert client.update()
    daemon.signal = lambda number: run("kill", f"-{int(number)}", traced(daemon))
    daemon.reload(log_level="info")
    daemon.stop()
    used = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(errors="replace"), re.MULTILINE))
    assert {"accept4", "fdatasync", "epoll_wait", "prctl", "unlink"} <= used
    assert used - filtered_calls(unit) == set()


def traced(daemon):
    pid = daemon.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()[0]
