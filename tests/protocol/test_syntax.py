"""The syntax of RFC 3656 over TCP: strings in each form, any case, any split of the bytes.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import random

import pytest

from mupdated import PASSWORD, USER, command_octets, literal, row

HERE = "backend1.test!default"
ACL = "anna\tlrs\t"


def sync_literal(client, text):
    """Send a literal as one that waits does."""
    client.send(b" {%d}\r\n" % len(text))
    assert client.line() == b"+ go ahead"
    client.send(text)


def send_string(client, form, text):
    text = text.encode()
    if form == "sync":
        sync_literal(client, text)
    elif form == "non-sync":
        client.send(b" " + literal(text))
    else:
        client.send(b' "' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"')


def say(client, verb, forms, strings):
    client.send("A1 " + verb)
    for form, text in zip(forms, strings):
        send_string(client, form, text)
    client.send("\r\n")
    rows, word, text = client.answer("A1")
    assert word == "OK", text
    return rows


FORMS = ["quoted", "sync", "non-sync"]


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
@pytest.mark.parametrize("third", FORMS)
def test_every_string_may_have_every_form(client, name, first, second, third):
    forms = (first, second, third)
    mailbox = name + '."\\\t'
    say(client, "RESERVE", forms, (mailbox, HERE))
    say(client, "ACTIVATE", forms, (mailbox, HERE, ACL))
    assert say(client, "FIND", forms, (mailbox,)) == [row("MAILBOX", mailbox, HERE, ACL)]
    say(client, "DEACTIVATE", forms, (mailbox, HERE))
    say(client, "LIST", forms, (HERE,))
    say(client, "DELETE", forms, (mailbox,))
    say(client, "UPDATE", forms, ("a.test", "b.test", "c.test"))


@pytest.mark.parametrize("octets", [b"{0}\r\n", b"{0+}\r\n", b'""', b"{000}\r\n", b"{00+}\r\n"])
def test_the_empty_string_has_every_form(client, name, octets):
    client.send(f'A1 ACTIVATE "{name}" "{HERE}" '.encode() + octets)
    if octets.startswith(b"{") and b"+" not in octets:
        assert client.line() == b"+ go ahead"
    client.send("\r\n")
    assert client.answer("A1")[1] == "OK"
    assert client.find(name) == row("MAILBOX", name, HERE, "")


def test_a_literal_that_waits_is_invited_only_after_the_answers_to_what_was_sent_before(
        client, name):
    client.send(f'A1 RESERVE "{name}" "{HERE}"\r\nA2 FIND {{{len(name)}}}\r\n')
    assert client.line() == b'A1 OK "done"'
    assert client.line() == b"+ go ahead"
    client.send(name + "\r\n")
    assert client.answer("A2")[0] == [row("RESERVE", name, HERE)]


@pytest.mark.parametrize("verb", ["noop", "NoOp", "NOOP"])
def test_command_words_have_any_case(client, verb):
    client.send(f"a1 {verb}\r\n")
    assert client.answer("a1")[1] == "OK"


@pytest.mark.parametrize("command", ['rEsErVe "{}" "a!b"', 'Activate "{}" "a!b" ""', 'find "{}"',
                                     'liSt "{}"', "LisT", 'deLEte "{}"', "logOUT", 'upDATE'])
def test_all_commands_are_known_in_any_case(client, name, command):
    _, word, text = client.command(command.format(name))
    assert word in ("OK", "BYE") or text == "mailbox doesn't exist"


def test_authenticate_and_its_mechanism_have_any_case(master):
    message = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
    with master.connect() as client:
        assert client.command(b'authENticate "plain" ' + literal(message))[1] == "OK"


def test_a_bare_line_feed_ends_a_line_as_well(client, name):
    client.send(f'A1 RESERVE {{{len(name)}+}}\n{name} "{HERE}"\nA2 NOOP\n')
    assert client.answer("A1")[1] == "OK"
    assert client.answer("A2")[1] == "OK"
    assert client.find(name) == row("RESERVE", name, HERE)


# --- splits ---


def whole_session(name):
    """A session's bytes after the banner, and its answers."""
    message = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    lines = [
        (f'A1 AUTHENTICATE "PLAIN" {{{len(message)}+}}\r\n{message}\r\n', 'A1 OK "Authenticated"'),
        (f'A2 RESERVE "{name}" "{HERE}"\r\n', 'A2 OK "done"'),
        ("\r\n", '* BAD "empty line"'),
        (f'A3 ACTIVATE {{{len(name)}+}}\r\n{name} "{HERE}" {{6+}}\r\na\r\nb\tc\r\n',
         'A3 OK "done"'),
        (f'A4 FIND "{name}"\r\n',
         f"A4 MAILBOX {{{len(name)}+}}\r\n{name} {{{len(HERE)}+}}\r\n{HERE} {{6+}}\r\n"
         'a\r\nb\tc\r\nA4 OK "Search completed"'),
        ('A5 FIND "x\r\n', 'A5 BAD "a quoted string is not closed on its line"'),
        (f"A6 FIND {{200000+}}\r\n{'y' * 200000}\r\n", 'A6 BAD "the literal is too long"'),
        (f'A7 DELETE "{name}"\r\n', 'A7 OK "done"'),
        ("A8 NOOP\r\n", 'A8 OK "Noop done"'),
        ("A9 LOGOUT\r\n", 'A9 BYE "logged out"'),
    ]
    return ("".join(sent for sent, _ in lines).encode(),
            "".join(answer + "\r\n" for _, answer in lines).encode())


def test_a_session_in_one_piece_gives_the_answers_in_order(master, name):
    sent, answers = whole_session(name)
    with master.connect() as client:
        client.send(sent)
        assert client.read_to_end() == answers


def test_a_session_byte_by_byte_gives_the_same_answers(master, name):
    sent, answers = whole_session(name)
    # Of the refused literal the middle goes in one piece, or this takes seconds.
    middle = b"y" * 199000
    at = sent.index(middle)
    with master.connect() as client:
        for octet in sent[:at]:
            client.send(bytes([octet]))
        client.send(middle)
        for octet in sent[at + len(middle):]:
            client.send(bytes([octet]))
        assert client.read_to_end() == answers


@pytest.mark.parametrize("seed", range(5))
def test_a_session_in_random_pieces_gives_the_same_answers(master, name, seed):
    chance = random.Random(seed)
    sent, answers = whole_session(name)
    with master.connect() as client:
        while sent:
            length = chance.choice([1, 2, 3, 10, 100, 10000])
            client.send(sent[:length])
            sent = sent[length:]
        assert client.read_to_end() == answers


# --- pipelining ---


def test_answers_come_in_the_order_of_the_commands(client, name):
    expected = []
    octets = b""
    for number in range(0, 600, 6):
        mailbox = f"{name}.{number}"
        octets += command_octets(f"A{number}", "FIND", mailbox)
        octets += command_octets(f"A{number + 1}", "ACTIVATE", mailbox, HERE, ACL)
        octets += command_octets(f"A{number + 2}", "FIND", mailbox)
        octets += b"A%d NOOP\r\n" % (number + 3)
        octets += command_octets(f"A{number + 4}", "DELETE", mailbox)
        octets += command_octets(f"A{number + 5}", "FIND", mailbox)
        found = [row("MAILBOX", mailbox, HERE, ACL)]
        expected += [[], [], found, [], [], []]
    client.send(octets)
    for number, rows in enumerate(expected):
        assert client.answer(f"A{number}")[:2] == (rows, "OK")


def test_find_sees_what_an_earlier_pipelined_activate_wrote(client, name):
    octets = b""
    for number in range(200):
        octets += command_octets(f"A{number}", "ACTIVATE", name, HERE, f"anna\t{number}\t")
        octets += command_octets(f"F{number}", "FIND", name)
    client.send(octets)
    for number in range(200):
        assert client.answer(f"A{number}")[1] == "OK"
        assert client.answer(f"F{number}")[0] == [
            row("MAILBOX", name, HERE, f"anna\t{number}\t")]


def test_list_sees_what_an_earlier_pipelined_activate_wrote(client, name):
    location = f"{name}.test!p"
    client.send(command_octets("A1", "ACTIVATE", name, location, ACL)
                + command_octets("L1", "LIST", location)
                + command_octets("A2", "DELETE", name)
                + command_octets("L2", "LIST", location))
    client.answer("A1")
    assert client.answer("L1")[0] == [row("MAILBOX", name, location, ACL)]
    client.answer("A2")
    assert client.answer("L2")[0] == []


def test_update_sees_what_an_earlier_pipelined_activate_wrote(client, name):
    client.send(command_octets("A1", "ACTIVATE", name, f"{name}.test!p", ACL)
                + command_octets("U1", "UPDATE", f"{name}.test"))
    client.answer("A1")
    assert client.dump() == [row("MAILBOX", name, f"{name}.test!p", ACL)]


def test_other_connections_see_a_change_that_was_answered(master, client, name):
    with master.client() as other:
        for number in range(50):
            client.ok("ACTIVATE", name, HERE, f"anna\t{number}\t")
            assert other.find(name) == row("MAILBOX", name, HERE, f"anna\t{number}\t")
