# SPDX-License-Identifier: BSD-3-Clause
"""The load generator: it measures what it says, and believes no server."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

import liar

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import mupdated  # noqa: E402

TOOL = pathlib.Path(os.environ.get("BUILD", "build")).resolve() / "mupdate-bench"

EX_USAGE, EX_UNAVAILABLE, EX_PROTOCOL, EX_NOPERM = 64, 69, 76, 77


def run(*arguments, port=None):
    command = [TOOL, "--json", "--seconds", "0.2", "--timeout", "5", "--user", "murder"]
    if port is not None:
        command += ["--host", f"127.0.0.1:{port}"]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True,
                          env=dict(os.environ, MUPDATE_BENCH_PASSWORD="secret"),
                          timeout=60, check=False)


def figures(result, said=()):
    """The JSON object that stands behind these lines."""
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:-1] == list(said)
    return json.loads(lines[-1])


def started(*arguments, port):
    """The tool, running against a server, with pipes; wait for it with communicate()."""
    command = [TOOL, "--json", "--timeout", "20", "--user", "murder", "-h", f"127.0.0.1:{port}"]
    return subprocess.Popen([*command, *map(str, arguments)], text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=dict(os.environ, MUPDATE_BENCH_PASSWORD="secret"))


def filled(server, rows=50):
    figures(run("fill", "--rows", rows, "--connections", 2, "--depth", 4, port=server.port))
    server.heard.clear()


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
    assert figures(run("fsync", "--directory", tmp_path))["ops_per_s"] > 0
    assert figures(run("memcpy"))["bytes_per_s"] > 0
    assert not list(tmp_path.iterdir())


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


def test_a_dump_counts_rows_that_are_not_of_the_set_as_well():
    with liar.Liar() as server:
        filled(server)
        server.rows[b"user.somebody else"] = (b"elsewhere!default", b"")
        got = figures(run("dump", "--rows", 50, port=server.port))
    assert got["rows"] == 51


def only_once(lie):
    """What one subscriber of several is told; the others hear the truth."""
    told = []

    def choose(words, honest):
        said = lie(words, honest)
        if said != honest and not told:
            told.append(words)
            return said
        return honest
    return choose


def another_order(words, honest):
    """The same answer with its rows the other way round."""
    if words[1] != b"UPDATE":
        return honest
    rows = honest.split(words[0] + b" ")[1:]
    return b"".join(words[0] + b" " + row for row in [*rows[-2::-1], rows[-1]])


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
    with liar.Liar() as server:
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


def replace(verb, old, new):
    """A lie: the first occurrence of old in the answer to verb is new."""
    def lie(words, honest):
        return honest.replace(old, new, 1) if words[1] == verb else honest
    return lie


def instead(verb, said):
    def lie(words, honest):
        return said if words[1] == verb else honest
    return lie


def twice_the_row(words, honest):
    if words[1] not in (b"FIND", b"UPDATE"):
        return honest
    first, rest = honest.split(b"\t\r\n", 1)
    return first + b"\t\r\n" + first + b"\t\r\n" + rest


def no_row(words, honest):
    return liar.done(words[0]) if words[1] == b"FIND" else honest


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


def test_mixed_changes_as_many_rows_as_asked_and_looks_the_others_up():
    with liar.Liar() as server:
        filled(server)
        got = figures(run("mixed", "--rows", 50, "--count", 400, "--writes", 25, "-c", 3, "-d", 4,
                          "-k", 2, port=server.port))
        changes = sum(b"ACTIVATE" in command for command in server.heard)
        finds = sum(b"FIND" in command for command in server.heard)
    assert finds + changes == 401  # the last change is for the subscribers
    assert 50 < changes < 150
    for key in ("ops_per_s", "finds_per_s", "changes_per_s", "find_p50_us", "find_p99_us",
                "change_p50_us", "change_p99_us", "rows_per_s"):
        assert got[key] > 0, key
    assert got["subscribers"] == 2


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


@pytest.fixture(scope="module", name="daemon")
def daemon_with_everything(tmp_path_factory):
    """A mupdated that offers TLS and several mechanisms, and has 50 rows."""
    directory = tmp_path_factory.mktemp("daemon")
    certificate, key = mupdated.make_certificate(directory / "certificate", "localhost")
    daemon = mupdated.Daemon(directory / "data", tls_server_cert=certificate, tls_server_key=key,
                             sasl_mech_list="PLAIN SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5")
    mupdated.make_sasldb(daemon.directory / "sasldb2", "mupdate.test", {"murder": "secret"})
    daemon.certificate = certificate
    daemon.start()
    try:
        figures(run("fill", "--rows", 50, port=daemon.port))
        yield daemon
    finally:
        daemon.kill()


# DIGEST-MD5 brings a security layer where there is no TLS.
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5"])
@pytest.mark.parametrize("tls", [(), ("--tls",)], ids=["clear", "tls"])
def test_every_kind_of_log_in_reaches_every_scenario(daemon, tls, mechanism):
    how = ("--rows", 50, "--mechanism", mechanism, *tls)
    for scenario in (("find", "-d", 4), ("acl", "--count", 5), ("dump", "-k", 3), ("cycle",),
                     ("latency", "--count", 5, "-k", 2), ("mixed", "--count", 20)):
        figures(run(*scenario, *how, port=daemon.port))
    assert figures(run("resync", "-k", 2, *how, port=daemon.port), said=["waiting"])["rows"] == 50


def test_a_certificate_is_checked_when_a_ca_is_named(daemon, tmp_path):
    stranger, _ = mupdated.make_certificate(tmp_path, "localhost")
    arguments = ("find", "--rows", 50, "--count", 1, "--host", f"localhost:{daemon.port}")
    figures(run(*arguments, "--tls-ca", daemon.certificate))
    result = run(*arguments, "--tls-ca", stranger)
    assert result.returncode == EX_PROTOCOL
    assert "certificate" in result.stderr


def test_a_password_that_scram_refuses_has_the_exit_code_of_a_refused_log_in(daemon):
    result = run("find", "--mechanism", "SCRAM-SHA-256", "--user", "nobody", port=daemon.port)
    assert result.returncode == EX_NOPERM


def test_a_server_without_tls_is_told():
    with liar.Liar(instead(b"STARTTLS", b'S01 NO "not here"\r\n')) as server:
        result = run("find", "--tls", port=server.port)
    assert result.returncode == EX_UNAVAILABLE
    assert "refuses STARTTLS" in result.stderr


def test_what_a_server_says_in_the_clear_behind_starttls_is_not_believed():
    with liar.Liar(instead(b"STARTTLS", b'S01 OK "go"\r\n' + liar.BANNER)) as server:
        result = run("find", "--tls", port=server.port)
    assert result.returncode == EX_PROTOCOL
    assert "in the clear" in result.stderr


def test_a_server_that_does_not_prove_the_password_is_not_believed():
    with liar.Liar(instead(b"AUTHENTICATE", b'A01 OK "welcome"\r\n')) as server:
        result = run("find", "--mechanism", "SCRAM-SHA-256", port=server.port)
    assert result.returncode == EX_PROTOCOL
    assert "has not proved" in result.stderr


LIES = {
    "find_another_name": ("find", replace(b"FIND", b"user.bench", b"user.other")),
    "find_another_location": ("find", replace(b"FIND", b"!default", b"!damaged")),
    "find_another_acl": ("find", replace(b"FIND", b"lrswip", b"lrswit")),
    "find_no_row": ("find", no_row),
    "find_row_twice": ("find", twice_the_row),
    "find_another_tag": ("find", replace(b"FIND", b"OK", b"OK \"\"\r\nX9 OK")),
    "find_text_missing": ("find", replace(b"FIND", b' "done"', b"")),
    "find_text_without_quotes": ("find", replace(b"FIND", b'"done"', b"done")),
    "find_refused": ("find", replace(b"FIND", b"OK", b"NO")),
    "create_reserve_refused": ("create", replace(b"RESERVE", b"OK", b"NO")),
    "create_activate_bad": ("create", replace(b"ACTIVATE", b"OK", b"BAD")),
    "delete_refused": ("delete", replace(b"DELETE", b"OK", b"NO")),
    "dump_row_missing": ("dump", replace(b"UPDATE", b"bench00000003.Sent", b"stray00000003.Sent")),
    "dump_row_twice": ("dump", twice_the_row),
    "dump_another_acl": ("dump", replace(b"UPDATE", b"lrswip", b"lrswit")),
    "dump_ends_with_no": ("dump", instead(b"UPDATE", b'X1 NO "sorry"\r\n')),
    "dump_empty": ("dump", instead(b"UPDATE", b'X1 OK "done"\r\n')),
    "dump_with_a_deletion": ("dump", instead(b"UPDATE", b'X1 DELETE "user.a"\r\n')),
    "stream_another_location": ("latency", replace(b"STREAM", b"!default", b"!damaged")),
    "stream_another_row": ("latency", replace(b"STREAM", b"{18+}\r\nuser.bench0000000",
                                              b"{18+}\r\nuser.bench0100000")),
    "stream_silent": ("latency", instead(b"STREAM", b"")),
    "cycle_no_row": ("cycle", no_row),
}


@pytest.mark.parametrize("name", LIES)
def test_a_wrong_answer_ends_the_run_with_an_error(name):
    scenario, lie = LIES[name]
    with liar.Liar() as server:
        filled(server)
        server.lie = lie
        result = run(scenario, "--rows", 50, "--count", 5, "--timeout", 1, port=server.port)
    assert result.returncode in (EX_PROTOCOL, EX_UNAVAILABLE), result.stdout
    if name != "stream_silent":
        assert result.returncode == EX_PROTOCOL
    report = json.loads(result.stdout)
    assert report["errors"] == 1 and report["error"] in result.stderr


def test_the_honest_server_passes_where_the_liar_fails():
    for scenario in sorted({scenario for scenario, _ in LIES.values()}):
        with liar.Liar() as server:
            filled(server)
            figures(run(scenario, "--rows", 50, "--count", 5, port=server.port))


def test_a_refused_connection_is_told_with_host_and_port():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    result = run("find", port=port)
    assert result.returncode == EX_UNAVAILABLE
    assert f"port {port}" in result.stderr and "refused" in result.stderr


def test_a_refused_log_in_has_its_own_exit_code():
    with liar.Liar(replace(b"AUTHENTICATE", b"OK", b"NO")) as server:
        result = run("find", port=server.port)
    assert result.returncode == EX_NOPERM
    assert "refuses the log-in as murder" in result.stderr


@pytest.mark.parametrize("scenario, verb", [("find", b"FIND"), ("dump", b"UPDATE"),
                                            ("create", b"ACTIVATE"), ("cycle", b"FIND")])
def test_a_connection_that_the_server_closes_ends_the_run(scenario, verb):
    with liar.Liar() as server:
        filled(server)
        server.lie = instead(verb, None)
        result = run(scenario, "--rows", 50, port=server.port)
    assert result.returncode == EX_UNAVAILABLE
    assert "closed by the server" in result.stderr


def test_a_server_that_says_bye_instead_of_a_banner_is_told():
    with liar.Liar(banner=b'* BYE "too many connections"\r\n') as server:
        result = run("find", port=server.port)
    assert result.returncode == EX_UNAVAILABLE
    assert "too many connections" in result.stderr


def test_something_that_is_not_mupdate_is_told():
    with liar.Liar(banner=b"220 mail.example.org ESMTP\r\n") as server:
        result = run("find", port=server.port)
    assert result.returncode == EX_PROTOCOL
    assert "ESMTP" in result.stderr


def test_a_silent_server_is_given_up_after_the_timeout():
    with liar.Liar(instead(b"FIND", b"")) as server:
        result = run("find", "--timeout", "0.3", port=server.port)
    assert result.returncode == EX_UNAVAILABLE
    assert "nothing from 127.0.0.1" in result.stderr


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


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "[127.0.0.1]:{}"])
def test_the_server_is_found_by_address_and_by_name(host):
    with liar.Liar() as server:
        filled(server)
        figures(run("find", "--rows", 50, "--host", host.format(server.port)))


def test_help_names_every_scenario():
    result = run("--help")
    assert result.returncode == 0
    for word in ("fill", "create", "acl", "delete", "find", "dump", "list", "latency", "cycle",
                 "resync", "hold", "mixed", "loopback", "fsync", "memcpy"):
        assert f"\n  {word} " in result.stdout
