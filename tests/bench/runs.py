# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: the list of runs."""

import dataclasses

import doers
from plan import Leaves, Plan, Run, call, many, rate, time_of, tls_variant

# Few rows, where a dump is only the way to something else.
SMALL_ROWS = 1000
# The generator changes each row once, so a fast stream needs more of them.
STREAM_ROWS = 30000
QUICK, USUAL, FULL, NEVER = Plan

CREATES = "RESERVE and ACTIVATE, durable"
ACLS = "ACL changes, durable"
FINDS = "FIND"
MIXED = "90 % FIND and 10 % ACL changes, beside 10 subscribers"
CYCLES = "Connect, log in, two commands, log out"
DUMPS = {"dump": "UPDATE", "list": "LIST"}
RESYNC = "UPDATE after a restart of the server, by subscribers that waited for it"
STREAMS = "Rows of the stream, by subscribers and changes a second, after the writer's OK"
BESIDE = "Single clients, beside 100 that dump, read 64 kB/s, or never read"
MEMORY = "Memory and start"
GROWTH = "Growth"  # these are shown in a table of their own

# Cyrus passes changes on every five seconds: a shorter run would not see it.
CYRUS_STREAM_SECONDS = 5.2
# What it makes of changes in a second, more or less.
CYRUS_CHANGES_PER_S = 1200
# Longer than mupdated's default checkpoint_interval: there is a checkpoint in it.
CHECKPOINT_SECONDS = 6.5

IN_LIMITS = ("In limits: as a multiple of the p50s of an fdatasync that overwrites and of a"
             " loopback round trip together, measured just before and after.")
PASSWORDS = ("mupdated runs with its default password_cache: a password of PLAIN that was"
             " verified within the last 60 s is not checked again.")
REPAIRED = ("Cyrus's start includes ctl_cyrusdb -r, as the cyrus.conf that comes with it has"
            " it.")
FROM_COMMAND = "From the sending of the change, not from its OK."
ACHIEVED = "The writer did not reach the rate that it was asked for."
REACHED = 0.95  # of the rate of a stream, or it is told

PROCESS_MEMORY = (f"The memory of the process, with a table of {SMALL_ROWS:,} rows: what the"
                  " kernel has for the sockets is not counted.")


def times_limits(key, title, note=""):
    return time_of(key, f"{many(1, 'connection')}, depth 1, {title}", "of_limits", note=note)


def checkpoint(connections, depth):
    """Time for a checkpoint, in one of each kind of durable run."""
    return {"ours_seconds": CHECKPOINT_SECONDS} if (connections, depth) == (64, 1) else {}


def wide(connections, depth):
    """Time for Cyrus to answer each connection at least twice, where they are many."""
    changes_at_once = connections * depth
    if changes_at_once <= 128:
        return {}
    return {"cyrus_seconds": 2.5 * changes_at_once / CYRUS_CHANGES_PER_S, "cyrus_once": True,
            "limit": 180}


def create(connections, depth, rows, **more):
    key = f"create_c{connections}_d{depth}"
    title = f"{many(connections, 'connection')}, depth {depth}"
    figures = (rate(key, f"{title}, 1/s"),
               time_of(f"{key}_p50", f"{title}, p50 us", "p50_us"),
               time_of(f"{key}_p99", f"{title}, p99 us", "p99_us"))
    if connections * depth == 1:
        figures += (times_limits(f"{key}_of_limits", "p50 in limits", IN_LIMITS),)
        more["do"] = doers.call_beside_limits("create", (doers.OVERWRITE, doers.ROUND_TRIP))
    return call(CREATES, "create", figures, {"connections": connections, "depth": depth},
                rows=rows, leaves=Leaves.MORE_ROWS, **wide(connections, depth),
                **checkpoint(connections, depth), **more)


def acl(connections, depth, rows, section=ACLS, end="", **more):
    key = f"acl_c{connections}_d{depth}"
    title = f"{many(connections, 'connection')}, depth {depth}"
    figures = (rate(f"{key}{end}", f"{title}, 1/s"),
               time_of(f"{key}_p99{end}", f"{title}, p99 us", "p99_us"))
    return call(section, "acl", figures, {"connections": connections, "depth": depth},
                rows=rows, leaves=Leaves.OTHER_ACLS, **wide(connections, depth),
                **(checkpoint(connections, depth) if section == ACLS else {}), **more)


def find(connections, depth, rows, section=FINDS, end="", **more):
    key = f"find_c{connections}_d{depth}"
    title = f"{many(connections, 'connection')}, depth {depth}"
    figures = (rate(f"{key}{end}", f"{title}, 1/s"),)
    if depth == 1:
        figures += (time_of(f"{key}_p50{end}", f"{title}, p50 us", "p50_us"),)
    if connections * depth == 1:
        figures += (times_limits(f"{key}_of_limits{end}", "p50 in round trips"),)
        more["do"] = doers.call_beside_limits("find", (doers.ROUND_TRIP,))
    return call(section, "find", figures, {"connections": connections, "depth": depth},
                rows=rows, **more)


def mixed(connections, rows, **more):
    key = f"mixed_c{connections}"
    title = many(connections, "connection")
    figures = (rate(key, f"{title}, 1/s"),
               time_of(f"{key}_find_p99", f"{title}, FIND p99 us", "find_p99_us"),
               time_of(f"{key}_change_p99", f"{title}, change p99 us", "change_p99_us"))
    return call(MIXED, "mixed", figures, {"connections": connections, "subscribers": 10},
                rows=rows, leaves=Leaves.OTHER_ACLS, cyrus_once=True,
                **checkpoint(connections, 1), **more)


def cycle(connections, mechanism, changes, rows, **more):
    key = f"cycle_{mechanism.lower()}_c{connections}{'_changes' * changes}"
    commands = "RESERVE+ACTIVATE" if changes else "2 FINDs"
    title = f"{mechanism}, {commands}, {connections} at once, 1/s"
    options = {"connections": connections, "mechanism": mechanism}
    if changes:
        options["changes"] = True
    figure = rate(key, title, note=PASSWORDS if mechanism == "PLAIN" else "")
    return call(CYCLES, "cycle", (figure,), options, rows=rows,
                leaves=Leaves.MORE_ROWS if changes else Leaves.TABLE_AS_IT_WAS,
                null="cycle" if mechanism == "PLAIN" else "", **more)


def dump(scenario, subscribers, rows, end="", **more):
    key = f"{scenario}_k{subscribers}"
    title = f"{rows:,} rows to {many(subscribers, 'client')}"
    figures = (rate(f"{key}{end}", f"{title}, rows/s", "rows_per_s"),
               rate(f"{key}_bytes{end}", f"{title}, MB/s", "bytes_per_s", 1e-6),
               time_of(f"{key}_last{end}", f"{title}, ms to the end", "max_us", 1e-3))
    return call(DUMPS[scenario], scenario, figures, {"subscribers": subscribers}, rows=rows, **more)


def resync(subscribers, rows, **more):
    key = f"resync_k{subscribers}"
    title = f"{rows:,} rows to {many(subscribers, 'subscriber')}"
    figures = (time_of(f"{key}_last", f"{title}, ms to the end", "last_us", 1e-3),
               rate(f"{key}_bytes", f"{title}, MB/s", "bytes_per_s", 1e-6))
    return Run(RESYNC, doers.resync, figures, {"subscribers": subscribers}, rows, **more)


def stream(subscribers, changes_per_s, **more):
    key = f"stream_k{subscribers}_r{changes_per_s}"
    title = f"{many(subscribers, 'subscriber')}, {changes_per_s:,}/s"
    figures = (time_of(f"{key}_p99", f"{title}, p99 us", "p99_us"),
               time_of(f"{key}_p50", f"{title}, p50 us", "p50_us"),
               time_of(f"{key}_command_p99", f"{title}, p99 us from command",
                       "from_command_p99_us", note=FROM_COMMAND),
               rate(f"{key}_achieved", f"{title}, achieved changes/s", "achieved_per_s",
                    only_below=REACHED * changes_per_s, note=ACHIEVED))
    return call(STREAMS, "latency", figures,
                {"subscribers": subscribers, "rate": changes_per_s},
                rows=SMALL_ROWS if changes_per_s < 1000 else STREAM_ROWS, limit=120,
                leaves=Leaves.OTHER_ACLS, cyrus_seconds=CYRUS_STREAM_SECONDS,
                cyrus_once=True, **more)


def beside(scenario, what, rows, **more):
    key = f"beside_{what}_{scenario}"
    clients = {"dump": "dumping", "slow": "slow", "stuck": "stuck"}[what]
    title = f"{'FIND' if scenario == 'find' else 'RESERVE+ACTIVATE'}, 100 {clients}"
    figures = (time_of(f"{key}_p99", f"{title}, p99 us", "beside_p99_us"),
               time_of(f"{key}_quiet_p99", f"{title}, p99 us before", "quiet_p99_us"))
    if scenario == "find":
        more["leaves"] = Leaves.TABLE_AS_IT_WAS
    else:
        more.update(leaves=Leaves.MORE_ROWS, ours_seconds=CHECKPOINT_SECONDS, ours_once=True)
    options = {"subscribers": 100, "beside": what, "timeout": 10, "seconds": 1}
    return call(BESIDE, scenario, figures, options, rows=rows, null="", cyrus_once=True,
                limit=32, **more)


def hold(kind, count, **more):
    idle = kind == "connections"
    key = f"hold_{kind}_{count}"
    title = f"{count:,} {'idle connections' if idle else 'subscribers'}"
    figures = (time_of(f"{key}_each", f"{title}, kB each", "resident_bytes_each", 1e-3,
                       note=PROCESS_MEMORY),
               time_of(key, f"{title}, MB together", "resident_bytes", 1e-6,
                       note=PROCESS_MEMORY))
    options = {"connections": count if idle else 0, "subscribers": 0 if idle else count}
    return Run(MEMORY, doers.hold, figures, options, SMALL_ROWS, cyrus_once=True,
               ours_once=True, **more)


def start(rows, end="", **more):
    figure = time_of(f"start{end}", f"start with {rows:,} rows, ms", "start_us", 1e-3,
                     note=REPAIRED)
    return Run(MEMORY, doers.start, (figure,), {"repair": True}, rows, **more)


def start_unrepaired(rows, end="", **more):
    """mupdated looks through its log at each start; Cyrus does if its cyrus.conf says so."""
    figure = time_of(f"start_unrepaired{end}",
                     f"{rows:,} rows, Cyrus without ctl_cyrusdb -r, ms", "start_us", 1e-3)
    return Run(MEMORY, doers.start, (figure,), {"repair": False}, rows, cyrus_once=True,
               ours_once=True, **more)


def table_memory(rows, end="", **more):
    figures = (time_of(f"row_bytes{end}", f"{rows:,} rows, octets each in memory", "row_bytes"),
               time_of(f"resident{end}", f"{rows:,} rows, MB of the process", "resident_bytes",
                       1e-6))
    return Run(MEMORY, doers.table_memory, figures, {}, rows, ours_once=True, cyrus=NEVER,
               **more)


def first_octet(rows, end="", **more):
    figure = time_of(f"first_octet{end}", f"first octet of {rows:,} rows, us", "first_octet_us")
    return Run(DUMPS["dump"], doers.first_octet, (figure,), {}, rows, cyrus_once=True, **more)


def changes(rows):
    """RESERVE+ACTIVATE and ACL changes at all widths and depths.

    Cyrus takes a minute to answer the widest, so only one of the two is asked of it.
    """
    for connections in (1, 8, 64, 512):
        for depth in (1, 16):
            quick = depth == 1 and connections in (1, 64)
            yield create(connections, depth, rows, plan=QUICK if quick else USUAL, tls=USUAL)
            yield acl(connections, depth, rows, tls=USUAL if depth == 1 else FULL,
                      cyrus=FULL if connections * depth > 1024 else USUAL)


def look_ups(rows):
    for connections in (1, 8, 64):
        yield find(connections, 1, rows, plan=QUICK if connections == 1 else USUAL, tls=USUAL)
        yield find(connections, 64, rows, plan=QUICK if connections == 8 else USUAL, tls=USUAL)
    for connections in (8, 64):
        yield mixed(connections, rows, tls=USUAL)


def cycles(rows):
    for mechanism in ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"):
        yield cycle(1, mechanism, False, rows, tls=USUAL if mechanism == "PLAIN" else FULL)
        yield cycle(8, mechanism, False, rows, plan=QUICK if mechanism == "PLAIN" else USUAL,
                    tls=USUAL)
        yield cycle(8, mechanism, True, rows, tls=FULL)


def dumps(rows):
    """Many subscribers take Cyrus minutes: it is asked once."""
    for scenario in ("dump", "list"):
        update = scenario == "dump"
        yield dump(scenario, 1, rows, plan=QUICK if update else USUAL, tls=QUICK if update else
                   USUAL)
        yield dump(scenario, 10, rows, plan=QUICK if update else USUAL, cyrus=USUAL, tls=USUAL,
                   cyrus_once=True)
        yield dump(scenario, 100, rows, cyrus=USUAL if update else FULL, tls=USUAL,
                   cyrus_once=True, limit=300)
    yield first_octet(rows)


def bigger(rows, plan):
    """The same again on a bigger table, ours mostly, for the table of growth."""
    end = f"_{rows}"
    yield find(1, 1, rows, GROWTH, end, plan=plan, cyrus=NEVER, null="")
    yield find(8, 64, rows, GROWTH, end, plan=plan, cyrus=NEVER, null="")
    yield acl(1, 1, rows, GROWTH, end, plan=plan, cyrus=NEVER, null="")
    yield acl(64, 1, rows, GROWTH, end, plan=plan, cyrus=NEVER, null="")
    for scenario in ("dump", "list"):
        for subscribers in (1, 10, 100):
            most = scenario == "list" and subscribers == 100
            yield dump(scenario, subscribers, rows, end, null="", limit=1200,
                       plan=FULL if most else plan,
                       cyrus=plan if subscribers == 1 else NEVER,
                       cyrus_once=True, ours_once=subscribers > 1)
    yield first_octet(rows, end, plan=plan, cyrus=NEVER)
    yield start(rows, end, plan=plan)
    yield start_unrepaired(rows, end, plan=plan)
    yield table_memory(rows, end, plan=plan)


def growth(rows, plan):
    return [dataclasses.replace(run, section=GROWTH) for run in bigger(rows, plan)]


def after_restart(rows):
    yield resync(1, rows, plan=QUICK, cyrus=USUAL, tls=USUAL)
    yield resync(10, rows, tls=FULL, cyrus_once=True)
    yield resync(100, rows, plan=QUICK, cyrus=FULL, tls=FULL, cyrus_once=True, limit=300)
    yield resync(1000, rows, cyrus=FULL, tls=USUAL, cyrus_once=True, limit=1200)


def streams():
    """What takes Cyrus long is asked of it in the full plan."""
    yield stream(1, 100, plan=QUICK, tls=USUAL)
    yield stream(100, 100, plan=QUICK, tls=FULL)
    yield stream(1000, 100, tls=USUAL)
    yield stream(100, 1000, tls=USUAL)
    yield stream(1, 5000, tls=FULL)
    yield stream(100, 5000, tls=USUAL, cyrus=FULL)
    yield stream(1000, 5000, tls=FULL, cyrus=FULL)


def memory(rows):
    for kind in ("connections", "subscribers"):
        tls = USUAL if kind == "connections" else FULL
        yield hold(kind, 1000, plan=QUICK, tls=tls)
        yield hold(kind, 10000, tls=tls)
    yield start(rows, plan=QUICK)
    yield start_unrepaired(rows)
    yield table_memory(rows)


def all_runs(rows):
    """Every run there is, in the order of the table; rows: of the usual table."""
    clear = [*changes(rows), *look_ups(rows), *cycles(rows), *dumps(rows)]
    clear += [*after_restart(rows), *streams()]
    clear += [beside("create", what, rows, tls=USUAL if what == "dump" else FULL)
              for what in ("dump", "slow", "stuck")]
    clear.append(beside("find", "dump", rows, tls=FULL))
    clear += [*memory(rows), *growth(10 * rows, USUAL), *growth(100 * rows, FULL)]
    return clear + [tls_variant(run) for run in clear if run.tls is not NEVER]


def chosen(plan, rows):
    return [run for run in all_runs(rows) if run.plan <= plan]
