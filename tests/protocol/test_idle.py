"""How long a connection may be silent; the daemon's clock is set on by libfaketime.

SPDX-License-Identifier: BSD-3-Clause
"""

import glob
import os
import re

import pytest

from mupdated import SANITIZED, wait_for

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer is to be the first library")

MINUTE = 60
IDLE_MINUTES = 15
LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


class Clock:
    """A daemon's clock. It only ever goes forward."""

    def __init__(self, path):
        self.path = path
        self.seconds = 0
        self.forward(0)
        self.prefix = ["env", f"LD_PRELOAD={glob.glob(LIBRARY)[0]}",
                       f"FAKETIME_TIMESTAMP_FILE={path}", "FAKETIME_NO_CACHE=1"]

    def forward(self, seconds):
        self.seconds += seconds
        # The daemon may read it at any moment.
        new = self.path.with_suffix(".new")
        new.write_text(f"+{self.seconds}\n", encoding="ascii")
        os.replace(new, self.path)


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path / "clock")


@pytest.fixture
def daemon(start, clock):
    return start(prefix=clock.prefix, idle_timeout=f"{IDLE_MINUTES}m", login_timeout="30s")


def port(client):
    return client.socket.getsockname()[1]


def end_of(daemon, at):
    """Wait for the end of the connection from this port; return its reason."""
    return wait_for(lambda: re.search(rf'closed: \S+ port={at} user=\S+ reason="(.*?)"',
                                      daemon.log()), "the end of a connection")[1]


def after(daemon, clock, seconds):
    """Set the clock on, and wait until the daemon has looked at all connections."""
    with daemon.connect() as stranger:
        clock.forward(seconds)
        assert stranger.at_end()
        assert end_of(daemon, port(stranger)) == "not authenticated in time"


def test_who_is_silent_for_the_idle_timeout_gets_bye_and_not_before(daemon, clock):
    with daemon.client() as idle, daemon.client() as busy:
        after(daemon, clock, (IDLE_MINUTES - 1) * MINUTE)
        busy.noop()
        assert idle.has_nothing()
        after(daemon, clock, MINUTE)
        assert idle.response() == ("*", "BYE", [b"idle for too long"])
        assert idle.at_end()
        # Whoever is gone does not end his side.
        clock.forward(5)
        assert end_of(daemon, port(idle)) == "idle for too long"
        busy.noop()


def test_a_subscriber_stays_as_long_as_it_says_noop(daemon, clock):
    with daemon.subscriber() as stream, daemon.subscriber() as silent, daemon.client() as writer:
        for number in range(4):
            after(daemon, clock, (IDLE_MINUTES - 5) * MINUTE)
            assert stream.changes() == []
            writer.noop()
        assert silent.response() == ("*", "BYE", [b"idle for too long"])
        assert silent.at_end()
        # What it is sent is no word of its own.
        writer.ok("RESERVE", "user.a", "one.test!default")
        assert len(stream.changes()) == 1


def test_who_is_not_logged_in_has_the_time_to_log_in_only(daemon, clock):
    with daemon.connect() as stranger, daemon.client() as client:
        for _ in range(3):
            stranger.send("A")
            client.noop()
            clock.forward(10)
        assert stranger.at_end()
        assert end_of(daemon, port(stranger)) == "not authenticated in time"
        client.noop()
