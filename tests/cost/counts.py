#!/usr/bin/python3
"""What the hot paths cost, in instructions that callgrind counts.

    tests/cost/counts.py BUILD            count, and write the file of budgets
    tests/cost/counts.py BUILD --show     count, and change nothing
    tests/cost/counts.py BUILD --keep DIR as --show, with callgrind's files in DIR,
                                          for callgrind_annotate(1)
    tests/cost/counts.py BUILD --elsewhere
                                          say why the budgets do not hold here, if so

SPDX-License-Identifier: BSD-3-Clause
"""

import concurrent.futures
import dataclasses
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BUDGETS = HERE / "budgets"
SECONDS = 600

FEW_ROWS, SOME_ROWS, MANY_ROWS = 1000, 10000, 100000
FEW, MANY = 8, 40  # subscribers, as in main.c

# What is run on a table of how many rows.
RUNS = {"start": FEW_ROWS, "streams": SOME_ROWS, "table": MANY_ROWS, "again": FEW_ROWS}

# Whose passwords that were right are remembered; "off": nobody's.
PASSWORD_CACHE = {"again": "sasldb"}
# Only for accounts that have not changed for longer than 2 seconds.
ACCOUNTS_SECONDS = 3

# The default budget: so many per cent above fail, and so many below.
ABOVE, BELOW = 5, 20


@dataclasses.dataclass
class Path:
    """The cost of an operation: (block - base) / operations."""

    name: str
    block: str
    base: str
    operations: object  # of a count: {block: operations}
    what: str


PATHS = [
    Path("find", "find", "", lambda count: count["find"],
         "a FIND, 64 pipelined, in a table of 100,000 rows"),
    Path("change", "change", "", lambda count: count["change"],
         "a RESERVE or an ACTIVATE, 64 in a transaction, nobody subscribed"),
    Path("stream", f"stream-{MANY}", f"stream-{FEW}",
         lambda count: (MANY - FEW) * count[f"stream-{FEW}"],
         "a change to one more subscriber, 64 at once"),
    Path("stream-single", f"single-{MANY}", f"single-{FEW}",
         lambda count: (MANY - FEW) * count[f"single-{FEW}"],
         "a change to one more subscriber, alone"),
    Path("dump", "dump-1", "", lambda count: count["dump-1"],
         "a row of an UPDATE's dump"),
    Path("dump-second", "dump-2", "dump-1", lambda count: count["dump-1"],
         "a row of a dump to a second subscriber at the same time"),
    Path("login", "login", "", lambda count: count["login"],
         "connect, AUTHENTICATE PLAIN from sasldb, LOGOUT"),
    Path("login-again", "login-again", "", lambda count: count["login-again"],
         "the same with a password that is remembered"),
    Path("start", f"start-{SOME_ROWS}", f"start-{FEW_ROWS}",
         lambda count: SOME_ROWS - FEW_ROWS,
         "a row, and the change that made it, at start-up"),
]


# --- counting


def write_config(directory, password_cache):
    (directory / "mupdated.conf").write_text(f"""\
servername: mupdate.test
listen: unix:{directory}/socket
database_directory: {directory}/database
admins: murder
allowplaintext: yes
# No moment to wait for, and nothing that comes by the clock.
heal_resync: no
checkpoint_interval: 1h
password_cache: {password_cache}
password_cache_time: 1h
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {directory}/sasldb2
sasl_mech_list: PLAIN
""")
    subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-f", directory / "sasldb2", "-u",
                    "mupdate.test", "murder"], input=b"secret", check=True)


def wait_for_age(path, seconds):
    """Until nothing about the file has changed for so long."""
    while time.time() - path.stat().st_ctime <= seconds:
        time.sleep(0.1)


def run(command, directory):
    """Return what a command says on stdout. Nothing of the caller's environment is there."""
    log = directory / "log"
    with open(log, "ab") as errors:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=errors, timeout=SECONDS, check=False,
                              env={"PATH": "/usr/bin:/bin"})
    if done.returncode != 0:
        raise RuntimeError(f"{command}: exit code {done.returncode}\n"
                           f"{log.read_text(errors='replace')[-4000:]}")
    return done.stdout.decode()


def read_dump(text):
    """Return (block, instructions) of a file of callgrind's; block is None at the end."""
    block = re.search(r"^desc: Trigger: Client Request: (\S+)$", text, re.MULTILINE)
    summary = re.search(r"^summary: (\d+)$", text, re.MULTILINE)
    return block[1] if block else None, int(summary[1])


def count_run(program, task, directory):
    """Return {block: (instructions, operations)}."""
    directory.mkdir()
    password_cache = PASSWORD_CACHE.get(task, "off")
    write_config(directory, password_cache)
    arguments = [directory / "mupdated.conf", directory / "socket", str(RUNS[task])]
    run([program, "prepare", *arguments], directory)
    if password_cache != "off":
        wait_for_age(directory / "sasldb2", ACCOUNTS_SECONDS)
    told = run(["valgrind", "--tool=callgrind", "--instr-atstart=no", "--dump-line=yes",
                f"--callgrind-out-file={directory}/callgrind.out", program, task, *arguments],
               directory)
    operations = dict(line.split() for line in told.splitlines())
    counts = {}
    for path in sorted(directory.glob("callgrind.out.*")):
        block, instructions = read_dump(path.read_text())
        if block:
            counts[block] = (instructions, int(operations[block]))
            path.rename(directory.parent / f"callgrind.out.{block}")
    if set(counts) != set(operations):
        raise RuntimeError(f"told {sorted(operations)}, counted {sorted(counts)}")
    return counts


def costs(counts):
    """Return {name of a path: instructions of one operation} from {block: (instructions, n)}."""
    operations = {block: count[1] for block, count in counts.items()}
    return {path.name: round((counts[path.block][0] - (counts[path.base][0] if path.base else 0))
                             / path.operations(operations)) for path in PATHS}


def measure(build, keep=None):
    """Return {name of a path: instructions of one operation}."""
    program = pathlib.Path(build).resolve() / "tests" / "cost"
    # Not in the caller's temporary directory: the path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="cost.", dir="/tmp") as scratch:
        scratch = pathlib.Path(scratch)
        with concurrent.futures.ThreadPoolExecutor(len(RUNS)) as pool:
            parts = list(pool.map(lambda task: count_run(program, task, scratch / task), RUNS))
        if keep:
            pathlib.Path(keep).mkdir(parents=True, exist_ok=True)
            for path in scratch.glob("callgrind.out.*"):
                shutil.copy(path, keep)
    return costs({block: count for part in parts for block, count in part.items()})


# --- where the budgets hold


def code_flags(flags):
    """Those of the compiler's flags that decide what code comes out."""
    return " ".join(re.findall(r"(?<!\S)-[Ofm]\S*", flags))


def build_flags(build):
    return (pathlib.Path(build) / "obj" / "flags").read_text().strip()


def machine(build):
    """Where this is, in words. Elsewhere the same source is another number of instructions."""
    flags = build_flags(build)
    version = subprocess.run([flags.split()[0], "--version"], capture_output=True, text=True,
                             check=True).stdout.split("\n")[0]
    name = "clang" if "clang" in version else "gcc"
    number = re.search(r"(\d+)\.\d+\.\d+", version)
    release = platform.freedesktop_os_release()
    # The C library chooses its functions for strings by what the processor can.
    avx2 = " avx2" in pathlib.Path("/proc/cpuinfo").read_text()
    words = [f"{release['ID']} {release.get('VERSION_ID', '?')}",
             f"{name} {number[1] if number else '?'}", platform.machine(),
             "avx2" if avx2 else "no avx2"]
    if "-fsanitize" in flags:
        words.append("sanitizer")
    return ", ".join(words)


def elsewhere(build, budgets):
    """None where the budgets hold, else a sentence about where they do."""
    here = machine(build)
    if here == budgets.machine:
        return None
    return f"the budgets are for \"{budgets.machine}\", this is \"{here}\""


# --- budgets


@dataclasses.dataclass
class Budget:
    instructions: int
    above: int = ABOVE
    below: int = BELOW

    def verdict(self, name, cost):
        """None when the cost is in the budget, else what is wrong and what to do."""
        change = 100 * (cost - self.instructions) / self.instructions
        if change > self.above:
            return (f"{name} costs {cost} instructions, {change:.1f} % more than its budget of "
                    f"{self.instructions} (allowed: {self.above} %). Make it cheaper, or say in "
                    "the commit why it must cost that and run: make cost-record")
        if change < -self.below:
            return (f"{name} costs {cost} instructions, {-change:.1f} % less than its budget of "
                    f"{self.instructions}. Well done; keep it: make cost-record")
        return None


@dataclasses.dataclass
class Budgets:
    """The file. The numbers hold on that machine only, for a build with those flags."""

    machine: str = ""
    flags: str = ""
    paths: dict = dataclasses.field(default_factory=dict)  # name: Budget


def read_budgets(text):
    budgets = Budgets()
    for line in text.splitlines():
        if line.startswith("machine: "):
            budgets.machine = line[len("machine: "):]
        elif line.startswith("flags: "):
            budgets.flags = line[len("flags: "):]
        elif line and not line.startswith("#"):
            name, *numbers = line.split("#")[0].split()
            budgets.paths[name] = Budget(*map(int, numbers))
    return budgets


def write_budgets(budgets):
    """Return the text of the file."""
    lines = ["# What one operation may cost, in instructions as callgrind counts them. Written by",
             "# \"make cost-record\", checked by \"make check-cost\": a path fails when it costs so",
             "# many per cent more than here, or so many less, so that this file stays true.",
             f"machine: {budgets.machine}", f"flags: {budgets.flags}", "",
             "# path        instructions  % above  % below"]
    for path in PATHS:
        budget = budgets.paths[path.name]
        lines.append(f"{path.name:<14}{budget.instructions:>12}{budget.above:>9}"
                     f"{budget.below:>9}  # {path.what}")
    return "\n".join(lines) + "\n"


def main(arguments):
    build, options = arguments[0], arguments[1:]
    if options == ["--elsewhere"]:
        print(elsewhere(build, read_budgets(BUDGETS.read_text())) or "", end="")
        return
    found = measure(build, options[1] if options[:1] == ["--keep"] else None)
    old = read_budgets(BUDGETS.read_text() if BUDGETS.exists() else "").paths
    for name, cost in found.items():
        change = f"{100 * cost / old[name].instructions - 100:+8.1f} %" if name in old else ""
        print(f"{name:<14}{cost:>10} instructions {change}")
    if options:
        return
    paths = {name: dataclasses.replace(old.get(name, Budget(cost)), instructions=cost)
             for name, cost in found.items()}
    BUDGETS.write_text(
        write_budgets(Budgets(machine(build), code_flags(build_flags(build)), paths)))
    print(f"written: {BUDGETS.relative_to(HERE.parent.parent)}")


if __name__ == "__main__":
    main(sys.argv[1:])
