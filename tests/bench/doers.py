# SPDX-License-Identifier: BSD-3-Clause
"""How a run is done, where it is more than one call of the load generator.

Each takes (tool, server, run's options, limit in seconds) and returns what the
figures of the run are taken from, as the generator's JSON has it.
"""

import statistics
import time

import client
import servers
from tool import ToolError

FIRST_OCTET_TIMES = 5
LIMIT_SECONDS = 0.15

# Limits of the machine: the generator's scenario, and its figure for the time of one.
ROUND_TRIP = ("loopback", "p50_us")
OVERWRITE = ("fsync", "overwrite_p50_us")  # what a log does whose files are made ahead


def call(scenario):
    """A plain call of the generator."""
    def do(tool, server, options, limit):
        return tool.run(server, scenario, limit, **options)
    return do


def call_beside_limits(scenario, limits):
    """A plain call; the limits of the machine that bound it are measured just before and after.

    limits: (the generator's scenario, its figure for the time of one) each. How fast a
    sleeping process is woken differs from one moment to the next, for every process
    alike, so a ratio to a limit of some other moment says little.
    of_limits is the run's p50 as a multiple of the sum of the limits.
    """
    def sample(tool, server):
        return sum(tool.run(None, limit, seconds=LIMIT_SECONDS, directory=server.directory)
                   [figure] for limit, figure in limits)

    def do(tool, server, options, limit):
        before = sample(tool, server)
        result = tool.run(server, scenario, limit, **options)
        bound = (before + sample(tool, server)) / 2
        return dict(result, of_limits=result["p50_us"] / bound)
    return do


def resync(tool, server, options, limit):
    """Start the server while its subscribers already knock."""
    server.stop()
    try:
        with tool.start(server, "resync", **options) as running:
            running.wait_for("waiting", limit)
            server.launch()
            return running.result(limit)
    finally:
        if server.process is None:
            server.launch()
        server.wait_until_it_answers()


def must_grow(server, octets):
    """Something that takes no memory was not measured."""
    if octets <= 0:
        raise ToolError(f"{server.name} has {-octets} octets less than before",
                        "showed no memory for it")


def hold(tool, server, options, limit):
    """Memory for each client that is connected and does nothing.

    The server is started anew: memory that an earlier run left free would be
    used again and not be seen.
    """
    server.restart()
    before = server.resident_bytes()
    with tool.start(server, "hold", **options) as running:
        running.wait_for("ready", limit)
        more = server.resident_bytes() - before
        running.result(limit)
    clients = options.get("connections", 0) + options.get("subscribers", 0)
    must_grow(server, more)
    return {"resident_bytes": more, "resident_bytes_each": more / clients}


def start(tool, server, options, limit):
    """From exec to the first row that is found, with the files in the page cache."""
    del tool, limit
    server.stop()
    server.repair_at_start(options["repair"])
    try:
        begin = time.monotonic()
        server.start()
        return {"start_us": (time.monotonic() - begin) * 1e6}
    finally:
        server.repair_at_start(True)


def table_memory(tool, server, options, limit):
    """Memory of the process right after a start, and what of it the rows have.

    The rows in memory are what is left when the database's cache is as small as
    can be, for a server that can be told so.
    """
    del tool, options, limit
    server.restart()
    whole = server.resident_bytes()
    rows = whole
    if isinstance(server, servers.Mupdated):
        try:
            server.configure(**server.SMALL_CACHE)
            server.restart()
            rows = server.resident_bytes()
        finally:
            server.configure()
            server.restart()
    more = rows - server.empty_bytes
    must_grow(server, more)
    return {"resident_bytes": whole, "row_bytes": more / server.rows}


def first_octet(tool, server, options, limit):
    """From UPDATE to the first octet of the answer, one subscriber at a time."""
    del tool, options, limit
    times = []
    for _ in range(FIRST_OCTET_TIMES):
        with client.Client(server.port, servers.USER, servers.PASSWORD) as one:
            begin = time.monotonic()
            one.begin_dump()
            times.append(time.monotonic() - begin)
    return {"first_octet_us": statistics.median(times) * 1e6}
