# SPDX-License-Identifier: BSD-3-Clause
"""The servers that are compared: started with the same rows, stopped for sure.

Each class has a name, start(), stop() and port. What they write is below the
directory that they are given; nothing else on the machine is touched.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

USER = "murder"
PASSWORD = "bench-password"
SERVERNAME = "mupdate.bench.test"
CYRUS_BIN = pathlib.Path("/usr/lib/cyrus/bin")
START_SECONDS = 60
STOP_SECONDS = 20

# What tools/mupdate-bench/row.c makes of a row number.
FOLDERS = ("", ".Sent", ".Drafts", ".Trash", ".Archive.2026")


class ServerError(Exception):
    """A server that cannot be measured, and why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sasl_settings(directory):
    """The same accounts and the same rules for everyone, in imapd.conf's words."""
    return (
        f"servername: {SERVERNAME}\n"
        f"admins: {USER}\n"
        "allowplaintext: yes\n"
        "sasl_pwcheck_method: auxprop\n"
        "sasl_auxprop_plugin: sasldb\n"
        f"sasl_sasldb_path: {directory}/sasldb2\n"
        "sasl_mech_list: PLAIN\n"
    )


def make_account(directory):
    command = ["saslpasswd2", "-p", "-c", "-f", f"{directory}/sasldb2", "-u", SERVERNAME, USER]
    subprocess.run(command, input=PASSWORD.encode() + b"\n", check=True)


class Server:
    """A process of its own session, so that stopping it stops its children."""

    name = ""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.process = None

    def launch(self, command):
        log = open(self.directory / "log", "ab")
        with log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.wait_for_banner()

    def wait_for_banner(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
                    if b"* OK MUPDATE" in self.read_banner(link):
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise ServerError(f"{self.name} does not answer; its log:\n{self.log_tail()}")

    @staticmethod
    def read_banner(link):
        got = b""
        while b"* OK" not in got:
            octets = link.recv(4096)
            if not octets:
                break
            got += octets
        return got

    def log_tail(self):
        return (self.directory / "log").read_text(errors="replace")[-2000:]

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


class Cyrus(Server):
    """Cyrus's own master list: mupdate -m below Cyrus's master process."""

    name = "Cyrus"

    # Workers and connections beyond the defaults, so that 64 connections and
    # ten subscribers each find a thread.
    SETTINGS = (
        "mupdate_connections_max: 1024\n"
        "mupdate_workers_start: 32\n"
        "mupdate_workers_minspare: 16\n"
        "mupdate_workers_maxspare: 128\n"
        "mupdate_workers_max: 256\n"
    )

    @staticmethod
    def missing():
        if not (CYRUS_BIN / "mupdate").exists():
            return "Cyrus's mupdate is not installed: apt-get install cyrus-murder"
        if os.geteuid() != 0:
            return "Cyrus's master process must be started by root"
        return None

    @staticmethod
    def version():
        query = ["dpkg-query", "-W", "-f", "${Version}", "cyrus-murder"]
        result = subprocess.run(query, capture_output=True, text=True, check=False)
        return result.stdout.strip() or "unknown"

    def start(self, rows, tool):
        del tool
        for name in ("db", "proc", "socket", "ptclient", "log", "msg"):
            (self.directory / "conf" / name).mkdir(parents=True)
        (self.directory / "imapd.conf").write_text(
            sasl_settings(self.directory)
            + self.SETTINGS
            + f"configdirectory: {self.directory}/conf\n"
            f"partition-default: {self.directory}/conf\n"
            f"idlesocket: {self.directory}/conf/socket/idle\n"
        )
        command = f"mupdate -C {self.directory}/imapd.conf -m"
        (self.directory / "cyrus.conf").write_text(
            "START {\n}\nSERVICES {\n"
            f'  mupdate cmd="{command}" listen="127.0.0.1:{self.port}" prefork=1\n'
            "}\nEVENTS {\n}\n"
        )
        make_account(self.directory)
        self.load(rows)
        self.give_away()
        self.launch(
            [
                CYRUS_BIN / "master",
                "-D",
                "-C",
                self.directory / "imapd.conf",
                "-M",
                self.directory / "cyrus.conf",
                "-p",
                self.directory / "master.pid",
            ]
        )

    def give_away(self):
        """Cyrus's programs, the converter too, become the user cyrus first of all."""
        for path in [self.directory, *self.directory.rglob("*")]:
            shutil.chown(path, "cyrus", "mail")

    def load(self, rows):
        """Fill its database file with Cyrus's own tool: over the wire it takes minutes."""
        if rows == 0:
            return
        flat = self.directory / "rows.flat"
        with open(flat, "wb") as out:
            for line in sorted(self.record(number) for number in range(rows)):
                out.write(line)
        self.give_away()
        convert = [CYRUS_BIN / "cvt_cyrusdb", "-C", self.directory / "imapd.conf"]
        convert += [flat, "flat", self.directory / "conf" / "mailboxes.db", "twoskip"]
        result = subprocess.run(convert, capture_output=True, text=True, check=False)
        if result.returncode != 0 or "DBERROR" in result.stdout:
            raise ServerError(f"cvt_cyrusdb: {result.stdout}{result.stderr}")
        flat.unlink()

    @staticmethod
    def record(number):
        """A row as Cyrus 3.6 keeps it: a dot in the name is the octet 0x1F."""
        user, folder = divmod(number, len(FOLDERS))
        name = f"user.bench{user:08}{FOLDERS[folder]}".replace(".", "\x1f")
        location = f"P default S backend{user % 4 + 1}.bench.test"
        acl = f"A %(bench{user:08} lrswipkxtecdan)"
        return f"N{name}\t%(T er {location} M 1700000000 {acl})\n".encode()


class Mupdated(Server):
    """The daemon of this tree."""

    name = "mupdated"

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

    def start(self, rows, tool):
        (self.directory / "db").mkdir()
        (self.directory / "mupdated.conf").write_text(
            sasl_settings(self.directory)
            + f"listen: 127.0.0.1:{self.port}\ndatabase_directory: {self.directory}/db\n"
        )
        make_account(self.directory)
        self.launch([self.program, "-C", self.directory / "mupdated.conf"])
        if rows > 0:
            tool.run(self, "fill", connections=8, depth=256, rows=rows)
