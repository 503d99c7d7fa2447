# SPDX-License-Identifier: BSD-3-Clause
"""The load generator, build/mupdate-bench, as a program to call."""

import json
import os
import subprocess
import tempfile
import threading

import servers

# <sysexits.h>: how the generator ends when it is the server's fault.
UNAVAILABLE, PROTOCOL, NOPERM = 69, 76, 77
BLAME = (UNAVAILABLE, PROTOCOL, NOPERM)
LATE = ("nothing from", "did not arrive", "were not sent the last change")
LIMIT_SECONDS = 120


class ToolError(Exception):
    """A run that gave nothing; reason is what may stand in the table.

    own: no server is to blame but the generator, or how it was called.
    """

    def __init__(self, text, reason="", own=False):
        super().__init__(text)
        self.reason = reason
        self.own = own


def reason_of(status, text):
    """The generator's complaint about a server, in general words."""
    if any(late in text for late in LATE):
        return "did not answer in time"
    if status == PROTOCOL and "TLS" not in text:
        return "answered wrongly"
    return "refused or closed a connection"


class Running:
    """One call of the generator, under way; a context manager that ends it for sure."""

    def __init__(self, command, environment, title, alone):
        self.title = title
        self.alone = alone  # there is no server that could be to blame
        self.complaints = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints,
                text=True, env=environment)
        except OSError as error:
            self.complaints.close()
            raise ToolError(f"{title}: {error}", own=True) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.complaints, self.process:
            self.process.kill()

    def read(self, reader, limit):
        """What reader() returns of the output, if the generator is fast enough."""
        passed = threading.Event()

        def end():
            passed.set()
            self.process.kill()

        timer = threading.Timer(limit, end)
        timer.start()
        try:
            got = reader()
        finally:
            timer.cancel()
        if passed.is_set():
            raise ToolError(f"{self.title}: not done in {limit:g} s",
                            f"was not done in {limit:g} s")
        return got

    def wait_for(self, word, limit=LIMIT_SECONDS):
        """Wait for a line that is this word."""
        while True:
            line = self.read(self.process.stdout.readline, limit)
            if line.strip() == word:
                return
            if not line:
                self.result()
                raise ToolError(f"{self.title}: ended without the word {word}", own=True)

    def result(self, limit=LIMIT_SECONDS):
        """End the generator's input; the JSON object that it prints at its end."""
        self.process.stdin.close()
        output = self.read(self.process.stdout.read, limit)
        status = self.process.wait()
        if status != 0:
            self.complaints.seek(0)
            text = self.complaints.read().strip()
            raise ToolError(f"{self.title}: {text or f'status {status}'}",
                            reason_of(status, text), self.alone or status not in BLAME)
        lines = output.splitlines()
        return json.loads(lines[-1]) if lines else {}


class Tool:
    """Runs the generator against a server, or alone."""

    def __init__(self, program, seconds):
        self.program = program
        self.seconds = seconds
        self.environment = dict(os.environ, MUPDATE_BENCH_PASSWORD=servers.PASSWORD)

    def start(self, server, scenario, **options):
        """server None is the machine, "self" the null server. An option True has no value."""
        command = [str(self.program), "--json", "--user", servers.USER]
        if server == "self":
            command.append("--self")
        elif server is not None:
            command += ["--host", f"127.0.0.1:{server.port}"]
        for key, value in dict({"seconds": self.seconds}, **options).items():
            command += [f"--{key}"] if value is True else [f"--{key}", str(value)]
        title = f"{scenario} against {getattr(server, 'name', server)}"
        return Running([*command, scenario], self.environment, title, server in (None, "self"))

    def run(self, server, scenario, limit=LIMIT_SECONDS, **options):
        """The JSON object of one run, which may take up to limit seconds."""
        with self.start(server, scenario, **options) as running:
            return running.result(limit)
