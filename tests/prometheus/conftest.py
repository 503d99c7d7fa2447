"""SPDX-License-Identifier: BSD-3-Clause"""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from fixtures import *  # noqa: E402,F401,F403
import mupdated  # noqa: E402


@pytest.fixture
def watched(daemons):
    """Starts a master with metrics and settings of its own; .metrics is the port."""
    def start(ready=True, **settings):
        port = mupdated.free_port()
        daemon = daemons.make(**{"metrics_listen": str(port), **settings})
        daemon.metrics = port
        daemon.start(wait=ready)
        return daemon
    return start
