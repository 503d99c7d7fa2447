# SPDX-License-Identifier: BSD-3-Clause
"""The result: a table of plain text, JSON, and the ratios that are demanded."""

import datetime
import os
import platform
import statistics

CYRUS = "Cyrus"
OURS = "mupdated"
NULL = "null"

# figure key -> the least ratio to Cyrus that mupdated must reach.
DEMANDS = {
    "create_c64": 10.0,
    "dump_k1": 10.0,
    "latency_k1": 100.0,
    "latency_k10": 100.0,
}


def ratio(figure, cyrus, ours):
    """How many times better ours is. No time counts as less than a microsecond."""
    if figure.lower_is_better:
        return cyrus / max(ours, figure.scale)
    return ours / max(cyrus, 1e-9)


def summary(values):
    median = statistics.median(values)
    spread = (max(values) - min(values)) / median / 2 if median else 0.0
    return {"median": median, "spread": spread, "runs": values}


def summarise(measurements):
    """One dictionary a figure, in the order of the table."""
    figures = []
    for measurement in measurements:
        for figure in measurement.run.figures:
            by_server = measurement.values[figure.key]
            entry = {"key": figure.key, "title": figure.title,
                     "generator_cpu_share": measurement.cpu_share}
            entry.update({name: summary(values) for name, values in by_server.items()})
            if CYRUS in entry and OURS in entry:
                entry["ratio"] = ratio(figure, entry[CYRUS]["median"], entry[OURS]["median"])
            figures.append(entry)
    return figures


def demands(figures):
    """What the demanded ratios say: a list of dictionaries with passed in each."""
    by_key = {entry["key"]: entry for entry in figures}
    checks = []
    for key, least in DEMANDS.items():
        reached = by_key[key].get("ratio")
        passed = reached is not None and reached >= least
        checks.append({"key": key, "title": by_key[key]["title"], "least": least,
                       "ratio": reached, "passed": passed})
    return checks


def machine(directory, filesystem):
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "kernel": platform.release(),
        "directory": str(directory),
        "filesystem": filesystem,
    }


def number(value):
    if 0 <= value < 0.01:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def cell(entry, name):
    if name not in entry:
        return "-"
    one = entry[name]
    many = len(one["runs"]) > 1
    return number(one["median"]) + (f" \u00b1{one['spread'] * 100:.0f}%" if many else "")


def table(result):
    """The whole report as text, with lines of at most 100 columns."""
    host = result["machine"]
    limit = result["limits"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    many = result["repetitions"]
    runs = f"median of {many} runs, \u00b1 half the spread" if many > 1 else "one run of each"
    lines = [
        f"{versions}; {result['rows']:,} rows; {host['date'][:10]}",
        f"{host['processor']}, {host['cores']} cores, {host['memory_bytes'] / 2**30:.0f} GB,"
        f" Linux {host['kernel']}, {host['filesystem']}",
        runs + "; null: the load generator against an empty server",
        "",
    ]
    heads = ("", CYRUS, OURS, "ratio", NULL)
    rows = [heads]
    for entry in result["figures"]:
        times = f"{number(entry['ratio'])}x" if "ratio" in entry else "-"
        null = number(entry[NULL]["median"]) if NULL in entry else "-"
        rows.append((entry["title"], cell(entry, CYRUS), cell(entry, OURS), times, null))
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [text.rjust(width) for text, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    lines += [
        "",
        f"this machine: {number(limit['fdatasync_per_s'])} fdatasync/s"
        f" (p50 {number(limit['fdatasync_p50_us'])} us),"
        f" {number(limit['loopback_bytes_per_s'] / 1e6)} MB/s loopback,",
        f"  {number(limit['loopback_round_trips_per_s'])} loopback round trips/s"
        f" (p50 {number(limit['loopback_round_trip_p50_us'])} us)",
    ]
    return "\n".join(lines)
