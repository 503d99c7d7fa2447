# SPDX-License-Identifier: BSD-3-Clause
"""The load generator as the tests of it run it."""

import json
import os
import pathlib
import subprocess

TOOL = pathlib.Path(os.environ.get("BUILD", "build")).resolve() / "mupdate-bench"

EX_USAGE, EX_UNAVAILABLE, EX_PROTOCOL, EX_NOPERM = 64, 69, 76, 77


def run(*arguments, port=None):
    command = [TOOL, "--json", "--seconds", "0.2", "--timeout", "5", "--user", "murder"]
    if port is not None:
        command += ["--host", f"127.0.0.1:{port}"]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True,
                          env=dict(os.environ, MUPDATE_BENCH_PASSWORD="secret"),
                          timeout=60, check=False)


def figures(result, said=()):
    """The JSON object that stands behind these lines."""
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:-1] == list(said)
    return json.loads(lines[-1])


def started(*arguments, port):
    """The tool, running against a server, with pipes; wait for it with communicate()."""
    command = [TOOL, "--json", "--timeout", "20", "--user", "murder", "-h", f"127.0.0.1:{port}"]
    return subprocess.Popen([*command, *map(str, arguments)], text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=dict(os.environ, MUPDATE_BENCH_PASSWORD="secret"))


def filled(server, rows=50):
    figures(run("fill", "--rows", rows, "--connections", 2, "--depth", 4, port=server.port))
    server.heard.clear()
