"""Connections with TLS that end at any point, and what is left of them: nothing.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import ssl

import pytest

import mupdated
from authority import Authority
from mupdated import SANITIZED, Client, Closed, free_port, wait_for

TIMES = 100 if not SANITIZED else 30
ROWS = 2000
BROKEN = (ssl.SSLError, OSError, Closed)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("states") / "ca")


@pytest.fixture(scope="module")
def tls(tmp_path_factory, authority):
    """A master that asks for certificates, with rows that do not fit into a socket."""
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("states"))
    daemon = daemons.make()
    server = authority.issue("/CN=mupdate.test")
    daemon.tls_port = free_port()
    daemon.configure(tls_server_cert=server[0], tls_server_key=server[1],
                     tls_client_ca_file=authority.certificate, tls_client_identity="cn",
                     sasl_mech_list="PLAIN EXTERNAL", log_level="notice",
                     listen=f"127.0.0.1:{daemon.port} tls:127.0.0.1:{daemon.tls_port}")
    daemon.start()
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number}", "a!b", "x" * 1000)
                         for number in range(ROWS)])
    yield daemon
    daemons.end()


@pytest.fixture(scope="module")
def shown(authority):
    """Contexts of clients: without a certificate, with a good one, with one of another CA."""
    contexts = {}
    other = Authority(authority.directory / "other", "Other CA")
    for name, pair in (("none", None), ("good", authority.issue("/CN=murder")),
                       ("bad", other.issue("/CN=murder"))):
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        contexts[name].check_hostname = False
        contexts[name].verify_mode = ssl.CERT_NONE
        if pair:
            contexts[name].load_cert_chain(*pair)
    return contexts


def begin(tls):
    return Client(("127.0.0.1", tls.tls_port), banner=False)


def under_tls(tls, context):
    client = begin(tls)
    client.start_tls(context)
    return client


def hello(context):
    """The first flight of a client."""
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="mupdate.test")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def nothing_is_said(tls, shown):
    return begin(tls)


def half_a_hello(tls, shown):
    client = begin(tls)
    octets = hello(shown["none"])
    client.send(octets[:len(octets) // 2])
    return client


def a_hello_and_no_more(tls, shown):
    client = begin(tls)
    client.send(hello(shown["none"]))
    client._more()
    return client


def garbage(tls, shown):
    client = begin(tls)
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    return client


def starttls_and_no_more(tls, shown):
    client = tls.connect()
    assert client.command("STARTTLS")[1] == "OK"
    return client


def under_tls_before_login(tls, shown):
    return under_tls(tls, shown["none"])


def a_certificate_that_is_refused(tls, shown):
    client = begin(tls)
    with pytest.raises(BROKEN):
        client.start_tls(shown["bad"])
    return client


def logged_in_by_certificate(tls, shown):
    client = under_tls(tls, shown["good"])
    assert client.command('AUTHENTICATE "EXTERNAL" ""')[1] == "OK"
    return client


def in_a_login(tls, shown):
    client = under_tls(tls, shown["good"])
    client.send('A1 AUTHENTICATE "EXTERNAL"\r\n')
    assert client.line() == b""
    return client


def half_a_record(tls, shown):
    client = under_tls(tls, shown["none"])
    client.login()
    inner = client.socket
    client.socket = mupdated.socket.socket(fileno=inner.detach())
    client.send(b"\x17\x03\x03\x01\x00" + b"x" * 17)
    return client


def after_close_notify(tls, shown):
    client = under_tls(tls, shown["none"])
    client.login()
    client.socket = client.socket.unwrap()
    return client


def in_a_dump(tls, shown):
    client = Client(("127.0.0.1", tls.tls_port), banner=False, receive_bytes=4096)
    client.start_tls(shown["none"])
    client.login()
    client.start_update()
    client._more()
    return client


def as_a_subscriber(tls, shown):
    client = under_tls(tls, shown["none"])
    client.login()
    client.update("nobody")
    return client


STATES = [nothing_is_said, half_a_hello, a_hello_and_no_more, garbage, starttls_and_no_more,
          under_tls_before_login, a_certificate_that_is_refused, logged_in_by_certificate,
          in_a_login, half_a_record, after_close_notify, in_a_dump, as_a_subscriber]


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def end_all(clients, how):
    for client in clients:
        if how == "reset":
            client.reset()
        else:
            client.close()


def rounds(tls, shown, count):
    """count times each state, with each way to end; returns the number of connections."""
    made = 0
    for _ in range(count):
        for how in ("close", "reset"):
            end_all([state(tls, shown) for state in STATES], how)
            made += len(STATES)
    return made


def test_connections_that_end_in_every_state_leave_nothing_behind(tls, shown):
    quiet = descriptors(tls)
    # What is made once, and what the allocator keeps for the next.
    rounds(tls, shown, TIMES // 10)
    wait_for(lambda: descriptors(tls) <= quiet, "the descriptors of the first round")
    before = tls.rss_mb()
    made = rounds(tls, shown, TIMES // 2)
    assert SANITIZED or made >= 1000
    wait_for(lambda: descriptors(tls) <= quiet, "the descriptors")
    # One connection with TLS costs 20 kB and more: a leak of a part of each would show.
    if not SANITIZED:
        assert tls.rss_mb() - before < 2
    with tls.client() as client:
        client.noop()


def test_many_at_once_in_every_state_give_their_memory_back(tls, shown):
    quiet = descriptors(tls)
    rounds(tls, shown, 1)
    end_all([under_tls(tls, shown["good"]) for _ in range(200)], "close")
    wait_for(lambda: descriptors(tls) <= quiet, "the descriptors of the first round")
    before = tls.rss_mb()
    for how in ("close", "reset"):
        end_all([under_tls(tls, shown["good"]) for _ in range(200)], how)
        wait_for(lambda: descriptors(tls) <= quiet, "the descriptors")
    if not SANITIZED:
        assert tls.rss_mb() - before < 2
