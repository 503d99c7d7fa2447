"""A saslauthd that hangs, lies or is gone holds up nobody but those who ask it.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import resource
import signal
import struct

import pytest

import sasl
from mupdated import PASSWORD, USER, limits_rss, wait_for
from saslauthd import Saslauthd, Scripted

OK = ("OK", "Authenticated")
NOT_ANSWERING = ("NO", "authentication service is not answering")
NOT_AVAILABLE = ("NO", "authentication service is not available")
NEVER = "1h"
# Too short for SCRAM on some machines: only for those who are not to be answered.
SHORT = "200ms"
THREADS = 4


@pytest.fixture
def scripted(tmp_path):
    made = Scripted(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def asking(start):
    """Starts a master whose PLAIN asks saslauthd, and whose SCRAM uses a sasldb of its own."""
    def begin(service, **settings):
        return start(**{"sasl_pwcheck_method": "saslauthd", "sasl_saslauthd_path": service.path,
                        "authentication_threads": THREADS, "authentication_timeout": NEVER,
                        **settings})
    return begin


def log_in(daemon, user=USER, password=PASSWORD):
    with daemon.connect() as client:
        return sasl.authenticate_plain(client, user, password)


def log_in_scram(daemon):
    with daemon.connect() as client:
        return sasl.authenticate_scram(client, USER, PASSWORD)


def begin_logins(daemon, count):
    """Clients that have sent their password."""
    clients = [daemon.connect() for _ in range(count)]
    for client in clients:
        sasl.begin(client, "PLAIN", sasl.plain(USER, PASSWORD))
    return clients


def close(clients):
    for client in clients:
        client.close()


def thread_count(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/task"))


@pytest.fixture
def hanging(scripted):
    scripted.answer = None
    return scripted


def test_nobody_else_is_delayed(asking, hanging):
    daemon = asking(hanging)
    with daemon.connect() as canary:
        assert sasl.authenticate_scram(canary, USER, PASSWORD) == OK
        stuck = begin_logins(daemon, 3 * THREADS)
        wait_for(lambda: len(hanging.silent) == THREADS, "all threads to ask")
        for number in range(20):
            canary.noop()
            canary.find(f"user.{number}")
            assert log_in_scram(daemon) == OK
        assert all(client.has_nothing() for client in stuck)
    hanging.answer = b"\0\2OK"
    hanging.answer_the_silent()
    assert [sasl.outcome(client) for client in stuck] == [OK] * len(stuck)
    close(stuck)


def test_a_real_saslauthd_that_is_stopped_and_goes_on(asking, tmp_path):
    service = Saslauthd(tmp_path / "saslauthd", "shadow")
    service.start()
    try:
        daemon = asking(service, sasl_mech_list="PLAIN LOGIN SCRAM-SHA-256")
        assert log_in(daemon, "nobody-here", "x") == ("NO", "authentication failed")
        service.signal(signal.SIGSTOP)
        daemon.reload(authentication_timeout=SHORT)
        assert log_in(daemon) == NOT_ANSWERING
        with daemon.connect() as client:
            sasl.begin(client, "LOGIN")
            sasl.challenge(client)
            sasl.respond(client, USER)
            sasl.challenge(client)
            sasl.respond(client, PASSWORD)
            assert sasl.outcome(client) == NOT_ANSWERING
            daemon.reload(authentication_timeout=NEVER)
            # The connection is as good as before.
            assert sasl.authenticate_scram(client, USER, PASSWORD) == OK
        daemon.wait_for_log(r"nologin: \[127.0.0.1\] port=\d+ mechanism=PLAIN user=- "
                            'reason="no answer within authentication_timeout"')
        daemon.wait_for_log("warning: logins: no answer in time: lane=password threads=1 of=4")
        assert "badlogin: " not in daemon.log().split("no answer")[1]
        service.signal(signal.SIGCONT)
        daemon.wait_for_log("logins: what was asked answers again: lane=password")
        wait_for(lambda: log_in(daemon, "nobody-here", "x") == ("NO", "authentication failed"),
                 "answers")
    finally:
        service.stop()


def test_a_real_saslauthd_that_is_killed_and_comes_back(asking, tmp_path):
    service = Saslauthd(tmp_path / "saslauthd", "shadow")
    service.start()
    try:
        daemon = asking(service)
        service.signal(signal.SIGSTOP)
        stuck = begin_logins(daemon, 2 * THREADS)
        service.kill()
        assert [sasl.outcome(client) for client in stuck] == [NOT_AVAILABLE] * len(stuck)
        close(stuck)
        assert log_in(daemon) == NOT_AVAILABLE
        daemon.wait_for_log("sasl: cannot connect to saslauthd server: Connection refused")
        daemon.wait_for_log('nologin: .* mechanism=PLAIN user=murder reason="SASL.-1.: generic')
        service.path.unlink()
        assert log_in(daemon) == NOT_AVAILABLE
        daemon.wait_for_log("sasl: cannot connect to saslauthd server: No such file")
        service.start()
        assert log_in(daemon, "nobody-here", "x") == ("NO", "authentication failed")
    finally:
        service.stop()


@pytest.mark.parametrize("answer, outcome", [
    (b"\0\2OK", OK),
    (b"\0\2NO", ("NO", "authentication failed")),
    (b"\0\5hello", ("NO", "authentication failed")),
    (struct.pack(">H", 60000) + b"x" * 60000, ("NO", "authentication failed")),
    (b"", NOT_AVAILABLE),
    (b"\0", NOT_AVAILABLE),
    (b"\0\0", NOT_AVAILABLE),
    (b"\0\5O", NOT_AVAILABLE),
], ids=["ok", "no", "garbage", "long", "close", "half-length", "empty", "half-answer"])
def test_only_a_clear_yes_is_one(asking, scripted, answer, outcome):
    daemon = asking(scripted)
    scripted.answer = answer
    assert log_in(daemon) == outcome
    assert scripted.questions == [[USER, PASSWORD, "mupdate", ""]]
    scripted.answer = b"\0\2OK"
    assert log_in(daemon) == OK


def test_the_realm_of_a_user_is_told_apart(asking, scripted):
    daemon = asking(scripted)
    log_in(daemon, "anna@example.org", "x")
    log_in(daemon, "anna@mupdate.test", "x")
    assert [question[::3] for question in scripted.questions] == [["anna", "example.org"],
                                                                 ["anna", ""]]


def test_many_logins_into_a_saslauthd_that_hangs_cost_few_threads_and_little_memory(asking,
                                                                                     hanging):
    daemon = asking(hanging)
    assert log_in_scram(daemon) == OK
    threads, memory = thread_count(daemon), daemon.rss_mb()
    with daemon.connect() as canary:
        assert sasl.authenticate_scram(canary, USER, PASSWORD) == OK
        daemon.reload(authentication_timeout=SHORT)
        clients = begin_logins(daemon, 200)
        assert [sasl.outcome(client) for client in clients] == [NOT_ANSWERING] * 200
        canary.noop()
        close(clients)
        # With all threads behind, there is no use in waiting.
        daemon.wait_for_log("earlier logins still wait for an answer: authentication_threads")
        assert log_in(daemon) == NOT_ANSWERING
        daemon.reload(authentication_timeout=NEVER)
        assert log_in_scram(daemon) == OK
    # SCRAM may have got a second thread.
    assert thread_count(daemon) <= threads + THREADS + os.cpu_count()
    limits_rss(daemon, memory, 30)
    assert len(hanging.silent) <= THREADS
    hanging.answer = b"\0\2OK"
    hanging.answer_the_silent()
    wait_for(lambda: log_in(daemon) == OK, "logins to work again")


def test_too_many_that_wait_are_told_so_at_once(asking, hanging):
    daemon = asking(hanging, authentication_queue=5)
    stuck = begin_logins(daemon, THREADS)
    wait_for(lambda: len(hanging.silent) == THREADS, "all threads to ask")
    waiting = begin_logins(daemon, 5)
    assert log_in(daemon) == ("NO", "too many logins are waiting")
    daemon.wait_for_log('nologin: .* reason="too many logins are waiting"')
    hanging.answer = b"\0\2OK"
    hanging.answer_the_silent()
    assert [sasl.outcome(client) for client in stuck + waiting] == [OK] * (THREADS + 5)
    close(stuck + waiting)


def test_clients_that_are_cut_off_take_their_questions_along(asking, hanging):
    daemon = asking(hanging, login_timeout="1s")
    clients = begin_logins(daemon, 3 * THREADS)
    assert all(client.at_end() for client in clients)
    close(clients)
    assert daemon.log().count("not authenticated in time") == 3 * THREADS
    hanging.answer = b"\0\2OK"
    hanging.answer_the_silent()
    assert log_in(daemon) == OK
    # Those that waited for their turn asked nothing.
    assert len(hanging.questions) <= THREADS + 1


def test_the_daemon_stops_in_order_while_logins_hang(asking, hanging):
    daemon = asking(hanging)
    with daemon.connect() as client:
        assert sasl.authenticate_scram(client, USER, PASSWORD) == OK
        client.set("ACTIVATE", "user.anna", "backend1.test!p", "anna\tlrs\t")
    daemon.reload(authentication_timeout=SHORT)
    late = begin_logins(daemon, THREADS)
    assert [sasl.outcome(client) for client in late] == [NOT_ANSWERING] * THREADS
    daemon.reload(authentication_timeout=NEVER, authentication_threads=2 * THREADS)
    stuck = begin_logins(daemon, 3 * THREADS)
    wait_for(lambda: len(hanging.silent) == 2 * THREADS, "all threads to ask")
    daemon.stop()
    assert "logins: left behind at the end" in daemon.log()
    assert daemon.log().endswith("notice: stopped\n")
    close(late + stuck)
    daemon.check_database()
    daemon.start()
    with daemon.connect() as client:
        assert sasl.authenticate_scram(client, USER, PASSWORD) == OK
        assert client.find("user.anna")


def test_a_time_limit_that_is_reloaded_holds_for_logins_after_it(asking, hanging):
    daemon = asking(hanging)
    stuck = begin_logins(daemon, 1)
    wait_for(lambda: len(hanging.silent) == 1, "the question")
    daemon.reload(authentication_timeout=SHORT)
    assert log_in(daemon) == NOT_ANSWERING
    assert stuck[0].has_nothing()
    close(stuck)


def test_descriptors_past_those_of_select_are_no_trouble(asking, scripted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip("this process may not open 2,000 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    idle = []
    try:
        daemon = asking(scripted, limit_unauthenticated="2000", connections_per_address="2000")
        idle = [daemon.connect() for _ in range(1100)]
        assert max(map(int, os.listdir(f"/proc/{daemon.process.pid}/fd"))) > 1100
        assert log_in(daemon) == OK
        scripted.answer = b"\0\2NO"
        assert log_in(daemon) == ("NO", "authentication failed")
    finally:
        close(idle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
