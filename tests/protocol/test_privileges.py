"""Who the daemon is, and what it keeps to itself.

SPDX-License-Identifier: BSD-3-Clause
"""

import itertools
import os
import pathlib
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
import urllib.request

import pytest

from mupdated import DAEMON, Client, Daemon, free_port, make_certificate, row

# An account that every Debian has, and that owns nothing.
SOMEBODY = pwd.getpwnam("daemon")
EX_NOPERM, EX_CONFIG = 77, 78
ONE = "one.test!default"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def make():
    """Makes a master, not started yet, in a directory that everybody may enter."""
    place = pathlib.Path(tempfile.mkdtemp())
    place.chmod(0o755)
    made = []

    def make_one(**settings):
        directory = place / str(len(made))
        given = {"user": SOMEBODY.pw_name, "coredumps": None,
                 "database_directory": directory / "state", **settings}
        made.append(Daemon(directory, **given))
        os.chown(directory / "sasldb2", SOMEBODY.pw_uid, SOMEBODY.pw_gid)
        return made[-1]

    yield make_one
    try:
        for daemon in made:
            daemon.stop()
    finally:
        shutil.rmtree(place)


def status(daemon):
    text = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def refused(daemon, code):
    """Start it in vain; return what it says."""
    done = daemon.run()
    assert done.returncode == code, done.stderr
    return done.stderr


# --- who it is ---


@as_root
def test_started_as_root_every_thread_becomes_the_user_for_good(make):
    daemon = make(metrics_listen=str(free_port())).start()
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", ONE)
    groups = sorted(os.getgrouplist(SOMEBODY.pw_name, SOMEBODY.pw_gid))
    threads = list(pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir())
    assert len(threads) > 1
    for thread in threads:
        text = (thread / "status").read_text(encoding="ascii")
        assert re.search(r"^Uid:" + rf"\t{SOMEBODY.pw_uid}" * 4 + "$", text, re.MULTILINE), text
        assert re.search(r"^Gid:" + rf"\t{SOMEBODY.pw_gid}" * 4 + "$", text, re.MULTILINE), text
        assert sorted(map(int, re.search(r"^Groups:(.*)$", text, re.MULTILINE)[1].split())) == groups
        for kind in ("Prm", "Eff", "Inh", "Amb"):
            assert re.search(rf"^Cap{kind}:\t0+$", text, re.MULTILINE), text
        assert re.search(r"^NoNewPrivs:\t1$", text, re.MULTILINE)
    assert f"user: name={SOMEBODY.pw_name} uid={SOMEBODY.pw_uid} " in daemon.log()


@as_root
def test_all_of_the_database_belongs_to_the_user_and_to_nobody_else(make):
    daemon = make().start()
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", ONE)
    directory = pathlib.Path(daemon.settings["database_directory"])
    for path in [directory, *directory.rglob("*")]:
        found = path.stat()
        assert found.st_uid == SOMEBODY.pw_uid and found.st_mode & 0o077 == 0, path


@as_root
def test_the_table_is_there_again_and_a_check_as_root_leaves_it_to_the_user(make):
    daemon = make().start()
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", ONE)
    daemon.stop()
    daemon.check_database()
    directory = pathlib.Path(daemon.settings["database_directory"])
    assert {path.stat().st_uid for path in directory.rglob("*")} == {SOMEBODY.pw_uid}
    daemon.start()
    with daemon.client() as client:
        assert client.find("user.a") == row("RESERVE", "user.a", ONE)


@as_root
def test_a_group_that_the_user_is_no_member_of_is_not_given_the_control_socket(make):
    daemon = make(control_group="mail").start()
    assert ("the daemon's user is no member of the group; correct the key control_group\n"
            in daemon.log())
    with daemon.client() as client:
        client.noop()


@as_root
def test_a_port_that_only_root_may_have_is_bound_before(make):
    daemon = make()
    port, metrics = itertools.islice(filter(is_free, range(600, 1024)), 2)
    daemon.configure(listen=f"127.0.0.1:{port}", metrics_listen=str(metrics))
    daemon.start()
    daemon.port = port
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/readyz") as answer:
        assert answer.status == 200
    assert status(daemon)["Uid"].split() == [str(SOMEBODY.pw_uid)] * 4
    daemon.client().close()


def is_free(port):
    import socket
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


@as_root
def test_a_unix_socket_belongs_to_the_user_who_removes_it_at_the_end(make):
    daemon = make()
    place = daemon.directory / "run"
    place.mkdir()
    os.chown(place, SOMEBODY.pw_uid, SOMEBODY.pw_gid)
    daemon.configure(listen=f"127.0.0.1:{daemon.port} unix:{place}/socket")
    daemon.start()
    found = (place / "socket").stat()
    assert found.st_uid == SOMEBODY.pw_uid and stat.S_IMODE(found.st_mode) == 0o660
    Client(place / "socket").close()
    daemon.stop()
    assert not (place / "socket").exists()


@as_root
def test_a_database_of_another_user_is_refused_and_not_given_away(make):
    daemon = make()
    directory = pathlib.Path(daemon.settings["database_directory"])
    directory.mkdir()
    said = refused(daemon, EX_NOPERM)
    assert f"database_directory: {directory} must belong to the user {SOMEBODY.pw_name}" in said
    assert f"chown -R {SOMEBODY.pw_name} {directory}" in said
    assert directory.stat().st_uid == 0


@as_root
def test_root_stays_root_only_when_the_configuration_says_so(make):
    daemon = make(user="root").start()
    assert status(daemon)["Uid"].split() == ["0"] * 4
    assert "warning: user: running as root" in daemon.log()


@as_root
def test_without_the_key_and_without_the_usual_account_root_is_refused(make):
    try:
        pwd.getpwnam("mupdated")
    except KeyError:
        said = refused(make(user=None), EX_CONFIG)
        assert "there is no account mupdated to become" in said and "user: root" in said
    else:
        daemon = make(user=None)
        daemon.run()
        assert pathlib.Path(daemon.settings["database_directory"]).owner() == "mupdated"


def test_an_account_that_does_not_exist_is_named(make):
    said = refused(make(user="no-such-account"), EX_CONFIG)
    assert "there is no account no-such-account" in said


@as_root
def test_somebody_else_than_root_cannot_become_another(make):
    daemon = make(user="root", coredumps="yes")
    done = subprocess.run([DAEMON, "-C", daemon.config_path], capture_output=True, text=True,
                          check=False, user=SOMEBODY.pw_uid, group=SOMEBODY.pw_gid,
                          extra_groups=[])
    assert done.returncode == EX_NOPERM
    assert "user: only root can become root, and this process was started by uid=" in done.stderr


@as_root
def test_files_that_the_user_may_not_read_are_named_at_start_and_at_a_reload(make):
    daemon = make()
    certificate, key = make_certificate(daemon.directory / "tls")
    daemon.configure(tls_server_cert=certificate, tls_server_key=key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    wanted = f"tls_server_key: {key} may not be read by the user {SOMEBODY.pw_name}"
    said = refused(daemon, EX_CONFIG)
    assert wanted in said and "TLS cannot be set up: " in said

    os.chown(key, 0, SOMEBODY.pw_gid)
    key.chmod(0o640)
    daemon.start()
    assert wanted not in daemon.log_since_start()
    assert wanted not in daemon.reload()
    key.chmod(0o600)
    said = daemon.reload()
    assert wanted in said and "reload: the configuration stays as it was" in said
    with daemon.connect() as client:
        client.starttls()


@as_root
def test_a_file_of_passwords_that_the_user_may_not_read_is_named(make):
    daemon = make()
    os.chown(daemon.directory / "sasldb2", 0, 0)
    (daemon.directory / "sasldb2").chmod(0o600)
    daemon.start()
    daemon.wait_for_log(r"warning: sasl_sasldb_path: \S+ may not be read by the user ")


# --- what it keeps to itself ---


@as_root
def test_another_process_of_the_same_user_cannot_look_into_it(make):
    daemon = make().start()
    reader = "import sys; open(f'/proc/{sys.argv[1]}/mem', 'rb')"

    def look():
        return subprocess.run(["/usr/bin/python3", "-c", reader, str(daemon.process.pid)],
                              user=SOMEBODY.pw_uid, group=SOMEBODY.pw_gid, extra_groups=[],
                              capture_output=True, text=True, check=False)

    assert "PermissionError" in look().stderr
    assert os.stat(f"/proc/{daemon.process.pid}/mem").st_uid == 0
    daemon.stop()
    daemon.configure(coredumps="yes")
    daemon.start()
    assert look().returncode == 0
    assert "core files may be written" in daemon.log_since_start()


def core_limit(daemon):
    text = pathlib.Path(f"/proc/{daemon.process.pid}/limits").read_text(encoding="ascii")
    return re.search(r"^Max core file size\s+(\S+)\s+(\S+)", text, re.MULTILINE).groups()


@as_root
def test_no_core_file_is_written_unless_it_is_asked_for(make):
    assert core_limit(make().start()) == ("0", "0")
    assert core_limit(make(coredumps="yes").start())[1] != "0"
