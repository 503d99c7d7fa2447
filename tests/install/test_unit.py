"""The unit for systemd, and what comes with it.

SPDX-License-Identifier: BSD-3-Clause
"""

import grp
import os
import re
import shutil
import subprocess
import urllib.request

import pytest

from installing import make_install, run
from mupdated import ROOT, free_port
from sandbox import Traced, allowed_calls, needs_systemd, needs_tracing, settings

# systemd's own measure, from 0 (nothing can be reached) to 10.
EXPOSURE_MAX = 2.0


@pytest.fixture(scope="module")
def unit(installed):
    return installed / "usr/lib/systemd/system/mupdated.service"


@needs_systemd
def test_the_sandbox_leaves_little_exposed(unit):
    said = run("systemd-analyze", "security", "--offline=yes", unit)
    exposure = float(re.search(r"Overall exposure level for mupdated.service: ([0-9.]+)", said)[1])
    assert exposure <= EXPOSURE_MAX, said


@needs_systemd
def test_systemd_understands_every_line(unit):
    """What it says of the program and the manual is that they are not installed here."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit,
                           unit.with_suffix(".socket")], capture_output=True, text=True,
                          check=False)
    said = [line for line in done.stderr.splitlines()
            if "mupdated." in line and "is not executable" not in line]
    assert said == []


def test_systemd_listens_where_the_daemon_would_by_default(unit):
    """It refuses to start with a socket that listen does not name."""
    socket_unit = unit.with_suffix(".socket")
    assert settings(socket_unit, "ListenStream") == ["3905"]
    assert settings(socket_unit, "BindIPv6Only") == ["both"]
    keys = (ROOT / "etc/mupdated.conf").read_text()
    assert "\n#listen: *\n" in keys and "\n#mupdate_port: 3905\n" in keys


def test_the_unit_starts_what_was_installed(unit, installed):
    assert settings(unit, "Type") == ["notify"]
    for name in ("ExecStart",):
        words = settings(unit, name)[0].split()
        assert (installed / words[0][1:]).exists()
        assert words[1:3] == ["-C", "/etc/mupdated.conf"]
        assert (installed / words[2][1:]).exists()


def test_another_prefix_is_in_all_paths(build, installed, tmp_path):
    shutil.copytree(build, tmp_path / "build")
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


@needs_tracing
def test_the_daemon_makes_only_system_calls_that_the_unit_allows(unit, daemons, tmp_path,
                                                                 certificate):
    """Start, logins, changes, a dump, TLS, the control socket, metrics, a reload and the end."""
    group = grp.getgrgid(os.getegid()).gr_name
    daemon = Traced.make(daemons, tmp_path / "trace", control_group=group, **certificate)
    metrics = free_port()
    daemon.configure(listen=f"127.0.0.1:{daemon.port} unix:{tmp_path}/socket",
                     metrics_listen=str(metrics))
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
    with daemon.control() as control:
        assert control.status()["table"]["rows"] == 1
        assert control.all("connections") is not None
    for path in ("metrics", "healthz", "readyz"):
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/{path}") as answer:
            assert answer.status == 200
    daemon.reload(log_level="info")
    daemon.stop()
    used = daemon.calls()
    assert {"accept4", "chown", "fdatasync", "epoll_wait", "prctl", "unlink"} <= used
    assert used - allowed_calls(unit) == set()
