"""The control socket: what it says is true, and who may ask.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import os
import re
import socket
import stat
import subprocess
import time

import pytest

import mupdated
from control import Control, Refused
from mupdated import wait_for


@pytest.fixture
def daemon(start):
    return start()


@pytest.fixture
def control(daemon):
    with daemon.control() as control:
        yield control


def active(client, name, server="b1.test", partition="default"):
    client.ok("ACTIVATE", name, f"{server}!{partition}", "anna\tlrs\t")


def test_status_tells_the_rows_by_state_and_by_server(daemon, control):
    with daemon.client() as client:
        for number in range(3):
            active(client, f"user.a{number}")
        active(client, "user.b", partition="other")
        active(client, "user.c", server="b2.test")
        client.ok("RESERVE", "user.d", "b2.test!default")
        client.ok("DELETE", "user.a0")
    status = control.status()
    assert (status["table"]["rows"], status["table"]["active"], status["table"]["reserved"]) == (
        5, 4, 1)
    assert status["table"]["servers"] == [
        {"name": "b1.test", "active": 3, "reserved": 0},
        {"name": "b2.test", "active": 1, "reserved": 1}]
    assert status["position"]["sequence"] == 7
    assert status["position"]["oldest_change"] == 1
    assert status["position"]["history"] in daemon.log()
    assert status["pid"] == daemon.process.pid
    assert status["writer"]["stored"] == status["counters"]["stored"] == 7
    assert sum(one["batches"] for one in status["writer"]["commits"]) == \
        status["writer"]["batches"]


def test_status_survives_a_restart_as_far_as_the_table_goes(daemon):
    with daemon.client() as client:
        active(client, "user.a")
    with daemon.control() as control:
        before = control.status()
    daemon.restart()
    with daemon.control() as control:
        after = control.status()
    assert after["table"] == before["table"]
    assert after["position"] == before["position"]
    assert after["counters"]["stored"] == 0


def test_status_tells_the_connections_by_what_they_do_and_by_user(start):
    daemon = start(admins="murder keeper")
    with daemon.connect(), daemon.client(), daemon.subscriber(), daemon.control() as control:
        with daemon.connect() as keeper:
            keeper.login("keeper", "Keeper Pw")
            status = control.status()["connections"]
    assert status["count"] == 4
    assert status["by_activity"] == {
        "login": 1, "commands": 2, "dumping": 0, "streaming": 1, "closing": 0}
    assert status["by_user"] == [{"connections": 1, "user": "keeper"},
                                 {"connections": 2, "user": "murder"}]


def test_status_counts_logins_refusals_and_commands(daemon, control):
    before = control.status()["counters"]
    with daemon.client() as client:
        client.find("user.a")
        client.find("user.b")
        client.list()
        assert client.set("DELETE", "user.a")[0] == "NO"
    with daemon.connect() as wrong:
        assert wrong.command(b'AUTHENTICATE "PLAIN" ' + mupdated.literal("AGEAYg=="))[1] == "NO"
    after = control.status()["counters"]
    assert after["logins"] - before["logins"] == 1
    assert after["bad_logins"] - before["bad_logins"] == 1
    assert after["commands"]["find"] - before["commands"]["find"] == 2
    assert after["commands"]["list"] - before["commands"]["list"] == 1
    assert after["commands"]["delete"] - before["commands"]["delete"] == 1
    assert after["changes"]["delete"]["refused"] - before["changes"]["delete"]["refused"] == 1
    assert after["changes_refused"] - before["changes_refused"] == 1


def test_status_tells_how_far_a_stopped_subscriber_is_behind(daemon, control):
    acl = "x" * 60000
    with daemon.subscriber(receive_bytes=4096), daemon.client() as writer:
        for number in range(300):
            writer.ok("ACTIVATE", f"user.{number}", "b1.test!default", acl)
        behind = wait_for(lambda: control.status()["subscribers"]["list"][0], "the subscriber")
        assert 0 < behind["behind"] <= 300
        assert behind["sequence"] + behind["behind"] == 300
        assert behind["behind_seconds"] > 0
        assert behind["backlog_bytes"] > 0
        assert control.status()["subscribers"]["behind"] == behind["behind"]


def test_a_subscriber_that_has_everything_is_not_behind(daemon, control):
    with daemon.subscriber() as subscriber, daemon.client() as writer:
        active(writer, "user.a")
        subscriber.change()
        wait_for(lambda: control.status()["subscribers"]["list"][0]["backlog_bytes"] == 0,
                 "everything to be sent")
        shown = control.status()["subscribers"]["list"][0]
        assert (shown["behind"], shown["behind_seconds"], shown["sequence"]) == (0, 0, 1)
        assert shown["activity"] == "streaming"


def test_connections_lists_each_of_many_once(daemon, control):
    clients = [daemon.connect() for _ in range(250)]
    try:
        shown = control.all("connections")
        assert len({one["connection"] for one in shown}) == len(shown) == 250
        ports = {client.socket.getsockname()[1] for client in clients}
        assert {int(one["client"].split("port=")[1]) for one in shown} == ports
        assert all(one["activity"] == "login" and "user" not in one for one in shown)
    finally:
        for client in clients:
            client.close()


def test_kick_closes_one_connection(daemon, control):
    with daemon.client() as kicked, daemon.client() as other:
        port = kicked.socket.getsockname()[1]
        number = next(one["connection"] for one in control.all("connections")
                      if one["client"].endswith(f"port={port}"))
        assert control.ask("kick", connection=number)[0]["kicked"] == 1
        assert kicked.at_end()
        other.noop()
        assert control.ask("kick", connection=number)[0]["kicked"] == 0
    assert f"kicked: [127.0.0.1] port={port} user=murder by=" in daemon.log()


def test_kick_closes_all_connections_of_a_user(start):
    daemon = start(admins="murder keeper")
    with daemon.client() as one, daemon.client() as two, daemon.connect() as keeper:
        keeper.login("keeper", "Keeper Pw")
        with daemon.control() as control:
            assert control.ask("kick", user="murder")[0]["kicked"] == 2
        assert one.at_end() and two.at_end()
        keeper.noop()


@pytest.mark.parametrize("members", [{}, {"connection": 1, "user": "a"}, {"connection": -1}])
def test_kick_wants_to_know_whom(control, members):
    with pytest.raises(Refused, match="name a connection or a user"):
        control.ask("kick", **members)


def test_reservations_are_found_in_a_large_table_by_age(daemon, control):
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number:05}", "b1.test!default", "")
                         for number in range(4500)])
        client.ok("RESERVE", "user.00000.r", "b1.test!default")
        client.ok("RESERVE", "user.04000", "b1.test!default")
        client.ok("RESERVE", "user.x", "b2.test!default")
        client.ok("DEACTIVATE", "user.04499", "b1.test!default")
    shown = control.all("reservations")
    names = [one["name"] for one in shown]
    assert names == ["user.00000.r", "user.04499", "user.x"]
    assert all(one["state"] == "reserved" and one["who"] == "murder" for one in shown)
    middle = next(one for one in shown if one["name"] == "user.x")["time_us"]
    older = control.all("reservations", before_us=middle)
    assert [one["name"] for one in older] == ["user.00000.r", "user.x"]
    assert control.all("reservations", before_us=1) == []


def test_changes_tells_the_log_with_who_and_when(daemon, control):
    before = time.time_ns() // 1000
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", "b1.test!default")
        active(client, "user.a")
        active(client, "user.b")
        client.ok("DELETE", "user.a")
    shown = control.all("changes")
    assert [(one["sequence"], one["name"], one["state"], one.get("old_state")) for one in shown] == [
        (1, "user.a", "reserved", None), (2, "user.a", "active", "reserved"),
        (3, "user.b", "active", None), (4, "user.a", "deleted", "active")]
    assert shown[3]["old_location"] == "b1.test!default"
    assert all(one["who"] == "murder" and one["time_us"] >= before - 1_000_000 for one in shown)
    assert [one["sequence"] for one in control.all("changes", mailbox="user.a")] == [1, 2, 4]
    assert [one["sequence"] for one in control.all("changes", last=2)] == [3, 4]
    assert control.all("changes", last=0) == []
    assert [one["sequence"] for one in control.all("changes", **{"from": 4})] == [4]
    since = shown[2]["time_us"]
    assert [one["sequence"] for one in control.all("changes", since_us=since)] == [3, 4]


def test_a_long_log_comes_whole_and_in_order(daemon, control):
    with daemon.client() as client:
        client.set_many([("ACTIVATE", "user.a", "b1.test!default", str(number))
                         for number in range(3000)])
    assert [one["sequence"] for one in control.all("changes")] == list(range(1, 3001))


def test_a_trimmed_log_is_told_from_where_it_begins(start):
    daemon = start(log_changes="1000", subscriber_backlog="1000")
    with daemon.client() as client, daemon.control() as control:
        client.set_many([("ACTIVATE", "user.a", "b1.test!default", str(number))
                         for number in range(4000)])
        oldest = wait_for(lambda: (lambda first: first if first > 2000 else 0)(
            control.status()["position"]["oldest_change"]), "the log to be trimmed")
        shown = [one["sequence"] for one in control.all("changes")]
        assert shown[0] >= oldest and shown == list(range(shown[0], 4001))


def test_who_follows_the_log_is_told_each_change_as_it_comes(daemon, control):
    control.send("changes", follow=True, last=0)
    with daemon.client() as client:
        for number in range(20):
            active(client, f"user.{number}")
            told = []
            while not told:
                told = control.line()["changes"]
            assert [one["name"] for one in told] == [f"user.{number}"]


def test_a_follower_that_hangs_up_leaves_nothing_behind(daemon):
    with daemon.client() as client:
        for number in range(50):
            with daemon.control() as control:
                control.send("changes", follow=True)
            active(client, f"user.{number}")
    with daemon.control() as control:
        assert control.status()["table"]["rows"] == 50


def test_names_that_are_not_utf8_are_given_as_base64(daemon, control):
    with daemon.client() as client:
        client.ok("RESERVE", b"user.\xff", "b1.test!default")
    assert control.all("reservations")[0]["name_base64"] == "dXNlci7/"
    assert control.all("changes")[0]["name_base64"] == "dXNlci7/"


@pytest.mark.parametrize("octets, code", [
    (b"hello\n", "syntax"), (b"[]\n", "syntax"), (b"{}\n", "syntax"), (b"\n", "syntax"),
    (b'{"v":2,"do":"status"}\n', "version"), (b'{"v":1}\n', "syntax"),
    (b'{"v":1,"do":"sing"}\n', "unknown"), (b'{"v":1,"v":1,"do":"status"}\n', "syntax"),
    (b"\xff\n", "syntax"), (b"[" * 5000 + b"\n", "syntax")])
def test_what_is_no_request_is_refused_and_the_next_one_served(control, octets, code):
    control.socket.sendall(octets)
    answer = control.line()
    assert (answer["ok"], answer["code"]) == (False, code), answer
    assert control.status()["role"] == "master"


def test_a_line_that_never_ends_ends_the_connection(control):
    control.socket.sendall(b"x" * 70000)
    assert control.line()["code"] == "syntax"
    assert control.line() is None


@pytest.mark.parametrize("pieces", [1, 7])
def test_the_longest_line_is_served_and_a_longer_one_refused_however_it_comes(daemon, pieces):
    request = b'{"v":1,"id":1,"do":"kick","connection":1}'
    for size, answer in ((65536, (True, None)), (65537, (False, "syntax"))):
        with daemon.control() as control:
            octets = request.ljust(size - 1) + b"\n"
            step = -(-size // pieces)
            for at in range(0, size, step):
                control.socket.sendall(octets[at:at + step])
            got = control.line()
            assert (got["ok"], got.get("code")) == answer


@pytest.mark.parametrize("do, members", [("changes", {"follow": True}), ("copy", {})])
def test_an_answer_without_an_end_ends_when_the_client_asks_no_more(daemon, do, members):
    with daemon.control() as control:
        control.send("connections")
        control.send(do, **members)
        control.socket.shutdown(socket.SHUT_WR)
        while control.line():
            pass
    with daemon.control() as control:
        control.send("copy")
        assert any("copy" in answer for answer in control.answers())


def test_requests_may_be_pipelined_and_the_sending_half_closed(daemon):
    with daemon.control() as control:
        for _ in range(5):
            control.send("status")
        control.send("connections")
        control.socket.shutdown(socket.SHUT_WR)
        assert [control.line()["id"] for _ in range(5)] == [1, 2, 3, 4, 5]
        assert control.line()["id"] == 6


def test_a_client_that_does_not_read_costs_no_more_than_a_slice(daemon):
    with daemon.client() as client:
        client.set_many([("RESERVE", f"user.{number}." + "x" * 900, "b1.test!default")
                         for number in range(4000)])
    before = daemon.rss_mb()
    stuck = [daemon.control() for _ in range(20)]
    try:
        for control in stuck:
            for _ in range(20):
                control.send("reservations")
        with daemon.control() as control:
            assert control.status()["table"]["reserved"] == 4000
        # A slice has 2,000 rows, and a buffer up to twice what is in it; the answers 1.7 GB.
        mupdated.limits_rss(daemon, before, 120)
    finally:
        for control in stuck:
            control.close()


def test_more_clients_than_there_is_room_for_are_told_so(daemon):
    held = [daemon.control() for _ in range(32)]
    try:
        for control in held:
            control.status()
        with daemon.control() as control:
            assert control.line()["code"] == "busy"
            assert control.line() is None
    finally:
        for control in held:
            control.close()


def test_the_socket_is_the_owners_alone_and_goes_with_the_daemon(daemon):
    path = daemon.settings["database_directory"] / "control"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    daemon.stop()
    assert not path.exists()


def test_a_socket_left_by_a_crash_is_replaced(daemon):
    daemon.kill()
    daemon.start()
    with daemon.control() as control:
        control.status()


def test_without_a_control_socket_the_daemon_serves(start):
    daemon = start(control_socket="none")
    assert "control=" not in daemon.log()
    with daemon.client() as client:
        client.noop()


def test_a_control_socket_that_cannot_be_had_is_logged_and_mail_goes_on(start, tmp_path):
    daemon = start(control_socket=str(tmp_path / "missing" / "control"))
    assert re.search("error: no control socket: .*; correct the key control_socket$", daemon.log(),
                     re.MULTILINE)
    with daemon.client() as client:
        client.noop()


def test_a_group_that_the_socket_cannot_be_given_to_is_named_by_its_key(start):
    daemon = start(control_group="no-such-group")
    assert re.search("error: no control socket: .*: there is no such group; "
                     "correct the key control_group$", daemon.log(), re.MULTILINE)
    with daemon.client() as client:
        client.noop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_turned_away_unless_of_the_group(start, tmp_path):
    script = ("import json,os,socket,sys\n"
              "os.setgroups([int(g) for g in sys.argv[2].split(',') if g])\n"
              "os.setgid(65534); os.setuid(65534)\n"
              "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
              "try: s.sendall(b'{\"v\":1,\"do\":\"status\"}\\n')\n"
              "except OSError: pass  # it was turned away already\n"
              "print(json.loads(s.makefile().readline()).get('code', 'served'))\n")
    directory = mupdated.tempfile.mkdtemp(prefix="control.")
    path = os.path.join(directory, "socket")
    try:
        os.chmod(directory, 0o755)
        start(control_socket=path, control_group="mail")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        os.chmod(path, 0o666)
        said = [subprocess.run(["/usr/bin/python3", "-c", script, path, groups], check=True,
                               capture_output=True, text=True).stdout.strip()
                for groups in ("", str(__import__("grp").getgrnam("mail").gr_gid))]
        assert said == ["denied", "served"]
    finally:
        mupdated.shutil.rmtree(directory)


def test_stopping_ends_a_follower(daemon):
    with daemon.client() as client:
        active(client, "user.a")
    with daemon.control() as control:
        control.send("changes", follow=True)
        assert control.line()["changes"]
        daemon.stop()
        assert control.line() is None


def test_answers_are_lines_of_plain_json(daemon):
    with daemon.control() as control:
        control.send("status")
        line = control.file.readline()
    assert line.endswith(b"\n") and json.loads(line)["id"] == 1


def test_the_path_of_a_second_daemon_on_the_same_socket_is_left_alone(start, tmp_path):
    path = str(tmp_path / "control")
    first = start(control_socket=path)
    second = start(control_socket=path)
    assert "error: no control socket: " in second.log()
    second.stop()
    with Control(path) as control:
        assert control.status()["pid"] == first.process.pid
