"""The packages on a host: installed, started, upgraded, removed, purged.

SPDX-License-Identifier: BSD-3-Clause
"""

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
    assert "/var/lib/mupdated is kept, it has the table" in said
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
