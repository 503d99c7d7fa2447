# SPDX-License-Identifier: BSD-3-Clause
"""Does the runs: table after table, server after server, in changing order."""

import itertools
import shutil
import string

import client
import servers
from plan import Leaves, Plan
from tool import ToolError

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
    """What a run gave: values by figure key and server name, and who failed and why."""

    def __init__(self, run):
        self.run = run
        self.values = {figure.key: {} for figure in run.figures}
        self.failures = {}
        self.cpu_share = 0.0  # the generator's, of the time of mupdated's runs, at most

    def add(self, name, result):
        main = self.run.figures[0]
        if not main.lower_is_better and result.get(main.field) == 0:
            raise ToolError(f"{main.title}: nothing was done by {name}",
                            "answered nothing in the time of the run")
        for figure in self.run.figures:
            if figure.field not in result:
                raise ToolError(f"{figure.title}: no {figure.field} in what {name} gave",
                                own=True)
            self.values[figure.key].setdefault(name, []).append(
                result[figure.field] * figure.scale)
        if name == servers.Mupdated.name:
            self.cpu_share = max(self.cpu_share, result.get("generator_cpu_share", 0.0))

    def add_null(self, result):
        """What the generator reaches against nothing; it has not all that a server has."""
        for figure in self.run.figures:
            if figure.field in result:
                self.values[figure.key]["null"] = [result[figure.field] * figure.scale]

    def fail(self, name, reason):
        """One failure makes the other repetitions worthless."""
        self.failures[name] = reason
        for values in self.values.values():
            values.pop(name, None)


class Comparison:
    """All runs of a plan, on servers that make() starts: (name) -> server, not started.

    Cyrus may fail: the table says so and the rest goes on. mupdated may not; what
    was measured until then is in done.
    """

    def __init__(self, tool, make, names, options, progress):
        self.tool = tool
        self.make = make
        self.names = names
        self.options = options
        self.progress = progress
        self.sets = new_set()
        self.done_by_number = {}

    def measure(self, runs, between):
        """Measurements in the order of runs.

        between() is called beside the runs, which it measures the limits of: after
        each table, and before the first of the durable changes.
        """
        done = self.done_by_number
        for rows in sorted({run.rows for run in runs}):
            here = [(number, run) for number, run in enumerate(runs) if run.rows == rows]
            here.sort(key=lambda one: (one[1].leaves, one[1].under_tls))
            wanted = {name for _, run in here for name in self.names if self.asks(run, name)}
            compared = []
            try:
                for name in self.names:
                    if name in wanted:
                        compared.append(self.make(name))
                        self.progress(f"starting {name}, {rows:,} rows")
                        compared[-1].prepare(rows, self.tool)
                steps = itertools.groupby(here, lambda one: one[1].leaves)
                for leaves, step in steps:
                    if leaves is Leaves.MORE_ROWS:
                        between()
                    for number, run in step:
                        done[number] = self.one(run, compared)
            finally:
                for server in compared:
                    server.stop()
                    shutil.rmtree(server.directory, ignore_errors=True)
            between()
        return self.done()

    def done(self):
        """The measurements that there are by now, in the order of the runs."""
        return [one for _, one in sorted(self.done_by_number.items())]

    def asks(self, run, name):
        return name == servers.Mupdated.name or run.cyrus <= self.options.plan

    def times(self, run, name):
        ours = name == servers.Mupdated.name
        once = run.ours_once if ours else run.cyrus_once
        return 1 if once else self.options.repetitions

    def one(self, run, compared):
        measurement = Measurement(run)
        for repetition in range(self.options.repetitions):
            for server in compared if repetition % 2 == 0 else compared[::-1]:
                if (self.asks(run, server.name) and repetition < self.times(run, server.name)
                        and server.name not in measurement.failures):
                    self.once(measurement, server)
        if run.null:
            short = dict(run.options, rows=run.rows, seconds=NULL_SECONDS)
            measurement.add_null(self.tool.run("self", run.null, **short))
        self.progress(measurement)
        return measurement

    def once(self, measurement, server):
        run = measurement.run
        options = dict(run.options, rows=run.rows)
        ours = server.name == servers.Mupdated.name
        if run.cyrus_seconds and not ours:
            options["seconds"] = run.cyrus_seconds
        if run.ours_seconds and ours and self.options.plan is not Plan.QUICK:
            options["seconds"] = run.ours_seconds
        if run.leaves is Leaves.MORE_ROWS:
            options["set"] = next(self.sets)
        try:
            measurement.add(server.name, run.do(self.tool, server, options, run.limit))
        except (ToolError, servers.ServerError, client.ClientError, OSError) as error:
            if getattr(error, "own", False):
                raise
            if server.name == servers.Mupdated.name:
                raise servers.ServerError(f"{error}; its log:\n{server.log_tail()}") from error
            self.progress(f"{server.name} fails: {error}")
            measurement.fail(server.name, getattr(error, "reason", "") or "ended")
        if server.name != servers.Mupdated.name and (run.under_tls or measurement.failures):
            self.revive(server)

    def revive(self, server):
        """Start it anew, so that all runs begin alike."""
        for attempt in itertools.count(1):
            try:
                server.restart()
                return
            except servers.ServerError:
                if attempt == 3:
                    raise
