# SPDX-License-Identifier: BSD-3-Clause
"""What a run of the comparison is: words for the list in runs.py."""

import collections.abc
import dataclasses
import enum

import doers


class Plan(enum.IntEnum):
    """How much is done: each plan has all that is in the ones before it."""

    QUICK = 0
    USUAL = 1
    FULL = 2
    NEVER = 3


class Leaves(enum.IntEnum):
    """What a run leaves behind; the gentle ones come first on each table."""

    TABLE_AS_IT_WAS = 0
    OTHER_ACLS = 1
    MORE_ROWS = 2


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the table, taken from what a run returns."""

    key: str
    title: str
    field: str
    lower_is_better: bool = False
    scale: float = 1.0  # from the run's unit to the table's
    note: str = ""  # a sentence below the table
    only_below: float = None  # shown in the table when a server has less than this


@dataclasses.dataclass(frozen=True)
class Run:
    """Something that is measured, and the figures that it gives; the first is the main one."""

    section: str
    do: collections.abc.Callable
    figures: tuple
    options: dict = dataclasses.field(default_factory=dict)
    rows: int = 0  # of the table it is done on
    plan: Plan = Plan.USUAL  # the smallest that has it
    cyrus: Plan = Plan.QUICK  # the smallest in which Cyrus does it too
    tls: Plan = Plan.NEVER  # the smallest in which it is done under TLS as well
    leaves: Leaves = Leaves.TABLE_AS_IT_WAS
    null: str = ""  # the generator's scenario to run against its own empty server
    cyrus_seconds: float = None  # how long to measure, if not as long as usual
    ours_seconds: float = None  # the same, but for the quick plan
    cyrus_once: bool = False  # as it takes Cyrus long
    ours_once: bool = False
    limit: float = 60  # seconds after which it counts as failed
    under_tls: bool = False


def rate(key, title, field="ops_per_s", scale=1.0, **more):
    return Figure(key, title, field, scale=scale, **more)


def time_of(key, title, field, scale=1.0, **more):
    return Figure(key, title, field, True, scale, **more)


def many(count, what):
    return f"{count:,} {what}{'s' * (count != 1)}"


def call(section, scenario, figures, options, **more):
    """A run that is one call of the generator."""
    more.setdefault("null", scenario)
    more.setdefault("do", doers.call(scenario))
    return Run(section, figures=figures, options=options, **more)


def tls_variant(run):
    """The same under TLS, with the main figure only, and once for Cyrus."""
    main = run.figures[0]
    figure = dataclasses.replace(main, key=f"{main.key}_tls")
    return dataclasses.replace(
        run, section=f"{run.section}, under TLS", figures=(figure,), null="",
        options=dict(run.options, tls=True), plan=max(run.plan, run.tls), tls=Plan.NEVER,
        cyrus_once=True, ours_seconds=None, under_tls=True)
