"""mupdatectl reservations: names that a creation that died has left reserved.

SPDX-License-Identifier: BSD-3-Clause
"""

import json

import pytest

EX_USAGE, EX_UNAVAILABLE = 64, 69
HERE = "one.test!p"


@pytest.fixture
def daemon(start):
    daemon = start()
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", HERE)
        client.ok("RESERVE", "user.b", HERE)
        client.ok("ACTIVATE", "user.b", HERE, "x")
        client.ok("RESERVE", b"user.\xff", "two.test!p")
    return daemon


def test_what_is_reserved_is_listed_with_age_user_and_location(daemon):
    lines = [line.split("\t") for line in
             daemon.ctl("reservations").stdout.decode().splitlines()]
    assert [one[2:] for one in lines] == [["murder", "user.a", HERE],
                                          ["murder", r"user.\xff", "two.test!p"]]
    shown = [json.loads(line) for line in
             daemon.ctl("--json", "reservations").stdout.splitlines()]
    assert [one["sequence"] for one in shown] == [1, 4]


def test_stale_ones_are_told_by_the_exit_status(daemon):
    assert daemon.ctl("reservations", "--older-than", "10m").stdout == b""
    assert len(daemon.ctl("reservations", "--older-than", "0s",
                          status=1).stdout.splitlines()) == 2


def test_of_a_long_table_each_is_listed_once(daemon):
    with daemon.client() as client:
        client.set_many([("RESERVE" if number % 3 == 0 else "ACTIVATE", f"user.x{number:05}", HERE,
                          *(() if number % 3 == 0 else ("x",))) for number in range(7000)])
    names = [line.split(b"\t")[3] for line in daemon.ctl("reservations").stdout.splitlines()]
    assert names[1:-1] == [b"user.x%05d" % number for number in range(0, 7000, 3)]


def test_wrong_ages_are_refused(daemon):
    daemon.ctl("reservations", "--older-than", "old", status=EX_USAGE)
    daemon.ctl("reservations", "x", status=EX_USAGE)
    daemon.stop()
    daemon.ctl("reservations", status=EX_UNAVAILABLE)
