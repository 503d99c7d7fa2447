"""SASL mechanisms with Cyrus-SASL on the client's side too, in mupdatectl, with and without layers.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import subprocess

import pytest

import sasl
from mupdated import CTL, PASSWORD, PATIENCE_S, USER, USERS, literal, row

MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]

# Wide enough for some hundred frames of a security layer.
ACL = "anna\tlrswipkxtecda\t" * 3000


class Ctl:
    """mupdatectl with a server and a user."""

    def __init__(self, daemon, directory, password=PASSWORD, user=USER):
        self.daemon, self.user = daemon, user
        self.password_file = directory / "password"
        self.password_file.write_text(password + "\n")
        self.password_file.chmod(0o600)

    def __call__(self, *arguments):
        return subprocess.run(
            [CTL, "-h", f"127.0.0.1:{self.daemon.port}", "-u", self.user, "--password-file",
             self.password_file, *arguments],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.fixture(scope="module")
def offering(tmp_path_factory, certificate):
    """Masters that offer all mechanisms, and differ in the protection they allow."""
    import mupdated
    made = mupdated.Daemons(tmp_path_factory.mktemp("offering"))
    daemons = {}

    def one(**settings):
        key = str(sorted(settings.items()))
        if key not in daemons:
            daemons[key] = made.make(sasl_mech_list=" ".join(MECHANISMS), **certificate,
                                     **settings)
            if settings.get("sasl_minimum_layer", 0) > 1:
                # What is meant here is the daemon's own memory, not that of plug-ins' ciphers.
                daemons[key].environment["LSAN_OPTIONS"] = "detect_leaks=0"
            daemons[key].start()
        return daemons[key]

    yield one
    made.end()


def works(ctl, daemon, name, *options):
    """A change and a long answer through whatever the options bring."""
    location = f"{name}.test!p"
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"{name}.{number}", location, ACL) for number in range(20)])
        done = ctl(*options, "reserve", name, location)
        assert done.returncode == 0, done.stderr
        assert client.find(name) == row("RESERVE", name, location)
    done = ctl(*options, "--json", "list", "--location", location)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 21 and sum("lrswipkxtecda" in line for line in lines) == 20


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("tls", ["never", "require"])
@pytest.mark.parametrize("compress", [[], ["--compress"]])
def test_every_mechanism_logs_in_and_works(offering, tmp_path, name, mechanism, tls, compress):
    daemon = offering()
    works(Ctl(daemon, tmp_path), daemon, name, "--tls", tls, "--accept-any-certificate",
          "-m", mechanism, *compress)
    daemon.wait_for_log(f"login: .* user=murder mechanism={mechanism}"
                        + (" tls=TLSv1" if tls == "require" else
                           " layer=1$" if mechanism == "DIGEST-MD5" else "$"))


@pytest.mark.parametrize("maximum", [0, 1, 128, 256])
@pytest.mark.parametrize("compress", [[], ["--compress"]])
def test_digest_md5_works_with_each_strength_of_its_layer(offering, tmp_path, name, maximum,
                                                          compress):
    daemon = offering(sasl_maximum_layer=maximum)
    works(Ctl(daemon, tmp_path), daemon, name, "--tls", "never", "-m", "DIGEST-MD5", *compress)


def test_a_minimum_of_protection_leaves_only_mechanisms_that_bring_it(offering, tmp_path, name):
    daemon = offering(sasl_minimum_layer=1, allowplaintext="no")
    with daemon.connect() as client:
        assert client.capabilities[0] == b'* AUTH "DIGEST-MD5"'
    with daemon.connect() as client:
        assert client.command('AUTHENTICATE "SCRAM-SHA-256" {12+}\r\nbiwsbj1hLHI9')[1] == "NO"
    ctl = Ctl(daemon, tmp_path)
    done = ctl("--tls", "never", "reserve", name, "a!b")
    assert done.returncode == 0, done.stderr
    done = ctl("--tls", "require", "--accept-any-certificate", "-m", "PLAIN", "find", name)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_and_an_unknown_user_are_the_same(offering, tmp_path, mechanism):
    daemon = offering()
    said = set()
    for user, password in ((USER, "wrong"), ("nobody", PASSWORD)):
        done = Ctl(daemon, tmp_path, password, user)("--tls", "never", "-m", mechanism, "ping")
        assert done.returncode == 77, done.stderr
        said.add(done.stderr.replace(user, "USER"))
    assert len(said) == 1


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_user_who_is_no_admin_is_told_so(offering, tmp_path, mechanism):
    ctl = Ctl(offering(), tmp_path, USERS["guest"], "guest")
    done = ctl("--tls", "never", "-m", mechanism, "ping")
    assert done.returncode == 77 and "this user has no right" in done.stderr


@pytest.mark.parametrize("mechanism", ["PLAIN", "DIGEST-MD5", "SCRAM-SHA-256"])
def test_an_admin_may_act_as_another_admin(start, tmp_path, name, mechanism):
    daemon = start(admins=f"{USER} keeper", sasl_mech_list=mechanism)
    done = Ctl(daemon, tmp_path)("--tls", "never", "--authorize", "keeper", "reserve", name, "a!b")
    assert done.returncode == 0, done.stderr
    daemon.wait_for_log(f"login: .* user=keeper mechanism={mechanism}")


# --- DIGEST-MD5's layers, from a client that asks for each of them ---

LAYERS = {
    "auth": ({"sasl_maximum_layer": 0}, None),
    "auth-int": ({}, None),
    "auth-conf": ({"sasl_minimum_layer": 56}, "rc4"),
}


@pytest.mark.parametrize("qop", LAYERS)
def test_digest_md5_with_a_layer_of_each_kind(offering, name, qop):
    settings, cipher = LAYERS[qop]
    location = f"{name}.test!p"
    with offering(**settings).connect() as client:
        assert sasl.authenticate_digest_md5(client, "keeper", USERS["keeper"], qop, cipher)[0] \
            == "NO"
        assert sasl.authenticate_digest_md5(client, "murder", "wrong", qop, cipher)[0] == "NO"
    with offering(**settings, admins="murder keeper").connect() as client:
        assert sasl.authenticate_digest_md5(client, "keeper", USERS["keeper"], qop, cipher) == (
            "OK", "Authenticated")
        words = client.set_many([("ACTIVATE", f"{name}.{number}", location, ACL[:2000])
                                 for number in range(20)])
        assert words == ["OK"] * 20
        client.ok("ACTIVATE", name, location, ACL)
        assert client.find(name) == row("MAILBOX", name, location, ACL)
        assert len(client.list(location)) == 21
        assert client.command("LOGOUT")[1] == "BYE"
        assert client.at_end()


@pytest.mark.parametrize("qop", ["auth-int", "auth-conf"])
@pytest.mark.parametrize("maxbuf", [64, 1000, 65535])
def test_no_packet_of_digest_md5_is_larger_than_the_client_takes(offering, name, qop, maxbuf):
    settings, cipher = LAYERS[qop]
    with offering(**settings, admins="murder keeper").connect() as client:
        assert sasl.authenticate_digest_md5(client, "keeper", USERS["keeper"], qop, cipher,
                                            maxbuf=maxbuf)[0] == "OK"
        client.ok("ACTIVATE", name, "a.test!p", ACL)
        assert client.find(name) == row("MAILBOX", name, "a.test!p", ACL)
        least = min(maxbuf, len(ACL)) - 32
        assert least <= max(client.inflate.packets) <= maxbuf


@pytest.mark.parametrize("maxbuf", range(0, 48))
def test_a_client_of_digest_md5_is_sent_no_packet_larger_than_the_least_it_can_take(offering,
                                                                                    maxbuf):
    with offering(admins="murder keeper").connect() as client:
        if sasl.authenticate_digest_md5(client, "keeper", USERS["keeper"], "auth-int",
                                        maxbuf=maxbuf)[0] == "OK":
            client.noop()
            assert max(client.inflate.packets) <= maxbuf


def filled(layer, length):
    """A packet of this length with NOOPs under the tag T in it, and how many."""
    line = b"T NOOP\r\n"
    size = length - 16
    count = size // len(line) - 1
    last = b"T" * (size - count * len(line) - len(b" NOOP\r\n")) + b" NOOP\r\n"
    packet = layer.packet(line * count + last)
    assert len(packet) == 4 + length
    return packet, count + 1


def test_a_packet_of_digest_md5_may_be_as_large_as_announced_and_not_larger(offering):
    with offering(admins="murder keeper").connect() as client:
        assert sasl.authenticate_digest_md5(client, "keeper", USERS["keeper"], "auth-int")[0] \
            == "OK"
        packet, count = filled(client.deflate, 65536)
        client.socket.sendall(packet)
        for _ in range(count):
            assert client.response()[1] == "OK"
        packet, _ = filled(client.deflate, 65537)
        client.socket.sendall(packet[:8])
        assert client.at_end()


def test_mupdatectl_encrypts_by_digest_md5_where_the_master_asks_for_it(offering, tmp_path, name,
                                                                        monkeypatch):
    # As at the master: its own memory is meant, not that of plug-ins' ciphers.
    monkeypatch.setenv("LSAN_OPTIONS", "detect_leaks=0")
    daemon = offering(sasl_minimum_layer=56, sasl_maximum_layer=256)
    done = Ctl(daemon, tmp_path)("--tls", "never", "-m", "DIGEST-MD5", "reserve", name, "a!b")
    assert done.returncode == 0, done.stderr
    daemon.wait_for_log("login: .* user=murder mechanism=DIGEST-MD5 layer=128$")


@pytest.mark.parametrize("uri", ["mupdate/mupdate.test:3905", "mupdate/127.0.0.1"])
def test_the_digest_uri_is_not_compared_strictly(offering, uri):
    with offering(admins="murder keeper").connect() as client:
        assert sasl.authenticate_digest_md5(client, "keeper", USERS["keeper"], uri=uri)[0] == "OK"
        client.noop()


@pytest.mark.parametrize("garbage", [b"A1 NOOP\r\n", b"\xff\xff\xff\xff" + b"x" * 1000,
                                     b"\0\0\0\1x", b"\0\0\0\0" * 10, b"\0\0\0\x20" + b"x" * 32],
                         ids=repr)
def test_garbage_in_a_security_layer_ends_this_connection_only(offering, garbage):
    daemon = offering(admins="murder keeper")
    with daemon.client() as other, daemon.connect() as client:
        assert sasl.authenticate_digest_md5(client, "keeper", USERS["keeper"], "auth-int")[0] \
            == "OK"
        client.socket.sendall(garbage)
        client.end_sending()
        assert client.at_end()
        other.noop()


def test_what_was_sent_in_the_clear_behind_the_exchange_is_not_a_command_under_the_layer(
        offering, name):
    daemon = offering(admins="murder keeper")
    with daemon.connect() as client:
        # The last, empty, response and a command in one segment.
        last = client.send

        def send(octets):
            last(octets + b"X1 RESERVE " + literal(name) + b' "a!b"\r\n'
                 if octets == b"\r\n" else octets)

        client.send = send
        assert sasl.authenticate_digest_md5(client, "keeper", USERS["keeper"], "auth-int")[0] \
            == "OK"
        client.send = last
        assert client.find(name) is None


# --- SCRAM without a stored password, as mupdated.conf(5) recommends it ---

def test_a_user_of_whom_only_the_keys_of_scram_are_stored_logs_in(daemons, tmp_path):
    accounts = tmp_path / "accounts"
    (tmp_path / "saslpasswd.conf").write_text("scram_secret_generate: yes\n"
                                              "auxprop_plugin: sasldb\n"
                                              "mech_list: SCRAM-SHA-256\n")
    subprocess.run(["/usr/sbin/saslpasswd2", "-n", "-p", "-c", "-f", accounts, "-u",
                    "mupdate.test", USER], input=PASSWORD.encode(), check=True,
                   env={**os.environ, "SASL_CONF_PATH": str(tmp_path)})
    assert PASSWORD.encode() not in accounts.read_bytes()
    master = daemons.make(sasl_sasldb_path=accounts)
    master.start()
    for password, word in [(PASSWORD, "OK"), (PASSWORD + "x", "NO"), (PASSWORD, "OK")]:
        with master.connect() as one:
            assert sasl.authenticate_scram(one, USER, password)[0] == word
    with master.connect() as one:
        assert sasl.authenticate_plain(one, USER, PASSWORD)[0] == "NO"
