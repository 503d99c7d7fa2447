"""STARTTLS, and what it changes.

SPDX-License-Identifier: BSD-3-Clause
"""

import shutil
import socket
import ssl

import pytest

import sasl
from mupdated import PASSWORD, PATIENCE_S, USER, Closed, make_certificate, row


@pytest.fixture(scope="module")
def tls(tmp_path_factory, certificate):
    """A master with a certificate that takes PLAIN under TLS only."""
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("tls"))
    yield daemons.start(**certificate, allowplaintext="no")
    daemons.end()


def verifying(certificate_file):
    """A context that trusts this certificate only."""
    return ssl.create_default_context(cafile=certificate_file)


def test_the_banner_is_issued_again_without_starttls(tls, certificate):
    with tls.connect() as client:
        before = client.capabilities
        assert before[1] == b"* STARTTLS"
        client.starttls(verifying(certificate["tls_server_cert"]))
        assert b"* STARTTLS" not in client.capabilities
        assert client.capabilities[1:] == before[2:]
        assert b'"PLAIN"' in client.capabilities[0] and b'"PLAIN"' not in before[0]


def test_the_answer_to_starttls_is_a_quoted_ok(tls):
    with tls.connect() as client:
        client.send("S01 STARTTLS\r\n")
        assert client.line() == b'S01 OK "Begin TLS negotiation now"'


def test_a_session_under_tls_works(tls, name):
    with tls.connect() as client:
        client.starttls()
        client.login()
        acl = "x" * 65536
        client.ok("ACTIVATE", name, "a!b", acl)
        assert client.find(name) == row("MAILBOX", name, "a!b", acl)
        client.set_many([("ACTIVATE", f"{name}.{number}", f"{name}!p", acl)
                         for number in range(50)])
        assert len(client.list(f"{name}!")) == 50
        assert client.command("LOGOUT")[1] == "BYE"
        assert client.at_end()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_each_version_works_and_is_logged(tls, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with tls.connect() as client:
        client.starttls(context)
        client.login()
        port = client.socket.getsockname()[1]
        tls.wait_for_log(f"login: .* port={port} .* tls={version.replace('_', '.')}")


def test_versions_that_are_not_configured_are_refused(start, certificate):
    daemon = start(**certificate, tls_versions="tls1_3")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with daemon.connect() as client, pytest.raises((ssl.SSLError, OSError)):
        client.starttls(context)


@pytest.mark.parametrize("injected", [
    b"X1 LOGOUT\r\nX2 NOOP\r\n",
    b"X1 NONSENSE\r\n",
    b'X1 AUTHENTICATE "PLAIN" {4+}\r\nAAAA\r\n',
    b"X1 FIND {100000+}\r\n",
    b"X1 ACTIVATE ",
])
def test_what_was_sent_in_the_clear_behind_starttls_has_no_effect(tls, injected):
    with tls.connect() as client:
        client.send(b"S1 STARTTLS\r\n" + injected)
        assert client.response()[:2] == ("S1", "OK")
        client.start_tls()
        client.login()
        client.noop()


def test_credentials_sent_in_the_clear_behind_starttls_do_not_log_in(tls):
    plain = sasl.encode(sasl.plain(USER, PASSWORD)).decode()
    with tls.connect() as client:
        client.send(f'S1 STARTTLS\r\nX1 AUTHENTICATE "PLAIN" "{plain}"\r\n')
        assert client.response()[:2] == ("S1", "OK")
        client.start_tls()
        assert client.command("NOOP") == ([], "NO", "authenticate first")


def test_the_session_is_not_authenticated_by_starttls_and_a_second_one_is_refused(tls):
    with tls.connect() as client:
        client.starttls()
        assert client.command("NOOP") == ([], "NO", "authenticate first")
        assert client.command("STARTTLS") == ([], "NO", "TLS is active already")
        client.login()
        assert client.command("STARTTLS")[1] in ("NO", "BAD")
        client.noop()


def test_starttls_is_not_valid_once_authenticated(tls):
    with tls.connect() as client:
        assert sasl.authenticate_scram(client, USER, PASSWORD)[0] == "OK"
        assert client.command("STARTTLS")[1] == "BAD"
        client.noop()


def test_starttls_without_a_certificate_gets_bad(master):
    with master.connect() as client:
        assert b"* STARTTLS" not in client.capabilities
        assert client.command("STARTTLS")[1] == "BAD"
        client.login()


# --- what TLS is needed for ---


def test_plain_is_neither_offered_nor_taken_in_the_clear_without_allowplaintext(tls):
    with tls.connect() as client:
        assert client.capabilities[0] == b'* AUTH "SCRAM-SHA-256"'
        assert sasl.authenticate_plain(client, USER, PASSWORD)[0] == "NO"
        sasl.begin(client, "PLAIN")
        assert sasl.outcome(client)[0] == "NO"
        client.starttls()
        assert sasl.authenticate_plain(client, USER, PASSWORD)[0] == "OK"


def test_tls_required_offers_no_mechanism_before_starttls(start, certificate):
    with start(**certificate, tls_required="yes").connect() as client:
        assert client.capabilities[:2] == [b"* AUTH", b"* STARTTLS"]
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            assert client.command(f'AUTHENTICATE "{mechanism}"') == (
                [], "NO", "STARTTLS is needed first")
        client.starttls()
        assert len(client.capabilities[0].split()) > 2
        client.login()


@pytest.mark.parametrize("mechanisms", ["PLAIN SCRAM-SHA-256", "SCRAM-SHA-256",
                                        "SCRAM-SHA-256 SCRAM-SHA-256-PLUS"])
def test_channel_binding_is_offered_under_tls(start, certificate, mechanisms):
    daemon = start(**certificate, sasl_mech_list=mechanisms)
    with daemon.connect() as client:
        assert b"PLUS" not in client.capabilities[0]
        client.starttls()
        assert b'"SCRAM-SHA-256-PLUS"' in client.capabilities[0]


def presenting(certificate, key):
    """A context of a client that has this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize("policy", ["off", "optional", "require"])
@pytest.mark.parametrize("presented", ["none", "trusted", "untrusted"])
def test_certificates_of_clients(start, certificate, tmp_path, policy, presented):
    trusted = make_certificate(tmp_path / "trusted", "backend1.test")
    untrusted = make_certificate(tmp_path / "untrusted", "backend1.test")
    daemon = start(**certificate, tls_client_certs=policy, tls_client_ca_file=trusted[0])
    context = presenting(*{"none": (None, None), "trusted": trusted,
                           "untrusted": untrusted}[presented])
    with daemon.connect() as client:
        if (policy, presented) in (("require", "none"), ("require", "untrusted"),
                                   ("optional", "untrusted")):
            with pytest.raises((ssl.SSLError, OSError, Closed)):
                client.starttls(context)
            return
        client.starttls(context)
        assert client.command("NOOP") == ([], "NO", "authenticate first")
        client.login()


# --- what goes wrong ---

NO_HELLO = {
    "a command": b"A1 NOOP\r\n",
    "an old hello": b"\x80\x2e\x01\x00\x02" + b"\0" * 100,
    "a record of a wrong type": b"\x17\x03\x03\x00\x10" + b"\0" * 16,
    "zeros": b"\0" * 10000,
    "a hello that is none": b"\x16\x03\x01\x00\x20" + b"\xff" * 32,
    "a record too long": b"\x16\x03\x01\xff\xff" + b"\0" * 65535,
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("which", NO_HELLO)
def test_garbage_instead_of_a_hello_closes_this_connection_only(tls, which):
    with tls.connect() as other, tls.connect() as client:
        other.starttls()
        other.login()
        client.send(b"S1 STARTTLS\r\n")
        assert client.response()[:2] == ("S1", "OK")
        try:
            client.send(NO_HELLO[which])
        except (BrokenPipeError, ConnectionResetError):
            pass
        rest = client.read_to_end()
        # An alert at most: nothing in the clear.
        assert rest == b"" or (rest[:1] == b"\x15" and len(rest) < 20)
        other.noop()


def test_a_client_that_leaves_in_the_handshake_harms_nobody(tls):
    for part in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"):
        client = tls.connect()
        client.send(b"S1 STARTTLS\r\n")
        assert client.response()[:2] == ("S1", "OK")
        client.send(part)
        client.reset()
    with tls.connect() as client:
        client.starttls()
        client.login()


def test_a_handshake_byte_by_byte_works(tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    under = context.wrap_bio(incoming, outgoing, server_hostname="mupdate.test")
    with tls.connect() as client:
        client.send("S1 STARTTLS\r\n")
        client.response()
        done = False
        while not done:
            try:
                under.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            for octet in outgoing.read():
                client.send(bytes([octet]))
            if not done:
                client._more()
                incoming.write(client.read(len(client.buffer)))
        banner = b""
        while b"* OK MUPDATE" not in banner:
            try:
                banner += under.read()
            except ssl.SSLWantReadError:
                client._more()
                incoming.write(client.read(len(client.buffer)))


def test_a_record_that_was_changed_on_the_way_ends_the_connection(tls, name):
    with tls.connect() as client:
        client.starttls()
        client.login()
        inner = socket.socket(fileno=client.socket.detach())
        inner.settimeout(PATIENCE_S)
        inner.sendall(b"\x17\x03\x03\x00\x20" + b"\xaa" * 32)
        rest = b""
        try:
            while octets := inner.recv(65536):
                rest += octets
        except ConnectionResetError:
            pass
        inner.close()
        assert len(rest) < 200
    with tls.connect() as client:
        client.starttls()


# --- reload ---


def test_sighup_takes_a_new_certificate_and_drops_no_connection(start, tmp_path):
    first, second = (make_certificate(tmp_path / which) for which in ("first", "second"))
    certificate, key = (tmp_path / file for file in ("cert.pem", "key.pem"))
    shutil.copy(first[0], certificate)
    shutil.copy(first[1], key)
    daemon = start(tls_server_cert=certificate, tls_server_key=key)
    with daemon.client() as clear, daemon.connect() as old, daemon.subscriber() as subscriber:
        old.starttls(verifying(first[0]))
        old.login()
        shutil.copy(second[0], certificate)
        shutil.copy(second[1], key)
        assert "reload: done" in daemon.reload()
        with daemon.connect() as new:
            new.starttls(verifying(second[0]))
            new.login()
            new.ok("RESERVE", "user.a", "a!b")
        assert old.find("user.a") == clear.find("user.a") == row("RESERVE", "user.a", "a!b")
        assert subscriber.change() == row("RESERVE", "user.a", "a!b")


def test_a_certificate_that_cannot_be_used_leaves_the_old_one(start, tmp_path):
    certificate, key = make_certificate(tmp_path / "first")
    trusted = shutil.copy(certificate, tmp_path / "trusted.pem")
    daemon = start(tls_server_cert=certificate, tls_server_key=key)
    for broken in ("garbage\n", ""):
        certificate.write_text(broken)
        said = daemon.reload()
        assert "error: TLS cannot be set up: " in said and "stays as it was" in said
    with daemon.connect() as client:
        client.starttls(verifying(trusted))
        client.login()
