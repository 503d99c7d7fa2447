"""Fixtures for the suites that test a running mupdated.

SPDX-License-Identifier: BSD-3-Clause
"""

import itertools

import pytest

import mupdated

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
