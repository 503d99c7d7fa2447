"""What status and metrics say is what the test did.

SPDX-License-Identifier: BSD-3-Clause
"""

import json

import pytest

import mupdated
from metrics import Scrape
from mupdated import Closed, wait_for

ONE, TWO, THREE = "one.test!p", "two.test!q", "three.test!r"
READER = "keeper"


@pytest.fixture
def daemon(watched):
    return watched(readers=READER, stale_reservations_after="1ms", connections_per_address="4",
                   failedlogins_max="100")


class Both:
    """Status and metrics, asked one after the other."""

    def __init__(self, daemon):
        self.status = json.loads(daemon.ctl("status", "--json").stdout)
        self.scrape = Scrape(daemon.metrics)

    def group(self, *path):
        found = self.status
        for name in path:
            found = found[name]
        return found


def say(daemon, *path, metric, **labels):
    """The figure on which both agree."""
    both = Both(daemon)
    assert both.group(*path) == both.scrape(metric, **labels), (path, metric, labels)
    return both.group(*path)


def fails_to_log_in(client, mechanism=b"PLAIN", response="AGEAYg=="):
    return client.command(b'AUTHENTICATE "' + mechanism + b'" ' + mupdated.literal(response))[1]


def test_an_idle_master_has_done_nothing(daemon):
    both = Both(daemon)
    gauges = {"build_info", "start_time_seconds", "resident_memory_bytes", "table_confirmed",
              "table_history_info", "table_term", "connections_max", "disk_size_bytes",
              "disk_free_bytes", "database_size_bytes"}
    checkpoints = {name for name, _ in both.scrape.samples if "checkpoint" in name}
    assert {name for (name, _), value in both.scrape.samples.items() if value} == \
        {f"mupdated_{name}" for name in gauges} | {
            name for name in checkpoints
            if any(value for (one, _), value in both.scrape.samples.items() if one == name)}
    assert both.scrape("build_info", version=both.group("version")) == 1
    assert both.scrape("table_history_info", history=both.group("position", "history")) == 1


def test_rows_by_state_and_server(daemon):
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number}", ONE, "x") for number in range(30)])
        client.set_many([("ACTIVATE", f"user.{number}.x", TWO, "x") for number in range(20)])
        client.set_many([("RESERVE", f"user.{number}.y", "two.test!z") for number in range(7)])
        client.set_many([("DELETE", f"user.{number}") for number in range(4)])
        client.ok("DEACTIVATE", "user.5", THREE)
        client.ok("ACTIVATE", "user.6", THREE, "x")
    both = Both(daemon)
    expected = {"one.test": (24, 0), "two.test": (20, 7), "three.test": (1, 1)}
    assert {one["name"]: (one["active"], one["reserved"])
            for one in both.group("table", "servers")} == expected
    assert both.scrape.all("server_rows") == {
        (server, state): rows for server, counts in expected.items()
        for state, rows in zip(("active", "reserved"), counts)}
    assert both.scrape.all("table_rows") == {("active",): 45, ("reserved",): 8}
    assert (both.group("table", "active"), both.group("table", "reserved")) == (45, 8)
    assert both.group("table", "rows") == 53
    changes = 30 + 20 + 7 + 4 + 2
    assert both.scrape("table_sequence") == both.group("position", "sequence") == changes
    assert both.scrape("change_log_changes") == changes


def test_commands_and_what_became_of_changes(daemon):
    with daemon.client() as client, daemon.connect() as reader:
        reader.login(READER, mupdated.USERS[READER])
        for number in range(6):
            client.ok("RESERVE", f"user.{number}", ONE)
        client.ok("ACTIVATE", "user.0", ONE, "x")
        client.ok("ACTIVATE", "user.0", ONE, "x")  # as it was
        assert client.set("RESERVE", "user.1", TWO)[0] == "NO"
        assert client.set("DELETE", "user.none")[0] == "NO"
        assert reader.set("DELETE", "user.1")[0] == "NO"
        client.ok("DEACTIVATE", "user.0", ONE)
        client.ok("DELETE", "user.0")
        for number in range(11):
            reader.find(f"user.{number}")
        for _ in range(3):
            reader.list()
        client.noop()
        client.update()
        both = Both(daemon)
    commands = {"authenticate": 2, "find": 11, "list": 3, "reserve": 7, "activate": 2,
                "deactivate": 1, "delete": 3, "update": 1, "noop": 1, "starttls": 0,
                "compress": 0, "logout": 0}
    assert both.group("counters", "commands") == commands
    assert {name: value for (name,), value in both.scrape.all("commands_total").items()} == commands
    expected = {("reserve", "stored"): 6, ("reserve", "refused"): 1, ("activate", "stored"): 1,
                ("activate", "unchanged"): 1, ("deactivate", "stored"): 1, ("delete", "stored"): 1,
                ("delete", "refused"): 1, ("delete", "forbidden"): 1}
    changes = both.scrape.all("changes_total")
    assert {key: value for key, value in changes.items() if value} == expected
    assert both.group("counters", "changes") == {
        verb: {result: changes[verb, result]
               for result in ("stored", "unchanged", "refused", "forbidden", "uncertain")}
        for verb in ("reserve", "activate", "deactivate", "delete")}
    assert both.group("counters", "stored") == 9 and both.group("counters", "changes_refused") == 3


def test_batches_and_the_histogram_of_what_they_took(daemon):
    with daemon.client() as client:
        for number in range(50):
            client.ok("ACTIVATE", f"user.{number}", ONE, "x")  # each waits: a batch of its own
        client.set_many([("ACTIVATE", f"user.x.{number}", ONE, "x") for number in range(200)])
    both = Both(daemon)
    batches = both.group("writer", "batches")
    assert 51 <= batches <= 250 and both.group("writer", "requests") == 250
    assert both.scrape("batched_changes_total") == 250
    assert both.scrape("commit_duration_seconds_count") == batches
    assert both.scrape("commit_duration_seconds_sum") == \
        pytest.approx(both.group("writer", "commit_seconds"), abs=1e-8)
    buckets = both.scrape.all("commit_duration_seconds_bucket")
    total, limits = 0, both.group("writer", "commits")
    for one in limits:
        total += one["batches"]
        limit = f"{one['up_to_seconds']:g}" if "up_to_seconds" in one else "+Inf"
        assert buckets[limit,] == total, limit
    assert total == batches and len(buckets) == len(limits)


def test_logins_by_mechanism_and_result(daemon):
    with daemon.connect() as client:
        for _ in range(5):
            assert fails_to_log_in(client) == "NO"
        assert fails_to_log_in(client, b"NO-SUCH-MECHANISM") == "NO"
        client.login()
        both = Both(daemon)
    assert both.group("counters", "logins_by_mechanism") == {
        "PLAIN": {"accepted": 1, "refused": 5, "undecided": 0},
        "other": {"accepted": 0, "refused": 1, "undecided": 0}}
    assert {key: value for key, value in both.scrape.all("logins_total").items() if value} == {
        ("PLAIN", "accepted"): 1, ("PLAIN", "refused"): 5, ("other", "refused"): 1}
    assert (both.group("counters", "logins"), both.group("counters", "bad_logins")) == (1, 6)


def test_a_subscriber_that_does_not_read_has_a_lag_and_a_backlog(daemon):
    with daemon.subscriber(receive_bytes=4096), daemon.subscriber() as quick, \
            daemon.client() as writer:
        for number in range(150):
            writer.ok("ACTIVATE", f"user.{number}", ONE, "x" * 60000)
            quick.change()
        # Nothing moves any more: it takes nothing, and nobody writes.
        wait_for(lambda: Both(daemon).group("subscribers", "behind") > 0, "a lag")
        both, again = Both(daemon), Both(daemon)
        subscribers = both.group("subscribers")
        slow, fast = subscribers["list"]
        assert fast["behind"] == fast["backlog_bytes"] == 0 and fast["sequence"] == 150
        assert slow["behind"] + slow["sequence"] == 150
        assert both.scrape("subscribers") == subscribers["count"] == 2
        assert both.scrape("subscriber_lag_changes") == subscribers["behind"] == slow["behind"]
        # It has what its socket took, and the rest of that change waits.
        assert both.scrape("subscriber_backlog_bytes") == slow["backlog_bytes"] > 0
        assert subscribers["backlog_bytes"] == slow["backlog_bytes"]
        # Time goes on between the one, the other, and the next.
        assert 0 < subscribers["behind_seconds"] < both.scrape("subscriber_lag_seconds") < \
            again.group("subscribers", "behind_seconds")
        assert both.scrape.all("connections") == {
            ("login",): 0, ("commands",): 1, ("dumping",): 0, ("streaming",): 2, ("closing",): 0}
        assert both.scrape("subscriptions_total") == 2


def test_a_subscriber_that_is_dropped_is_counted(watched):
    daemon = watched(subscriber_backlog="100", log_changes="1000")
    with daemon.subscriber(receive_bytes=4096), daemon.client() as writer:
        number = 0
        while not Scrape(daemon.metrics)("subscribers_dropped_total"):
            writer.set_many([("ACTIVATE", f"user.{number}.{i}", ONE, "x" * 60000)
                             for i in range(100)])
            number += 1
            assert number < 20
        both = Both(daemon)
    assert both.group("counters", "subscribers_lost") == \
        both.scrape("subscribers_dropped_total") == 1
    assert both.scrape("subscribers") == both.scrape("subscriber_lag_changes") == 0


def test_stale_reservations(daemon):
    with daemon.client() as client:
        client.set_many([("RESERVE", f"user.{number}", ONE) for number in range(9)])
        client.ok("ACTIVATE", "user.0", ONE, "x")
        client.ok("DELETE", "user.1")
        wait_for(lambda: Scrape(daemon.metrics)("reservations_stale") == 7, "the time to pass")
        assert say(daemon, "table", "stale", metric="reservations_stale") == 7
        listed = daemon.ctl("reservations", "--older-than", "0s", status=1).stdout.decode()
        assert len([line for line in listed.splitlines() if "user." in line]) == 7
        daemon.ctl("release", "user.2")
        assert say(daemon, "table", "stale", metric="reservations_stale") == 6
    screen = daemon.ctl("status").stdout.decode()
    assert "6 reserved, 6 of them for more than " in screen
    daemon.restart()
    assert say(daemon, "table", "stale", metric="reservations_stale") == 6
    daemon.reload(stale_reservations_after="1h")
    assert say(daemon, "table", "stale", metric="reservations_stale") == 0
    assert "for more than" not in daemon.ctl("status").stdout.decode()


def test_connections_refused_kicked_and_counted(daemon):
    held = [daemon.client() for _ in range(4)]
    for _ in range(3):
        with pytest.raises((Closed, ConnectionError)):
            with daemon.connect() as one:
                one.login()
    wait_for(lambda: sum(Scrape(daemon.metrics).all("connections").values()) == 4, "their end")
    both = Both(daemon)
    assert both.group("connections", "count") == 4
    assert both.group("connections", "by_user") == [{"user": mupdated.USER, "connections": 4}]
    assert both.group("counters", "accepted") == both.scrape("connections_accepted_total") == 7
    assert both.group("counters", "turned_away") == 3
    assert both.group("counters", "refused") == {
        reason: value for (reason,), value in both.scrape.all("connections_refused_total").items()}
    assert both.scrape("connections_refused_total", reason="address") == 3
    daemon.ctl("kick", "--user", mupdated.USER, status=None)
    wait_for(lambda: sum(Scrape(daemon.metrics).all("connections").values()) == 0, "their end")
    assert say(daemon, "counters", "kicked", metric="connections_kicked_total") == 4
    for one in held:
        one.close()


def test_octets_are_those_of_the_socket(daemon):
    with daemon.connect(banner=False) as client:
        said = b""
        while not said.endswith(b'(master)"\r\n'):
            said += client.socket.recv(65536)
        asked = b"N1 LOGOUT\r\n"
        client.socket.sendall(asked)
        while True:
            more = client.socket.recv(65536)
            if not more:
                break
            said += more
    wait_for(lambda: sum(Scrape(daemon.metrics).all("connections").values()) == 0, "its end")
    assert say(daemon, "counters", "received_bytes", metric="received_bytes_total") == len(asked)
    assert say(daemon, "counters", "sent_bytes", metric="sent_bytes_total") == len(said)


def test_what_an_unconfirmed_table_does_not_answer_is_counted(daemons):
    port = mupdated.free_port()
    daemon = daemons.make(metrics_listen=str(port))
    daemon.metrics = port
    daemon.start()
    daemon.ctl("dump", "-o", daemon.directory / "a.mupdate", status=None)
    daemon.stop()
    daemon.ctl("load", "--allow-empty", daemon.directory / "a.mupdate")
    daemon.start()
    for _ in range(3):
        with pytest.raises((Closed, ConnectionError)):
            with daemon.client() as client:
                client.find("user.a")
    both = Both(daemon)
    assert both.group("counters", "unconfirmed") == \
        both.scrape("connections_unconfirmed_total") == 3
    assert both.scrape("table_confirmed") == 0 and both.group("table", "confirmed") is False
    daemon.ctl("confirm")
    both = Both(daemon)
    assert both.scrape("table_confirmed") == 1 and both.group("table", "confirmed") is True


def test_the_disk_and_the_start(daemon):
    def both_agree():
        both = Both(daemon)
        return both.scrape("database_size_bytes") == both.group("disk", "used_bytes") > 0 and both

    # The next log file is still being made at the start.
    both = wait_for(both_agree, "nothing to be written any more")
    assert both.scrape("disk_size_bytes") == both.group("disk", "size_bytes") > 0
    database = daemon.settings["database_directory"]
    files = mupdated.os.statvfs(database)
    assert both.scrape("disk_size_bytes") == files.f_blocks * files.f_frsize
    used = sum(path.stat().st_blocks * 512 for path in database.iterdir() if path.is_file())
    assert used * 0.9 <= both.scrape("database_size_bytes") <= used * 1.1
    up = (both.group("time_us") / 1e6) - both.scrape("start_time_seconds")
    assert up == pytest.approx(both.group("uptime_seconds"), abs=1)
    assert both.scrape("start_time_seconds") == Scrape(daemon.metrics)("start_time_seconds")
