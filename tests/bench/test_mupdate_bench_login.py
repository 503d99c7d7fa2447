# SPDX-License-Identifier: BSD-3-Clause
"""The load generator: TLS, the log-in, and servers that are not there."""

import pathlib
import sys

import pytest

import liar
import servers
from generator import (EX_NOPERM, EX_PROTOCOL, EX_UNAVAILABLE, figures, filled, run)
from lies import instead, replace

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import mupdated  # noqa: E402


@pytest.fixture(scope="module", name="daemon")
def daemon_with_everything(tmp_path_factory):
    """A mupdated that offers TLS and several mechanisms, and has 50 rows."""
    directory = tmp_path_factory.mktemp("daemon")
    certificate, key = mupdated.make_certificate(directory / "certificate", "localhost")
    daemon = mupdated.Daemon(directory / "data", tls_server_cert=certificate, tls_server_key=key,
                             sasl_mech_list="PLAIN SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5")
    mupdated.make_sasldb(daemon.directory / "sasldb2", "mupdate.test", {"murder": "secret"})
    daemon.certificate = certificate
    daemon.start()
    try:
        figures(run("fill", "--rows", 50, port=daemon.port))
        yield daemon
    finally:
        daemon.kill()


# DIGEST-MD5 brings a security layer where there is no TLS.
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5"])
@pytest.mark.parametrize("tls", [(), ("--tls",)], ids=["clear", "tls"])
def test_every_kind_of_log_in_reaches_every_scenario(daemon, tls, mechanism):
    how = ("--rows", 50, "--mechanism", mechanism, *tls)
    for scenario in (("find", "-d", 4), ("acl", "--count", 5), ("dump", "-k", 3), ("cycle",),
                     ("latency", "--count", 5, "-k", 2), ("mixed", "--count", 20)):
        figures(run(*scenario, *how, port=daemon.port))
    assert figures(run("resync", "-k", 2, *how, port=daemon.port), said=["waiting"])["rows"] == 50


def test_a_certificate_is_checked_when_a_ca_is_named(daemon, tmp_path):
    stranger, _ = mupdated.make_certificate(tmp_path, "localhost")
    arguments = ("find", "--rows", 50, "--count", 1, "--host", f"localhost:{daemon.port}")
    figures(run(*arguments, "--tls-ca", daemon.certificate))
    result = run(*arguments, "--tls-ca", stranger)
    assert result.returncode == EX_PROTOCOL
    assert "certificate" in result.stderr


def test_a_password_that_scram_refuses_has_the_exit_code_of_a_refused_log_in(daemon):
    result = run("find", "--mechanism", "SCRAM-SHA-256", "--user", "nobody", port=daemon.port)
    assert result.returncode == EX_NOPERM


def test_a_server_without_tls_is_told():
    with liar.Liar(instead(b"STARTTLS", b'S01 NO "not here"\r\n')) as server:
        result = run("find", "--tls", port=server.port)
    assert result.returncode == EX_UNAVAILABLE
    assert "refuses STARTTLS" in result.stderr


def test_what_a_server_says_in_the_clear_behind_starttls_is_not_believed():
    with liar.Liar(instead(b"STARTTLS", b'S01 OK "go"\r\n' + liar.BANNER)) as server:
        result = run("find", "--tls", port=server.port)
    assert result.returncode == EX_PROTOCOL
    assert "in the clear" in result.stderr


@pytest.fixture(scope="module", name="certificate")
def certificate_of_the_liar(tmp_path_factory):
    """(certificate, key)"""
    return mupdated.make_certificate(tmp_path_factory.mktemp("liar"), "localhost")


def test_the_answer_to_starttls_may_have_a_text_without_quotes(certificate):
    with liar.Liar(instead(b"STARTTLS", b"S01 OK Begin TLS\r\n"),
                   certificate=certificate) as server:
        filled(server)
        figures(run("find", "--tls", "--rows", 50, "--count", 5, port=server.port))
    assert b"S01 STARTTLS\r\n" in server.heard


@pytest.mark.parametrize("said", [b"S01 OKAY\r\n", b'S01 OKAY "go"\r\n', b"S02 OK go\r\n"])
def test_what_only_looks_like_an_ok_does_not_begin_tls(certificate, said):
    with liar.Liar(instead(b"STARTTLS", said), certificate=certificate) as server:
        result = run("find", "--tls", "--rows", 50, "--count", 5, port=server.port)
    assert result.returncode in (EX_PROTOCOL, EX_UNAVAILABLE)
    assert "S0" in result.stderr and server.heard == [b"S01 STARTTLS\r\n"]


def test_a_server_that_does_not_prove_the_password_is_not_believed():
    with liar.Liar(instead(b"AUTHENTICATE", b'A01 OK "welcome"\r\n')) as server:
        result = run("find", "--mechanism", "SCRAM-SHA-256", port=server.port)
    assert result.returncode == EX_PROTOCOL
    assert "has not proved" in result.stderr


def test_a_refused_connection_is_told_with_host_and_port():
    port = servers.free_port()
    result = run("find", port=port)
    assert result.returncode == EX_UNAVAILABLE
    assert f"port {port}" in result.stderr and "refused" in result.stderr


def test_a_refused_log_in_has_its_own_exit_code():
    with liar.Liar(replace(b"AUTHENTICATE", b"OK", b"NO")) as server:
        result = run("find", port=server.port)
    assert result.returncode == EX_NOPERM
    assert "refuses the log-in as murder" in result.stderr


def test_a_server_that_says_bye_instead_of_a_banner_is_told():
    with liar.Liar(banner=b'* BYE "too many connections"\r\n') as server:
        result = run("find", port=server.port)
    assert result.returncode == EX_UNAVAILABLE
    assert "too many connections" in result.stderr


def test_something_that_is_not_mupdate_is_told():
    with liar.Liar(banner=b"220 mail.example.org ESMTP\r\n") as server:
        result = run("find", port=server.port)
    assert result.returncode == EX_PROTOCOL
    assert "ESMTP" in result.stderr


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "[127.0.0.1]:{}"])
def test_the_server_is_found_by_address_and_by_name(host):
    with liar.Liar() as server:
        filled(server)
        figures(run("find", "--rows", 50, "--host", host.format(server.port)))
