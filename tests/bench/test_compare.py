# SPDX-License-Identifier: BSD-3-Clause
"""The comparison: what it runs, on whom, and what becomes of a server that fails."""

import dataclasses
import importlib.machinery
import importlib.util
import json
import pathlib
import sys
import types

import pytest

import measure
import runs
import servers
from plan import Leaves, Plan, Run, rate, tls_variant, time_of
from tool import ToolError

EVERY = runs.all_runs(100000)


class Stub:
    """A server that is only counted."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = directory
        self.events = []
        self.process = None

    def prepare(self, rows, tool):
        del tool
        self.events.append(("prepare", rows))

    def restart(self):
        self.events.append("restart")

    def stop(self):
        self.events.append("stop")

    def log_tail(self):
        return "its last words"


class StubTool:
    def run(self, server, scenario, limit=None, **options):
        del server, scenario, limit, options
        return {"value": 1.0}


def compare(chosen, tmp_path, plan=Plan.FULL, repetitions=2):
    """(measurements, the servers by name, what was said)."""
    made = {}
    said = []

    def make(name):
        made.setdefault(name, []).append(Stub(name, tmp_path / name))
        return made[name][-1]

    options = types.SimpleNamespace(plan=plan, repetitions=repetitions)
    comparison = measure.Comparison(StubTool(), make, ["Cyrus", "mupdated"], options, said.append)
    return comparison.measure(chosen, lambda: None), made, said


def run_of(do, **more):
    more.setdefault("rows", 10)
    return Run("section", do, (rate("key", "title", "value"),), **more)


def value(number=1.0):
    return lambda tool, server, options, limit: {"value": number}


def test_each_figure_has_a_key_of_its_own_and_is_found_in_its_section_by_its_title():
    figures = [(run.section, figure) for run in EVERY for figure in run.figures]
    assert len({figure.key for _, figure in figures}) == len(figures)
    shown = [(section, figure.title) for section, figure in figures if section != runs.GROWTH]
    assert len(set(shown)) == len(shown)


def test_each_plan_has_all_runs_of_the_smaller_one_and_more():
    for smaller, larger in ((Plan.QUICK, Plan.USUAL), (Plan.USUAL, Plan.FULL)):
        keys = [{run.figures[0].key for run in runs.chosen(plan, 100000)}
                for plan in (smaller, larger)]
        assert keys[0] < keys[1]


def test_ten_million_rows_are_in_the_full_plan_only():
    assert max(run.rows for run in runs.chosen(Plan.USUAL, 100000)) == 1000000
    assert max(run.rows for run in runs.chosen(Plan.FULL, 100000)) == 10000000


def test_every_kind_of_run_is_done_under_tls_too():
    clear = {run.section for run in EVERY if not run.under_tls} - {runs.GROWTH}
    tls = {run.section for run in EVERY if run.under_tls}
    assert tls == {f"{section}, under TLS" for section in clear}
    assert all(run.options["tls"] is True for run in EVERY if run.under_tls)


def test_a_run_under_tls_changes_neither_the_clear_one_nor_its_options():
    clear = run_of(value(), options={"connections": 3}, tls=Plan.USUAL)
    tls = tls_variant(clear)
    assert tls.options == {"connections": 3, "tls": True}
    assert clear.options == {"connections": 3}
    assert tls.figures[0].key == "key_tls"


def test_a_stream_has_a_row_for_every_change_of_the_longest_run():
    streams = [run for run in EVERY if "rate" in run.options]
    assert streams
    for run in streams:
        assert run.rows >= run.options["rate"] * run.cyrus_seconds


def test_each_server_does_each_run_as_often_as_asked_and_they_take_turns(tmp_path):
    order = []

    def do(tool, server, options, limit):
        del tool, options, limit
        order.append(server.name)
        return {"value": 1.0}

    done, _, _ = compare([run_of(do)], tmp_path, repetitions=3)
    assert order == ["Cyrus", "mupdated", "mupdated", "Cyrus", "Cyrus", "mupdated"]
    assert {name: len(values) for name, values in done[0].values["key"].items()} == {
        "Cyrus": 3, "mupdated": 3}


def test_measurements_come_in_the_order_of_the_list_whatever_the_order_of_the_tables(tmp_path):
    chosen = [run_of(value(3), rows=30, leaves=Leaves.MORE_ROWS), run_of(value(1), rows=10),
              run_of(value(2), rows=30)]
    done, made, _ = compare(chosen, tmp_path)
    assert [one.values["key"]["mupdated"][0] for one in done] == [3, 1, 2]
    assert [server.events[0] for server in made["mupdated"]] == [("prepare", 10), ("prepare", 30)]
    assert all(server.events[-1] == "stop" for servers_ in made.values() for server in servers_)


def test_runs_that_add_rows_are_done_after_those_that_count_them(tmp_path):
    order = []

    def do(word):
        def done(tool, server, options, limit):
            del tool, server, limit
            order.append((word, "set" in options))
            return {"value": 1.0}
        return done

    chosen = [run_of(do("creates"), leaves=Leaves.MORE_ROWS),
              run_of(do("changes"), leaves=Leaves.OTHER_ACLS), run_of(do("reads"))]
    compare(chosen, tmp_path, repetitions=1)
    assert order == [("reads", False)] * 2 + [("changes", False)] * 2 + [("creates", True)] * 2


def test_the_machine_is_measured_after_each_table_and_before_the_changes(tmp_path):
    events = []

    def do(tool, server, options, limit):
        del tool, server, limit
        events.append(options["rows"])
        return {"value": 1.0}

    options = types.SimpleNamespace(plan=Plan.FULL, repetitions=1)
    comparison = measure.Comparison(StubTool(), lambda name: Stub(name, tmp_path), ["mupdated"],
                                    options, lambda event: None)
    comparison.measure([run_of(do, rows=20, leaves=Leaves.MORE_ROWS), run_of(do, rows=20),
                        run_of(do, rows=10)], lambda: events.append("limits"))
    assert events == [10, "limits", 20, "limits", 20, "limits"]


def test_cyrus_is_not_started_for_a_table_on_which_it_does_nothing(tmp_path):
    _, made, _ = compare([run_of(value(), cyrus=Plan.NEVER)], tmp_path)
    assert list(made) == ["mupdated"]


def failing(error, name="Cyrus"):
    def do(tool, server, options, limit):
        del tool, options, limit
        if server.name == name:
            raise error
        return {"value": 1.0}
    return do


def test_when_cyrus_fails_the_reason_is_kept_it_is_started_anew_and_the_rest_goes_on(tmp_path):
    broken = run_of(failing(ToolError("create against Cyrus: closed", "closed a connection")))
    done, made, said = compare([broken, run_of(value())], tmp_path)
    assert done[0].failures == {"Cyrus": "closed a connection"}
    assert list(done[0].values["key"]) == ["mupdated"]
    assert len(done[0].values["key"]["mupdated"]) == 2
    assert set(done[1].values["key"]) == {"Cyrus", "mupdated"}
    assert made["Cyrus"][0].events.count("restart") == 1
    assert "Cyrus fails: create against Cyrus: closed" in said


def test_when_mupdated_fails_the_comparison_ends_with_its_log_and_servers_stopped(tmp_path):
    broken = run_of(failing(ToolError("create against mupdated: closed"), "mupdated"))
    stopped = []

    def make(name):
        stopped.append(Stub(name, tmp_path))
        return stopped[-1]

    options = types.SimpleNamespace(plan=Plan.FULL, repetitions=1)
    comparison = measure.Comparison(StubTool(), make, ["Cyrus", "mupdated"], options,
                                    lambda event: None)
    with pytest.raises(servers.ServerError, match="its last words"):
        comparison.measure([broken], lambda: None)
    assert [server.events[-1] for server in stopped] == ["stop", "stop"]


def test_a_fault_of_the_generator_is_no_failure_of_cyrus(tmp_path):
    unknown = ToolError("fly: no such scenario", "refused", own=True)
    with pytest.raises(ToolError, match="no such scenario"):
        compare([run_of(failing(unknown))], tmp_path)


def test_a_figure_that_is_not_in_the_answer_is_no_failure_of_cyrus(tmp_path):
    run = Run("section", value(), (time_of("key", "title", "other"),), rows=10)
    with pytest.raises(ToolError, match="no other"):
        compare([run], tmp_path)


def test_a_server_that_did_nothing_in_the_time_of_a_run_has_failed(tmp_path):
    def do(tool, server, options, limit):
        del tool, options, limit
        return {"value": 0 if server.name == "Cyrus" else 1}

    done, _, _ = compare([run_of(do)], tmp_path)
    assert done[0].failures == {"Cyrus": "answered nothing in the time of the run"}


def test_many_changes_at_once_get_the_time_that_cyrus_needs_for_them(tmp_path):
    seconds = {}

    def do(tool, server, options, limit):
        del tool, limit
        seconds[server.name] = options.get("seconds")
        return {"value": 1.0}

    compare([run_of(do, **runs.wide(512, 1))], tmp_path, repetitions=1)
    assert seconds["mupdated"] is None and seconds["Cyrus"] > 1
    assert runs.wide(8, 16) == {}


def test_each_kind_of_durable_run_has_one_of_ours_that_a_checkpoint_falls_into():
    for section in (runs.CREATES, runs.ACLS, runs.MIXED, runs.BESIDE):
        long = [run for run in EVERY if run.section == section and run.ours_seconds]
        assert long and all(run.ours_seconds >= 6 for run in long)
        assert all(run.ours_seconds + 10 < run.limit for run in long)


@pytest.mark.parametrize("plan, seconds", [(Plan.QUICK, None), (Plan.USUAL, 7)])
def test_ours_is_measured_longer_where_that_is_wanted_but_not_by_the_quick_plan(
        tmp_path, plan, seconds):
    got = {}

    def do(tool, server, options, limit):
        del tool, limit
        got[server.name] = options.get("seconds")
        return {"value": 1.0}

    compare([run_of(do, ours_seconds=7)], tmp_path, plan, repetitions=1)
    assert got == {"Cyrus": None, "mupdated": seconds}


def test_the_generators_share_is_that_of_the_runs_of_ours(tmp_path):
    def do(tool, server, options, limit):
        del tool, options, limit
        return {"value": 1.0, "generator_cpu_share": 0.9 if server.name == "Cyrus" else 0.2}

    done, _, _ = compare([run_of(do)], tmp_path)
    assert done[0].cpu_share == 0.2


def test_what_was_measured_before_mupdated_failed_is_kept(tmp_path):
    options = types.SimpleNamespace(plan=Plan.FULL, repetitions=1)
    comparison = measure.Comparison(StubTool(), lambda name: Stub(name, tmp_path), ["mupdated"],
                                    options, lambda event: None)
    with pytest.raises(servers.ServerError):
        comparison.measure([run_of(failing(ToolError("closed"), "mupdated")), run_of(value(2)),
                            run_of(failing(ToolError("closed"), "mupdated"), rows=20)],
                           lambda: None)
    assert [one.values["key"] for one in comparison.done()] == []
    with pytest.raises(servers.ServerError):
        comparison.measure([run_of(failing(ToolError("closed"), "mupdated"), rows=20),
                            run_of(value(2))], lambda: None)
    assert [one.values["key"] for one in comparison.done()] == [{"mupdated": [2]}]


def load_program():
    path = str(pathlib.Path(__file__).parent / "compare")
    loader = importlib.machinery.SourceFileLoader("compare_program", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def test_a_comparison_that_fails_on_the_way_writes_what_it_has_and_the_error(
        tmp_path, monkeypatch):
    program = load_program()

    class Failing:
        def __init__(self, options, top):
            self.top = top

        def missing(self):
            return None

        def run(self):
            raise servers.ServerError("mupdated has ended")

        def result(self):
            assert self.top.is_dir()
            return {"figures": ["what there is"]}

    monkeypatch.setattr(program, "Bench", Failing)
    monkeypatch.setattr(program, "choose_directory", lambda options: tmp_path)
    monkeypatch.setattr(program, "raise_file_limit", lambda: None)
    monkeypatch.setattr(program.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["compare"])
    monkeypatch.setenv("BUILD", str(tmp_path))
    with pytest.raises(SystemExit, match="mupdated has ended"):
        program.main()
    assert json.loads((tmp_path / "bench.json").read_text()) == {
        "figures": ["what there is"], "error": "mupdated has ended"}
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]


def test_cyrus_is_started_anew_so_that_all_begin_alike(tmp_path):
    _, made, _ = compare([tls_variant(run_of(value(), tls=Plan.USUAL))], tmp_path)
    assert made["Cyrus"][0].events.count("restart") == 1
    assert made["mupdated"][0].events.count("restart") == 0


def test_every_set_of_new_names_is_one_that_the_generator_accepts_and_used_once():
    sets = measure.new_set()
    names = [next(sets) for _ in range(2000)]
    assert len(set(names)) == 2000
    assert all(name.isalpha() and name.islower() and len(name) <= 12 for name in names)
    assert "bench" not in names


def test_the_empty_server_is_measured_once_for_the_figures_that_it_has(tmp_path):
    run = Run("section", value(), (rate("key", "title", "value"),
                                   time_of("more", "title", "other")), rows=10, null="find")
    run = dataclasses.replace(run, do=lambda *_: {"value": 2.0, "other": 3.0})
    done, _, _ = compare([run], tmp_path)
    assert done[0].values["key"]["null"] == [1.0]
    assert "null" not in done[0].values["more"]
