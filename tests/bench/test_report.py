# SPDX-License-Identifier: BSD-3-Clause
"""The comparison: what is made of the figures of the runs."""

import json

import measure
import report


def result_of(run, value):
    return dict({figure.field: value for figure in run.figures}, generator_cpu_share=0.1)


def measured(ours, cyrus=1000.0):
    """All runs, with Cyrus at 1000 or so and mupdated at ours(figure)."""
    done = []
    for run in measure.RUNS:
        measurement = measure.Measurement(run)
        for figure in run.figures:
            measurement.values[figure.key] = {report.CYRUS: [cyrus, 0.9 * cyrus, 1.1 * cyrus],
                                              report.OURS: [ours(figure)] * 3}
        done.append(measurement)
    return report.summarise(done)


def fast(figure):
    return 5.0 if figure.lower_is_better else 20000.0


def test_every_demand_is_a_figure_of_the_table():
    keys = {figure.key for run in measure.RUNS for figure in run.figures}
    assert set(report.DEMANDS) <= keys


def test_demands_are_met_by_a_fast_server():
    assert all(demand["passed"] for demand in report.demands(measured(fast)))


def test_each_demand_fails_alone_when_its_own_ratio_is_short():
    for key, least in report.DEMANDS.items():
        def nearly(figure, key=key, least=least):
            if figure.key != key:
                return fast(figure)
            return 1001.0 / least if figure.lower_is_better else 999.0 * least
        missed = [demand["key"] for demand in report.demands(measured(nearly))
                  if not demand["passed"]]
        assert missed == [key]


def test_a_demand_without_a_figure_of_cyrus_is_not_met():
    done = [measure.Measurement(run) for run in measure.RUNS]
    for measurement in done:
        measurement.add(report.OURS, result_of(measurement.run, 1e9))
    assert not any(demand["passed"] for demand in report.demands(report.summarise(done)))


def test_the_ratio_says_how_many_times_better_whichever_way_better_is():
    rate = measure.Figure("a", "a", "a")
    time_us = measure.Figure("b", "b", "b", lower_is_better=True)
    assert report.ratio(rate, 100.0, 1000.0) == 10
    assert report.ratio(time_us, 1000.0, 100.0) == 10
    assert report.ratio(time_us, 1000.0, 0.0) == 1000


def test_the_median_and_half_the_spread_are_shown():
    one = report.summary([90.0, 100.0, 120.0])
    assert one["median"] == 100 and one["spread"] == 0.15


def test_the_table_is_plain_text_that_fits_a_page():
    def wide(figure):
        return 50 if figure.lower_is_better else 5e6

    text = report.table({
        "machine": {"date": "2026-01-01T00:00:00+00:00", "processor": "p", "cores": 2,
                    "memory_bytes": 2**33, "kernel": "6", "filesystem": "ext4"},
        "limits": {"fdatasync_per_s": 5000, "fdatasync_p50_us": 160,
                   "loopback_round_trips_per_s": 60000, "loopback_round_trip_p50_us": 15,
                   "loopback_bytes_per_s": 2e9},
        "versions": {"Cyrus": "3.6.1", "mupdated": "1"},
        "rows": 100000, "repetitions": 3, "figures": measured(wide, cyrus=5e6),
    })
    assert max(map(len, text.splitlines())) <= 100
    for run in measure.RUNS:
        for figure in run.figures:
            assert figure.title in text


def test_every_set_of_new_names_is_one_that_the_generator_accepts_and_used_once():
    sets = measure.new_set()
    names = [next(sets) for _ in range(2000)]
    assert len(set(names)) == 2000
    assert all(name.isalpha() and name.islower() and len(name) <= 12 for name in names)
    assert "bench" not in names


def test_the_result_can_be_written_as_json():
    json.dumps(measured(fast))
