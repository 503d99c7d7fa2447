# SPDX-License-Identifier: BSD-3-Clause
"""The result, and the table of plain text that is made of it."""

import statistics

import targets
from targets import CYRUS, OURS

NULL = "null"
FAILS = "fails"

# The table of growth: what it says of each size, and the figure's key.
GROWTH = (
    ("FIND, 1 connection, depth 1, p50 us", "find_c1_d1_p50"),
    ("FIND, 8 connections, depth 64, 1/s", "find_c8_d64"),
    ("ACL change, 1 connection, 1/s", "acl_c1_d1"),
    ("ACL change, 64 connections, 1/s", "acl_c64_d1"),
    ("UPDATE to 1 client, rows/s", "dump_k1"),
    ("first octet of an UPDATE, us", "first_octet"),
    ("octets of memory per row", "row_bytes"),
    ("start, ms", "start"),
)


def ratio(figure, cyrus, ours):
    """How many times better ours is. No time counts as less than a microsecond."""
    if figure.lower_is_better:
        least = figure.scale if figure.field.endswith("_us") else 1e-9
        return cyrus / max(ours, least)
    return ours / cyrus


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
                     "section": measurement.run.section,
                     "generator_cpu_share": measurement.cpu_share}
            entry.update({name: summary(values) for name, values in by_server.items()})
            entry.update({name: {"failed": reason}
                          for name, reason in measurement.failures.items()})
            if CYRUS in by_server and OURS in by_server and entry[CYRUS]["median"]:
                entry["ratio"] = ratio(figure, entry[CYRUS]["median"], entry[OURS]["median"])
            figures.append(entry)
    return figures


def number(value):
    if 0 <= value < 0.01:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 and round(value, 1) != round(value, 2) else f"{value:.1f}"


class Notes:
    """Footnotes, each reason once."""

    def __init__(self):
        self.reasons = []

    def mark(self, reason):
        if reason not in self.reasons:
            self.reasons.append(reason)
        return f"[{self.reasons.index(reason) + 1}]"

    def lines(self):
        return [f"[{count}] {CYRUS} {reason}." for count, reason in enumerate(self.reasons, 1)]


def cell(entry, name, notes):
    if name not in entry:
        return "-"
    one = entry[name]
    if "failed" in one:
        return FAILS + notes.mark(one["failed"])
    many_runs = len(one["runs"]) > 1
    return number(one["median"]) + (f" \u00b1{one['spread'] * 100:.0f}%" if many_runs else "")


def align(heads, rows):
    """Lines of columns; a row of one cell is a heading."""
    cells = [heads, *(row for row in rows if len(row) > 1)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in [heads, *rows]:
        texts = [row[0].ljust(widths[0])]
        texts += [text.rjust(width) for text, width in zip(row[1:], widths[1:])]
        yield "  ".join(texts).rstrip()


def main_rows(figures, notes):
    section = None
    places = list(dict.fromkeys(entry["section"] for entry in figures))
    for entry in sorted(figures, key=lambda entry: places.index(entry["section"])):
        if entry["section"] != section:
            section = entry["section"]
            yield ("",)
            yield (section,)
        times = f"{number(entry['ratio'])}x" if "ratio" in entry else "-"
        null = number(entry[NULL]["median"]) if NULL in entry else "-"
        yield ("  " + entry["title"], cell(entry, CYRUS, notes), cell(entry, OURS, notes),
               times, null)


def growth_rows(result):
    """Ours by the number of rows; nothing where only one size was measured."""
    of = targets.Result(result)
    sizes = [times * of.rows for times in (1, 10, 100)]
    measured = {}
    for title, key in GROWTH:
        try:
            measured[title] = dict(of.sizes(key))
        except KeyError:
            continue
    sizes = [size for size in sizes if any(size in values for values in measured.values())]
    if len(sizes) < 2:
        return (), []
    heads = (f"{OURS}, growth of the table", *(f"{size:,} rows" for size in sizes))
    return heads, [(title, *(number(values[size]) if size in values else "-" for size in sizes))
                   for title, values in measured.items()]


def limit_rows(result):
    limit = result["limits"]
    spread = result["limit_spreads"]

    def one(key, scale=1.0):
        many_samples = f" \u00b1{spread[key] * 100:.0f}%" if result["limit_samples"] > 1 else ""
        return number(limit[key] * scale) + many_samples

    yield ("fdatasync of 512 octets, 1/s", one("fdatasync_per_s"))
    yield ("  p50 us", one("fdatasync_p50_us"))
    yield ("round trips between two processes over loopback, 1/s",
           one("loopback_round_trips_per_s"))
    yield ("  p50 us", one("loopback_round_trip_p50_us"))
    yield ("loopback, MB/s", one("loopback_bytes_per_s", 1e-6))
    yield ("memory copy, MB/s", one("memory_copy_bytes_per_s", 1e-6))
    for kind, title in (("create", "RESERVE and ACTIVATE"), ("acl", "ACL changes")):
        for batch in sorted(int(key.split("_")[2]) for key in limit
                            if key.startswith(f"store_{kind}_")):
            yield (f"bare store, {title}, {batch} in a transaction, 1/s",
                   one(f"store_{kind}_{batch}_per_s"))


def table(result):
    """The whole report as text, with lines of at most 100 columns."""
    host = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    many_runs = result["repetitions"]
    runs = (f"median of up to {many_runs} runs, \u00b1 half the spread" if many_runs > 1
            else "one run of each")
    notes = Notes()
    growth_heads, growth = growth_rows(result)
    lines = [
        f"{versions}; {result['rows']:,} rows; {host['date'][:10]}",
        f"{host['processor']}, {host['cores']} cores, {host['memory_bytes'] / 2**30:.0f} GB,"
        f" Linux {host['kernel']}, {host['filesystem']}",
        f"{runs}; null: the load generator against an empty server",
        "",
        *align(("", CYRUS, OURS, "ratio", NULL),
               list(main_rows([entry for entry in result["figures"]
                               if entry["section"] != result["growth_section"]], notes))),
        "",
        *((*align(growth_heads, growth), "") if growth else ()),
        *align(("this machine, in the same run", ""), list(limit_rows(result))),
    ]
    if notes.reasons:
        lines += ["", *notes.lines()]
    return "\n".join(lines)
