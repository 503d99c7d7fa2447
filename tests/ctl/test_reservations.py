"""mupdatectl reservations and release: names that a creation that died has left reserved.

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


def test_release_frees_the_name_for_all_and_says_who_did(daemon):
    with daemon.subscriber() as subscriber, daemon.client() as client:
        assert daemon.ctl("release", "user.a").stdout == b""
        assert subscriber.change() == ("DELETE", b"user.a")
        assert client.find("user.a") is None
        client.ok("RESERVE", "user.a", "two.test!p")
    daemon.wait_for_log(r"notice: released: mailbox=user\.a location=one\.test!p "
                        r"reserved_by=murder reserved=1 sequence=5 by=control:(root|uid=\d+)$")
    change = daemon.ctl("log", "--mailbox", "user.a").stdout.decode().splitlines()[1].split("\t")
    assert change[2].startswith("control:") and change[4] == f"reserved {HERE} -> deleted"
    daemon.ctl("release", b"user.\xff")
    assert len(daemon.ctl("reservations").stdout.splitlines()) == 1


def test_release_takes_nothing_but_a_reservation_that_is_old_enough(daemon):
    before = daemon.ctl("reservations").stdout
    for arguments, reason in ((["user.b"], b"it is active"), (["user.none"], b"no such mailbox"),
                              (["--older-than", "10m", "user.a"], b"later than that")):
        error = daemon.ctl("release", *arguments, status=EX_UNAVAILABLE).stderr
        assert error.startswith(b"mupdatectl: not released: ") and reason in error
    assert [line.split(b"\t")[3] for line in daemon.ctl("reservations").stdout.splitlines()] == \
        [line.split(b"\t")[3] for line in before.splitlines()]
    assert "released:" not in daemon.log()
    daemon.ctl("release", "--older-than", "0s", "user.a")
    daemon.ctl("release", status=EX_USAGE)


def test_release_is_audited_as_every_change_is(start):
    daemon = start(audit="yes")
    with daemon.client() as client:
        client.ok("RESERVE", "user.a", HERE)
    daemon.ctl("release", "user.a")
    daemon.wait_for_log(r"audit: \[control\] user=control:\S+ sequence=2 command=DELETE "
                        r"mailbox=user\.a old_state=reserved old_location=one\.test!p .*"
                        r"new_state=absent")


def test_release_never_takes_what_was_activated_meanwhile(daemon):
    with daemon.client() as client:
        for number in range(100):
            name = f"user.race{number}"
            client.ok("RESERVE", name, HERE)
            with daemon.control() as control:
                control.send("release", name=name)
                word, _ = client.set("ACTIVATE", name, HERE, "x")
                answer = control.line()
            assert word == "OK"
            # Whoever was first: what was activated is there.
            assert client.find(name) is not None, answer


def test_a_client_that_hangs_up_at_once_leaves_nothing_behind(daemon):
    with daemon.client() as client:
        for number in range(50):
            client.ok("RESERVE", f"user.gone{number}", HERE)
            with daemon.control() as control:
                control.send("release", name=f"user.gone{number}")
        client.noop()
    daemon.stop()
    daemon.start()
