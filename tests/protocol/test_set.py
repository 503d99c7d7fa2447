"""What each command does to a row.

SPDX-License-Identifier: BSD-3-Clause
"""

import random

import pytest

from mupdated import row

HERE = "backend1.test!default"
HERE_TOO = "backend1.test!other"
THERE = "backend2.test!default"
ACL = "anna\tlrswipkxtecda\t"
OTHER_ACL = "anna\tlrs\tbob\tlr\t"


# --- RESERVE ---


def test_reserve_takes_a_free_name(client, name):
    client.ok("RESERVE", name, HERE)
    assert client.find(name) == row("RESERVE", name, HERE)


def test_reserve_by_the_same_location_changes_nothing(client, name):
    client.ok("RESERVE", name, HERE)
    client.ok("RESERVE", name, HERE)
    assert client.find(name) == row("RESERVE", name, HERE)


def test_reserve_of_an_active_mailbox_by_its_own_location_leaves_it_active(client, name):
    client.ok("ACTIVATE", name, HERE, ACL)
    client.ok("RESERVE", name, HERE)
    assert client.find(name) == row("MAILBOX", name, HERE, ACL)


@pytest.mark.parametrize("other", [THERE, HERE_TOO, HERE.upper(), HERE + "x", HERE[:-1]])
@pytest.mark.parametrize("state", ["reserved", "active"])
def test_reserve_by_another_location_is_refused_and_names_the_holder(client, name, state, other):
    if state == "reserved":
        client.ok("RESERVE", name, HERE)
    else:
        client.ok("ACTIVATE", name, HERE, ACL)
    before = client.find(name)
    word, text = client.set("RESERVE", name, other)
    assert word == "NO" and text.endswith(" " + HERE)
    assert client.find(name) == before


def test_reserve_is_free_again_after_delete(client, name):
    client.ok("ACTIVATE", name, HERE, ACL)
    client.ok("DELETE", name)
    client.ok("RESERVE", name, THERE)
    assert client.find(name) == row("RESERVE", name, THERE)


def test_of_concurrent_reserves_exactly_one_wins(master, name):
    clients = [master.client() for _ in range(20)]
    locations = [f"backend{number}.test!default" for number in range(20)]
    for client, location in zip(clients, locations):
        client.send(f'R1 RESERVE "{name}" "{location}"\r\n')
    answers = [client.answer("R1") for client in clients]
    winners = [location for location, (_, word, _) in zip(locations, answers) if word == "OK"]
    assert len(winners) == 1
    for client, (_, word, text) in zip(clients, answers):
        assert word == "OK" or text.endswith(winners[0])
        assert client.find(name) == row("RESERVE", name, winners[0])
        client.close()


# --- ACTIVATE ---

BEFORE = {
    "absent": [],
    "reserved here": [("RESERVE", HERE)],
    "reserved there": [("RESERVE", THERE)],
    "active here": [("ACTIVATE", HERE, OTHER_ACL)],
    "active in another partition": [("ACTIVATE", HERE_TOO, ACL)],
    "active there": [("ACTIVATE", THERE, ACL)],
    "active already": [("ACTIVATE", HERE, ACL)],
    "active without ACL": [("ACTIVATE", HERE, "")],
}


@pytest.mark.parametrize("before", BEFORE)
def test_activate_always_stores(client, name, before):
    for verb, *strings in BEFORE[before]:
        client.ok(verb, name, *strings)
    client.ok("ACTIVATE", name, HERE, ACL)
    assert client.find(name) == row("MAILBOX", name, HERE, ACL)


def test_activate_that_moves_an_active_mailbox_to_another_server_is_logged(master, client, name):
    client.ok("ACTIVATE", name, HERE, ACL)
    client.ok("ACTIVATE", name, THERE, ACL)
    moved = master.wait_for_log(f"notice: moved: mailbox={name} .*")[0]
    assert f"from={HERE} to={THERE} user=murder client=[127.0.0.1] port=" in moved


@pytest.mark.parametrize("before", ["reserved there", "active in another partition",
                                    "active already"])
def test_activate_that_moves_no_active_mailbox_to_another_server_is_not_logged(
        master, client, name, before):
    for verb, *strings in BEFORE[before]:
        client.ok(verb, name, *strings)
    client.ok("ACTIVATE", name, HERE, ACL)
    client.ok("ACTIVATE", name, THERE, ACL)
    master.wait_for_log(f"moved: mailbox={name} from={HERE} to={THERE}")
    assert master.log().count(f"moved: mailbox={name} ") == 1


@pytest.fixture(scope="module")
def denying(tmp_path_factory):
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("denying"))
    yield daemons.start(location_conflict="deny")
    daemons.end()


def test_location_conflict_deny_refuses_to_move_an_active_mailbox_to_another_server(denying, name):
    with denying.client() as client:
        client.ok("ACTIVATE", name, HERE, ACL)
        word, text = client.set("ACTIVATE", name, THERE, OTHER_ACL)
        assert word == "NO" and HERE in text
        assert client.find(name) == row("MAILBOX", name, HERE, ACL)
        assert f"mailbox={name}" not in denying.log()


@pytest.mark.parametrize("before", [one for one in BEFORE if one != "active there"])
def test_location_conflict_deny_leaves_all_other_activates_alone(denying, name, before):
    with denying.client() as client:
        for verb, *strings in BEFORE[before]:
            client.ok(verb, name, *strings)
        client.ok("ACTIVATE", name, HERE, ACL)
        assert client.find(name) == row("MAILBOX", name, HERE, ACL)


# --- DEACTIVATE, DELETE ---


@pytest.mark.parametrize("location", [HERE, HERE_TOO, THERE])
def test_deactivate_reserves_at_the_given_location_and_drops_the_acl(client, name, location):
    client.ok("ACTIVATE", name, HERE, ACL)
    client.ok("DEACTIVATE", name, location)
    assert client.find(name) == row("RESERVE", name, location)
    client.ok("RESERVE", name, location)


@pytest.mark.parametrize("location", [HERE, THERE])
def test_deactivate_of_a_reserved_mailbox_is_refused(client, name, location):
    client.ok("RESERVE", name, HERE)
    assert client.set("DEACTIVATE", name, location) == ("NO", "mailbox not currently active")
    assert client.find(name) == row("RESERVE", name, HERE)


@pytest.mark.parametrize("verb, strings", [("DEACTIVATE", (HERE,)), ("DELETE", ())])
def test_what_is_unknown_cannot_be_deactivated_or_deleted(client, name, verb, strings):
    assert client.set(verb, name, *strings) == ("NO", "mailbox doesn't exist")
    assert client.find(name) is None


@pytest.mark.parametrize("before", [one for one in BEFORE if one != "absent"])
def test_delete_removes_what_exists_once(client, name, before):
    for verb, *strings in BEFORE[before]:
        client.ok(verb, name, *strings)
    client.ok("DELETE", name)
    assert client.find(name) is None
    assert client.set("DELETE", name) == ("NO", "mailbox doesn't exist")


# --- what changes nothing ---

UNCHANGED = {
    "reserve again": ([("RESERVE", HERE)], ("RESERVE", HERE), "OK"),
    "reserve what is active here": ([("ACTIVATE", HERE, ACL)], ("RESERVE", HERE), "OK"),
    "reserve what is held": ([("RESERVE", HERE)], ("RESERVE", THERE), "NO"),
    "activate again": ([("ACTIVATE", HERE, ACL)], ("ACTIVATE", HERE, ACL), "OK"),
    "deactivate what is reserved": ([("RESERVE", HERE)], ("DEACTIVATE", HERE), "NO"),
    "deactivate what is unknown": ([], ("DEACTIVATE", HERE), "NO"),
    "delete what is unknown": ([], ("DELETE",), "NO"),
    "two partitions": ([], ("RESERVE", "a!b!c"), "NO"),
}


@pytest.mark.parametrize("case", UNCHANGED)
def test_what_changes_nothing_is_no_event_and_takes_no_sequence_number(
        master, client, subscriber, name, case):
    before, (verb, *strings), expected = UNCHANGED[case]
    for first, *first_strings in before:
        client.ok(first, name, *first_strings)
    subscriber.changes()
    sequence = master.sequence()
    assert client.set(verb, name, *strings)[0] == expected
    assert subscriber.changes() == []
    assert master.sequence() == sequence


def test_each_change_is_one_event_and_one_sequence_number(master, client, subscriber, name):
    sequence = master.sequence()
    client.ok("RESERVE", name, HERE)
    assert subscriber.change() == row("RESERVE", name, HERE)
    client.ok("ACTIVATE", name, HERE, ACL)
    assert subscriber.change() == row("MAILBOX", name, HERE, ACL)
    client.ok("DEACTIVATE", name, THERE)
    assert subscriber.change() == row("RESERVE", name, THERE)
    client.ok("DELETE", name)
    assert subscriber.change() == row("DELETE", name)
    assert subscriber.changes() == []
    assert master.sequence() == sequence + 4


# --- all together ---


def model(table, verb, name, location=None, acl=None):
    """What RFC 3656 and this server's manual say; True when the answer is OK."""
    state = table.get(name)
    if verb == "RESERVE":
        if state is None:
            table[name] = row("RESERVE", name, location)
        return state is None or state[2] == location.encode()
    if verb == "ACTIVATE":
        table[name] = row("MAILBOX", name, location, acl)
        return True
    if verb == "DEACTIVATE":
        if state is None or state[0] != "MAILBOX":
            return False
        table[name] = row("RESERVE", name, location)
        return True
    return table.pop(name, None) is not None


@pytest.mark.parametrize("seed", range(3))
def test_random_pipelined_changes_do_what_a_model_says(client, name, seed):
    chance = random.Random(seed)
    table, commands, expected = {}, [], []
    for _ in range(1500):
        verb = chance.choice(["RESERVE", "ACTIVATE", "DEACTIVATE", "DELETE"])
        strings = [f"{name}.{chance.randrange(6)}"]
        if verb != "DELETE":
            strings.append(chance.choice([HERE, HERE_TOO, THERE]))
        if verb == "ACTIVATE":
            strings.append(chance.choice([ACL, OTHER_ACL, ""]))
        commands.append((verb, *strings))
        expected.append("OK" if model(table, verb, *strings) else "NO")
    assert client.set_many(commands) == expected
    for number in range(6):
        assert client.find(f"{name}.{number}") == table.get(f"{name}.{number}")
