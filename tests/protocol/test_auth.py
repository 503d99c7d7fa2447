"""AUTHENTICATE: exchanges, their ends, and who may do what.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64

import pytest

import sasl
from mupdated import PASSWORD, USER, USERS, command_octets, limits_rss, literal, row

FAILED = "authentication failed"
NO_RIGHT = "this user has no right to use this server"


@pytest.fixture(scope="module")
def admins(tmp_path_factory):
    """A master with two admins and more mechanisms."""
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("admins"))
    yield daemons.start(admins=f"{USER} keeper",
                        sasl_mech_list="PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256")
    daemons.end()


@pytest.fixture
def one(admins):
    """A connection that is not authenticated."""
    with admins.connect() as client:
        yield client


def is_in(client):
    return client.command("NOOP")[1] == "OK"


# --- PLAIN ---

MESSAGE = sasl.encode(sasl.plain(USER, PASSWORD))


@pytest.mark.parametrize("initial", [
    literal(MESSAGE), b'"' + MESSAGE + b'"'], ids=["literal", "quoted"])
@pytest.mark.parametrize("mechanism", [b'"PLAIN"', b"PLAIN", b"{5+}\r\nPLAIN", b'"plain"'])
def test_plain_with_an_initial_response(one, mechanism, initial):
    assert one.command(b"AUTHENTICATE " + mechanism + b" " + initial) == ([], "OK",
                                                                          "Authenticated")
    assert is_in(one)


def test_plain_with_an_initial_response_in_a_literal_that_waits(one):
    one.send(b'A1 AUTHENTICATE "PLAIN" {%d}\r\n' % len(MESSAGE))
    assert one.line() == b"+ go ahead"
    one.send(MESSAGE + b"\r\n")
    assert sasl.outcome(one)[0] == "OK"


def test_plain_without_an_initial_response_gets_an_empty_challenge(one):
    sasl.begin(one, "PLAIN")
    assert one.line() == b""
    sasl.respond(one, sasl.plain(USER, PASSWORD))
    assert sasl.outcome(one) == ("OK", "Authenticated")


@pytest.mark.parametrize("octets", [b"={0+}\r\n", b"=", b'"="', b'""', b"{0+}\r\n", b"{1+}\r\n="])
def test_an_initial_response_of_no_octets_is_one(one, octets):
    one.send(b'A1 AUTHENTICATE "PLAIN" ' + octets + b"\r\n")
    assert sasl.outcome(one) == ("NO", FAILED)
    one.login()


def test_what_was_pipelined_behind_plain_is_done_when_it_succeeded(one, name):
    one.send(b'A1 AUTHENTICATE "PLAIN" ' + literal(MESSAGE) + b"\r\n"
             + command_octets("A2", "RESERVE", name, "a!b"))
    assert sasl.outcome(one)[0] == "OK"
    assert one.answer("A2")[1] == "OK"


# --- challenge and response ---


@pytest.mark.parametrize("with_initial", [True, False])
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_scram_ends_with_the_servers_signature_as_a_challenge(one, digest, with_initial):
    """Cyrus understands no data in the final OK."""
    assert sasl.authenticate_scram(one, "keeper", USERS["keeper"], digest=digest,
                                   with_initial=with_initial) == ("OK", "Authenticated")
    assert is_in(one)


def test_cram_md5(one):
    assert sasl.authenticate_cram_md5(one, "keeper", USERS["keeper"]) == ("OK", "Authenticated")
    assert is_in(one)


# --- failures ---

BAD_LOGINS = {
    "a wrong password": (USER, "wrong"),
    "an unknown user": ("nobody", PASSWORD),
    "an unknown user with an empty password": ("nobody", ""),
    "an empty password": (USER, ""),
    "the password with another case": (USER, PASSWORD.upper()),
    "a blank user": (" ", PASSWORD),
    "a user with control characters": ("murder\r\nA1 OK", PASSWORD),
    "a user of another realm": (USER + "@other.test", PASSWORD),
    "a very long user": ("x" * 20000, PASSWORD),
    "a very long password": (USER, "x" * 20000),
}


@pytest.mark.parametrize("which", BAD_LOGINS)
def test_plain_is_refused_with_one_text_and_can_be_tried_again(one, which):
    assert sasl.authenticate_plain(one, *BAD_LOGINS[which]) == ("NO", FAILED)
    assert not is_in(one)
    assert sasl.authenticate_plain(one, USER, PASSWORD)[0] == "OK"
    assert is_in(one)


@pytest.mark.parametrize("which", ["a wrong password", "an unknown user"])
def test_scram_is_refused_at_the_same_step_with_the_same_text(one, which):
    for digest in ("sha1", "sha256"):
        assert sasl.authenticate_scram(one, *BAD_LOGINS[which], digest=digest) == ("NO", FAILED)
    assert sasl.authenticate_scram(one, USER, PASSWORD)[0] == "OK"


@pytest.mark.parametrize("which", ["a wrong password", "an unknown user"])
def test_cram_md5_is_refused_with_the_same_text(one, which):
    assert sasl.authenticate_cram_md5(one, *BAD_LOGINS[which]) == ("NO", FAILED)
    assert sasl.authenticate_cram_md5(one, "keeper", USERS["keeper"])[0] == "OK"


@pytest.mark.parametrize("mechanism", ["NONSENSE", "GSSAPI", "DIGEST-MD5", "", "X" * 100,
                                       "EXTERNAL", "ANONYMOUS"])
def test_a_mechanism_that_is_not_offered_is_refused(one, mechanism):
    sasl.begin(one, mechanism)
    assert sasl.outcome(one)[0] == "NO"
    one.login()


GARBAGE = [b"!", b"====", b"AAA", b"A=AA", b"AAAA=", b"\xff\xfe", b"AA AA", b"\0"]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_response_that_is_not_base64_ends_the_exchange(one, garbage):
    sasl.begin(one, "PLAIN")
    assert one.line() == b""
    one.send(garbage + b"\r\n")
    assert sasl.outcome(one)[0] == "BAD"
    one.login()


@pytest.mark.parametrize("garbage", GARBAGE)
def test_an_initial_response_that_is_not_base64_is_refused(one, garbage):
    one.send(b'A1 AUTHENTICATE "PLAIN" ' + literal(garbage) + b"\r\n")
    assert sasl.outcome(one)[0] == "BAD"
    one.login()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1",
                                       "SCRAM-SHA-256"])
@pytest.mark.parametrize("garbage", [b"\0" * 10, b"\xff" * 1000, b"n,,n=", b"n,,n=a,r=",
                                     b"A" * 40000],
                         ids=lambda garbage: repr(garbage[:12]))
def test_garbage_in_an_exchange_fails_and_leaves_the_connection_usable(one, mechanism, garbage):
    sasl.begin(one, mechanism, garbage)
    while not (line := one.line()).startswith(b"A1 "):
        base64.b64decode(line, validate=True)
        sasl.respond(one, garbage)
    assert line == f'A1 NO "{FAILED}"'.encode()
    one.login()


def test_a_response_past_its_limit_ends_the_exchange_and_is_not_held(admins, one):
    before = admins.rss_mb()
    sasl.begin(one, "PLAIN")
    assert one.line() == b""
    one.send(b"QUFB" * (4 << 20) + b"\r\n")
    assert sasl.outcome(one) == ("BAD", "the response is too long")
    one.login()
    limits_rss(admins, before, 8)


def test_an_initial_response_past_its_limit_is_refused_and_not_held(admins, one):
    before = admins.rss_mb()
    octets = b"QUFB" * (4 << 20)
    one.send(b'A1 AUTHENTICATE "PLAIN" ' + literal(octets) + b"\r\n")
    assert sasl.outcome(one) == ("BAD", "the literal is too long")
    one.login()
    limits_rss(admins, before, 8)


# --- cancel ---


@pytest.mark.parametrize("mechanism", ["PLAIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_the_client_may_cancel_before_its_first_response(one, mechanism):
    sasl.begin(one, mechanism)
    sasl.challenge(one)
    one.send("*\r\n")
    assert sasl.outcome(one) == ("NO", "authentication cancelled")
    one.login()


def test_the_client_may_cancel_before_its_last_response(admins, one):
    scram = sasl.Scram(USER, PASSWORD)
    sasl.begin(one, scram.mechanism, scram.first())
    response = scram.final(sasl.challenge(one))
    one.send("*\r\n")
    assert sasl.outcome(one) == ("NO", "authentication cancelled")
    one.send(sasl.encode(response) + b"\r\n")
    assert one.response()[:2] == ("*", "BAD")
    assert not is_in(one)
    admins.wait_for_log("badlogin: .* mechanism=SCRAM-SHA-256 user=murder reason=cancelled")
    one.login()


def test_a_client_that_leaves_in_an_exchange_is_forgotten(admins):
    for _ in range(20):
        client = admins.connect()
        sasl.begin(client, "SCRAM-SHA-256", sasl.Scram(USER, PASSWORD).first())
        client.reset()
    with admins.client() as client:
        client.noop()


# --- rights ---


@pytest.mark.parametrize("authorize", ["", USER, "keeper"])
def test_an_admin_may_act_as_himself_or_another_admin(admins, one, authorize):
    assert sasl.authenticate_plain(one, USER, PASSWORD, authorize)[0] == "OK"
    peer = f"port={one.socket.getsockname()[1]} user={authorize or USER} mechanism=PLAIN"
    admins.wait_for_log(peer)


def test_an_admin_may_act_as_another_with_scram(one):
    assert sasl.authenticate_scram(one, USER, PASSWORD, authorize="keeper")[0] == "OK"


def test_a_known_user_who_is_no_admin_has_no_right(admins, one):
    assert sasl.authenticate_plain(one, "guest", USERS["guest"]) == ("NO", NO_RIGHT)
    assert not is_in(one)
    admins.wait_for_log('badlogin: .* mechanism=PLAIN user=guest '
                        'reason="not in admins, readers or backends"')
    one.login()


@pytest.mark.parametrize("authorize", [USER, "keeper"])
def test_who_is_no_admin_cannot_act_as_one(admins, one, authorize):
    port = one.socket.getsockname()[1]
    assert sasl.authenticate_plain(one, "guest", USERS["guest"], authorize)[0] == "NO"
    assert not is_in(one)
    assert sasl.authenticate_scram(one, "guest", USERS["guest"], authorize=authorize)[0] == "NO"
    assert not is_in(one)
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        admins.wait_for_log(f'badlogin: .* port={port} mechanism={mechanism} user={authorize} '
                            f'by=guest reason=".*guest may not act as {authorize}')


def test_who_has_not_proved_to_be_anybody_is_not_named_as_who_acted(admins, one):
    port = one.socket.getsockname()[1]
    assert sasl.authenticate_plain(one, "guest", USERS["guest"], USER)[0] == "NO"
    assert sasl.authenticate_plain(one, "guest", "wrong", USER)[0] == "NO"
    admins.wait_for_log(f"badlogin: .* port={port} mechanism=PLAIN user={USER} by=guest reason=")
    admins.wait_for_log(f"badlogin: .* port={port} mechanism=PLAIN user=guest reason=")


def test_an_admin_who_acts_as_another_has_the_rights_of_the_other(admins, one):
    assert sasl.authenticate_plain(one, USER, PASSWORD, "guest") == ("NO", NO_RIGHT)
    assert not is_in(one)
    admins.wait_for_log(f'badlogin: .* mechanism=PLAIN user=guest by={USER} '
                        'reason="not in admins, readers or backends"')


def test_the_user_is_noted_with_each_move(admins, name):
    with admins.connect() as client:
        assert sasl.authenticate_plain(client, USER, PASSWORD, "keeper")[0] == "OK"
        client.ok("ACTIVATE", name, "a.test!p", "")
        client.ok("ACTIVATE", name, "b.test!p", "")
    admins.wait_for_log(f"moved: mailbox={name} .* user=keeper ")


def test_there_is_one_successful_authenticate_in_a_session(one):
    one.login()
    for _ in range(2):
        _, word, text = one.command(b'AUTHENTICATE "PLAIN" ' + literal(MESSAGE))
        assert (word, text) == ("BAD", "already authenticated")
    assert is_in(one)


# --- log and time ---


def test_logins_are_logged_with_address_user_and_mechanism(admins, one):
    port = one.socket.getsockname()[1]
    sasl.authenticate_plain(one, USER, "wrong")
    admins.wait_for_log(rf"notice: badlogin: \[127\.0\.0\.1\] port={port} mechanism=PLAIN "
                        r"user=murder reason=\S")
    one.login()
    admins.wait_for_log(rf"notice: login: \[127\.0\.0\.1\] port={port} user=murder "
                        r"mechanism=PLAIN$")


def test_a_name_in_the_log_stays_on_its_line(admins, one):
    sasl.authenticate_plain(one, "x\ny=z", "wrong")
    admins.wait_for_log("badlogin: .*port=%d " % one.socket.getsockname()[1])
    assert not [line for line in admins.log().splitlines() if line.startswith("y=z")]
    sasl.begin(one, 'a\tb" reason=none')
    assert one.response()[1] in ("BAD", "NO")


def test_passwords_are_not_logged(admins, one):
    sasl.authenticate_plain(one, USER, "Secret-That-Is-Wrong")
    one.login()
    admins.wait_for_log("login: .*port=%d " % one.socket.getsockname()[1])
    log = admins.log()
    for secret in ("Secret-That-Is-Wrong", PASSWORD, "Murder", MESSAGE.decode()):
        assert secret not in log


def test_a_failed_login_waits_and_nobody_else_does(start):
    daemon = start(failedloginpause="1h")
    with daemon.connect() as client:
        sasl.begin(client, "PLAIN", sasl.plain(USER, "wrong"))
        daemon.wait_for_log("badlogin: ")
        for _ in range(3):
            with daemon.client() as other:
                other.noop()
        assert client.has_nothing()


def test_a_failed_login_is_answered_after_the_pause(start):
    with start(failedloginpause="200ms").connect() as client:
        assert sasl.authenticate_plain(client, USER, "wrong") == ("NO", FAILED)
        assert sasl.authenticate_plain(client, USER, PASSWORD)[0] == "OK"


def test_many_at_once_authenticate(admins, name):
    clients = [admins.connect() for _ in range(60)]
    scrams = [sasl.Scram(USER, PASSWORD) for _ in clients]
    for client, scram in zip(clients, scrams):
        sasl.begin(client, scram.mechanism, scram.first())
    for client, scram in zip(clients, scrams):
        sasl.respond(client, scram.final(sasl.challenge(client)))
    for client, scram in zip(clients, scrams):
        assert sasl.challenge(client).decode() == scram.server_final
        sasl.respond(client, "")
        assert sasl.outcome(client)[0] == "OK"
    clients[0].ok("RESERVE", name, "a!b")
    for client in clients:
        assert client.find(name) == row("RESERVE", name, "a!b")
        client.close()
