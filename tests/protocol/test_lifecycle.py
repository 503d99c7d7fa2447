"""Start, reload, end, and what the table keeps over them.

SPDX-License-Identifier: BSD-3-Clause
"""

import pathlib
import signal
import socket

import pytest

from mupdated import Client, PASSWORD, PATIENCE_S, USERS, free_port, row
from sandbox import Traced, needs_tracing

import sasl

ONE = "one.test!default"
EX_UNAVAILABLE = 69


# --- one process a directory ---


def test_a_second_master_on_the_same_directory_is_refused_with_a_message(start, daemons):
    first = start()
    second = daemons.make(database_directory=first.settings["database_directory"])
    done = second.run()
    assert done.returncode == EX_UNAVAILABLE
    assert str(first.settings["database_directory"]) in done.stderr
    assert "in use" in done.stderr or "uses it" in done.stderr or "another" in done.stderr
    with first.client() as client:
        client.ok("RESERVE", "user.a", ONE)
    first.kill()
    second.start()
    with second.client() as client:
        assert client.find("user.a") == row("RESERVE", "user.a", ONE)


# --- the table ---


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_rows_and_reservations_survive_a_restart(start, end):
    daemon = start()
    with daemon.client() as client:
        client.ok("RESERVE", "user.reserved", ONE)
        client.ok("ACTIVATE", "user.active", ONE, "anna\tlrs\t")
        client.ok("ACTIVATE", b"user.\xf6\"\\\t", "one.test!", b"\r\n\xff")
        client.ok("ACTIVATE", "user.deactivated", ONE, "x")
        client.ok("DEACTIVATE", "user.deactivated", "two.test!p")
        client.ok("RESERVE", "user.deleted", ONE)
        client.ok("DELETE", "user.deleted")
        before = client.list()
    sequence = daemon.sequence()
    getattr(daemon, end)()
    daemon.start()
    assert f"table: rows=4 active=2 reserved=2 sequence={sequence} " in daemon.log_since_start()
    assert daemon.sequence() == sequence
    with daemon.client() as client:
        assert client.list() == before
        assert client.set("RESERVE", "user.reserved", "two.test!p")[0] == "NO"
        client.ok("RESERVE", "user.reserved", ONE)


def test_the_history_and_the_sequence_go_on(start):
    daemon = start()
    history = daemon.wait_for_log("history=([0-9a-f]{32})$")[1]
    for turn in range(1, 4):
        with daemon.client() as client:
            client.ok("RESERVE", f"user.{turn}", ONE)
        assert daemon.sequence() == turn
        daemon.restart()
        assert daemon.wait_for_log("history=([0-9a-f]{32})$")[1] == history


# --- the end ---


def test_sigterm_says_bye_to_idle_connections_and_exits_with_0(start):
    daemon = start()
    clients = {"new": daemon.connect(), "idle": daemon.client(), "stream": daemon.subscriber()}
    daemon.signal(signal.SIGTERM)
    for client in clients.values():
        assert client.response() == ("*", "BYE", [b"server is stopping"])
        assert client.at_end()
        client.close()
    assert daemon.wait() == 0
    log = daemon.log_since_start()
    assert "notice: stopping: signal=15" in log and log.rstrip().endswith("notice: stopped")


def test_sigint_is_an_orderly_end_too(start):
    daemon = start()
    daemon.signal(signal.SIGINT)
    assert daemon.wait() == 0


@needs_tracing
@pytest.mark.parametrize("settings, code", [({}, 0),
                                            ({"listen": "unix:/nowhere/socket"}, EX_UNAVAILABLE)])
def test_a_sighup_while_it_starts_ends_nothing(daemons, tmp_path, settings, code):
    daemon = Traced.make(daemons, tmp_path / "trace", metrics_listen=str(free_port()), **settings)
    # The lock of the table is slow to be had.
    daemon.prefix += ["-e", "trace=flock", "-e", "inject=flock:delay_enter=1000000"]
    daemon.start(wait=False)
    daemon.wait_for_log("listening: metrics=")
    daemon.signal(signal.SIGHUP)
    if code == 0:
        daemon.wait_for_log("reload: done")
        daemon.signal(signal.SIGTERM)
    assert daemon.wait() == code
    assert ("reload: " in daemon.log()) == (code == 0)


def fill(daemon, rows):
    with daemon.client() as client:
        words = client.set_many([("ACTIVATE", f"user.{number:06}", ONE, "x" * 2000)
                                 for number in range(rows)])
        assert words == ["OK"] * rows


def test_sigterm_closes_a_connection_in_a_dump_without_a_word(start):
    daemon = start()
    fill(daemon, 6000)
    with daemon.client(receive_bytes=4096) as client:
        client.start_update()
        client._more()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        rest = client.read_to_end()
        assert rest.startswith(b"U1 MAILBOX ")
        for word in (b" OK ", b" NO ", b" BAD ", b" BYE "):
            assert word not in rest
        assert rest.count(b"U1 MAILBOX ") < 6000


def test_a_signal_while_it_ends_does_not_make_the_end_disorderly(start):
    daemon = start()
    fill(daemon, 1000)
    daemon.signal(signal.SIGTERM)
    while daemon.process.poll() is None:
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGHUP)
    assert daemon.wait() == 0


def test_sigterm_answers_the_changes_that_are_queued_and_no_others(start):
    daemon = start()
    clients = [daemon.client() for _ in range(10)]
    for number, client in enumerate(clients):
        client.send("".join(f'A{turn} RESERVE "user.{number}.{turn:04}" "{ONE}"\r\n'
                            for turn in range(2000)))
    clients[0].answer("A0")
    daemon.signal(signal.SIGTERM)
    answered = {}
    for number, client in enumerate(clients):
        lines = client.read_to_end().split(b"\r\n")[:-1]
        answered[number] = sum(b' OK "done"' in line for line in lines) + (number == 0)
        for line in lines:
            assert b' OK "done"' in line or line == b'* BYE "server is stopping"', line
        client.close()
    assert daemon.wait() == 0
    daemon.start()
    with daemon.client() as client:
        for number, count in answered.items():
            for turn in range(2000):
                found = client.find(f"user.{number}.{turn:04}") if turn in (count - 1, count) \
                    else None
                if turn == count - 1:
                    assert found is not None
                if turn == count:
                    assert found is None


def test_a_second_signal_does_not_wait_for_clients_that_do_not_read(start):
    daemon = start()
    fill(daemon, 6000)
    client = daemon.client(receive_bytes=4096)
    client.send("L1 LIST\r\n")
    client._more()
    daemon.signal(signal.SIGTERM)
    daemon.wait_for_log("stopping: ")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    client.close()


def test_who_does_not_read_does_not_hold_up_the_end(start):
    daemon = start()
    fill(daemon, 6000)
    client = daemon.client(receive_bytes=4096)
    client.send("L1 LIST\r\n")
    client._more()
    daemon.stop()
    client.close()


# --- the supervisor ---


@pytest.fixture
def supervisor(tmp_path):
    """A socket for the messages of sd_notify."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.settimeout(PATIENCE_S)
        yield one


def test_the_supervisor_hears_ready_reloading_and_stopping(daemons, supervisor):
    daemon = daemons.make()
    daemon.environment["NOTIFY_SOCKET"] = supervisor.getsockname()
    daemon.start(wait=False)
    assert supervisor.recv(1000) == b"READY=1"
    with Client(("127.0.0.1", daemon.port)) as client:
        client.login()
        client.noop()
    daemon.signal(signal.SIGHUP)
    assert supervisor.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert supervisor.recv(1000) == b"READY=1"
    daemon.signal(signal.SIGTERM)
    assert supervisor.recv(1000) == b"STOPPING=1"
    assert daemon.wait() == 0


def test_a_master_that_cannot_start_is_never_ready(daemons, supervisor, master):
    daemon = daemons.make(listen=f"127.0.0.1:{master.port}")
    daemon.environment["NOTIFY_SOCKET"] = supervisor.getsockname()
    daemon.start(wait=False)
    assert daemon.wait() == EX_UNAVAILABLE
    supervisor.setblocking(False)
    with pytest.raises(BlockingIOError):
        supervisor.recv(1000)


# --- reload ---


def test_a_reload_changes_who_is_an_admin_and_leaves_sessions_of_admins_alone(start):
    daemon = start(admins="murder guest")
    with daemon.client() as gone, daemon.connect() as old, daemon.connect() as stream:
        old.login("guest", USERS["guest"])
        stream.login("guest", USERS["guest"])
        stream.update()
        said = daemon.reload(admins="keeper guest")
        assert b"BYE" in gone.read_to_end()
        assert "reload: key=admins changed" in said and "reload: done" in said
        with daemon.connect() as client:
            assert sasl.authenticate_plain(client, "murder", PASSWORD)[0] == "NO"
            assert sasl.authenticate_plain(client, "keeper", USERS["keeper"])[0] == "OK"
            client.ok("RESERVE", "user.a", ONE)
        assert stream.change() == row("RESERVE", "user.a", ONE)
        old.ok("DELETE", "user.a")


def test_a_reload_changes_limits_and_policy_at_once(start):
    daemon = start()
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", ONE, "x")
        client.ok("ACTIVATE", "user.a", "two.test!p", "x")
        daemon.reload(location_conflict="deny", limit_name="1K")
        assert client.set("ACTIVATE", "user.a", ONE, "x")[0] == "NO"
        assert client.set("RESERVE", "x" * 1025, ONE) == ("NO", "mailbox name is too long")
        daemon.reload(location_conflict="accept", limit_name="2K")
        client.ok("ACTIVATE", "user.a", ONE, "x")
        client.ok("RESERVE", "x" * 2048, ONE)


def test_a_reload_changes_the_limits_of_sessions_to_come(start):
    daemon = start(limit_tag=14)
    with daemon.client() as old:
        daemon.reload(limit_tag=20)
        with daemon.client() as new:
            tag = "x" * 20
            new.send(f"{tag} NOOP\r\n")
            assert new.response()[:2] == (tag, "OK")
        old.send(f"{tag} NOOP\r\n")
        assert old.response()[:2] == ("*", "BAD")
    daemon.reload(allowplaintext="no")
    with daemon.connect() as client:
        assert b"PLAIN" not in client.capabilities[0]


@pytest.mark.parametrize("settings", [{"list_order": "octet"}, {"servername": "other.test"},
                                      {"cache_size": "100M"}, {"database_directory": "/nowhere"}])
def test_a_reload_names_the_keys_that_wait_for_a_restart(start, settings):
    daemon = start()
    key, = settings
    old = daemon.settings.get(key)
    said = daemon.reload(**settings)
    assert f"reload: key={key} changed; this takes effect at the next start only" in said
    with daemon.connect() as client:
        assert b'"mupdate.test"' in client.capabilities[-1]
        client.login()
    daemon.configure(**{key: old})


def test_a_reload_of_a_wrong_file_changes_nothing(start):
    daemon = start()
    before = dict(daemon.settings)
    said = daemon.reload(admins="keeper", list_order="nonsense")
    assert "reload: the configuration stays as it was" in said and "list_order: 'nonsense'" in said
    with daemon.client() as client:
        client.noop()
    daemon.configure(**before)


def test_many_reloads_under_load_lose_nothing(start):
    daemon = start()
    with daemon.subscriber() as stream, daemon.client() as client:
        stream.changes()
        for turn in range(20):
            client.send("".join(f'A1 RESERVE "user.{turn}.{number}" "{ONE}"\r\n'
                                for number in range(100)))
            daemon.reload(log_level="info" if turn % 2 else "debug")
            for _ in range(100):
                assert client.response()[:2] == ("A1", "OK")
        assert len(stream.changes()) == 2000


def test_the_directory_of_the_table_is_for_its_user_only(start):
    directory = pathlib.Path(start().settings["database_directory"])
    for path in [directory, *directory.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
