"""What clients that are not logged in cannot do: keep others out, fill the log, get round pauses.

SPDX-License-Identifier: BSD-3-Clause
"""

import re
import resource
import socket
import ssl

import pytest

import mupdated
import sasl
from mupdated import PASSWORD, USER, wait_for



def test_strangers_that_fill_the_total_keep_nobody_out(start):
    daemon = start(mupdate_connections_max="40")
    strangers = [daemon.connect() for _ in range(60)]
    try:
        for _ in range(5):
            with daemon.client() as client:
                client.noop()
    finally:
        for stranger in strangers:
            stranger.close()


def test_those_who_are_logged_in_are_never_sent_away_for_a_stranger(start):
    daemon = start(mupdate_connections_max="20")
    inside = [daemon.client() for _ in range(19)]
    strangers = [daemon.connect() for _ in range(30)]
    try:
        for client in inside:
            client.noop()
    finally:
        for client in inside + strangers:
            client.close()


def test_when_all_are_logged_in_the_next_is_told_so(start):
    daemon = start(mupdate_connections_max="5")
    inside = [daemon.client() for _ in range(5)]
    try:
        with daemon.connect(banner=False) as late:
            assert late.line() == b'* BYE "too many connections"'
        for client in inside:
            client.noop()
    finally:
        for client in inside:
            client.close()


def test_strangers_that_take_all_descriptors_keep_nobody_out(daemons):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    daemon = daemons.make(prefix=["prlimit", "--nofile=300:300"]).start()
    assert hard == resource.RLIM_INFINITY or hard >= 300
    strangers = [daemon.connect(banner=False) for _ in range(280)]
    try:
        for _ in range(5):
            with daemon.client() as client:
                client.noop()
    finally:
        for stranger in strangers:
            stranger.close()


def test_broken_handshakes_do_not_fill_the_log(start, certificate):
    port = mupdated.free_port()
    daemon = start(**certificate, listen=f"tls:127.0.0.1:{port}", log_level="info")
    daemon.port = port
    for _ in range(500):
        with socket.create_connection(("127.0.0.1", port)) as link:
            link.sendall(b"GET / HTTP/1.0\r\n\r\n")
            link.settimeout(mupdated.PATIENCE_S)
            try:
                while link.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    context = ssl.create_default_context(cafile=str(certificate["tls_server_cert"]))
    with socket.create_connection(("127.0.0.1", port)) as link:
        with context.wrap_socket(link, server_hostname="mupdate.test") as tls:
            assert tls.recv(4096).startswith(b"* ")
    lines = [line for line in daemon.log().splitlines() if "TLS failed: " in line]
    told = sum(int(number) for number in re.findall(r"TLS failed: .* unlogged=(\d+)", daemon.log()))
    assert 20 <= len(lines) < 500 and len(lines) + told <= 500


@pytest.fixture
def asking(start, tmp_path):
    """A master whose password service is not there."""
    return lambda **settings: start(
        sasl_pwcheck_method="saslauthd", sasl_saslauthd_path=str(tmp_path / "nowhere"),
        sasl_mech_list="PLAIN", **settings)


def test_logins_that_nobody_can_judge_have_their_pause_and_their_number(asking):
    daemon = asking(failedloginpause="1", failedlogins_max="3")
    with daemon.connect() as client:
        for _ in range(3):
            assert sasl.authenticate_plain(client, USER, PASSWORD)[0] == "NO"
        assert client.line() == b'* BYE "too many failed logins"'
    assert daemon.log().count("nologin: ") == 3 and "badlogin: " not in daemon.log()


def test_a_password_that_no_service_takes_is_wrong(asking):
    daemon = asking()
    with daemon.connect() as client:
        assert sasl.authenticate_plain(client, USER, "x" * 9000) == ("NO", "authentication failed")
    assert "badlogin: " in daemon.log() and "nologin: " not in daemon.log()


def fail(daemon, times):
    """Until all logins from this address have to wait."""
    for _ in range(times):
        with daemon.connect() as client:
            assert sasl.authenticate_plain(client, USER, "wrong")[0] == "NO"


def test_a_login_that_waits_is_not_looked_at_when_the_session_ends_meanwhile(start):
    daemon = start(failedloginpause="0")
    fail(daemon, 14)
    daemon.reload(failedloginpause="3600")
    with daemon.connect() as client:
        sasl.begin(client, "PLAIN", f"\0{USER}\0wrong".encode())
        with daemon.control() as control:
            wait_for(lambda: control.status()["counters"]["commands"]["authenticate"] == 15,
                     "the login to come")
        before = daemon.log().count("badlogin: ")
        daemon.stop()
        assert daemon.log().count("badlogin: ") == before


def test_a_login_that_waits_is_bound_to_what_a_reload_demands_meanwhile(start, certificate):
    daemon = start(failedloginpause="0", **certificate)
    fail(daemon, 14)
    daemon.reload(failedloginpause="2")
    with daemon.connect() as client:
        sasl.begin(client, "PLAIN", f"\0{USER}\0{PASSWORD}".encode())
        with daemon.control() as control:
            wait_for(lambda: control.status()["counters"]["commands"]["authenticate"] == 15,
                     "the login to come")
        daemon.reload(tls_required="yes")
        assert sasl.outcome(client) == ("NO", "STARTTLS is needed first")


def test_who_hangs_up_in_the_middle_of_a_login_has_failed_too(start):
    daemon = start(failedloginpause="0", sasl_mech_list="SCRAM-SHA-256")
    for _ in range(20):
        with daemon.connect() as client:
            sasl.begin(client, "SCRAM-SHA-256", f"n,,n={USER},r=abcdefghijkl".encode())
            client.line()
    daemon.reload(failedloginpause="3600")
    with daemon.connect() as client, daemon.control() as control:
        before = control.status()["counters"]["commands"]["authenticate"]
        sasl.begin(client, "SCRAM-SHA-256", f"n,,n={USER},r=abcdefghijkl".encode())
        wait_for(lambda: control.status()["counters"]["commands"]["authenticate"] == before + 1,
                 "the login to come")
        assert client.has_nothing()


def test_ciphers_of_tls_1_3_alone_leave_no_older_version_unguarded(daemons, certificate):
    daemon = daemons.make(tls_ciphers="TLS_AES_256_GCM_SHA384", **certificate)
    daemon.start(wait=False)
    assert daemon.wait() == 78
    assert "are of TLS 1.3 only" in daemon.log()
    daemon.configure(tls_versions="tls1_3")
    daemon.start()
