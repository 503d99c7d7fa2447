# SPDX-License-Identifier: BSD-3-Clause
"""The comparison: runs that are more than a call of the load generator."""

import pytest

import doers
import liar
import servers
from tool import Tool, ToolError


class Recorded:
    """A server that does nothing but remember what was asked of it."""

    name = "mupdated"
    port = 1
    rows = 100
    empty_bytes = 1000

    def __init__(self, directory, *memory):
        self.directory = directory
        self.memory = list(memory)
        self.events = []
        self.process = "running"

    def stop(self):
        self.events.append("stop")
        self.process = None

    def launch(self):
        self.events.append("launch")
        self.process = "running"
        (self.directory / "up").touch()

    def start(self):
        self.launch()
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        self.events.append("answers")

    def restart(self):
        self.events.append("restart")

    def repair_at_start(self, whether):
        self.events.append(("repair", whether))

    def resident_bytes(self):
        return self.memory.pop(0)


def script(tmp_path, text):
    """A load generator that is a shell script."""
    path = tmp_path / "generator"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Tool(path, 0.1)


class LimitedTool:
    """Answers with the next of some times, and remembers what was asked.

    Appending takes a second, which no limit is taken from.
    """

    def __init__(self, *times):
        self.times = list(times)
        self.asked = []

    def run(self, server, scenario, limit=None, **options):
        del limit, options
        self.asked.append((server, scenario))
        if scenario == "fsync":
            return {"p50_us": 1e6, "overwrite_p50_us": self.times.pop(0)}
        return {"p50_us": self.times.pop(0)}


def test_a_ratio_to_limits_takes_those_of_just_before_and_just_after(tmp_path):
    server = Recorded(tmp_path)
    tool = LimitedTool(100.0, 10.0, 300.0, 180.0, 10.0)
    got = doers.call_beside_limits(
        "create", (doers.OVERWRITE, doers.ROUND_TRIP))(tool, server, {}, 60)
    assert got == {"p50_us": 300.0, "of_limits": 2.0}
    assert tool.asked == [(None, "fsync"), (None, "loopback"), (server, "create"),
                          (None, "fsync"), (None, "loopback")]


def test_the_server_comes_back_only_when_the_subscribers_wait(tmp_path):
    tool = script(tmp_path, f"""test -e {tmp_path}/up && exit 1
        echo waiting
        while ! test -e {tmp_path}/up; do sleep 0.01; done
        echo '{{"last_us": 5}}'""")
    server = Recorded(tmp_path)
    assert doers.resync(tool, server, {"subscribers": 3}, 30) == {"last_us": 5}
    assert server.events == ["stop", "launch", "answers"]


def test_a_server_is_up_again_after_subscribers_that_failed(tmp_path):
    server = Recorded(tmp_path)
    with pytest.raises(ToolError, match="no sockets"):
        doers.resync(script(tmp_path, "echo no sockets >&2; exit 71"), server, {}, 30)
    assert server.events == ["stop", "launch", "answers"]


def test_memory_is_read_while_the_clients_stand_and_shared_among_them(tmp_path):
    tool = script(tmp_path, "echo ready; read -r line; echo '{}'")
    server = Recorded(tmp_path, 5000, 13000)
    got = doers.hold(tool, server, {"connections": 3, "subscribers": 1}, 30)
    assert got == {"resident_bytes": 8000, "resident_bytes_each": 2000}
    assert server.events == ["restart"]


def test_clients_that_do_not_stand_have_no_memory(tmp_path):
    with pytest.raises(ToolError, match="refused"):
        doers.hold(script(tmp_path, "echo refused >&2; exit 69"), Recorded(tmp_path, 1, 2),
                   {"connections": 3}, 30)


@pytest.mark.parametrize("after", [5000, 4000])
def test_clients_that_seem_to_take_no_memory_were_not_measured(tmp_path, after):
    tool = script(tmp_path, "echo ready; read -r line; echo '{}'")
    with pytest.raises(ToolError, match="less than before"):
        doers.hold(tool, Recorded(tmp_path, 5000, after), {"connections": 3}, 30)


@pytest.mark.parametrize("memory", [1000, 500])
def test_rows_that_seem_to_take_no_memory_were_not_measured(tmp_path, memory):
    with pytest.raises(ToolError, match="less than before"):
        doers.table_memory(None, Recorded(tmp_path, memory), {}, 30)


def test_a_start_is_timed_from_the_launch_to_the_first_answer(tmp_path):
    server = Recorded(tmp_path)
    got = doers.start(None, server, {"repair": False}, 30)
    assert got["start_us"] > 0
    assert server.events == ["stop", ("repair", False), "launch", "answers", ("repair", True)]


def test_memory_of_rows_is_what_an_empty_table_does_not_have(tmp_path):
    got = doers.table_memory(None, Recorded(tmp_path, 9000), {}, 30)
    assert got == {"resident_bytes": 9000, "row_bytes": 80}


def test_the_cache_of_the_database_is_not_counted_as_rows(tmp_path):
    class Small(servers.Mupdated):
        resident_bytes = Recorded.resident_bytes

        def configure(self, **settings):
            self.events.append(settings)

        def restart(self):
            self.events.append("restart")

    server = Small(tmp_path, "mupdated")
    server.events, server.memory, server.rows, server.empty_bytes = [], [9000, 3000], 100, 1000
    assert doers.table_memory(None, server, {}, 30) == {"resident_bytes": 9000, "row_bytes": 20}
    assert server.events == ["restart", {"cache_size": "1M"}, "restart", {}, "restart"]


def test_the_first_octet_of_a_dump_is_waited_for(tmp_path):
    with liar.Liar() as server:
        server.directory = tmp_path
        assert doers.first_octet(None, server, {}, 30)["first_octet_us"] > 0
