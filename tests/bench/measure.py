# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: the list of runs, and the load generator that does them."""

import dataclasses
import json
import os
import statistics
import string
import subprocess

import servers


class ToolError(Exception):
    """The load generator ended with an error: wrong reply, lost connection."""


class Tool:
    """build/mupdate-bench, run against a server, or alone."""

    def __init__(self, program, seconds):
        self.program = program
        self.seconds = seconds
        self.environment = dict(os.environ, MUPDATE_BENCH_PASSWORD=servers.PASSWORD)

    def run(self, server, scenario, **options):
        """The JSON object of one run. server None is the machine, "self" the null server."""
        command = [self.program, "--json", "--user", servers.USER]
        if server == "self":
            command.append("--self")
        elif server is not None:
            command += ["--host", f"127.0.0.1:{server.port}"]
        options.setdefault("seconds", self.seconds)
        for key, value in options.items():
            command += [f"--{key}", str(value)]
        result = subprocess.run(
            [*command, scenario], capture_output=True, text=True, env=self.environment, check=False
        )
        if result.returncode != 0:
            name = getattr(server, "name", server)
            raise ToolError(f"{scenario} against {name}: {result.stderr.strip()}")
        return json.loads(result.stdout)


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the table, taken from the JSON of a run."""

    key: str
    title: str
    field: str
    lower_is_better: bool = False
    scale: float = 1.0  # from the generator's unit to the table's


@dataclasses.dataclass(frozen=True)
class Run:
    """One call of the generator and the figures that it gives."""

    scenario: str
    options: dict
    figures: tuple
    makes_rows: bool = False
    steady: bool = False  # its length is part of the figure and is never cut
    against_self: bool = True


def find(connections, depth):
    title = f"FIND, {connections} connection{'s' * (connections > 1)}, depth {depth}, 1/s"
    figure = Figure(f"find_c{connections}_d{depth}", title, "ops_per_s")
    return Run("find", {"connections": connections, "depth": depth}, (figure,))


def create(connections):
    key = f"create_c{connections}"
    title = f"RESERVE+ACTIVATE, {connections} connection{'s' * (connections > 1)}"
    figures = (
        Figure(key, f"{title}, changes/s", "ops_per_s"),
        Figure(f"{key}_p99", f"{title}, p99 us", "p99_us", True),
    )
    return Run("create", {"connections": connections}, figures, makes_rows=True)


def dump(subscribers):
    key = f"dump_k{subscribers}"
    title = f"UPDATE to {subscribers} subscriber{'s' * (subscribers > 1)}"
    figures = (
        Figure(key, f"{title}, rows/s", "rows_per_s"),
        Figure(f"{key}_bytes", f"{title}, MB/s", "bytes_per_s", scale=1e-6),
        Figure(f"{key}_last", f"{title}, ms to the last OK", "max_us", True, 1e-3),
    )
    return Run("dump", {"subscribers": subscribers}, figures)


def latency(subscribers):
    key = f"latency_k{subscribers}"
    title = f"row at {subscribers} subscriber{'s' * (subscribers > 1)}"
    figures = (
        Figure(key, f"{title}, p50 us after the OK", "p50_us", True),
        Figure(f"{key}_p99", f"{title}, p99 us after the OK", "p99_us", True),
        Figure(f"{key}_command", f"{title}, p50 us after the command",
               "from_command_p50_us", True),
    )
    return Run("latency", {"subscribers": subscribers, "rate": 100}, figures, steady=True)


def cycle(connections):
    title = f"connect, 2 FINDs, log out, {connections} at once, 1/s"
    figure = Figure(f"cycle_c{connections}", title, "ops_per_s")
    return Run("cycle", {"connections": connections}, (figure,))


# Runs that add rows come last, so that the others all see the same table.
RUNS = (
    dump(1),
    dump(10),
    find(1, 1),
    find(8, 1),
    find(1, 64),
    find(8, 64),
    latency(1),
    latency(10),
    cycle(1),
    cycle(8),
    create(1),
    create(8),
    create(64),
)

# Cyrus passes changes on every five seconds: a shorter run would not see it.
STEADY_SECONDS = 5.2
NULL_SECONDS = 0.3


def new_set():
    """Names that no other run has made: the sets ca, cb, ... cz, cba, cbb, ..."""
    number = 0
    while True:
        letters = ""
        rest = number
        while not letters or rest:
            rest, digit = divmod(rest, 26)
            letters = string.ascii_lowercase[digit] + letters
        yield "c" + letters
        number += 1


class Measurement:
    """All runs of one Run: values by figure key and server name."""

    def __init__(self, run):
        self.run = run
        self.values = {figure.key: {} for figure in run.figures}
        self.cpu_share = 0.0

    def add(self, name, result):
        for figure in self.run.figures:
            self.values[figure.key].setdefault(name, []).append(
                result[figure.field] * figure.scale)
        self.cpu_share = max(self.cpu_share, result["generator_cpu_share"])


def measure(tool, compared, rows, repetitions, progress):
    """Run everything on every server, in turn and in changing order."""
    sets = new_set()
    done = []
    for run in RUNS:
        measurement = Measurement(run)
        options = dict(run.options, rows=rows)
        if run.steady:
            options["seconds"] = STEADY_SECONDS
        for repetition in range(repetitions):
            order = compared if repetition % 2 == 0 else compared[::-1]
            for server in order:
                if run.makes_rows:
                    options["set"] = next(sets)
                measurement.add(server.name, tool.run(server, run.scenario, **options))
        if run.against_self:
            for _ in range(repetitions):
                short = dict(options, seconds=NULL_SECONDS)
                measurement.add("null", tool.run("self", run.scenario, **short))
        progress(measurement)
        done.append(measurement)
    return done


def limits(tool, directory):
    """What the machine itself can do just now."""
    loopback = tool.run(None, "loopback", seconds=0.5)
    disk = tool.run(None, "fsync", seconds=0.5, directory=directory)
    return {
        "fdatasync_per_s": disk["ops_per_s"],
        "fdatasync_p50_us": disk["p50_us"],
        "loopback_round_trips_per_s": loopback["ops_per_s"],
        "loopback_round_trip_p50_us": loopback["p50_us"],
        "loopback_bytes_per_s": loopback["bytes_per_s"],
    }


def median_of(samples):
    """The median of each figure of several calls of limits()."""
    return {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}
