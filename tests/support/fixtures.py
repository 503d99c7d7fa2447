"""Fixtures for the suites that test a running mupdated.

SPDX-License-Identifier: BSD-3-Clause
"""

import itertools
import pathlib
import subprocess

import pytest

import dumps
import mupdated
from measured import pytest_terminal_summary, report  # noqa: F401

_numbers = itertools.count()


@pytest.fixture(scope="session")
def master(tmp_path_factory):
    """One master for all tests that need no settings of their own."""
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("master"))
    yield daemons.start()
    daemons.end()


@pytest.fixture
def daemons(tmp_path):
    """Makes masters with settings of their own; all are stopped at the end."""
    made = mupdated.Daemons(tmp_path)
    yield made
    made.end()


@pytest.fixture
def start(daemons):
    """Starts a master with settings of its own."""
    return daemons.start


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """The settings of a master that has a certificate."""
    certificate, key = mupdated.make_certificate(tmp_path_factory.mktemp("certificate"))
    return {"tls_server_cert": certificate, "tls_server_key": key}


@pytest.fixture
def name(request):
    """A mailbox name that no other test uses."""
    plain = "".join(c if c.isalnum() else "-" for c in request.node.name)
    return f"user.{plain.replace('test-', '', 1)[:80]}.{next(_numbers)}"


@pytest.fixture
def client(master):
    """A client of the shared master, logged in."""
    with master.client() as client:
        yield client


@pytest.fixture
def subscriber(master):
    """A subscriber of the shared master."""
    with master.subscriber() as client:
        client.changes()
        yield client


@pytest.fixture
def small_disk(tmp_path):
    """(prefix of a command that sees it, the directory from there, the directory from here)"""
    place = tmp_path / "disk"
    place.mkdir()
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=160m none {place} && "
         "echo ready && exec sleep 100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if holder.stdout.readline() != b"ready\n":
        holder.wait()
        pytest.skip("this user cannot make a small file system")
    yield (["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--"], place,
           pathlib.Path(f"/proc/{holder.pid}/root{place}"))
    holder.kill()
    holder.wait()


def fill_up(filler):
    """Take all the space that is left."""
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                pass


@pytest.fixture
def table(tmp_path):
    """A database directory that is not there yet."""
    return dumps.Table(tmp_path / "database")
