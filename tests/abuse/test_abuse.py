"""Everything that strangers and users can do wrong, at once, while others work.

SPDX-License-Identifier: BSD-3-Clause
"""

import contextlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys

import pytest

import mupdated
from mupdated import PASSWORD, USER, wait_for

HERE = pathlib.Path(__file__).resolve().parent
BENCH = mupdated.BUILD / "mupdate-bench"

IDLE = 10000
HELLOS = 1000
SLOW = 200
FLOOD = 200
LITERALS = 2

# Of the test and of the daemon: all of the above, and what the daemon needs for itself.
DESCRIPTORS = 16384

# The limits of the daemon, which the bound of its memory is made of.
STRANGERS = 1500
STRANGER_KB = 120  # what mupdated.conf(5) says of one under TLS
IDLE_KB = 16

# Quiet and abuse take turns, since the machine does other things too. Their number is fixed: to
# go on until the result is good would find it good in the end.
CYCLES = 5
ROUNDS = 3
ROUND_S = 1.5

# As many changes as fill the smallest cache of the database, which grows until then.
ROWS = 50000

# What malloc() may keep.
LEFT_MB = 16

TIMES = 3

# Where that is allowed: whatever else the machine does is not what is measured.
FIRST = ["nice", "-n", "-15"] if os.geteuid() == 0 else []


def descriptors(daemon):
    return len(list(pathlib.Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


@pytest.fixture
def enough_descriptors():
    """The limit for what this process starts; fewer connections would be another test."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] >= DESCRIPTORS or limits[1] == resource.RLIM_INFINITY:
        raised = (DESCRIPTORS, limits[1])
    else:
        raised = (DESCRIPTORS, DESCRIPTORS)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, raised)
    except (OSError, ValueError):
        pytest.fail(f"{IDLE} connections need {DESCRIPTORS} descriptors, and the hard limit is "
                    f"{limits[1]}: raise it (ulimit -Hn), or run this as root")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


class Canary:
    """Clients that look up and change rows, one command at a time."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.environment = {**os.environ, "MUPDATE_BENCH_PASSWORD": PASSWORD}
        self.run("fill", "-n", str(ROWS))

    def run(self, scenario, *options):
        command = [*FIRST, BENCH, "-h", f"127.0.0.1:{self.daemon.port}", "-u", USER, "-r",
                   str(ROWS), "-j", *options, scenario]
        # A slow disk takes its time for the first rows, one change after the other.
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True,
                              text=True, timeout=10 * mupdated.PATIENCE_S)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rounds(self):
        """The medians of the p99 of FINDs and of changes, in microseconds."""
        results = [self.run("mixed", "-c", "2", "-k", "1", "--writes", "20", "-s", str(ROUND_S))
                   for _ in range(ROUNDS)]
        return {which: statistics.median(result[f"{which}_p99_us"] for result in results)
                for which in ("find", "change")}


@contextlib.contextmanager
def attack(daemon, **counts):
    """Attackers of these kinds; the block runs once all of them are at work."""
    with contextlib.ExitStack() as stack:
        attackers = [stack.enter_context(subprocess.Popen(
            [sys.executable, HERE / "attacker.py", kind, str(daemon.port), str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)) for kind, count in counts.items()]
        try:
            for attacker in attackers:
                assert attacker.stdout.readline() == b"ready\n"
            yield
            assert all(attacker.poll() is None for attacker in attackers)
        finally:
            for attacker in attackers:
                attacker.stdin.close()
            for attacker in attackers:
                attacker.wait(timeout=mupdated.PATIENCE_S)


@pytest.fixture
def daemon(enough_descriptors, start, certificate):
    return start(prefix=FIRST, **certificate, log_level="info", failedloginpause="3s",
                 limit_unauthenticated=STRANGERS, mupdate_connections_max=14000, cache_size="1M",
                 sasl_mech_list="PLAIN SCRAM-SHA-256")


@pytest.mark.skipif(mupdated.SANITIZED, reason="a sanitizer's memory and times say nothing")
def test_all_kinds_of_abuse_at_once_delay_and_cost_little(daemon, report):
    report(f"{IDLE} idle connections, {HELLOS} half TLS handshakes, {SLOW} slow senders, "
           f"{FLOOD} guessers, {LITERALS} endless literals")
    canary = Canary(daemon)
    canary.rounds()
    wait_for(lambda: daemon.log().count("login: ") == daemon.log().count("closed: "),
             "the canaries to leave")
    before = daemon.rss_mb(), descriptors(daemon)
    times = {"find": [], "change": []}
    for _ in range(CYCLES):
        quiet = canary.rounds()
        guesses = daemon.log().count("badlogin: ")
        with attack(daemon, idle=IDLE, hellos=HELLOS, slow=SLOW, flood=FLOOD, literal=LITERALS):
            assert descriptors(daemon) > before[1] + IDLE + HELLOS + SLOW + LITERALS
            abused = canary.rounds()
            during = daemon.rss_mb()
            assert daemon.log().count("badlogin: ") - guesses > FLOOD / 2
        wait_for(lambda: descriptors(daemon) <= before[1], "the descriptors to be as before")
        wait_for(lambda: daemon.rss_mb() - before[0] <= LEFT_MB, "the memory to be as before")
        report(f"memory MB: before all {before[0]:.0f}, during {during:.0f}, "
               f"after {daemon.rss_mb():.0f}")
        assert during - before[0] <= (IDLE * IDLE_KB + STRANGERS * STRANGER_KB) / 1024
        for which, of_all in times.items():
            of_all.append(abused[which] / quiet[which])
            report(f"{which} p99 us: quiet {quiet[which]:.0f}, abused {abused[which]:.0f}: "
                   f"{of_all[-1]:.2f} times")
    medians = {which: statistics.median(of_all) for which, of_all in times.items()}
    report(f"median of {CYCLES}: find {medians['find']:.2f}, change {medians['change']:.2f} times")
    assert max(medians.values()) <= TIMES, medians
