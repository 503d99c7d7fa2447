# SPDX-License-Identifier: BSD-3-Clause
"""No path costs more than its budget; and the judge can say no."""

import os
import pathlib

import pytest

import counts

BUILD = pathlib.Path(os.environ["BUILD"])


@pytest.fixture(scope="module")
def budgets():
    return counts.read_budgets(counts.BUDGETS.read_text())


@pytest.fixture(scope="module")
def here(budgets):
    """Only where the budgets hold."""
    why = counts.elsewhere(BUILD, budgets)
    if why:
        pytest.skip(why)


@pytest.fixture(scope="module")
def costs(here):
    return counts.measure(BUILD)


@pytest.mark.parametrize("name", [path.name for path in counts.PATHS])
def test_a_path_stays_within_its_budget(budgets, costs, name):
    assert not budgets.paths[name].verdict(name, costs[name])


def test_the_budgets_are_of_a_build_with_these_flags(budgets, here):
    assert budgets.flags == counts.code_flags(counts.build_flags(BUILD)), "make cost-record"


def test_each_path_has_a_budget_and_each_budget_a_path(budgets):
    assert set(budgets.paths) == {path.name for path in counts.PATHS}, "make cost-record"


def test_a_cost_within_the_allowance_is_good():
    budget = counts.Budget(1000, 5, 20)
    assert [budget.verdict("find", cost) for cost in (1000, 1050, 800)] == [None, None, None]


def test_a_cost_above_the_allowance_is_refused_and_the_way_out_is_named():
    verdict = counts.Budget(1000, 5, 20).verdict("find", 1051)
    assert "find costs 1051 instructions, 5.1 % more" in verdict and "make cost-record" in verdict


def test_a_budget_that_is_far_too_high_is_refused_as_well():
    verdict = counts.Budget(1000, 5, 20).verdict("find", 799)
    assert "20.1 % less" in verdict and "make cost-record" in verdict


def test_what_is_written_is_read_back():
    paths = {path.name: counts.Budget(100 + number, 3, 30)
             for number, path in enumerate(counts.PATHS)}
    budgets = counts.Budgets("debian 12, gcc 12", "-fPIC -O2", paths)
    assert counts.read_budgets(counts.write_budgets(budgets)) == budgets


def test_a_cost_is_the_difference_of_two_blocks_where_there_are_two():
    blocks = {block: (0, 1) for path in counts.PATHS for block in (path.block, path.base)}
    blocks["find"] = (5000, 10)
    blocks[f"stream-{counts.FEW}"] = (10000, 4)
    blocks[f"stream-{counts.MANY}"] = (10000 + 4 * (counts.MANY - counts.FEW) * 700, 4)
    found = counts.costs(blocks)
    assert (found["find"], found["stream"]) == (500, 700)


def test_a_file_of_callgrind_tells_its_block_and_its_sum():
    text = "version: 1\ndesc: Trigger: Client Request: find\nsummary: 123\ntotals: 125\n"
    assert counts.read_dump(text) == ("find", 123)
    assert counts.read_dump("desc: Trigger: Program termination\nsummary: 1\n")[0] is None


def test_budgets_of_another_machine_are_told(monkeypatch):
    monkeypatch.setattr(counts, "machine", lambda build: "debian 12, gcc 12")
    assert counts.elsewhere(BUILD, counts.Budgets("debian 12, gcc 12")) is None
    assert counts.elsewhere(BUILD, counts.Budgets("debian 13, gcc 14")) == \
        'the budgets are for "debian 13, gcc 14", this is "debian 12, gcc 12"'


def test_what_decides_about_the_code_is_told_from_the_other_flags():
    flags = "gcc -std=c11 -Wall -DX='\"-O3\"' -I. -fPIC -pthread -MMD -MP -O2 -g -march=native"
    assert counts.code_flags(flags) == "-fPIC -O2 -march=native"
