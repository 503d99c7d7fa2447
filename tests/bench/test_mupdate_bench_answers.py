# SPDX-License-Identifier: BSD-3-Clause
"""The load generator believes no server."""

import json
import re

import pytest

import liar
from generator import EX_PROTOCOL, EX_UNAVAILABLE, figures, filled, run
from lies import LIES, instead


@pytest.mark.parametrize("name", LIES)
def test_a_wrong_answer_ends_the_run_with_an_error(name):
    scenario, lie = LIES[name]
    with liar.Liar() as server:
        filled(server)
        server.lie = lie
        result = run(scenario, "--rows", 50, "--count", 5, "--timeout", 1, port=server.port)
    late = name == "stream_silent"
    assert result.returncode == (EX_UNAVAILABLE if late else EX_PROTOCOL), result.stdout
    report = json.loads(result.stdout)
    assert report["errors"] == 1 and report["error"] in result.stderr


def test_the_honest_server_passes_where_the_liar_fails():
    for scenario in sorted({scenario for scenario, _ in LIES.values()}):
        with liar.Liar() as server:
            filled(server)
            figures(run(scenario, "--rows", 50, "--count", 5, port=server.port))


def dropping(server, every):
    """Every so many changes of a row are acknowledged and forgotten."""
    kept = dict(server.rows)
    seen = {}

    def lie(words, honest):
        if words[1] == b"ACTIVATE":
            name = words[2]
            seen[name] = seen.get(name, 0) + 1
            if seen[name] % every == 0:
                server.rows[name] = kept[name]
            kept[name] = server.rows[name]
        return honest
    return lie


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("scenario", ["acl", "mixed"])
def test_changes_that_are_acknowledged_and_dropped_are_found(scenario, every):
    with liar.Liar() as server:
        filled(server)
        server.lie = dropping(server, every)
        result = run(scenario, "--rows", 50, "--count", 500, "-c", 2, "-d", 2, port=server.port)
    assert result.returncode == EX_PROTOCOL, result.stdout
    assert "with its last change" in result.stderr


def test_a_change_that_someone_else_made_later_is_not_taken_for_ours():
    def later(words, honest):
        return re.sub(rb"\tm[0-9a-f]{8}", b"\tmffffffff", honest) if words[1] == b"FIND" else honest

    with liar.Liar(form=liar.quoted) as server:
        filled(server)
        server.lie = later
        result = run("acl", "--rows", 50, "--count", 50, port=server.port)
    assert result.returncode == EX_PROTOCOL, result.stdout
    assert "with its last change" in result.stderr


def test_up_to_100_changed_rows_are_read_back():
    with liar.Liar() as server:
        filled(server, rows=300)
        got = figures(run("acl", "--rows", 300, "--count", 3000, "-c", 4, "-d", 4,
                          port=server.port))
        finds = sum(b"FIND" in command for command in server.heard)
    assert got["operations"] == 3000
    assert got["rows_read_back"] == finds and 90 <= finds <= 100


@pytest.mark.parametrize("scenario, verb", [("find", b"FIND"), ("dump", b"UPDATE"),
                                            ("create", b"ACTIVATE"), ("cycle", b"FIND")])
def test_a_connection_that_the_server_closes_ends_the_run(scenario, verb):
    with liar.Liar() as server:
        filled(server)
        server.lie = instead(verb, None)
        result = run(scenario, "--rows", 50, port=server.port)
    assert result.returncode == EX_UNAVAILABLE
    assert "closed by the server" in result.stderr


def test_a_silent_server_is_given_up_after_the_timeout():
    with liar.Liar(instead(b"FIND", b"")) as server:
        result = run("find", "--timeout", "0.3", port=server.port)
    assert result.returncode == EX_UNAVAILABLE
    assert "nothing from 127.0.0.1" in result.stderr
