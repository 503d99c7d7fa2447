# SPDX-License-Identifier: BSD-3-Clause
"""What the servers that are compared have in common: start, stop, memory.

What they write is below the directory that they are given; nothing else on the
machine is touched.
"""

import os
import pathlib
import random
import signal
import socket
import subprocess
import time

import client

USER = "murder"
PASSWORD = "bench-password"
SERVERNAME = "mupdate.bench.test"
FIRST_ROW = "user.bench00000000"
START_SECONDS = 300
STOP_SECONDS = 30
FILL_SECONDS = 1800
FIRST_PORT = 1024
PORT_TRIES = 1000


class ServerError(Exception):
    """A server that cannot be measured, and why."""


def first_port_of_kernel():
    """From here on the kernel gives ports to clients."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        return int(file.read().split()[0])


def free_port():
    """A port that nobody listens on and that the kernel gives to no client, if there is one.

    While a server is down its clients try to connect; a client that the kernel
    gave this very port would reach itself.
    """
    first = first_port_of_kernel()
    below = range(max(FIRST_PORT, first - 12000), first)
    for port in random.sample(below, min(len(below), PORT_TRIES)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def common_settings(directory):
    """The same accounts and the same rules for everyone, in imapd.conf's words."""
    return (
        f"servername: {SERVERNAME}\n"
        f"admins: {USER}\n"
        "allowplaintext: yes\n"
        "sasl_pwcheck_method: auxprop\n"
        "sasl_auxprop_plugin: sasldb\n"
        f"sasl_sasldb_path: {directory}/sasldb2\n"
        "sasl_mech_list: PLAIN SCRAM-SHA-1 SCRAM-SHA-256\n"
        f"tls_server_cert: {directory}/cert.pem\n"
        f"tls_server_key: {directory}/key.pem\n"
    )


def make_account(directory):
    command = ["saslpasswd2", "-p", "-c", "-f", f"{directory}/sasldb2", "-u", SERVERNAME, USER]
    subprocess.run(command, input=PASSWORD.encode() + b"\n", check=True)


def make_certificate(directory):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
               "-subj", f"/CN={SERVERNAME}", "-keyout", f"{directory}/key.pem",
               "-out", f"{directory}/cert.pem"]
    subprocess.run(command, check=True, capture_output=True)


def resident_bytes(pid):
    """The memory that a process has, from /proc."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise ServerError(f"process {pid} has no memory: it has ended")


class Server:
    """A process in a session of its own, so that stopping it stops its children."""

    name = ""
    rows = 0
    empty_bytes = 0  # what the process has with an empty table and the smallest cache

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.process = None

    def prepare(self, rows, tool):
        """Make the table of so many rows, and start."""
        make_account(self.directory)
        make_certificate(self.directory)
        self.make_table(rows, tool)

    def make_table(self, rows, tool):
        """Start empty, to measure it; put the rows in; start again, with self.rows set."""
        raise NotImplementedError

    def launch(self):
        """Start the process, and do not wait for anything."""
        raise NotImplementedError

    def repair_at_start(self, whether):
        """Whether the next starts look through the databases first, where one can choose."""

    def pid(self):
        """The process that answers and has the table."""
        return self.process.pid

    def spawn(self, command):
        log = open(self.directory / "log", "ab")
        with log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def start(self):
        self.launch()
        self.wait_until_it_answers()

    def restart(self):
        self.stop()
        self.start()

    def answers(self):
        """Whether a client can log in and look a row up just now."""
        try:
            with client.Client(self.port, USER, PASSWORD) as one:
                return one.find(FIRST_ROW) == (self.rows > 0)
        except (OSError, client.ClientError):
            return False

    def wait_until_it_answers(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self.answers():
                return
            time.sleep(0.002)
        raise ServerError(f"{self.name} does not answer; its log:\n{self.log_tail()}")

    def resident_bytes(self):
        return resident_bytes(self.pid())

    def log_tail(self):
        log = self.directory / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def stop(self):
        if self.process is None:
            return
        self.signal_all(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self.signal_all(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def signal_all(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass


class Mupdated(Server):
    """The daemon of this tree."""

    name = "mupdated"
    # Room for the ten thousand connections that it must hold.
    SETTINGS = "mupdate_connections_max: 12000\n"
    SMALL_CACHE = {"cache_size": "1M"}

    def __init__(self, directory, program):
        super().__init__(directory)
        self.program = pathlib.Path(program)

    def missing(self):
        return None if self.program.exists() else f"{self.program} is not built"

    def version(self):
        result = subprocess.run(
            [self.program, "--version"], capture_output=True, text=True, check=False
        )
        words = result.stdout.split()
        return words[-1] if words else "unknown"

    def configure(self, **settings):
        """Write the configuration file, for the next start."""
        (self.directory / "mupdated.conf").write_text(
            common_settings(self.directory)
            + self.SETTINGS
            + f"listen: 127.0.0.1:{self.port}\ndatabase_directory: {self.directory}/db\n"
            + ("user: root\n" if os.geteuid() == 0 else "coredumps: yes\n")
            + "".join(f"{key}: {value}\n" for key, value in settings.items())
        )

    def make_table(self, rows, tool):
        (self.directory / "db").mkdir()
        self.configure(**self.SMALL_CACHE)
        self.start()
        self.empty_bytes = self.resident_bytes()
        self.configure()
        self.restart()
        tool.run(self, "fill", FILL_SECONDS, connections=8, depth=256, rows=rows)
        self.rows = rows
        self.restart()

    def launch(self):
        self.spawn([self.program, "-C", self.directory / "mupdated.conf"])
