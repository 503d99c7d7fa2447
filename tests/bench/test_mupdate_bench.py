# SPDX-License-Identifier: BSD-3-Clause
"""The load generator: it measures what it says."""

import pytest

import liar
from generator import EX_USAGE, figures, filled, run


@pytest.mark.parametrize("arguments", [
    ("fill", "--rows", 2000, "-c", 3, "-d", 16),
    ("create", "-c", 4),
    ("acl", "-c", 2, "-d", 8),
    ("delete", "--rows", 100),
    ("find", "-c", 100, "-d", 2),
    ("dump", "--subscribers", 4, "--rows", 5000),
    ("list", "--subscribers", 2, "--rows", 5000),
    ("list", "--rows", 5000, "--location", "backend3."),
    ("latency", "--subscribers", 5, "--rate", 500),
    ("cycle", "-c", 3),
    ("cycle", "-c", 3, "--changes"),
    ("resync", "-k", 40, "--rows", 5000),
    ("acl", "-c", 512, "-d", 16, "--rows", 1000),
    ("mixed", "-c", 3, "-d", 4, "-k", 5, "--rows", 1000),
], ids=lambda arguments: "-".join(map(str, arguments)))
def test_every_scenario_ends_well_against_the_built_in_server(arguments):
    got = figures(run("--self", *arguments), said=["waiting"] * (arguments[0] == "resync"))
    assert got["scenario"] == arguments[0]
    assert got["errors"] == 0
    assert got.get("ops_per_s", got.get("rows_per_s", got.get("changes"))) > 0
    prefix = "change_" * (arguments[0] == "mixed")
    assert got[prefix + "p50_us"] <= got[prefix + "p99_us"] <= got[prefix + "max_us"]


def test_the_machine_scenarios_need_no_server(tmp_path):
    loopback = figures(run("loopback"))
    assert loopback["ops_per_s"] > 0 and loopback["bytes_per_s"] > 0
    synced = figures(run("fsync", "--directory", tmp_path))
    assert synced["ops_per_s"] > 0 and synced["overwrite_per_s"] > 0
    assert synced["overwrite_p50_us"] <= synced["overwrite_p99_us"]
    assert figures(run("memcpy"))["bytes_per_s"] > 0
    assert not list(tmp_path.iterdir())


def test_the_99th_per_cent_of_60_times_is_the_worst():
    got = figures(run("--self", "find", "--count", 60))
    assert got["p50_us"] <= got["p99_us"] == got["max_us"]


def test_strings_are_sent_as_literals_that_do_not_wait():
    with liar.Liar() as server:
        figures(run("fill", "--rows", 1, port=server.port))
    assert server.heard[0] == (b"X0 ACTIVATE {18+}\r\nuser.bench00000000 {27+}\r\n"
                               b"backend1.bench.test!default {29+}\r\n"
                               b"bench00000000\tlrswipkxtecdan\t\r\n")
    assert server.heard[1] == b"Q01 LOGOUT\r\n"


def test_fill_stores_each_row_once():
    with liar.Liar() as server:
        figures(run("fill", "--rows", 300, "-c", 3, "-d", 7, port=server.port))
        assert len(server.rows) == 300
        assert sum(b"ACTIVATE" in command for command in server.heard) == 300


def test_create_activates_a_name_only_after_its_reservation_is_acknowledged():
    asked = []

    def watch(words, honest):
        if words[1] in (b"RESERVE", b"ACTIVATE"):
            asked.append((words[1], words[2]))
        return honest

    with liar.Liar(watch) as server:
        got = figures(run("create", "--count", 40, "-c", 2, "-d", 3, port=server.port))
    assert len(asked) == 80 and got["operations"] == 40
    for name in {name for _, name in asked}:
        assert [verb for verb, other in asked if other == name] == [b"RESERVE", b"ACTIVATE"]


def test_each_acl_change_differs_from_the_one_before():
    acls = []

    def watch(words, honest):
        if words[1] == b"ACTIVATE":
            acls.append(words[4])
        return honest

    with liar.Liar(watch) as server:
        figures(run("acl", "--count", 200, "--rows", 10, port=server.port))
    assert len(set(acls)) == 200


@pytest.mark.parametrize("form", [liar.quoted, liar.literal,
                                  lambda octets: b"{%d}\r\n%s" % (len(octets), octets)],
                         ids=["quoted", "literal", "waiting_literal"])
def test_rows_are_understood_in_every_form_of_a_string(form):
    with liar.Liar(form=form) as server:
        filled(server)
        figures(run("find", "--rows", 50, "--count", 20, port=server.port))
        figures(run("dump", "--rows", 50, port=server.port))


@pytest.mark.parametrize("form", [liar.quoted, liar.literal], ids=["quoted", "literal"])
def test_answers_may_come_an_octet_at_a_time(form):
    with liar.Liar(form=form, drip=True) as server:
        filled(server)
        for scenario in ("find", "dump", "cycle"):
            figures(run(scenario, "--rows", 50, port=server.port))


def test_mixed_changes_as_many_rows_as_asked_and_looks_the_others_up():
    with liar.Liar() as server:
        filled(server)
        got = figures(run("mixed", "--rows", 50, "--count", 400, "--writes", 25, "-c", 3, "-d", 4,
                          "-k", 2, port=server.port))
        changes = sum(b"ACTIVATE" in command for command in server.heard)
        finds = sum(b"FIND" in command for command in server.heard)
    # The last change is for the subscribers, and the last look-ups are for the changes.
    assert finds + changes == 401 + got["rows_read_back"]
    assert 50 < changes < 150
    for key in ("ops_per_s", "finds_per_s", "changes_per_s", "find_p50_us", "find_p99_us",
                "change_p50_us", "change_p99_us", "rows_per_s"):
        assert got[key] > 0, key
    assert got["subscribers"] == 2


@pytest.mark.parametrize("arguments", [
    (), ("find", "dump"), ("fly",), ("find", "--connections", "0"), ("find", "--depth", "many"),
    ("find", "--rows", "-1"), ("find", "--set", "Bench"), ("find", "--seconds", "nan"),
    ("find", "--self", "--tls"), ("find", "--self", "--mechanism", "SCRAM-SHA-1"),
    ("find", "--beside", "fast"), ("dump", "--beside", "slow"), ("mixed", "--writes", "100"),
    ("dump", "--subscribers", "0"), ("hold", "-c", "0", "-k", "0"),
    ("latency", "--rows", "5", "--count", "6"), ("find", "--host", ""),
], ids=lambda arguments: "-".join(arguments) or "nothing")
def test_a_wrong_command_line_is_a_usage_error(arguments):
    assert run(*arguments).returncode == EX_USAGE


def test_pauses_of_the_writer_are_not_taken_for_silence_of_the_server():
    got = figures(run("--self", "latency", "--rate", 2, "--count", 2, "--timeout", "0.2"))
    assert got["changes"] == 2


def test_help_names_every_scenario():
    result = run("--help")
    assert result.returncode == 0
    for word in ("fill", "create", "acl", "delete", "find", "dump", "list", "latency", "cycle",
                 "resync", "hold", "mixed", "loopback", "fsync", "memcpy"):
        assert f"\n  {word} " in result.stdout
