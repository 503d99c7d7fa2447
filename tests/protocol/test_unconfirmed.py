"""A table that was loaded tells nobody what it holds until an operator has confirmed it.

SPDX-License-Identifier: BSD-3-Clause
"""

import pytest

from mupdated import literal, row

HERE = "one.test!default"


@pytest.fixture
def loaded(start):
    """A master on a table that was dumped and loaded."""
    daemon = start()
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.old", HERE, "anna\tlrs\t")
        client.ok("RESERVE", "user.reserved", HERE)
    daemon.stop()
    dump = daemon.directory / "table.mupdate"
    daemon.ctl("dump", "-o", dump)
    daemon.ctl("load", dump)
    return daemon.start()


def test_the_start_says_it_and_what_to_do(loaded):
    loaded.wait_for_log(r"warning: unconfirmed: .*mupdatectl confirm$")


@pytest.mark.parametrize("command", [
    'FIND "user.old"', 'FIND "user.none"', "LIST", 'LIST "one.test!"', "UPDATE",
    'UPDATE "one.test"', 'RESERVE "user.new" "one.test!default"',
    'RESERVE "user.reserved" "one.test!default"'])
def test_what_asks_for_the_tables_word_is_cut_off_without_an_answer(loaded, command):
    with loaded.client() as client:
        client.send(f"A1 {command}\r\n")
        assert client.at_end()
    word = command.split()[0]
    loaded.wait_for_log(rf"warning: unconfirmed: \[127\.0\.0\.1\] port=\d+ user=murder "
                        rf"command={word} more=0: not answered$")


def test_a_backends_word_about_its_own_mailboxes_is_taken(loaded):
    with loaded.client() as client:
        client.ok("ACTIVATE", "user.new", HERE, "anna\tlrs\t")
        client.ok("DEACTIVATE", "user.old", HERE)
        client.ok("DELETE", "user.reserved")
        assert client.command("NOOP")[1] == "OK"
    loaded.stop()
    loaded.ctl("confirm")
    loaded.start()
    with loaded.client() as client:
        assert client.list() == [row("MAILBOX", "user.new", HERE, "anna\tlrs\t"),
                                 row("RESERVE", "user.old", HERE)]


def test_nothing_behind_the_cut_is_done(loaded):
    with loaded.client() as client:
        client.send(b"A1 FIND " + literal("user.old") + b"\r\nA2 DELETE " + literal("user.old")
                    + b"\r\n")
        assert client.at_end()
    loaded.stop()
    loaded.ctl("confirm")
    loaded.start()
    with loaded.client() as client:
        assert client.find("user.old") == row("MAILBOX", "user.old", HERE, "anna\tlrs\t")


def test_the_log_is_not_flooded_and_counts_what_it_left_out(loaded):
    for _ in range(50):
        with loaded.client() as client:
            client.send("A1 LIST\r\n")
            assert client.at_end()
    lines = [line for line in loaded.log_since_start().splitlines()
             if "unconfirmed: [" in line]
    left_out = sum(int(line.split("more=")[1].split(":")[0]) for line in lines)
    assert len(lines) + left_out <= 50
    assert len(lines) < 50


def test_a_confirmed_table_is_served_and_stays_so(loaded):
    loaded.stop()
    loaded.ctl("confirm")
    for _ in range(2):
        loaded.start()
        with loaded.client() as client:
            assert client.find("user.old") == row("MAILBOX", "user.old", HERE, "anna\tlrs\t")
            client.ok("RESERVE", "user.reserved", HERE)
        assert "unconfirmed" not in loaded.log_since_start()
        loaded.stop()


def test_an_empty_new_table_needs_no_confirmation(start):
    with start().client() as client:
        assert client.list() == []
