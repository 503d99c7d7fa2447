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

# The limits of the daemon, which the bound of its memory is made of.
STRANGERS = 1500
STRANGER_KB = 120  # what mupdated.conf(5) says of one under TLS
IDLE_KB = 16

HELLOS = 1000
SLOW = 200
FLOOD = 200
LITERALS = 2
CYCLES = 3
CYCLES_MAX = 5
ROUNDS = 2
ROUND_S = 1.5

# What malloc() may keep.
LEFT_MB = 16

TIMES = 3

# Where that is allowed: whatever else the machine does is not what is measured.
FIRST = ["nice", "-n", "-15"] if os.geteuid() == 0 else []


def descriptors(daemon):
    return len(list(pathlib.Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def idle_connections():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 10000 if limit >= 20000 else max(100, (limit - 2 * STRANGERS) // 2)


class Canary:
    """Clients that look up and change rows, one command at a time."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.environment = {**os.environ, "MUPDATE_BENCH_PASSWORD": PASSWORD}
        self.run("fill", "-n", "1000")

    def run(self, scenario, *options):
        command = [*FIRST, BENCH, "-h", f"127.0.0.1:{self.daemon.port}", "-u", USER, "-r", "1000",
                   "-j", *options, scenario]
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True,
                              text=True, timeout=mupdated.PATIENCE_S)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rounds(self):
        """[(FIND p99, change p99)] in microseconds."""
        figures = []
        for _ in range(ROUNDS):
            result = self.run("mixed", "-c", "2", "-k", "1", "--writes", "20", "-s", str(ROUND_S))
            figures.append((result["find_p99_us"], result["change_p99_us"]))
        return figures


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
def daemon(start, certificate):
    return start(prefix=FIRST, **certificate, log_level="info", failedloginpause="3s",
                 limit_unauthenticated=STRANGERS, mupdate_connections_max=14000,
                 sasl_mech_list="PLAIN SCRAM-SHA-256")


class Figures:
    """What was measured, in microseconds."""

    def __init__(self):
        self.quiet = []
        self.abused = []

    def ratio(self, which):
        """How many times the quiet p99, of FIND (0) or of changes (1), that under abuse is."""
        return (statistics.median(one[which] for one in self.abused)
                / statistics.median(one[which] for one in self.quiet))

    def are_good(self):
        return all(self.ratio(which) <= TIMES for which in range(2))

    def __str__(self):
        return "\n".join(
            f"{name} p99 us: quiet {[round(one[which]) for one in self.quiet]}, "
            f"abused {[round(one[which]) for one in self.abused]}: "
            f"{self.ratio(which):.2f} times" for which, name in enumerate(("FIND", "change")))


@pytest.mark.skipif(mupdated.SANITIZED, reason="a sanitizer's memory and times say nothing")
def test_all_kinds_of_abuse_at_once_delay_and_cost_little(daemon):
    idle = idle_connections()
    print(f"\n{idle} idle connections, {HELLOS} half TLS handshakes, {SLOW} slow senders, "
          f"{FLOOD} guessers, {LITERALS} endless literals")
    canary = Canary(daemon)
    canary.rounds()
    wait_for(lambda: daemon.log().count("login: ") == daemon.log().count("closed: "),
             "the canaries to leave")
    before = daemon.rss_mb(), descriptors(daemon)
    figures = Figures()
    # The machine does other things too: quiet and abuse take turns, and as many as are needed
    # for medians that say something.
    for cycle in range(CYCLES_MAX):
        figures.quiet += canary.rounds()
        guesses = daemon.log().count("badlogin: ")
        with attack(daemon, idle=idle, hellos=HELLOS, slow=SLOW, flood=FLOOD, literal=LITERALS):
            assert descriptors(daemon) > before[1] + idle + HELLOS + SLOW + LITERALS
            figures.abused += canary.rounds()
            during = daemon.rss_mb()
            assert daemon.log().count("badlogin: ") - guesses > FLOOD / 2
        wait_for(lambda: descriptors(daemon) <= before[1], "the descriptors to be as before")
        wait_for(lambda: daemon.rss_mb() - before[0] <= LEFT_MB, "the memory to be as before")
        print(f"memory MB: before {before[0]:.0f}, during {during:.0f}, "
              f"after {daemon.rss_mb():.0f}")
        assert during - before[0] <= (idle * IDLE_KB + STRANGERS * STRANGER_KB) / 1024
        if cycle + 1 >= CYCLES and figures.are_good():
            break
    print(figures)
    assert figures.are_good()
