"""Ports that begin with TLS, and what TLS may be negotiated.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import re
import subprocess

import pytest

from mupdated import PATIENCE_S, Client, free_port, make_certificate
from test_tls import NO_HELLO, verifying

# --- what may be negotiated ---

OLD_POLICY = """
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = old
[old]
MinProtocol = TLSv1
MaxProtocol = TLSv1.2
CipherString = ALL:@SECLEVEL=0
"""


def renegotiation(port):
    """What openssl s_client says when it asks for one, up to the answer or the end."""
    said = ""
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            said += line
            # The banner's last line: what is on its way would be a surprise in a handshake.
            if line.startswith("* OK MUPDATE"):
                process.stdin.write("R\n")  # alone on a line
                process.stdin.flush()
            if "no renegotiation" in line:
                break
        process.kill()
    return said


def openssl(port, *words, policy=None):
    """Run openssl s_client on a port that begins with TLS; return all that it says."""
    environment = {**os.environ, **({"OPENSSL_CONF": str(policy)} if policy else {})}
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *words],
                          input="", capture_output=True, text=True, timeout=PATIENCE_S,
                          check=False, env=environment)
    return done.stdout + done.stderr


@pytest.fixture
def first(daemons, certificate):
    """Starts a master with a port that begins with TLS."""
    def start_first(environment=None, **settings):
        daemon = daemons.make()
        daemon.tls_port = free_port()
        daemon.environment = environment or {}
        daemon.configure(**{**certificate,
                            "listen": f"127.0.0.1:{daemon.port} tls:127.0.0.1:{daemon.tls_port}",
                            **settings})
        return daemon.start()
    return start_first


def test_old_versions_are_refused_whatever_openssls_own_configuration_says(first, tmp_path):
    policy = tmp_path / "openssl.cnf"
    policy.write_text(OLD_POLICY)
    daemon = first({"OPENSSL_CONF": str(policy)})
    for version in ("-tls1", "-tls1_1"):
        said = openssl(daemon.tls_port, version, "-cipher", "ALL:@SECLEVEL=0", policy=policy)
        assert "protocol version" in said and "Cipher is (NONE)" in said, said
    for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        said = openssl(daemon.tls_port, version)
        assert f"New, {name}, Cipher is" in said, said


def test_old_versions_can_be_had_by_saying_so_twice(first):
    daemon = first(tls_versions="tls1_0 tls1_2", tls_ciphers="ALL:@SECLEVEL=0")
    said = openssl(daemon.tls_port, "-tls1", "-cipher", "ALL:@SECLEVEL=0")
    assert re.search(r"Protocol *: TLSv1$", said, re.MULTILINE), said
    daemon = first(tls_versions="tls1_0 tls1_2")
    assert "tls_versions: tls1_0 and tls1_1 have no effect without" in daemon.log()
    assert "Cipher is (NONE)" in openssl(daemon.tls_port, "-tls1", "-cipher", "ALL:@SECLEVEL=0")
    assert "New, TLSv1.2" in openssl(daemon.tls_port, "-tls1_2")


def test_ciphers_hold_for_both_versions_in_the_masters_order(first):
    daemon = first(tls_ciphers="ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_128_GCM_SHA256:"
                               "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert "Cipher is TLS_AES_128_GCM_SHA256" in openssl(daemon.tls_port, "-tls1_3")
    assert "Cipher is (NONE)" in openssl(daemon.tls_port, "-tls1_3", "-ciphersuites",
                                         "TLS_AES_256_GCM_SHA384")
    assert "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" in openssl(
        daemon.tls_port, "-tls1_2", "-cipher",
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    assert "Cipher is (NONE)" in openssl(daemon.tls_port, "-tls1_2", "-cipher",
                                         "ECDHE-ECDSA-CHACHA20-POLY1305")
    said = daemon.reload(tls_ciphers="TLS_NONSENSE")
    assert 'error: TLS cannot be set up: TLS ciphers "TLS_NONSENSE"' in said


@pytest.mark.parametrize("curves, key", [("P-256", "prime256v1"), ("X25519:P-256", "X25519")])
def test_keys_are_agreed_on_the_usual_curves(first, curves, key):
    port = first().tls_port
    for version in ("-tls1_2", "-tls1_3"):
        said = openssl(port, version, "-curves", curves)
        assert re.search(f"Server Temp Key: (ECDH, )?{key}", said), said


def test_nothing_is_compressed_renegotiated_or_resumed(first, tmp_path):
    daemon = first()
    said = openssl(daemon.tls_port, "-tls1_2")
    assert "Compression: NONE" in said and "Secure Renegotiation IS supported" in said
    assert "no renegotiation" in renegotiation(daemon.tls_port)
    for version in ("-tls1_2", "-tls1_3"):
        session = tmp_path / f"session{version}"
        openssl(daemon.tls_port, version, "-sess_out", session)
        kept = ("-sess_in", session) if session.exists() else ()
        said = openssl(daemon.tls_port, version, *kept)
        assert "New, TLSv1" in said and "Reused, " not in said


# --- a port that begins with TLS ---


def test_the_banner_follows_the_handshake_and_offers_no_starttls(first):
    daemon = first()
    with daemon.connect() as clear, Client(("127.0.0.1", daemon.tls_port), banner=False) as client:
        assert client.has_nothing()
        client.start_tls()
        assert clear.capabilities[1] == b"* STARTTLS"
        assert client.capabilities[1:] == clear.capabilities[2:]
        assert client.command("STARTTLS") == ([], "NO", "TLS is active already")
        client.login()
        client.ok("RESERVE", "user.a", "a!b")
        assert client.command("LOGOUT")[1] == "BYE"
        assert client.at_end()
    assert f"listening: address=tls:127.0.0.1:{daemon.tls_port}" in daemon.log()


@pytest.mark.parametrize("which", NO_HELLO)
def test_nothing_is_said_in_the_clear_on_a_port_that_begins_with_tls(first, which):
    daemon = first()
    with Client(("127.0.0.1", daemon.tls_port), banner=False) as client:
        client.send(NO_HELLO[which])
        client.end_sending()
        rest = client.read_to_end()
        assert rest == b"" or (rest[:1] == b"\x15" and len(rest) < 20), rest
    with daemon.connect() as client:
        client.login()


def test_who_says_nothing_on_a_port_that_begins_with_tls_is_closed_in_time(first):
    daemon = first(login_timeout="1s")
    with Client(("127.0.0.1", daemon.tls_port), banner=False) as client:
        assert client.at_end()
    daemon.wait_for_log('closed: .* reason="not authenticated in time"')


def test_too_many_connections_are_closed_without_a_word_in_the_clear(first):
    daemon = first(mupdate_connections_max="1")
    with daemon.client() as one, Client(("127.0.0.1", daemon.tls_port), banner=False) as other:
        assert other.at_end()
        one.noop()


def test_a_port_that_begins_with_tls_needs_a_certificate(daemons):
    daemon = daemons.make(listen=f"tls:127.0.0.1:{free_port()}")
    done = daemon.run()
    assert done.returncode == 78 and 'listen: "tls:" needs tls_server_cert' in done.stderr


def test_ipv6_and_names_can_begin_with_tls(first):
    port = free_port("::1")
    other = free_port()
    first(listen=f"tls:[::1]:{port} tls:localhost:{other}")
    for address in (("::1", port), ("127.0.0.1", other)):
        with Client(address, banner=False) as client:
            client.start_tls()
            client.login()


def test_required_tls_without_starttls_is_that_port_only(first):
    daemon = first(tls_required="yes", allowstarttls="no")
    with daemon.connect() as client:
        assert client.capabilities[0] == b"* AUTH"
        assert b"* STARTTLS" not in client.capabilities
    with Client(("127.0.0.1", daemon.tls_port), banner=False) as client:
        client.start_tls()
        client.login()


def test_sighup_takes_a_new_certificate_for_a_port_that_begins_with_tls_too(first, tmp_path):
    one, two = (make_certificate(tmp_path / which) for which in ("one", "two"))
    daemon = first(tls_server_cert=one[0], tls_server_key=one[1])
    with Client(("127.0.0.1", daemon.tls_port), banner=False) as old:
        old.start_tls(verifying(one[0]))
        old.login()
        waiting = Client(("127.0.0.1", daemon.tls_port), banner=False)
        assert "reload: done" in daemon.reload(tls_server_cert=two[0], tls_server_key=two[1])
        for certificate, client in ((two[0], Client(("127.0.0.1", daemon.tls_port), banner=False)),
                                    (one[0], waiting)):
            client.start_tls(verifying(certificate))
            client.login()
            client.close()
        assert "stays as it was" in daemon.reload(tls_server_key=one[1])
        with Client(("127.0.0.1", daemon.tls_port), banner=False) as client:
            client.start_tls(verifying(two[0]))
            client.login()
        old.noop()


def test_a_certificate_that_is_taken_away_closes_that_port_and_harms_nobody(first):
    daemon = first()
    with Client(("127.0.0.1", daemon.tls_port), banner=False) as old:
        old.start_tls()
        old.login()
        assert "reload: done" in daemon.reload(tls_server_cert=None, tls_server_key=None,
                                               listen=f"127.0.0.1:{daemon.port}")
        with Client(("127.0.0.1", daemon.tls_port), banner=False) as client:
            assert client.at_end()
        daemon.wait_for_log('TLS failed: .* reason="no certificate is configured any more"')
        old.noop()
