"""mupdatectl connections and kick.

SPDX-License-Identifier: BSD-3-Clause
"""

import json

import pytest

EX_USAGE, EX_UNAVAILABLE = 64, 69
KEEPER = ("keeper", "Keeper Pw")


@pytest.fixture
def daemon(start):
    return start(admins="murder keeper")


def port(client):
    return client.socket.getsockname()[1]


def shown(daemon, *arguments):
    """{port of the client: its object}"""
    lines = daemon.ctl("connections", "--json", *arguments).stdout.splitlines()
    return {int(one["client"].split("port=")[1]): one for one in map(json.loads, lines)}


def test_the_table_has_a_line_for_each_connection(daemon):
    with daemon.connect() as new, daemon.client() as client, daemon.subscriber() as subscriber:
        lines = daemon.ctl("connections").stdout.decode().splitlines()
        assert lines[0].split() == ["CONNECTION", "CLIENT", "USER", "ACTIVITY", "TLS", "AGE",
                                    "IDLE", "BEHIND"]
        by_port = {int(line.split("port=")[1].split()[0]): line.split() for line in lines[1:]}
        assert by_port.keys() == {port(new), port(client), port(subscriber)}
        assert [by_port[port(one)][3:5] for one in (new, client, subscriber)] == [
            ["-", "login"], ["murder", "commands"], ["murder", "streaming"]]
        assert [by_port[port(one)][-1] for one in (new, client, subscriber)] == ["-", "-", "0"]


def test_those_of_one_user_can_be_asked_for(daemon):
    with daemon.client(), daemon.connect() as keeper:
        keeper.login(*KEEPER)
        assert shown(daemon, "--user", "keeper").keys() == {port(keeper)}
        assert shown(daemon, "--user", "nobody") == {}


def test_kick_closes_the_connection_of_that_number(daemon):
    with daemon.client() as one, daemon.client() as other:
        number = shown(daemon)[port(one)]["connection"]
        assert daemon.ctl("kick", str(number)).stdout == b"closed 1 connection\n"
        assert one.at_end()
        other.noop()
    assert "notice: kicked: [127.0.0.1] port=" in daemon.log()


def test_kick_closes_all_of_a_user(daemon):
    with daemon.client() as one, daemon.subscriber() as two, daemon.connect() as keeper:
        keeper.login(*KEEPER)
        done = daemon.ctl("--json", "kick", "--user", "murder")
        assert json.loads(done.stdout) == {"kicked": 2}
        assert one.at_end() and two.at_end()
        keeper.noop()


def test_kick_of_none_says_so(daemon):
    assert daemon.ctl("kick", "999999", status=1).stdout == b"closed 0 connections\n"
    daemon.ctl("kick", "--user", "nobody", status=1)


@pytest.mark.parametrize("arguments", [[], ["0"], ["-5"], ["x"], ["1", "--user", "murder"]])
def test_kick_needs_a_number_or_a_user(daemon, arguments):
    with daemon.client() as client:
        daemon.ctl("kick", *arguments, status=EX_USAGE)
        client.noop()


def test_without_a_daemon_there_is_nothing_to_show(daemon):
    daemon.stop()
    daemon.ctl("connections", status=EX_UNAVAILABLE)
    daemon.ctl("kick", "1", status=EX_UNAVAILABLE)
