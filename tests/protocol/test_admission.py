"""Who may come in: limits on connections, on those that are not logged in, and on logins.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import re
import ssl

import pytest

from mupdated import SANITIZED, Client, limits_rss, literal, wait_for

LOOPBACK = "127.0.0.1"
OTHER = "127.0.0.2"


def login_octets(password, user="murder", tag="L1"):
    message = base64.b64encode(f"\0{user}\0{password}".encode())
    return f'{tag} AUTHENTICATE "PLAIN" '.encode() + literal(message) + b"\r\n"


def is_refused(client, text):
    with client:
        assert client.response() == ("*", "BYE", [text.encode()])
        assert client.at_end()


# --- number ---


def test_an_address_has_its_own_limit_and_others_have_theirs(start):
    daemon = start(connections_per_address=3)
    clients = [daemon.client() for _ in range(3)]
    for _ in range(5):
        is_refused(daemon.connect(banner=False), "too many connections from this address")
    with daemon.client(source=OTHER) as other:
        other.noop()
    for client in clients:
        client.noop()
    clients.pop().close()
    daemon.wait_for_log(r"closed: \[127\.0\.0\.1\] .* user=murder")
    with daemon.client() as client:
        client.noop()
    for client in clients:
        client.close()
    daemon.wait_for_log(r"warning: refused: \[127\.0\.0\.1\] port=\d+ "
                        r'reason="too many connections from this address" limit=3 unlogged=0')


def test_refusals_are_logged_once_in_a_second_and_counted(start):
    daemon = start(connections_per_address=1)
    with daemon.client():
        for _ in range(2000):
            daemon.connect(banner=False).close()
        found = wait_for(lambda: daemon.connect(banner=False).close() or
                         re.findall(r"refused: .* unlogged=(\d+)", daemon.log())[1:],
                         "a second line")
        assert int(found[0]) > 10
        assert len(re.findall("refused: ", daemon.log())) < 200


def test_the_ends_of_strangers_are_logged_a_few_times_in_a_second_and_counted(start):
    daemon = start(log_level="info")
    for _ in range(1000):
        daemon.connect().close()
    def lines():
        daemon.connect().close()
        return re.findall(r"closed: .* user=-.*?(?: unlogged=(\d+))?$", daemon.log(), re.MULTILINE)
    wait_for(lambda: [line for line in lines() if line], "a line that counts the others")
    assert len(lines()) < 500
    # Who was logged in gets his line whatever the others do.
    for _ in range(100):
        daemon.client().close()
    wait_for(lambda: daemon.log().count("user=murder reason=") == 100, "their ends")


def test_unix_sockets_are_counted_apart_and_come_in_when_all_is_taken(daemons, tmp_path):
    path = tmp_path / "socket"
    daemon = daemons.make(mupdate_connections_max=2, connections_per_address=2)
    daemon.configure(listen=f"127.0.0.1:{daemon.port} unix:{path}")
    daemon.start()
    clients = [daemon.client() for _ in range(2)]
    is_refused(daemon.connect(banner=False), "too many connections")
    operators = []
    for _ in range(16):
        operators.append(Client(path))
        operators[-1].login()
        operators[-1].noop()
    is_refused(Client(path, banner=False), "too many connections")
    for client in clients + operators:
        client.close()


def test_who_is_not_logged_in_gives_way_to_newcomers_the_oldest_of_the_most_first(start):
    daemon = start(limit_unauthenticated=5)
    with daemon.client() as logged_in:
        single = daemon.connect(source=OTHER)
        many = [daemon.connect() for _ in range(4)]
        with daemon.connect(source="127.0.0.3") as newcomer:
            newcomer.login()
            is_refused(many.pop(0), "too many connections that are not logged in")
            for client in [*many, single]:
                client.login()
                client.close()
        logged_in.noop()


def test_no_number_of_silent_connections_keeps_a_client_from_logging_in(start):
    daemon = start(limit_unauthenticated=20)
    silent = []
    for _ in range(20):
        silent += [daemon.connect() for _ in range(20)]
        with daemon.client() as client:
            client.noop()
    for client in silent:
        client.close()


# --- logins ---


def test_a_connection_has_so_many_logins_and_then_bye(start):
    daemon = start(failedlogins_max=3)
    with daemon.connect() as client:
        for _ in range(3):
            client.send(login_octets("wrong"))
            assert client.response() == ("L1", "NO", [b"authentication failed"])
        assert client.response() == ("*", "BYE", [b"too many failed logins"])
        assert client.at_end()
    with daemon.connect() as client:
        for _ in range(3):
            client.send(b'L1 AUTHENTICATE "SCRAM-SHA-256" ' + literal(
                base64.b64encode(b"n,,n=murder,r=abcdefgh")) + b"\r\n")
            client.line()
            client.send("*\r\n")
            assert client.response()[:2] == ("L1", "NO")
        assert client.response() == ("*", "BYE", [b"too many failed logins"])
    with daemon.connect() as client:
        for _ in range(2):
            client.send(login_octets("wrong"))
            assert client.response()[:2] == ("L1", "NO")
        client.login()
        client.noop()


def test_where_many_logins_fail_all_wait_and_the_right_ones_are_let_in(start):
    daemon = start(failedloginpause="3s")
    guessers = [daemon.connect() for _ in range(20)]
    for client in guessers:
        client.send(login_octets("wrong"))
    wait_for(lambda: daemon.log().count("badlogin:") == 20, "the failures")
    with daemon.connect() as same, daemon.client(source=OTHER) as other:
        same.send(login_octets("Murder Pw \u00e9"))
        # It waits, and a login from elsewhere does not wait for it.
        for _ in range(20):
            other.noop()
        with daemon.client(source=OTHER):
            assert same.has_nothing()
        assert same.response()[:2] == ("L1", "OK")
        same.noop()
    for client in guessers:
        assert client.response()[:2] == ("L1", "NO")
        client.close()


def test_who_leaves_while_his_login_waits_is_not_looked_at(start):
    daemon = start(failedloginpause="1s")
    guessers = [daemon.connect() for _ in range(20)]
    for client in guessers:
        client.send(login_octets("wrong"))
    wait_for(lambda: daemon.log().count("badlogin:") == 20, "the failures")
    for _ in range(20):
        with daemon.connect() as client:
            client.send(login_octets("wrong"))
    for client in guessers:
        assert client.response()[:2] == ("L1", "NO")
        client.close()
    assert daemon.log().count("badlogin:") == 20


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("stage", ["half a hello", "a hello", "half an exchange",
                                   "half a literal"])
def test_the_time_to_log_in_ends_every_half_way(start, certificate, stage):
    daemon = start(**certificate, login_timeout="1s")
    with daemon.client() as logged_in, daemon.connect() as client:
        if "hello" in stage:
            client.command("STARTTLS")
            hello = client_hello()
            client.socket.sendall(hello if stage == "a hello" else hello[:100])
        elif stage == "half an exchange":
            client.send(b'L1 AUTHENTICATE "SCRAM-SHA-256" ' + literal(
                base64.b64encode(b"n,,n=murder,r=abcdefgh")) + b"\r\n")
            client.line()
        else:
            client.send('L1 AUTHENTICATE "PLAIN" {65536+}\r\nAAAA')
        client.read_to_end()
        daemon.wait_for_log(r'reason="not authenticated in time"')
        logged_in.noop()


# --- memory ---


def test_two_thousand_greedy_strangers_cost_bounded_memory(start, certificate, report):
    daemon = start(**certificate, log_level="notice", connections_per_address=4096,
                   limit_unauthenticated=2000, mupdate_connections_max=4096)
    with daemon.client() as client:
        before = daemon.rss_mb()
        greedy = []
        for _ in range(2000):
            stranger = daemon.connect()
            stranger.send(b'A1 AUTHENTICATE "PLAIN" {65536+}\r\n' + b"A" * 65535)
            greedy.append(stranger)
        client.noop()
        # What one of them may send, and as much for everything else.
        limits_rss(daemon, before, 2000 * 2 * 64 / 1024)
        report(f"2000 greedy strangers: {daemon.rss_mb() - before:.0f} MB")
        for stranger in greedy:
            stranger.send("A\r\n")
        client.noop()
        for stranger in greedy:
            stranger.close()
        client.noop()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps freed memory")
def test_the_memory_of_those_who_left_is_given_back_however_many_leave_at_a_time(start,
                                                                                 certificate):
    daemon = start(**certificate, log_level="notice", connections_per_address=4096,
                   limit_unauthenticated=2000)
    hello = client_hello()
    with daemon.client() as client:
        before = daemon.rss_mb()
        for leaving in [[1500], [999], [1100, 400], [500]]:
            strangers = [daemon.connect() for _ in range(sum(leaving))]
            for stranger in strangers:
                stranger.send("S1 STARTTLS\r\n")
            for stranger in strangers:
                assert stranger.response()[:2] == ("S1", "OK")
                stranger.send(hello)
            for stranger in strangers:
                assert stranger.socket.recv(1)
            each = (daemon.rss_mb() - before) / len(strangers)
            assert len(strangers) * each > 24
            for count in leaving:
                for stranger in strangers[:count]:
                    stranger.reset()
                del strangers[:count]
                wait_for(lambda: daemon.rss_mb() - before < 16 + len(strangers) * each,
                         "the memory to be given back")
        client.noop()
