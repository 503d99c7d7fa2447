"""Passwords are nowhere but where they have to be.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import os
import socket
import subprocess
import threading

import pytest

import memory
import sasl
from mupdated import CTL, SANITIZED, USER, literal, make_sasldb, wait_for

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a process"),
    pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps freed memory, and copies of its own"),
]


@pytest.fixture
def password():
    return memory.make_password()


@pytest.fixture
def daemon(daemons, password, certificate):
    made = daemons.make(sasl_mech_list="PLAIN LOGIN SCRAM-SHA-256 DIGEST-MD5 CRAM-MD5",
                        password_cache="off", cache_size="1M", **certificate)
    make_sasldb(made.directory / "sasldb2", "mupdate.test", {USER: password})
    return made.start()


def plain(client, password):
    client.login(USER, password)


def plain_in_two_steps(client, password):
    sasl.begin(client, "PLAIN")
    assert sasl.challenge(client) == b""
    sasl.respond(client, sasl.plain(USER, password))
    assert sasl.outcome(client)[0] == "OK"


def plain_quoted(client, password):
    client.send(b'A1 AUTHENTICATE "PLAIN" "' + sasl.encode(sasl.plain(USER, password)) + b'"\r\n')
    assert sasl.outcome(client)[0] == "OK"


def plain_in_pieces(client, password):
    """The buffers of the session grow and move on the way."""
    octets = (b'A1 AUTHENTICATE "PLAIN" ' + literal(sasl.encode(sasl.plain(USER, password)))
              + b"\r\n")
    for at in range(0, len(octets), 7):
        client.send(octets[at:at + 7])
    assert sasl.outcome(client)[0] == "OK"


def login(client, password):
    sasl.begin(client, "LOGIN")
    sasl.challenge(client)
    sasl.respond(client, USER)
    sasl.challenge(client)
    sasl.respond(client, password)
    assert sasl.outcome(client)[0] == "OK"


def wrong_plain(client, password):
    """What is nearly right is as secret."""
    assert sasl.authenticate_plain(client, "keeper", password)[0] == "NO"


def not_base64(client, password):
    """The user took the password's place: it is in no log either."""
    sasl.begin(client, "LOGIN")
    sasl.challenge(client)
    client.send(password + "!\r\n")
    assert sasl.outcome(client)[0] == "BAD"


LOGINS = [plain, plain_in_two_steps, plain_quoted, plain_in_pieces, login, wrong_plain, not_base64]


@pytest.mark.parametrize("below", ["clear", "tls"])
@pytest.mark.parametrize("log_in", LOGINS)
def test_a_password_is_not_in_memory_after_the_login(daemon, password, log_in, below):
    client = daemon.connect()
    if below == "tls":
        client.starttls()
    log_in(client, password)
    assert memory.search(daemon.process.pid, password) == []
    client.close()


def test_a_remembered_password_is_remembered_as_a_digest_only(daemon, password):
    daemon.stop()
    daemon.configure(password_cache="all")
    daemon.start()
    for _ in range(3):
        daemon.connect().login(USER, password)
    assert memory.search(daemon.process.pid, password) == []


def test_a_password_is_not_in_memory_after_saslauthd_was_asked(daemons, password, tmp_path):
    with Saslauthd(tmp_path / "mux") as saslauthd:
        daemon = daemons.make(sasl_pwcheck_method="saslauthd", sasl_mech_list="PLAIN LOGIN",
                              sasl_saslauthd_path=saslauthd.path, password_cache="off").start()
        for log_in in (plain, plain_in_two_steps, login):
            with daemon.connect() as client:
                log_in(client, password)
        assert saslauthd.passwords == [password] * 3
        assert memory.search(daemon.process.pid, password) == []


class Saslauthd:
    """Says OK to everybody, as saslauthd(8) does."""

    def __init__(self, path):
        self.path = path
        self.passwords = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        self.thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()

    def _serve(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            with one, one.makefile("rb") as asked:
                words = [asked.read(int.from_bytes(asked.read(2), "big")) for _ in range(4)]
                self.passwords.append(words[1].decode())
                one.sendall(b"\0\2OK")


def test_the_search_finds_what_is_there(daemon, password):
    """A name of the table stays in memory, so a password in its place does."""
    with daemon.connect() as client:
        client.login(USER, password)
        client.ok("RESERVE", f"user.{password}", "one.test!default")
        assert memory.search(daemon.process.pid, password)
        encoded = base64.b64encode(b"x" + password.encode()).decode()
        client.ok("RESERVE", f"user.{encoded[4:]}", "one.test!default")
        assert any(octets.decode() in encoded for _, _, octets
                   in memory.search(daemon.process.pid, password))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize("tls", ["never", "require"])
def test_mupdatectl_keeps_one_copy_to_connect_again_with(daemon, password, tmp_path, tls,
                                                         mechanism):
    file = tmp_path / "password"
    file.touch(0o600)
    file.write_text(password + "\n")
    with subprocess.Popen([CTL, "-h", f"127.0.0.1:{daemon.port}", "-u", USER, "--tls", tls,
                           "--accept-any-certificate", "-m", mechanism, "--password-file", file,
                           "watch"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as ctl:
        try:
            daemon.wait_for_log("subscriber: ")
            found = sorted(int(address, 16) for address, _, _ in memory.search(ctl.pid, password))
        finally:
            ctl.kill()
    assert found and found[-1] - found[0] < len(password)


# --- the log ---


def challenged(name):
    def log_in(client, password):
        answers = {"CRAM-MD5": lambda: sasl.authenticate_cram_md5(client, USER, password),
                   "SCRAM-SHA-256": lambda: sasl.authenticate_scram(client, USER, password)}
        assert answers[name]()[0] == "OK"
    return log_in


def test_the_log_has_no_password_at_any_level(daemon, password):
    for log_in in [*LOGINS, challenged("CRAM-MD5"), challenged("SCRAM-SHA-256")]:
        with daemon.connect() as client:
            log_in(client, password)
        with daemon.connect() as client:
            client.starttls()
            log_in(client, password)
    wait_for(lambda: daemon.log().count("closed: ") == 2 * (len(LOGINS) + 2), "the last lines")
    assert "debug: " in daemon.log()
    octets = daemon.log_path.read_bytes()
    assert [piece for piece in memory.forms(password) if piece in octets] == []


def test_what_others_may_see_of_the_process_has_no_password(daemon, password):
    with daemon.connect() as client:
        client.login(USER, password)
        for name in ("cmdline", "environ", "comm"):
            with open(f"/proc/{daemon.process.pid}/{name}", "rb") as file:
                octets = file.read()
            assert [piece for piece in memory.forms(password) if piece in octets] == []
