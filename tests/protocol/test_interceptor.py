"""Channel binding: a login through somebody in between is refused.

SPDX-License-Identifier: BSD-3-Clause
"""

import re
import ssl
import subprocess

import pytest

import mupdated
import sasl
from interceptor import Interceptor
from mupdated import CTL, PASSWORD, PATIENCE_S, USER, Client, free_port, make_certificate


@pytest.fixture(scope="module")
def tls(tmp_path_factory, certificate):
    """A master with a port that begins with TLS, and SCRAM only."""
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("bound"))
    daemon = daemons.make()
    daemon.tls_port = free_port()
    daemon.configure(**certificate, sasl_mech_list="SCRAM-SHA-1 SCRAM-SHA-256",
                     listen=f"127.0.0.1:{daemon.port} tls:127.0.0.1:{daemon.tls_port}")
    yield daemon.start()
    daemons.end()


def ping(port, tmp_path, *words):
    """mupdatectl, which takes any certificate for the master's; (exit status, errors)."""
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD + "\n")
    done = subprocess.run([CTL, "-h", f"127.0.0.1:{port}/tls", "--accept-any-certificate", "-u",
                           "murder", "--password-file", password, *words, "ping"],
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stderr


def between(tls, tmp_path, change=lambda octets: octets, version=None):
    made = Interceptor(("127.0.0.1", 0), make_certificate(tmp_path / "between"),
                       ("127.0.0.1", tls.tls_port), change)
    if version:
        made.context.minimum_version = made.context.maximum_version = version
    return made


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
def test_a_bound_login_works_when_nobody_is_between(tls, tmp_path, mechanism):
    status, errors = ping(tls.tls_port, tmp_path, "-m", mechanism)
    assert status == 0, errors


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("words", [[], ["-m", "SCRAM-SHA-256-PLUS"], ["-m", "SCRAM-SHA-1-PLUS"]])
def test_a_bound_login_through_somebody_between_is_refused(tls, tmp_path, version, words):
    before = len(tls.log())
    with between(tls, tmp_path, version=version) as interceptor:
        status, errors = ping(interceptor.port, tmp_path, *words)
        assert status == 77 and "cannot log in" in errors
        assert interceptor.scram().startswith("p=tls-unique,")
    assert re.search(r"badlogin: .* mechanism=SCRAM-SHA-", tls.log()[before:])
    assert "login: [" not in tls.log()[before:].replace("badlogin: [", "")


def test_hiding_the_offer_of_a_binding_does_not_help(tls, tmp_path):
    """The client says that it could bind, and the master knows that it offered to."""
    def hide(octets):
        return re.sub(rb' "SCRAM-SHA-[0-9]*-PLUS"', b"", octets)

    before = len(tls.log())
    with between(tls, tmp_path, hide) as interceptor:
        status, errors = ping(interceptor.port, tmp_path)
        assert status == 77 and "cannot log in" in errors
        assert interceptor.scram()[:2] in ("y,", "p=")
    assert "badlogin: " in tls.log()[before:]


def test_without_binding_a_login_goes_through(tls, tmp_path):
    """What the tests above would see if their interceptor did not work."""
    with between(tls, tmp_path) as interceptor, \
            Client(("127.0.0.1", interceptor.port), banner=False) as client:
        client.start_tls()
        assert sasl.authenticate_scram(client, USER, PASSWORD)[0] == "OK"
        client.noop()
