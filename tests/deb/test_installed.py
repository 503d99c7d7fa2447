"""The packages on a host: installed, started, upgraded, removed, purged.

SPDX-License-Identifier: BSD-3-Clause
"""

import errno
import os
import re
import signal
import subprocess

import pytest

from host import child_of
from mupdated import PATIENCE_S

CONFIGURATION = """
servername: mupdate.test
admins: murder
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /etc/mupdated.sasldb
sasl_mech_list: PLAIN
"""


@pytest.fixture
def older(packages, tmp_path):
    """The same packages with an older version, which a host can be given first."""
    made = {}
    for name in ("mupdated", "mupdate-tools"):
        folder = tmp_path / name
        subprocess.run(["dpkg-deb", "--raw-extract", packages[name], folder], check=True)
        control = folder / "DEBIAN/control"
        version = re.search(r"^Version: (.*)$", control.read_text(), re.MULTILINE)[1]
        control.write_text(control.read_text().replace(version, version + "~older"))
        made[name] = tmp_path / f"{name}_older.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", folder,
                        made[name]], check=True, capture_output=True)
    return made


def configure(host):
    """What an operator does before the first start."""
    with open(host.path("/etc/mupdated.conf"), "a", encoding="ascii") as file:
        file.write(CONFIGURATION)
    host.shell("printf secret | saslpasswd2 -p -c -f /etc/mupdated.sasldb -u mupdate.test murder; "
               "chgrp mupdated /etc/mupdated.sasldb; chmod 640 /etc/mupdated.sasldb; "
               "printf 'secret\\n' >/root/password; chmod 600 /root/password; "
               "mupdated --check-config")


def ctl(host, *words):
    return host.run("mupdatectl", "-h", "127.0.0.1", "-u", "murder", "--password-file",
                    "/root/password", *words)


class Running:
    def __init__(self, host):
        self.process = host.start_as_the_unit_says()
        self.said = ""
        while "ready: " not in self.said:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line

    def stop(self):
        os.kill(child_of(self.process), signal.SIGTERM)
        rest = self.process.communicate(timeout=PATIENCE_S)[0]
        assert self.process.returncode == 0 and "notice: stopped" in rest, rest


def processes(host):
    return host.run("ps", "-e", "-o", "args=")


def test_the_life_of_an_installation(host, packages, older):
    new = [packages["mupdated"], packages["mupdate-tools"]]

    # A first installation starts nothing: nobody said yet who may log in.
    host.install(*older.values())
    assert "/usr/sbin/mupdated" not in processes(host)
    assert [name for name in host.new_files() if "mupdated" in name
            and name.startswith("/etc")] == ["/etc/mupdated.conf"]
    conf = host.path("/etc/mupdated.conf").stat()
    account = host.run("getent", "passwd", "mupdated").split(":")
    group = host.run("getent", "group", "mupdated").split(":")
    assert account[5] == "/var/lib/mupdated" and account[6].strip() == "/usr/sbin/nologin"
    assert (conf.st_mode & 0o777, conf.st_uid, conf.st_gid) == (0o640, 0, int(group[2]))

    # It is started as the unit says, and used.
    configure(host)
    running = Running(host)
    ctl(host, "activate", "user.anna", "one.test!default", "anna", "lrs")
    assert "user.anna" in ctl(host, "find", "user.anna")
    assert "master, mupdated" in host.run("mupdatectl", "status")
    running.stop()

    # The next version has the same table and configuration.
    host.install(*new)
    assert "admins: murder" in host.path("/etc/mupdated.conf").read_text()
    assert host.path("/etc/mupdated.conf").stat().st_mode & 0o777 == 0o640
    running = Running(host)
    assert "one.test!default" in ctl(host, "find", "user.anna")
    running.stop()

    # Removed and purged, nothing is left but the table, the account and what is the operator's.
    host.run("dpkg", "--remove", "mupdated", "mupdate-tools")
    assert host.path("/etc/mupdated.conf").exists()
    assert not host.path("/usr/sbin/mupdated").exists()
    said = host.run("dpkg", "--purge", "mupdated", "mupdate-tools")
    assert "/var/lib/mupdated is kept, it has a table" in said
    assert host.path("/var/lib/mupdated").stat().st_uid == int(account[2])
    assert {name for name in host.new_files() if not name.startswith("/var/lib/mupdated/")} == {
        "/etc/mupdated.sasldb", "/root/password", "/var/lib/mupdated"}

    # And a new installation finds the table again.
    host.run("rm", "-f", "/etc/mupdated.sasldb")
    host.install(*new)
    configure(host)
    running = Running(host)
    assert "one.test!default" in ctl(host, "find", "user.anna")
    running.stop()


def test_a_purge_without_a_table_says_nothing(host, packages):
    host.install(packages["mupdated"])
    assert "kept" not in host.run("dpkg", "--purge", "mupdated")


def test_a_program_is_built_with_the_development_files(host, packages):
    host.install(packages["libmupdate-dev"], packages["libmupdate-client1"],
                 packages["libmupdate-server1"])
    host.path("/tmp/program.c").write_text(
        "#include <mupdate/connect.h>\n#include <mupdate/server.h>\n"
        "int main(void)\n{\n    mupdate_client_free(0);\n    mupdate_server_free(0);\n"
        "    return 0;\n}\n")
    host.shell("cd /tmp; cc -Wall -Werror program.c -o program "
               "$(pkg-config --cflags --libs libmupdate-client libmupdate-server); ./program")
    assert "libmupdate-client.so.1" in host.run("ldd", "/tmp/program")


def test_the_completion_is_where_bash_looks_for_it(host, packages):
    host.install(packages["mupdate-tools"])
    said = host.run("bash", "-c", "source /usr/share/bash-completion/completions/mupdatectl; "
                    "COMP_WORDS=(mupdatectl pi); COMP_CWORD=1; _mupdatectl mupdatectl; "
                    "echo ${COMPREPLY[@]}")
    assert said == "ping\n"


# --- with a real systemd ---

COME_AND_GO = """
import socket
for i in range(300):
    with socket.create_connection(("127.0.0.1", 3905)) as one:
        assert one.recv(1) == b"*", i
"""


def show(host, unit, name):
    return host.run("systemctl", "show", "--value", f"--property={name}", unit).strip()


def test_systemd_starts_it_in_its_sandbox_and_no_client_is_refused_at_an_upgrade(
        booted, packages, older):
    booted.install(*older.values())
    for unit in ("mupdated.service", "mupdated.socket"):
        assert show(booted, unit, "ActiveState") == "inactive"
        assert booted.run("systemctl", "is-enabled", unit, status=1).strip() == "disabled"
    configure(booted)
    with open(booted.path("/etc/mupdated.conf"), "a", encoding="ascii") as file:
        file.write("listen: * unix:/run/mupdated/socket\n")
    booted.shell("mkdir /etc/systemd/system/mupdated.socket.d; "
                 "printf '[Socket]\\nListenStream=/run/mupdated/socket\\n' "
                 ">/etc/systemd/system/mupdated.socket.d/local.conf; systemctl daemon-reload")
    booted.run("systemctl", "enable", "--now", "mupdated.socket", "mupdated.service")
    ctl(booted, "activate", "user.anna", "one.test!default", "anna", "lrs")
    said = booted.run("journalctl", "--no-pager", "--unit=mupdated.service")
    assert 'handed down: fd=3 name=mupdated.socket address="[::] port 3905"' in said
    assert re.search(r"login: \[127\.0\.0\.1\] port=\d+ user=murder", said)

    # Everything that it does may be done in the sandbox: a copy of the database too.
    assert booted.run("mupdatectl", "dump").count("\nA user.anna ") == 1
    booted.run("systemctl", "reload", "mupdated")

    # The upgrade restarts it; who comes meanwhile waits, and who comes when it is stopped starts it.
    before = show(booted, "mupdated.service", "MainPID")
    come_and_go = subprocess.Popen(booted.command("/usr/bin/python3", "-c", COME_AND_GO),
                                   stderr=subprocess.PIPE, text=True)
    booted.install(packages["mupdated"], packages["mupdate-tools"])
    said = come_and_go.communicate(timeout=PATIENCE_S)[1]
    assert come_and_go.returncode == 0, said
    assert show(booted, "mupdated.service", "MainPID") not in (before, "0")
    booted.run("systemctl", "stop", "mupdated.service")
    assert "one.test!default" in ctl(booted, "find", "user.anna")
    assert show(booted, "mupdated.service", "ActiveState") == "active"

    # A socket with a path is there as long as its unit, too.
    booted.run("systemctl", "stop", "mupdated.service")
    booted.run("/usr/bin/python3", "-c", "import socket; one = socket.socket(socket.AF_UNIX); "
               "one.connect('/run/mupdated/socket'); assert one.recv(1) == b'*'")
    assert show(booted, "mupdated.service", "ActiveState") == "active"

    # An administrator's policy that nothing is started or stopped by packages is obeyed.
    policy = booted.path("/usr/sbin/policy-rc.d")
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    before = show(booted, "mupdated.service", "MainPID")
    booted.install(packages["mupdated"])
    assert show(booted, "mupdated.service", "MainPID") == before
    policy.unlink()

    # Nothing runs or listens when it is removed.
    booted.run("dpkg", "--purge", "mupdated")
    assert "/usr/sbin/mupdated" not in processes(booted)
    assert booted.run("/usr/bin/python3", "-c", "import socket; print(socket.socket().connect_ex("
                      "('127.0.0.1', 3905)))").strip() == str(errno.ECONNREFUSED)
    assert {name for name in booted.new_files() if "/systemd/system" in name
            and "mupdated" in name} == {"/etc/systemd/system/mupdated.socket.d",
                                        "/etc/systemd/system/mupdated.socket.d/local.conf"}
    assert booted.run("systemctl", "is-system-running").strip() == "running"
