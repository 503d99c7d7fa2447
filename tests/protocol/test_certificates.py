"""Certificates of clients: who is refused and told why, who logs in by one, and as whom.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import re
import ssl
import subprocess

import pytest

import mupdated
import sasl
from authority import LATER, LONG_AGO, Authority
from mupdated import CTL, PASSWORD, PATIENCE_S, Client, Closed, free_port, row

CLIENT = "extendedKeyUsage=clientAuth"
# What sets a handshake or the first read under TLS 1.3 apart from an answer.
REFUSALS = (ssl.SSLError, OSError, Closed)


class Murder:
    """An authority, and a master that trusts it and listens with and without TLS."""

    def __init__(self, directory):
        self.authority = Authority(directory / "ca")
        self.server = self.authority.issue("/CN=mupdate.test",
                                           "subjectAltName=DNS:mupdate.test,IP:127.0.0.1")
        self.daemons = mupdated.Daemons(directory)

    def start(self, **settings):
        port = free_port()
        daemon = self.daemons.make()
        daemon.tls_port = port
        daemon.configure(**{
            "listen": f"127.0.0.1:{daemon.port} tls:127.0.0.1:{port}",
            "tls_server_cert": self.server[0], "tls_server_key": self.server[1],
            "tls_client_ca_file": self.authority.certificate, "allowplaintext": "no",
            "sasl_mech_list": "PLAIN SCRAM-SHA-256 EXTERNAL", **settings})
        return daemon.start()

    def context(self, shown=None, version=None):
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if shown:
            context.load_cert_chain(*shown)
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def connect(self, daemon, shown=None, version=None):
        """A client on the port that begins with TLS."""
        client = Client(("127.0.0.1", daemon.tls_port), banner=False)
        try:
            client.start_tls(self.context(shown, version))
        except BaseException:
            client.close()
            raise
        return client

    def ctl(self, daemon, *words, shown=None, ca=None):
        """Run mupdatectl; return (exit status, output, errors)."""
        cert = ["--cert", shown[0], "--key", shown[1]] if shown else []
        done = subprocess.run([CTL, "-h", f"127.0.0.1:{daemon.tls_port}/tls", "--ca",
                               ca or self.authority.certificate, *cert, *words],
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                              stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def murder(tmp_path_factory):
    made = Murder(tmp_path_factory.mktemp("certificates"))
    yield made
    made.daemons.end()


@pytest.fixture(scope="module")
def master(murder):
    """Maps the DNS name, then the CN, of certificates to users."""
    return murder.start(admins="backend1.test murder", tls_client_identity="san-dns cn")


def external(client, authorize=""):
    """Log in by the certificate; (word, text)."""
    initial = base64.b64encode(authorize.encode()).decode()
    return client.command(f'AUTHENTICATE "EXTERNAL" "{initial}"')[1:]


def offers_external(client):
    return b'"EXTERNAL"' in client.capabilities[0]


# --- who may log in by a certificate ---


def test_a_certificate_logs_in_as_the_user_it_names(murder, master, name):
    shown = murder.authority.issue("/CN=b1", "subjectAltName=DNS:Backend1.TEST", CLIENT)
    with murder.connect(master, shown) as client:
        assert offers_external(client)
        assert external(client)[0] == "OK"
        client.ok("RESERVE", name, "backend1.test!p")
        port = client.socket.getsockname()[1]
    master.wait_for_log(f"login: .* port={port} user=backend1.test mechanism=EXTERNAL "
                        'tls=TLSv1.3 subject="?CN=b1"? issuer="?CN=Murder CA"?')


def test_external_without_an_initial_response_works_too(murder, master):
    shown = murder.authority.issue("/CN=murder")
    with murder.connect(master, shown) as client:
        client.send('E1 AUTHENTICATE "EXTERNAL"\r\n')
        assert client.line() == b""
        client.send("\r\n")
        assert client.response()[:2] == ("E1", "OK")
        client.noop()


def test_external_works_behind_starttls_as_well(murder, master):
    shown = murder.authority.issue("/CN=murder")
    with master.connect() as client:
        assert not offers_external(client)
        assert external(client)[0] == "NO"
        client.starttls(murder.context(shown))
        assert external(client)[0] == "OK"


def test_without_a_certificate_external_is_neither_offered_nor_taken(murder, master):
    with murder.connect(master) as client:
        assert not offers_external(client)
        assert external(client) == ("NO", "authentication failed")
        client.login()


def test_a_certificate_changes_nothing_for_those_with_a_password(murder, master):
    with murder.connect(master, murder.authority.issue("/CN=nobody-special")) as client:
        assert offers_external(client)
        client.login()


def test_who_is_not_an_admin_may_do_nothing_by_a_certificate(murder, master):
    with murder.connect(master, murder.authority.issue("/CN=stranger")) as client:
        assert external(client) == ("NO", "this user has no right to use this server")
        port = client.socket.getsockname()[1]
    master.wait_for_log(f'badlogin: .* port={port} mechanism=EXTERNAL user=stranger '
                        'reason="not in admins, readers or backends"')


@pytest.mark.parametrize("holder, wanted, word", [
    ("murder", "murder", "OK"), ("murder", "backend1.test", "OK"), ("murder", "stranger", "NO"),
    ("stranger", "murder", "NO"), ("stranger", "stranger", "NO")])
def test_only_an_admin_may_act_as_another(murder, master, holder, wanted, word):
    with murder.connect(master, murder.authority.issue(f"/CN={holder}")) as client:
        assert external(client, wanted)[0] == word
        port = client.socket.getsockname()[1]
    if word == "NO":
        by = f"by={holder} " if holder != wanted else ""
        master.wait_for_log(f"badlogin: .* port={port} mechanism=EXTERNAL user={wanted} {by}reason=")


@pytest.mark.parametrize("wanted", ["murder\0", "mur\0der", "\0murder", "mur\nder", " "])
def test_a_name_that_cannot_be_is_nobodys_to_act_as(murder, master, wanted):
    with murder.connect(master, murder.authority.issue("/CN=murder")) as client:
        assert external(client, wanted)[0] == "NO"


@pytest.mark.parametrize("subject, extensions, reason", [
    ("/CN=murder", ["subjectAltName=DNS:a.test,DNS:b.test"], "several names"),
    ("/CN=murder", ["subjectAltName=DNS:*.test"], "cannot be a user's"),
    ("/CN=murder/CN=other", [], "several names"),
    ("/O=murder", [], "no name of a kind"),
    ("/CN=mur\tder", [], "cannot be a user's"),
    ("/CN=murder ", [], "cannot be a user's"),
])
def test_a_doubtful_name_is_nobodys(murder, master, subject, extensions, reason):
    with murder.connect(master, murder.authority.issue(subject, *extensions)) as client:
        assert not offers_external(client)
        assert external(client)[0] == "NO"
        port = client.socket.getsockname()[1]
    master.wait_for_log(f"certificate: .* port={port} identity=- subject=.* reason=.*{reason}")


def nul_in_a_name(murder):
    """A certificate whose DNS name is "murder", NUL, ".evil.test"."""
    return murder.authority.issue(
        "/O=x", "subjectAltName=DER:" + ":".join(
            f"{octet:02x}" for octet in b"\x30\x13\x82\x11murder\0.evil.test"))


def test_a_name_with_a_nul_is_nobodys(murder, master):
    with murder.connect(master, nul_in_a_name(murder)) as client:
        assert not offers_external(client)


def test_a_repeated_name_is_one_name(murder, master):
    shown = murder.authority.issue("/CN=x", "subjectAltName=DNS:BACKEND1.test,DNS:backend1.test")
    with murder.connect(master, shown) as client:
        assert external(client)[0] == "OK"


@pytest.mark.parametrize("kind, subject, extension, user", [
    ("san-email", "/CN=x", "subjectAltName=email:ops@murder.test", "ops@murder.test"),
    ("san-uri", "/CN=x", "subjectAltName=URI:spiffe://murder/ops", "spiffe://murder/ops"),
    ("cn", "/CN=ops", "subjectAltName=DNS:x", "ops"),
    ("subject", "/O=Murder/CN=ops", "subjectAltName=DNS:x", "CN=ops,O=Murder"),
])
def test_each_kind_of_name_can_be_the_users(murder, kind, subject, extension, user):
    daemon = murder.start(tls_client_identity=kind, admins=user)
    with murder.connect(daemon, murder.authority.issue(subject, extension)) as client:
        assert external(client)[0] == "OK"
    daemon.stop()


def test_a_map_gives_names_users_before_the_names_themselves(murder):
    daemon = murder.start(
        admins="one two three four", tls_client_identity="cn",
        tls_client_map="one=san-dns:B1.test; two = subject:CN=Jane Doe,O=A\\;B ;"
                       "three=san-email:ops@b.test;four=cn:Jane Q")
    for subject, extension, user in (
            ("/CN=x", "subjectAltName=DNS:other.test,DNS:b1.test", "one"),
            ("/O=A;B/CN=Jane Doe", CLIENT, "two"),
            ("/CN=x", "subjectAltName=email:ops@b.test", "three"),
            ("/CN=y/CN=Jane Q", CLIENT, "four"),
            ("/CN=three", CLIENT, "three")):
        with murder.connect(daemon, murder.authority.issue(subject, extension)) as client:
            assert external(client)[0] == "OK", subject
            port = client.socket.getsockname()[1]
        daemon.wait_for_log(f"login: .* port={port} user={user} mechanism=EXTERNAL")
    daemon.stop()


def test_a_map_alone_knows_nobody_else(murder):
    daemon = murder.start(tls_client_map="murder=cn:one")
    with murder.connect(daemon, murder.authority.issue("/CN=murder")) as client:
        assert not offers_external(client)
    daemon.wait_for_log("certificate: .* identity=- .*no entry of tls_client_map")
    daemon.stop()


def test_certificates_log_in_nobody_where_no_name_is_chosen(murder):
    daemon = murder.start()
    with murder.connect(daemon, murder.authority.issue("/CN=murder")) as client:
        assert not offers_external(client)
        client.login()
    assert "identity=-" not in daemon.log()
    daemon.stop()


# --- who is refused, and told why at both ends ---


def bad_certificate(murder, other, which):
    authority = murder.authority
    if which == "expired":
        return authority.issue("/CN=murder", CLIENT, dates=LONG_AGO)
    if which == "not valid yet":
        return authority.issue("/CN=murder", CLIENT, dates=LATER)
    if which == "of another CA":
        return other.issue("/CN=murder", CLIENT)
    if which == "self-signed":
        return mupdated.make_certificate(other.directory / "self", "murder")
    if which == "for servers only":
        return authority.issue("/CN=murder", "extendedKeyUsage=serverAuth")
    revoked = authority.issue("/CN=murder", CLIENT)
    authority.revoke(revoked[0])
    return revoked


REFUSED = {
    "expired": ("certificate has expired", "it has expired"),
    "not valid yet": ("certificate is not yet valid", "not valid yet"),
    "of another CA": ("unable to get local issuer certificate", "does not know the CA"),
    "self-signed": ("self-signed certificate", "does not know the CA"),
    "for servers only": ("unsuitable certificate purpose", "made for another purpose"),
    "revoked": ("certificate revoked", "it was revoked"),
}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("other") / "ca", "Other CA")


@pytest.mark.parametrize("which", REFUSED)
def test_a_bad_certificate_is_refused_with_the_reason_at_both_ends(murder, other, which):
    shown = bad_certificate(murder, other, which)
    daemon = murder.start(tls_client_identity="cn", tls_crl_file=murder.authority.crl())
    at_daemon, at_client = REFUSED[which]
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with pytest.raises(REFUSALS):
            murder.connect(daemon, shown, version).close()
    assert len(re.findall(f'TLS failed: .* reason="TLS handshake: the peer.s certificate is '
                          f'refused: {at_daemon}.*" subject="?CN=murder',
                          daemon.wait_for_log(r"(?s)TLS failed: .*TLS failed: .*\n").string)) == 2
    status, _, said = murder.ctl(daemon, "ping", shown=shown)
    assert status == 76 and at_client in said, said
    good = murder.authority.issue("/CN=murder", CLIENT)
    with murder.connect(daemon, good) as client:
        assert external(client)[0] == "OK"
    daemon.stop()


def test_a_missing_certificate_is_asked_for_in_words(murder):
    daemon = murder.start(tls_client_certs="require")
    status, _, said = murder.ctl(daemon, "ping", "-u", "murder")
    assert status == 76 and "wants a certificate, and this side has shown none" in said, said
    daemon.wait_for_log('TLS failed: .*reason="TLS handshake: peer did not return a certificate"')
    daemon.stop()


def test_an_expired_crl_refuses_every_certificate_and_says_so(murder):
    daemon = murder.start(tls_crl_file=murder.authority.crl(LONG_AGO), tls_client_identity="cn")
    assert re.search(r"error: CRL: file=\S+crl.pem has expired: clients with a certificate of its "
                     "CA are refused", daemon.log())
    shown = murder.authority.issue("/CN=murder", CLIENT)
    with pytest.raises(REFUSALS):
        murder.connect(daemon, shown).close()
    daemon.wait_for_log('TLS failed: .*reason=".*CRL has expired"')
    status, _, said = murder.ctl(daemon, "ping", shown=shown)
    assert status == 76 and "what the peer knows of revoked ones has" in said
    # Those without a certificate are not concerned.
    with murder.connect(daemon) as client:
        client.login()
    # A new list is taken by a reload.
    murder.authority.crl()
    assert "reload: done" in daemon.reload()
    with murder.connect(daemon, shown) as client:
        assert external(client)[0] == "OK"
    daemon.stop()


def test_a_ca_without_a_crl_is_refused_where_revocation_is_checked(murder, other, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(murder.authority.certificate.read_bytes() + other.certificate.read_bytes())
    daemon = murder.start(tls_client_ca_file=both, tls_crl_file=murder.authority.crl())
    with pytest.raises(REFUSALS):
        murder.connect(daemon, other.issue("/CN=murder")).close()
    daemon.wait_for_log('TLS failed: .*reason=".*unable to get certificate CRL"')
    daemon.stop()


def test_a_crl_that_cannot_be_read_stops_the_start_and_a_reload_keeps_the_old(murder, tmp_path):
    crl = tmp_path / "crl.pem"
    daemon = murder.start(tls_crl_file=murder.authority.crl(), tls_client_identity="cn")
    revoked = murder.authority.issue("/CN=murder")
    murder.authority.revoke(revoked[0])
    murder.authority.crl()
    for broken in (None, "", "garbage\n", murder.authority.certificate.read_text()):
        if broken is not None:
            crl.write_text(broken)
        said = daemon.reload(tls_crl_file=crl)
        assert "error: TLS cannot be set up: CRL file " in said and "stays as it was" in said
    whole = murder.authority.directory.joinpath("crl.pem").read_text()
    crl.write_text(whole + whole[:len(whole) // 2])
    assert "stays as it was" in daemon.reload()
    crl.write_text(whole)
    assert "reload: done" in daemon.reload()
    with pytest.raises(REFUSALS):
        murder.connect(daemon, revoked).close()
    crl.write_text("garbage\n")
    assert daemon.run().returncode == 78
    daemon.stop()


def test_a_reload_takes_another_ca_and_keeps_the_old_one_when_that_cannot_be_used(murder, other,
                                                                                 tmp_path):
    daemon = murder.start(tls_client_identity="cn")
    ours, theirs = murder.authority.issue("/CN=murder"), other.issue("/CN=murder")
    broken = tmp_path / "broken.pem"
    broken.write_text("garbage\n")
    said = daemon.reload(tls_client_ca_file=broken)
    assert "error: TLS cannot be set up: CA file " in said and "stays as it was" in said
    with murder.connect(daemon, ours) as client, murder.connect(daemon, ours) as waiting:
        assert external(client)[0] == "OK"
        with pytest.raises(REFUSALS):
            murder.connect(daemon, theirs).close()
        assert "reload: done" in daemon.reload(tls_client_ca_file=other.certificate)
        client.noop()
        assert external(waiting)[0] == "OK"
        with murder.connect(daemon, theirs) as new:
            assert external(new)[0] == "OK"
        with pytest.raises(REFUSALS):
            murder.connect(daemon, ours).close()
    daemon.stop()


def test_a_connection_stays_when_its_certificate_is_revoked_and_no_new_one_comes(murder):
    daemon = murder.start(tls_crl_file=murder.authority.crl(), tls_client_identity="cn")
    shown = murder.authority.issue("/CN=murder")
    with murder.connect(daemon, shown) as client:
        assert external(client)[0] == "OK"
        murder.authority.revoke(shown[0])
        murder.authority.crl()
        assert "reload: done" in daemon.reload()
        client.noop()
        with pytest.raises(REFUSALS):
            murder.connect(daemon, shown).close()
    daemon.stop()


# --- mupdatectl ---


def test_mupdatectl_logs_in_by_its_certificate(murder, master, name):
    shown = murder.authority.issue("/CN=murder", CLIENT)
    status, said, errors = murder.ctl(master, "ping", "--json", shown=shown)
    assert status == 0 and '"implementation":"mupdated"' in said, errors
    assert murder.ctl(master, "reserve", name, "a!b", shown=shown)[0] == 0
    assert murder.ctl(master, "find", name, "-m", "external", shown=shown)[0] == 0
    both = murder.authority.directory / "both.pem"
    both.write_bytes(shown[0].read_bytes() + shown[1].read_bytes())
    done = subprocess.run([CTL, "-h", f"127.0.0.1:{master.port}", "--ca",
                           murder.authority.certificate, "--tls", "require", "--cert", both,
                           "find", name], capture_output=True, text=True, check=False,
                          timeout=PATIENCE_S)
    assert done.returncode == 0 and done.stdout.startswith("reserved\t"), done.stderr


def test_mupdatectl_uses_the_password_of_a_user_who_is_named(murder, master, tmp_path):
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD + "\n")
    shown = murder.authority.issue("/CN=stranger", CLIENT)
    status, _, errors = murder.ctl(master, "ping", "-u", "murder", "--password-file", password,
                                   shown=shown)
    assert status == 0, errors


def test_mupdatectl_says_that_a_certificate_does_not_log_in(murder, master):
    shown = murder.authority.issue("/O=nobody", CLIENT)
    status, _, errors = murder.ctl(master, "ping", shown=shown)
    assert status == 77 and "does not let this certificate log in" in errors, errors
    shown = murder.authority.issue("/CN=stranger", CLIENT)
    status, _, errors = murder.ctl(master, "ping", shown=shown)
    assert status == 77 and "no right to use this server" in errors, errors
    assert "check whom the server takes the certificate for" in errors, errors


def test_mupdatectl_asks_for_a_certificate_to_log_in_by_external(master):
    done = subprocess.run([CTL, "-h", f"127.0.0.1:{master.port}", "-m", "external", "ping"],
                          capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 64 and "give --cert" in done.stderr, done.stderr


def test_mupdatectl_names_a_certificate_or_key_that_it_cannot_use(murder, master, tmp_path):
    shown = murder.authority.issue("/CN=murder", CLIENT)
    status, _, errors = murder.ctl(master, "ping", shown=(tmp_path / "absent", shown[1]))
    assert status == 76 and "certificate file" in errors and "No such file" in errors
    status, _, errors = murder.ctl(master, "ping", shown=(shown[0], murder.server[1]))
    assert status == 76 and "key values mismatch" in errors


def test_mupdatectl_refuses_a_server_of_another_ca(murder, master, other):
    status, _, errors = murder.ctl(master, "ping", "-u", "x", ca=other.certificate)
    assert status == 76 and "the peer's certificate is refused" in errors
    master.wait_for_log("TLS failed: .*the peer refuses this side.s certificate: it does not know "
                        "the CA")


# --- what expires ---


def test_the_log_tells_when_the_masters_own_certificate_expires(murder):
    for dates, line in ((LONG_AGO, r"error: certificate: file=\S+ has expired: clients that check "
                                   "it do not connect"),
                        (LATER, r"error: certificate: file=\S+ is not valid yet"),
                        (None, r"warning: certificate: file=\S+ expires in (19|20) days")):
        cert, key = murder.authority.issue("/CN=mupdate.test", dates=dates)
        daemon = murder.start(tls_server_cert=cert, tls_server_key=key)
        assert re.search(line, daemon.log()), daemon.log()
        daemon.stop()
