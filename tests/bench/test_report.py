# SPDX-License-Identifier: BSD-3-Clause
"""The comparison: what is made of the figures of the runs."""

import json

import pytest

import machine
import measure
import report
import runs
import targets
from plan import Figure, Plan

EVERY = runs.all_runs(100000)
LIMITS = {"fdatasync_per_s": 5000.0, "fdatasync_p50_us": 160.0,
          "overwrite_per_s": 7000.0, "overwrite_p50_us": 120.0,
          "loopback_round_trips_per_s": 60000.0, "loopback_round_trip_p50_us": 15.0,
          "loopback_bytes_per_s": 2e9, "memory_copy_bytes_per_s": 8e9,
          "store_create_1_per_s": 4000.0, "store_create_20_per_s": 40000.0,
          "store_create_256_per_s": 90000.0,
          "store_acl_1_per_s": 4000.0, "store_acl_64_per_s": 40000.0}
CYRUS_VALUE = 1000.0

# What a server that reaches all targets has, where a ratio to Cyrus is not the point.
FAST = {
    "create_c64_d1": 30000.0, "create_c64_d16": 90000.0, "find_c1_d1_p50": 16.0,
    "find_c8_d64": 1e6, "dump_k100_bytes": 1500.0, "hold_subscribers_10000": 300.0,
    "hold_connections_10000_each": 10.0,
}


def fast(figure):
    base = figure.key.removesuffix("_1000000").removesuffix("_10000000")
    return FAST.get(base, 1.0 if figure.lower_is_better else 50000.0)


def result(ours=fast, cyrus=CYRUS_VALUE, chosen=EVERY):
    """A comparison with Cyrus at 1000 or so and mupdated at ours(figure)."""
    done = []
    for run in chosen:
        measurement = measure.Measurement(run)
        for figure in run.figures:
            values = measurement.values[figure.key]
            if cyrus is not None:
                values[report.CYRUS] = [cyrus, 0.9 * cyrus, 1.1 * cyrus]
            values[report.OURS] = [ours(figure)] * 3
        done.append(measurement)
    return {
        "machine": {"date": "2026-01-01T00:00:00+00:00", "processor": "p", "cores": 2,
                    "memory_bytes": 2**33, "kernel": "6", "filesystem": "ext4"},
        "limits": dict(LIMITS), "limit_spreads": dict.fromkeys(LIMITS, 0.05),
        "limit_samples": 3,
        "versions": {"Cyrus": "3.6.1", "mupdated": "1"}, "growth_section": runs.GROWTH,
        "rows": 100000, "repetitions": 3, "figures": report.summarise(done),
    }


def missed(checked):
    return [one["title"] for one in checked if not one["passed"]]


def test_a_fast_server_reaches_every_demand_and_every_target():
    assert missed(targets.check(targets.DEMANDS + targets.TARGETS, result())) == []


def test_a_server_like_cyrus_misses_every_target_that_compares_with_it():
    checked = targets.check(targets.TARGETS, result(lambda figure: CYRUS_VALUE))
    compared = [one for one in checked if "Cyrus" in one["title"]]
    assert compared and not any(one["passed"] for one in compared)


@pytest.mark.parametrize("key, value, title", [
    ("create_c64_d1", 20000.0, "of the bare store's"),
    ("create_c1_d1_of_limits", 1.6, "of one fdatasync that overwrites and one round trip"),
    ("find_c8_d64", 899000.0, "FIND pipelined"),
    ("find_c1_d1_of_limits", 1.4, "bare loopback round trip"),
    ("dump_k100_bytes", 900.0, "of loopback's bandwidth"),
    ("resync_k1000_last", 11.0, "1,000 subscribers after a restart"),
    ("stream_k100_r1000_p99", 5100.0, "p99 of a row at 100 subscribers"),
    ("start_1000000", 1600.0, "start with 1,000,000 rows"),
    ("beside_dump_create_p99", 1.6, "beside 100 that dump"),
    ("beside_slow_create_p99", 1.6, "beside 100 that read slowly"),
    ("beside_stuck_create_p99", 1.6, "beside 100 that never read"),
    ("hold_subscribers_10000", 501.0, "10,000 subscribers"),
    ("hold_connections_10000_each", 17.0, "idle authenticated connection"),
    ("row_bytes_1000000", 201.0, "1,000,000 rows in memory"),
    ("find_c1_d1_p50_10000000", 30.0, "FIND, 1 connection, depth 1: growth"),
    ("dump_k1_10000000", 20000.0, "row of a dump: growth"),
])
def test_a_target_is_missed_when_its_own_figure_is_short(key, value, title):
    checked = targets.check(targets.TARGETS, result(
        lambda figure: value if figure.key == key else fast(figure)))
    assert any(title in line for line in missed(checked)), missed(checked)


def test_what_was_not_measured_reaches_nothing():
    nothing = result(chosen=[])
    for checked in (targets.check(targets.TARGETS, nothing),
                    targets.check(targets.DEMANDS, nothing)):
        assert not any(one["passed"] or one["value"] is not None for one in checked)


def test_without_cyrus_no_target_that_compares_with_it_is_reached():
    checked = targets.check(targets.TARGETS, result(cyrus=None))
    assert all(one["value"] is None for one in checked if "Cyrus" in one["title"])


def test_every_demand_can_be_measured_by_the_quick_plan_and_every_target_by_the_usual_one():
    for plan, wanted in ((Plan.QUICK, targets.DEMANDS), (Plan.USUAL, targets.TARGETS)):
        chosen = runs.chosen(plan, 100000)
        asked = [run for run in chosen if run.cyrus <= plan]
        both = result(chosen=asked)
        alone = result(chosen=chosen, cyrus=None)
        have = {entry["key"] for entry in both["figures"]}
        both["figures"] += [one for one in alone["figures"] if one["key"] not in have]
        assert missed(targets.check(wanted, both)) == []


def test_each_target_is_told_in_a_line_with_its_bound():
    told = [targets.line(one, report.number) for one in targets.check(
        targets.TARGETS, result(lambda figure: CYRUS_VALUE))]
    assert "MISSED  durable changes at 64 connections, of Cyrus's: 1.0x, wanted at least 25.0x" \
        in told
    unknown = targets.check(targets.TARGETS[:1], result(chosen=[]))[0]
    assert targets.line(unknown, report.number).startswith("unknown durable changes")


def test_the_ratio_says_how_many_times_better_whichever_way_better_is():
    rate = Figure("a", "a", "a")
    time_us = Figure("b", "b", "b_us", lower_is_better=True)
    assert report.ratio(rate, 100.0, 1000.0) == 10
    assert report.ratio(time_us, 1000.0, 100.0) == 10
    assert report.ratio(time_us, 1000.0, 0.0) == 1000
    assert report.ratio(Figure("c", "c", "times", lower_is_better=True), 4.0, 0.5) == 8


def test_the_median_and_half_the_spread_are_shown():
    one = report.summary([90.0, 100.0, 120.0])
    assert one["median"] == 100 and one["spread"] == 0.15


@pytest.mark.parametrize("value, text", [
    (0.001, "0"), (0.25, "0.25"), (1.47, "1.47"), (2.0, "2.0"), (12.34, "12.3"),
    (1234567.8, "1,234,568"),
])
def test_numbers_are_written_with_the_digits_that_mean_something(value, text):
    assert report.number(value) == text


def test_the_table_is_plain_text_that_fits_a_page_and_has_every_figure():
    def wide(figure):
        return 50 if figure.lower_is_better else 5e6

    text = report.table(result(wide, cyrus=5e6))
    assert max(map(len, text.splitlines())) <= 100
    lines = [line.strip() for line in text.splitlines()]
    for run in EVERY:
        assert run.section in lines or run.section == runs.GROWTH
        for figure in run.figures:
            if run.section != runs.GROWTH and figure.only_below is None:
                assert any(line.startswith(figure.title) for line in lines), figure.title


def test_each_section_has_one_heading():
    lines = report.table(result()).splitlines()
    for section in {run.section for run in EVERY}:
        assert lines.count(section) <= 1


def test_growth_is_a_table_of_its_own_with_a_column_for_each_size():
    lines = report.table(result()).splitlines()
    head = next(line for line in lines if "growth of the table" in line)
    assert head.split()[-6:] == ["100,000", "rows", "1,000,000", "rows", "10,000,000", "rows"]
    assert any(line.startswith("octets of memory per row") for line in lines)


def test_every_figure_of_the_bigger_tables_is_in_the_table_of_growth():
    bigger = {figure.key for run in EVERY if run.section == runs.GROWTH for figure in run.figures}
    shown = {f"{key}_{rows}" for _, key in report.GROWTH for rows in (1000000, 10000000)}
    assert bigger == shown


def test_cyrus_has_a_line_of_growth_below_ours_where_it_was_measured():
    few = [run for run in EVERY if run.cyrus is not Plan.NEVER or run.section != runs.GROWTH]
    lines = report.table(result(chosen=few)).splitlines()
    at = lines.index(next(line for line in lines if line.startswith("UPDATE to 1 client, rows/s")))
    assert lines[at].split()[-3:] == ["50,000", "50,000", "50,000"]
    assert lines[at + 1].split() == ["Cyrus", "1,000", "1,000", "1,000"]
    assert not any(line.startswith("ACL change, 1 connection, 1/s") for line in lines)


def test_the_growth_of_a_cost_is_told_with_the_largest_size_that_was_measured():
    for plan, size in ((Plan.USUAL, "1,000,000"), (Plan.FULL, "10,000,000")):
        titles = [one["title"] for one in targets.check(
            targets.TARGETS, result(chosen=runs.chosen(plan, 100000)))]
        growth = [title for title in titles if "growth" in title]
        assert growth and all(title.endswith(f", to {size} rows") for title in growth)


@pytest.mark.parametrize("achieved, shown", [(94.0, True), (96.0, False)])
def test_the_rate_of_a_stream_is_told_when_it_falls_short(achieved, shown):
    stream = [run for run in EVERY if run.figures[0].key == "stream_k1_r100_p99"]
    text = report.table(result(lambda figure: achieved, cyrus=100.0, chosen=stream))
    assert ("1 subscriber, 100/s, achieved changes/s" in text) == shown


@pytest.mark.parametrize("key, null, share, marked", [
    ("create_c64_d1", 1.2, 0.5, True), ("create_c64_d1", 1.3, 0.5, False),
    ("create_c64_d1", 1.3, 0.91, True), ("create_c64_d1", None, 0.5, False),
    ("create_c64_d1_p99", 0.9, 0.5, True), ("create_c64_d1_p99", 0.7, 0.5, False),
])
def test_ours_is_marked_where_the_generator_may_be_the_limit(key, null, share, marked):
    one = result(lambda figure: 1000.0,
                 chosen=[run for run in EVERY if run.figures[0].key == "create_c64_d1"])
    one["figures"] = [entry for entry in one["figures"] if entry["key"] == key]
    one["figures"][0]["generator_cpu_share"] = share
    if null is not None:
        one["figures"][0][report.NULL] = report.summary([null * 1000.0])
    text = report.table(one)
    assert ("1,000 \u00b10%*" in text) == marked
    assert text.count("* The load generator may be the limit") == marked


def test_what_one_must_know_of_a_figure_stands_below_the_table_once():
    text = " ".join(report.table(result()).split())
    for run in EVERY:
        for figure in run.figures:
            if figure.note and figure.only_below is None:
                assert text.count(f"] {figure.note}") == 1


def test_growth_alone_is_shown_without_the_table_of_all_else():
    text = report.table(result(chosen=[run for run in EVERY if run.section == runs.GROWTH]))
    assert "growth of the table" in text and "ratio" not in text


def test_there_is_no_table_of_growth_without_a_bigger_one():
    text = report.table(result(chosen=runs.chosen(Plan.QUICK, 100000)))
    assert "growth of the table" not in text


def test_a_server_that_failed_is_marked_and_the_reason_stands_below_the_table_once():
    failed = result(chosen=EVERY[:2])
    for entry in failed["figures"]:
        del entry["ratio"]
        entry[report.CYRUS] = {"failed": "did not answer in time"}
    text = report.table(failed)
    assert text.count("fails[1]") == len(failed["figures"])
    assert text.count("[1] Cyrus did not answer in time.") == 1


def test_the_limits_of_the_machine_are_medians_of_their_samples_with_their_spread():
    values, spreads = machine.median_of([{"a": 1.0}, {"a": 2.0}, {"a": 4.0}])
    assert values == {"a": 2.0} and spreads == {"a": 0.75}
    assert machine.median_of([]) == ({}, {})


def test_the_result_can_be_written_as_json():
    json.dumps(result())
