# SPDX-License-Identifier: BSD-3-Clause
"""The comparison: how it calls the load generator and talks to servers itself."""

import socket

import pytest

import client
import liar
import servers
from tool import Tool, ToolError


def script(tmp_path, text):
    """A load generator that is a shell script."""
    path = tmp_path / "generator"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Tool(path, 0.1)


def test_the_last_line_of_the_generator_is_the_answer(tmp_path):
    tool = script(tmp_path, 'echo waiting; echo "{\\"ops_per_s\\": 7}"')
    assert tool.run(None, "resync") == {"ops_per_s": 7}
    with tool.start(None, "resync") as running:
        running.wait_for("waiting")
        assert running.result() == {"ops_per_s": 7}


def test_an_option_that_is_true_is_given_without_a_value(tmp_path):
    tool = script(tmp_path, 'echo "$@" >&2; exit 1')
    with pytest.raises(ToolError, match=r"--self --seconds 0.1 --rows 5 --tls dump$"):
        tool.run("self", "dump", rows=5, tls=True)


class Somewhere:
    """A server that is only named."""

    name = "Cyrus"
    port = 1


@pytest.mark.parametrize("status, words, reason", [
    (69, "nothing from 127.0.0.1 port 3905 for 30 seconds", "did not answer in time"),
    (69, "5 of 9 changes did not arrive", "did not answer in time"),
    (76, "5 of 9 changes did not arrive", "did not answer in time"),
    (69, "3 of 10 subscribers were not sent the last change", "did not answer in time"),
    (69, "connection 4 to 127.0.0.1 port 3905, logging in: closed",
     "refused or closed a connection"),
    (69, "connection 0: the server refuses: * BYE", "refused or closed a connection"),
    (69, "connection 0: the server says: * BYE", "refused or closed a connection"),
    (77, "connection 0: the server refuses the log-in as murder: A01 NO",
     "refused or closed a connection"),
    (76, "connection 2: wanted OK to the oldest ACTIVATE, got: 7 NO", "answered wrongly"),
    (76, "connection 1: not a MUPDATE message: hello", "answered wrongly"),
    (76, "connection 1: TLS or SASL failed: TLS handshake", "refused or closed a connection"),
])
def test_what_the_generator_complains_of_is_told_in_general_words(tmp_path, status, words, reason):
    tool = script(tmp_path, f"echo '{words}' >&2; exit {status}")
    with pytest.raises(ToolError) as caught:
        tool.run(Somewhere(), "find")
    assert words in str(caught.value)
    assert caught.value.reason == reason and not caught.value.own


@pytest.mark.parametrize("end", [
    *(f"exit {status}" for status in (1, 64, 66, 68, 70, 71, 73, 74, 127)), "kill -SEGV $$"])
def test_what_is_the_generators_own_fault_blames_no_server(tmp_path, end):
    with pytest.raises(ToolError) as caught:
        script(tmp_path, f"echo nothing from me >&2; {end}").run(Somewhere(), "find")
    assert caught.value.own


@pytest.mark.parametrize("alone", [None, "self"])
def test_no_server_is_to_blame_where_there_is_none(tmp_path, alone):
    with pytest.raises(ToolError) as caught:
        script(tmp_path, "exit 69").run(alone, "find")
    assert caught.value.own


def test_a_generator_that_cannot_be_started_blames_no_server(tmp_path):
    with pytest.raises(ToolError, match="No such file") as caught:
        Tool(tmp_path / "missing", 0.1).run(Somewhere(), "find")
    assert caught.value.own


def test_a_generator_that_takes_too_long_is_ended(tmp_path):
    tool = script(tmp_path, "exec sleep 100")
    with pytest.raises(ToolError) as caught:
        tool.run(None, "dump", limit=0.2)
    assert caught.value.reason == "was not done in 0.2 s"
    with tool.start(None, "hold") as running, pytest.raises(ToolError, match="not done"):
        running.wait_for("ready", 0.2)


def test_a_generator_that_ends_before_it_is_ready_is_told_with_its_words(tmp_path):
    with script(tmp_path, "echo no room >&2; exit 71").start(None, "hold") as running:
        with pytest.raises(ToolError, match="no room"):
            running.wait_for("ready")


def test_the_generator_is_ended_when_the_comparison_is_stopped(tmp_path):
    with pytest.raises(SystemExit):
        with script(tmp_path, "exec sleep 100").start(None, "hold") as running:
            raise SystemExit
    assert running.process.poll() is not None


def test_the_client_for_single_moments_finds_rows_and_sees_a_dump_begin():
    with liar.Liar() as server:
        server.rows[b"user.a"] = (b"backend1!default", b"a lr")
        with client.Client(server.port, "murder", "secret") as one:
            assert one.find("user.a")
            assert not one.find("user.b")
        with client.Client(server.port, "murder", "secret") as one:
            one.begin_dump()


@pytest.mark.parametrize("lie", [None, b"X0 NO \"not today\"\r\n", b"* BYE \"bye\"\r\n"])
def test_the_client_tells_a_refusal_from_an_answer(lie):
    def wrong(words, honest):
        return lie if words[1] == b"FIND" else honest

    with liar.Liar(wrong) as server, client.Client(server.port, "murder", "secret") as one:
        with pytest.raises(client.ClientError):
            one.find("user.a")


def test_a_port_that_is_free_is_none_that_the_kernel_gives_to_clients():
    first = servers.first_port_of_kernel()
    if first > 2000:
        assert 1024 <= servers.free_port() < first


def test_where_the_kernel_gives_all_ports_to_clients_there_is_a_free_one_yet(monkeypatch):
    monkeypatch.setattr(servers, "first_port_of_kernel", lambda: 1024)
    port = servers.free_port()
    with socket.socket() as one:
        one.bind(("127.0.0.1", port))


def test_the_memory_of_a_process_is_read_and_one_that_is_gone_is_an_error():
    assert servers.resident_bytes("self") > 1000000
    with pytest.raises(OSError):
        servers.resident_bytes(2**22 + 1)
