# SPDX-License-Identifier: BSD-3-Clause
"""What the figures must reach: ratios within one run of the comparison.

A target is a number that is made of the result, and a bound. A number that
cannot be made, as a figure was not measured or failed, reaches nothing.
"""

import collections.abc
import dataclasses
import math

CYRUS = "Cyrus"
OURS = "mupdated"


class Result:
    """The figures and limits of a comparison, by key; KeyError: it was not measured."""

    def __init__(self, result):
        self.rows = result["rows"]
        self.limits = result["limits"]
        self.figures = {entry["key"]: entry for entry in result["figures"]}

    def ours(self, key):
        return self.figures[key][OURS]["median"]

    def ratio(self, key):
        """How many times better than Cyrus."""
        return self.figures[key]["ratio"]

    def sizes(self, key):
        """(rows, our value) of a figure of the usual table and of the bigger ones."""
        yield self.rows, self.ours(key)
        for size in self.all_sizes()[1:]:
            if self.at(key, size):
                yield size, self.at(key, size)[OURS]["median"]

    def all_sizes(self):
        """Rows of the usual table and of the bigger ones, measured or not."""
        return [times * self.rows for times in (1, 10, 100)]

    def at(self, key, rows):
        """The entry of a figure on the table of so many rows; None: it was not measured."""
        return self.figures.get(key if rows == self.rows else f"{key}_{rows}")

    def most_rows(self, key):
        return max(rows for rows, _ in self.sizes(key))

    def growth(self, key, rate):
        """How much more an operation costs on the biggest table measured, beyond the logarithm."""
        (rows, value), *_, (most_rows, last) = self.sizes(key)
        if rows == most_rows:
            raise KeyError(key)
        cost = value / last if rate else last / value
        return cost / (math.log(most_rows) / math.log(rows))


@dataclasses.dataclass(frozen=True)
class Target:
    """A number of the result and its bound: at least, or at most."""

    title: str
    number: collections.abc.Callable  # (Result) -> float
    bound: float
    at_most: bool = False
    unit: str = "x"
    grows: str = ""  # the figure whose growth it is; the title then tells the size

    def check(self, result):
        try:
            value = self.number(result)
        except (KeyError, ValueError, ZeroDivisionError):
            value = None
        passed = value is not None and (
            value <= self.bound if self.at_most else value >= self.bound)
        title = self.title
        if self.grows and value is not None:
            title += f", to {result.most_rows(self.grows):,} rows"
        return {"title": title, "value": value, "bound": self.bound,
                "at_most": self.at_most, "unit": self.unit, "passed": passed}


def beats(title, key, least):
    return Target(f"{title}, of Cyrus's", lambda result: result.ratio(key), least)


def at_least(title, number, bound, unit="x"):
    return Target(title, number, bound, unit=unit)


def at_most(title, number, bound, unit="x"):
    return Target(title, number, bound, True, unit)


def undisturbed(what, text):
    key = f"beside_{what}_create"
    return at_most(f"writer's p99 beside 100 {text}, of the p99 before",
                   lambda result: result.ours(f"{key}_p99") / result.ours(f"{key}_quiet_p99"),
                   1.5)


def flat(title, key, rate=False):
    return Target(f"{title}: growth of its cost beyond the logarithm of the rows",
                  lambda result: result.growth(key, rate), 1.25, at_most=True, grows=key)


# Few, and far below what is reached: they hold on a machine that does other
# things besides, and say that nothing is badly broken.
DEMANDS = (
    beats("changes at 64 connections", "create_c64_d1", 8),
    beats("rows to a subscriber", "dump_k1", 8),
    beats("FIND, 8 connections, depth 64", "find_c8_d64", 2),
    beats("p99 of a row at 1 subscriber", "stream_k1_r100_p99", 50),
    beats("p99 of a row at 100 subscribers", "stream_k100_r100_p99", 20),
)

TARGETS = (
    beats("durable changes at 64 connections", "create_c64_d1", 25),
    at_least("durable changes at 64 connections, of the bare store's with 20 at a time",
             lambda result: result.ours("create_c64_d1") / result.limits["store_create_20_per_s"],
             0.6),
    at_least("durable changes at 64 connections, depth 16, of the bare store's with 256",
             lambda result: result.ours("create_c64_d16") / result.limits["store_create_256_per_s"],
             0.6),
    beats("durable changes at 1 connection", "create_c1_d1", 3),
    at_most("a change at 1 connection, of one fdatasync that overwrites and one round trip",
            lambda result: result.ours("create_c1_d1_of_limits"), 1.5),
    beats("FIND pipelined", "find_c8_d64", 10),
    at_least("FIND pipelined", lambda result: result.ours("find_c8_d64"), 900000, " a second"),
    at_most("FIND at depth 1, of a bare loopback round trip",
            lambda result: result.ours("find_c1_d1_of_limits"), 1.3),
    beats("dump to 1 subscriber", "dump_k1", 25),
    at_least("dump to 100 subscribers, of loopback's bandwidth",
             lambda result: result.ours("dump_k100_bytes") / result.limits["loopback_bytes_per_s"]
             * 1e6, 0.5),
    at_most("1,000 subscribers after a restart, of the time of one",
            lambda result: result.ours("resync_k1000_last") / result.ours("resync_k1_last"), 10),
    at_most("p99 of a row at 100 subscribers, 1,000 changes/s",
            lambda result: result.ours("stream_k100_r1000_p99") / 1e3, 5, " ms"),
    beats("p99 of a row at 100 subscribers, 1,000 changes/s", "stream_k100_r1000_p99", 500),
    beats("connect, log in, look up, log out, 1 at once", "cycle_plain_c1", 5),
    beats("connect, log in, look up, log out, 8 at once", "cycle_plain_c8", 5),
    Target("start with 1,000,000 rows, of Cyrus's",
           lambda result: result.ratio("start_1000000"), 3),
    at_most("start with 1,000,000 rows",
            lambda result: result.ours("start_1000000") / 1e3, 1.5, " s"),
    undisturbed("dump", "that dump"),
    undisturbed("slow", "that read slowly"),
    undisturbed("stuck", "that never read"),
    at_most("10,000 subscribers, beside the table",
            lambda result: result.ours("hold_subscribers_10000"), 500, " MB"),
    at_most("an idle authenticated connection, of 10,000",
            lambda result: result.ours("hold_connections_10000_each"), 16.384, " kB"),
    at_most("1,000,000 rows in memory with their index",
            lambda result: result.ours("row_bytes_1000000"), 200, " octets a row"),
    flat("FIND, 1 connection, depth 1", "find_c1_d1_p50"),
    flat("FIND pipelined", "find_c8_d64", rate=True),
    flat("change at 1 connection", "acl_c1_d1", rate=True),
    flat("change at 64 connections", "acl_c64_d1", rate=True),
    flat("row of a dump", "dump_k1", rate=True),
    flat("first octet of a dump", "first_octet"),
    flat("memory of a row", "row_bytes"),
)


def check(targets, result):
    """What a result says of each target: dictionaries with passed in each."""
    of = Result(result)
    return [target.check(of) for target in targets]


def line(checked, number):
    """One of them as text; number() writes figures."""
    bound = ("at most " if checked["at_most"] else "at least ") + number(checked["bound"])
    wanted = f"wanted {bound}{checked['unit']}"
    if checked["value"] is None:
        return f"unknown {checked['title']}: not measured, {wanted}"
    word = "reached" if checked["passed"] else "MISSED "
    return f"{word} {checked['title']}: {number(checked['value'])}{checked['unit']}, {wanted}"
