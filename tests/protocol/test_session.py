"""From the banner to the end of a connection.

SPDX-License-Identifier: BSD-3-Clause
"""

import subprocess

import pytest

from mupdated import DAEMON, command_octets, row

HERE = "backend1.test!default"


def version():
    done = subprocess.run([DAEMON, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


# --- banner ---


def test_the_banner_names_mechanisms_capabilities_and_the_server(master):
    with master.connect() as client:
        auth, *others = client.capabilities
        assert auth.startswith(b"* AUTH ")
        assert sorted(auth.split()[2:]) == [b'"PLAIN"', b'"SCRAM-SHA-256"']
        assert others == [
            b'* COMPRESS "DEFLATE"', b"* PARTIAL-UPDATE",
            f'* OK MUPDATE "mupdate.test" "mupdated" "{version()}" "(master)"'.encode()]


def test_the_banner_offers_starttls_when_there_is_a_certificate(start, certificate):
    with start(**certificate).connect() as client:
        assert client.capabilities.count(b"* STARTTLS") == 1


def test_the_banner_offers_no_starttls_when_that_is_not_allowed(start, certificate):
    with start(**certificate, allowstarttls="no").connect() as client:
        assert b"* STARTTLS" not in client.capabilities
        assert client.command("STARTTLS")[1] == "BAD"


def test_the_mechanisms_are_those_of_the_configuration(start):
    with start(sasl_mech_list="CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1").connect() as client:
        assert sorted(client.capabilities[0].split()[2:]) == [
            b'"CRAM-MD5"', b'"DIGEST-MD5"', b'"SCRAM-SHA-1"']


def test_a_client_may_speak_before_the_banner_came(master):
    with master.connect(banner=False) as client:
        client.send("A1 LOGOUT\r\n")
        client.banner()
        assert client.response() == ("A1", "BYE", [b"logged out"])


# --- before authentication ---


@pytest.mark.parametrize("command", [
    'FIND "a"', "LIST", 'LIST "a"', 'RESERVE "a" "b!c"', 'ACTIVATE "a" "b!c" ""',
    'DEACTIVATE "a" "b!c"', 'DELETE "a"', "UPDATE", 'UPDATE "a"', "NOOP",
    "FIND {1+}\r\na", "ACTIVATE {1+}\r\na {3+}\r\nb!c {0+}\r\n", "FIND", 'NOOP "x"'])
def test_before_authentication_all_that_needs_it_gets_no(master, command):
    with master.connect() as client:
        assert client.command(command) == ([], "NO", "authenticate first")
        client.login()
        assert client.find("a") is None


def test_before_authentication_a_literal_is_not_invited(master):
    with master.connect() as client:
        client.send("A1 FIND {100000}\r\n")
        assert client.response() == ("A1", "NO", [b"authenticate first"])
        client.login()


def test_before_authentication_an_unknown_command_gets_bad(master):
    with master.connect() as client:
        assert client.command("SELECT")[1] == "BAD"
        client.login()


# --- the end ---


@pytest.mark.parametrize("state", ["unauthenticated", "authenticated", "streaming"])
def test_logout_gets_bye_and_then_the_connection_is_closed(master, state):
    with master.connect() as client:
        if state != "unauthenticated":
            client.login()
        if state == "streaming":
            client.update("nobody")
        client.send("Q01 LOGOUT\r\n")
        assert client.response() == ("Q01", "BYE", [b"logged out"])
        assert client.at_end()


def test_commands_behind_logout_are_not_carried_out(master, client, name):
    with master.client() as other:
        other.send(f'A1 RESERVE "{name}" "a!b"\r\nQ1 LOGOUT\r\nA2 DELETE "{name}"\r\n')
        assert other.answer("A1")[1] == "OK"
        assert other.answer("Q1")[1] == "BYE"
        assert other.at_end()
    assert client.find(name) == row("RESERVE", name, "a!b")


def test_bye_is_not_lost_when_the_client_sends_on(master):
    with master.client() as client:
        client.send(b"Q1 LOGOUT\r\n" + b"A1 NOOP\r\n" * 5000)
        assert client.response() == ("Q1", "BYE", [b"logged out"])
        assert client.at_end()


def test_a_client_that_closed_its_half_still_gets_its_answers(master, name):
    with master.client() as client:
        client.send(command_octets("A1", "ACTIVATE", name, HERE, "x")
                    + command_octets("F1", "FIND", name) + command_octets("L1", "LIST", HERE))
        client.end_sending()
        assert client.answer("A1")[1] == "OK"
        assert client.answer("F1")[0] == [row("MAILBOX", name, HERE, "x")]
        rows, word, _ = client.answer("L1")
        assert row("MAILBOX", name, HERE, "x") in rows and word == "OK"
        assert client.at_end()


def test_a_client_that_closed_its_half_still_gets_its_dump(master, client, name):
    client.ok("RESERVE", name, f"{name}.test!")
    with master.client() as other:
        other.start_update(f"{name}.test")
        other.end_sending()
        assert other.dump() == [row("RESERVE", name, f"{name}.test!")]
        assert other.at_end()


def test_half_a_command_at_the_end_is_no_command(master, client, name):
    for end in (f'A1 RESERVE "{name}" "a!b"', f"A1 RESERVE {{{len(name)}+}}\r\n{name[:-1]}",
                f"A1 RESERVE {{{len(name)}+}}\r\n{name} \"a!b\""):
        with master.client() as other:
            other.send(end)
            other.end_sending()
            assert other.at_end()
        assert client.find(name) is None


def test_a_change_of_a_client_that_is_gone_is_whole_or_not_there(master, client, name):
    for number in range(50):
        other = master.client()
        other.send(command_octets("A1", "ACTIVATE", f"{name}.{number}", HERE, "anna\tlrs\t"))
        other.reset()
    client.noop()
    for number in range(50):
        mailbox = f"{name}.{number}"
        assert client.find(mailbox) in (None, row("MAILBOX", mailbox, HERE, "anna\tlrs\t"))


# --- time and number ---


def test_who_does_not_authenticate_in_time_is_disconnected(start):
    daemon = start(login_timeout="1s")
    with daemon.client() as authenticated:
        with daemon.connect() as client:
            assert client.at_end()
        daemon.wait_for_log(r"closed: \[127\.0\.0\.1\] port=\d+ user=- "
                            r'reason="not authenticated in time"')
        authenticated.noop()


def test_one_connection_too_many_gets_bye_and_leaves_the_others_alone(start):
    daemon = start(mupdate_connections_max=3)
    clients = [daemon.client() for _ in range(3)]
    with daemon.connect(banner=False) as one_more:
        assert one_more.response() == ("*", "BYE", [b"too many connections"])
        assert one_more.at_end()
    daemon.wait_for_log(r"warning: refused: \[127\.0\.0\.1\] port=\d+ "
                        r'reason="too many connections" limit=3 unlogged=0')
    for client in clients:
        client.noop()
    clients.pop().close()
    daemon.wait_for_log(r"closed: .* user=murder")
    with daemon.client() as client:
        client.noop()
    for client in clients:
        client.close()
