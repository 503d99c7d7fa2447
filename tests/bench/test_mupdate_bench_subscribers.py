# SPDX-License-Identifier: BSD-3-Clause
"""The load generator's subscribers: tables, streams, and their coming back."""

import json

import pytest

import liar
import servers
from generator import EX_PROTOCOL, EX_UNAVAILABLE, figures, filled, run, started
from lies import LIES, another_order, instead, only_once, replace, twice_the_row


def test_a_dump_counts_rows_that_are_not_of_the_set_as_well():
    with liar.Liar() as server:
        filled(server)
        server.rows[b"user.somebody else"] = (b"elsewhere!default", b"")
        got = figures(run("dump", "--rows", 50, port=server.port))
    assert got["rows"] == 51


def test_subscribers_may_get_the_rows_in_different_orders():
    with liar.Liar() as server:
        filled(server)
        server.lie = only_once(another_order)
        got = figures(run("dump", "--rows", 50, "-k", 4, port=server.port))
    assert got["rows"] == 50


def test_subscribers_may_get_different_versions_of_a_row():
    with liar.Liar() as server:
        filled(server)
        server.lie = only_once(replace(b"UPDATE", b"{29+}\r\nbench00000003\tlrswipkxtecdan\t",
                                       b"{49+}\r\nbench00000003\tlrswipkxtecdan\t"
                                       b"m0123456789abcdef\tl\t"))
        figures(run("dump", "--rows", 50, "-k", 4, port=server.port))


@pytest.mark.parametrize("name", ["dump_row_missing", "dump_row_twice", "dump_another_acl",
                                  "dump_ends_with_no", "dump_empty", "dump_with_a_deletion"])
def test_a_wrong_dump_to_one_of_many_subscribers_is_found(name):
    with liar.Liar() as server:
        filled(server)
        server.lie = only_once(LIES[name][1])
        result = run("dump", "--rows", 50, "-k", 4, port=server.port)
    assert result.returncode == EX_PROTOCOL, result.stdout


def test_subscribers_wait_for_a_server_that_is_down():
    with liar.Liar(port=servers.free_port()) as server:
        filled(server)
        rows, port = server.rows, server.port
    with started("resync", "--rows", 50, "-k", 3, port=port) as process:
        assert process.stdout.readline() == "waiting\n"
        with liar.Liar(port=port) as server:
            server.rows = rows
            output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    got = json.loads(output)
    assert got["subscribers"] == 3 and got["rows"] == 50
    assert 0 < got["first_us"] <= got["last_us"] <= got["total_us"]


def test_subscribers_that_come_back_believe_no_wrong_table_either():
    with liar.Liar() as server:
        filled(server)
        server.lie = only_once(twice_the_row)
        result = run("resync", "--rows", 50, "-k", 3, port=server.port)
    assert result.returncode == EX_PROTOCOL, result.stdout


@pytest.mark.parametrize("subscribers", [1, 3])
def test_subscribers_that_are_turned_away_try_again_and_are_counted(subscribers):
    with liar.Liar() as server:
        filled(server)
        server.turns_away = 2
        got = figures(run("resync", "--rows", 50, "-k", subscribers, port=server.port),
                      said=["waiting"])
    assert got["subscribers"] == subscribers and got["refused"] == 2


def test_subscribers_that_are_closed_in_the_log_in_try_again_and_are_counted():
    with liar.Liar() as server:
        filled(server)
        server.lie = only_once(instead(b"AUTHENTICATE", None))
        got = figures(run("resync", "--rows", 50, "-k", 3, port=server.port), said=["waiting"])
    assert got["refused"] == 1


def test_subscribers_that_are_all_served_at_once_were_not_turned_away():
    with liar.Liar() as server:
        filled(server)
        got = figures(run("resync", "--rows", 50, "-k", 3, port=server.port), said=["waiting"])
    assert got["refused"] == 0


def test_held_connections_stand_until_the_standard_input_ends():
    with liar.Liar() as server:
        filled(server)
        with started("hold", "--rows", 50, "-c", 3, "-k", 2, port=server.port) as process:
            assert process.stdout.readline() == "ready\n"
            with server.lock:
                assert len(server.streams) == 2 and process.poll() is None
            assert b"Q01 LOGOUT\r\n" not in server.heard
            output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert json.loads(output)["errors"] == 0
        assert server.heard.count(b"Q01 LOGOUT\r\n") == 5


def test_a_held_connection_that_is_told_something_unasked_ends_the_run():
    with liar.Liar() as server:
        with started("hold", "-c", 1, "-k", 0, port=server.port) as process:
            assert process.stdout.readline() == "ready\n"
            server.links[-1].sendall(b'X1 OK "hello"\r\n')
            process.wait(60)
            _, errors = process.communicate()
    assert process.returncode == EX_PROTOCOL, errors


def test_each_subscriber_is_asked_for_each_change_whoever_comes_first():
    with liar.Liar() as server:
        filled(server)
        got = figures(run("latency", "--rows", 50, "--count", 40, "--rate", 400, "-k", 5,
                          port=server.port))
    assert got["changes"] == 40
    assert got["achieved_per_s"] > 0 and got["rows_per_s"] > got["achieved_per_s"]


def test_a_subscriber_with_a_stream_of_its_own_is_measured_as_well():
    with liar.Liar() as server:
        filled(server)
        server.lie = only_once(another_order)
        got = figures(run("latency", "--rows", 50, "--count", 20, "--rate", 400, "-k", 3,
                          port=server.port))
    assert got["changes"] == 20


@pytest.mark.parametrize("scenario", ["latency", "mixed"])
def test_a_wrong_stream_to_one_of_many_subscribers_is_found(scenario):
    with liar.Liar() as server:
        filled(server)
        server.lie = only_once(replace(b"STREAM", b"lrswip", b"lrswit"))
        result = run(scenario, "--rows", 50, "--count", 20, "-k", 3, port=server.port)
    assert result.returncode == EX_PROTOCOL, result.stdout


def test_a_subscriber_that_is_not_sent_the_last_change_fails_the_run():
    with liar.Liar() as server:
        filled(server)
        server.lie = only_once(instead(b"STREAM", b""))
        result = run("mixed", "--rows", 50, "--count", 1, "--writes", 1, "--timeout", 1,
                     port=server.port)
    assert result.returncode == EX_UNAVAILABLE, result.stdout
    assert "not sent the last change" in result.stderr


@pytest.mark.parametrize("kind", ["dump", "slow", "stuck"])
@pytest.mark.parametrize("scenario", ["create", "acl", "find"])
def test_commands_are_measured_alone_and_beside_subscribers(scenario, kind):
    with liar.Liar() as server:
        filled(server)
        got = figures(run(scenario, "--rows", 50, "--beside", kind, "-k", 3,
                          *["--set", "other"] * (scenario == "create"), port=server.port))
        updates = sum(b"UPDATE" in command for command in server.heard)
    for key in ("quiet_p50_us", "quiet_p99_us", "beside_p50_us", "beside_p99_us"):
        assert got[key] > 0, key
    assert got["p99_us"] == got["beside_p99_us"]
    assert updates > 3 if kind == "dump" else updates == 3
    assert got["beside_dumps"] <= updates


def test_a_wrong_dump_beside_ends_the_run():
    with liar.Liar() as server:
        filled(server)
        server.lie = only_once(twice_the_row)
        result = run("acl", "--rows", 50, "--beside", "dump", "-k", 3, port=server.port)
    assert result.returncode == EX_PROTOCOL, result.stdout
    assert json.loads(result.stdout)["errors"] == 1
    assert "each row of the set once" in result.stderr


def test_a_slow_subscriber_that_is_closed_is_counted_and_comes_back():
    with liar.Liar() as server:
        filled(server)
        server.lie = instead(b"UPDATE", None)
        got = figures(run("find", "--rows", 50, "--beside", "slow", "-k", 2, "--seconds", 1,
                          port=server.port))
    assert got["beside_closed"] > 2


def test_what_is_said_before_the_dump_is_asked_for_is_not_taken_for_a_part_of_it():
    with liar.Liar() as server:
        filled(server)
        server.lie = replace(b"AUTHENTICATE", b'"done"\r\n', b'"done"\r\nX1 ')
        result = run("dump", "--rows", 50, "-k", 2, port=server.port)
    assert result.returncode == EX_PROTOCOL
    assert "unasked" in result.stderr


def test_a_change_that_is_sent_twice_counts_once():
    with liar.Liar() as server:
        filled(server)
        server.lie = lambda words, honest: honest * (1 + (words[1] == b"STREAM"))
        got = figures(run("latency", "--rows", 50, "--count", 20, "--rate", 400, "-k", 3,
                          port=server.port))
    assert got["changes"] == 20
