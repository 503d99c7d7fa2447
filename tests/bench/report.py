# SPDX-License-Identifier: BSD-3-Clause
"""The result, and the table of plain text that is made of it."""

import statistics
import textwrap

import targets
from targets import CYRUS, OURS

NULL = "null"
FAILS = "fails"

# The table of growth: what it says of each size, and the figure's key.
GROWTH = (
    ("FIND, 1 connection, depth 1, 1/s", "find_c1_d1"),
    ("FIND, 1 connection, depth 1, p50 us", "find_c1_d1_p50"),
    ("FIND, 1 connection, depth 1, p50 in round trips", "find_c1_d1_of_limits"),
    ("FIND, 8 connections, depth 64, 1/s", "find_c8_d64"),
    ("ACL change, 1 connection, 1/s", "acl_c1_d1"),
    ("ACL change, 1 connection, p99 us", "acl_c1_d1_p99"),
    ("ACL change, 64 connections, 1/s", "acl_c64_d1"),
    ("ACL change, 64 connections, p99 us", "acl_c64_d1_p99"),
    *((f"{word} to {clients}, {unit}", f"{key}_k{count}{end}")
      for word, key in (("UPDATE", "dump"), ("LIST", "list"))
      for count, clients in ((1, "1 client"), (10, "10 clients"), (100, "100 clients"))
      for unit, end in (("rows/s", ""), ("MB/s", "_bytes"), ("ms to the end", "_last"))),
    ("first octet of an UPDATE, us", "first_octet"),
    ("octets of memory per row", "row_bytes"),
    ("MB of the process", "resident"),
    ("start, ms", "start"),
    ("start, Cyrus without ctl_cyrusdb -r, ms", "start_unrepaired"),
)

# The generator may be the limit where it computes for so much of the time, or is
# faster against an empty server by no more than this.
BUSY_SHARE = 0.9
NULL_TIMES = 1.25
STAR = (f"* The load generator may be the limit: it computed for more than {BUSY_SHARE:.0%} of the"
        f" time, or reaches less than {NULL_TIMES} times as much against an empty server.")
WIDTH = 100


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
                     "lower_is_better": figure.lower_is_better, "note": figure.note,
                     "only_below": figure.only_below,
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
    """Footnotes, each sentence once."""

    def __init__(self):
        self.sentences = []
        self.star = False

    def mark(self, sentence):
        if not sentence:
            return ""
        if sentence not in self.sentences:
            self.sentences.append(sentence)
        return f"[{self.sentences.index(sentence) + 1}]"

    def lines(self):
        every = [f"[{count}] {sentence}" for count, sentence in enumerate(self.sentences, 1)]
        for note in ([STAR] if self.star else []) + every:
            yield from textwrap.wrap(note, WIDTH, subsequent_indent="    ")


def by_generator(entry):
    """Whether ours may be what the generator can do, and not what mupdated can."""
    ours = entry.get(OURS, {}).get("median")
    if ours is None:
        return False
    if entry["generator_cpu_share"] > BUSY_SHARE:
        return True
    if NULL not in entry:
        return False
    null = entry[NULL]["median"]
    return null * NULL_TIMES > ours if entry["lower_is_better"] else null < ours * NULL_TIMES


def cell(entry, name, notes, spread=True):
    if name not in entry:
        return "-"
    one = entry[name]
    if "failed" in one:
        return FAILS + notes.mark(f"{name} {one['failed']}.")
    text = number(one["median"])
    if spread and len(one["runs"]) > 1:
        text += f" \u00b1{one['spread'] * 100:.0f}%"
    if name == OURS and by_generator(entry):
        notes.star = True
        text += "*"
    return text


def worth_a_line(entry):
    """Some figures say something only when a server falls short."""
    least = entry["only_below"]
    return least is None or any(entry[name]["median"] < least for name in (CYRUS, OURS)
                                if "median" in entry.get(name, {}))


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
    figures = filter(worth_a_line, figures)
    for entry in sorted(figures, key=lambda entry: places.index(entry["section"])):
        if entry["section"] != section:
            section = entry["section"]
            yield ("",)
            yield (section,)
        times = f"{number(entry['ratio'])}x" if "ratio" in entry else "-"
        null = number(entry[NULL]["median"]) if NULL in entry else "-"
        yield ("  " + entry["title"] + notes.mark(entry["note"]), cell(entry, CYRUS, notes),
               cell(entry, OURS, notes), times, null)


def growth_rows(result, notes):
    """By the number of rows; nothing where no bigger table was measured.

    Cyrus has a line of its own below each of ours that it was measured for on a
    bigger table than the usual one.
    """
    of = targets.Result(result)
    sizes = [size for size in of.all_sizes() if any(of.at(key, size) for _, key in GROWTH)]
    if not sizes or sizes == [of.rows]:
        return (), []
    bigger = slice(1 if sizes[0] == of.rows else 0, None)
    rows = []
    for title, key in GROWTH:
        entries = [of.at(key, size) for size in sizes]
        if not any(entries[bigger]):
            continue
        mark = notes.mark(next(entry for entry in entries if entry)["note"])
        for name in (OURS, CYRUS):
            cells = [cell(entry or {}, name, notes, spread=False) for entry in entries]
            if name == OURS or any(text != "-" for text in cells[bigger]):
                rows.append((title + mark if name == OURS else f"    {CYRUS}", *cells))
    return (f"{OURS}, growth of the table", *(f"{size:,} rows" for size in sizes)), rows


def limit_rows(result):
    limit = result["limits"]
    spread = result["limit_spreads"]

    def one(key, scale=1.0):
        many_samples = f" \u00b1{spread[key] * 100:.0f}%" if result["limit_samples"] > 1 else ""
        return number(limit[key] * scale) + many_samples

    yield ("fdatasync of 512 octets that are appended, 1/s", one("fdatasync_per_s"))
    yield ("  p50 us", one("fdatasync_p50_us"))
    yield ("fdatasync of 512 octets that are overwritten, 1/s", one("overwrite_per_s"))
    yield ("  p50 us", one("overwrite_p50_us"))
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
    runs = (f"median of up to {many_runs} runs, \u00b1 half the spread; single runs have no"
            " \u00b1" if many_runs > 1 else "one run of each")
    notes = Notes()
    rows = list(main_rows([entry for entry in result["figures"]
                           if entry["section"] != result["growth_section"]], notes))
    growth_heads, growth = growth_rows(result, notes)
    footnotes = list(notes.lines())
    lines = [
        f"{versions}; {result['rows']:,} rows; {host['date'][:10]}",
        f"{host['processor']}, {host['cores']} cores, {host['memory_bytes'] / 2**30:.0f} GB,"
        f" Linux {host['kernel']}, {host['filesystem']}",
        runs,
        "null: the load generator against an empty server",
        "",
        *((*align(("", CYRUS, OURS, "ratio", NULL), rows), "") if rows else ()),
        *((*align(growth_heads, growth), "") if growth else ()),
        *align(("this machine, in the same run", ""), list(limit_rows(result))),
    ]
    if footnotes:
        lines += ["", *footnotes]
    return "\n".join(lines)
