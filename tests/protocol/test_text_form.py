"""The exact octets of answers: in these forms every Cyrus version reads them.

SPDX-License-Identifier: BSD-3-Clause
"""

import pytest

HERE = "backend1.test!default"


def expect(client, octets):
    assert client.read(len(octets)) == octets


def test_rows_go_out_as_literals_and_texts_as_quoted_strings(client, name):
    client.ok("ACTIVATE", name, HERE, "anna\tlrs\t")
    client.send(f'F1 FIND "{name}"\r\n')
    expect(client, f"F1 MAILBOX {{{len(name)}+}}\r\n{name} {{21+}}\r\n{HERE} {{9+}}\r\n"
                   f'anna\tlrs\t\r\nF1 OK "Search completed"\r\n'.encode())


def test_an_empty_acl_is_a_literal_of_no_octets(client, name):
    client.ok("ACTIVATE", name, HERE, "")
    client.send(f'F1 FIND "{name}"\r\n')
    expect(client, f"F1 MAILBOX {{{len(name)}+}}\r\n{name} {{21+}}\r\n{HERE} {{0+}}\r\n"
                   f'\r\nF1 OK "Search completed"\r\n'.encode())


def test_a_reserved_row_has_no_acl(client, name):
    client.ok("RESERVE", name, HERE)
    client.send(f'F1 FIND "{name}"\r\n')
    expect(client, f"F1 RESERVE {{{len(name)}+}}\r\n{name} {{21+}}\r\n{HERE}\r\n"
                   f'F1 OK "Search completed"\r\n'.encode())


def test_find_of_an_unknown_name_is_ok_alone(client, name):
    client.send(f'F1 FIND "{name}"\r\n')
    expect(client, b'F1 OK "Search completed"\r\n')


def test_list_has_the_rows_and_then_ok(client, name):
    client.ok("RESERVE", name, f"{name}.test!p")
    client.send(f'L1 LIST "{name}.test!"\r\n')
    expect(client, f"L1 RESERVE {{{len(name)}+}}\r\n{name} {{{len(name) + 7}+}}\r\n{name}.test!p"
                   f'\r\nL1 OK "List complete"\r\n'.encode())


def test_changes_of_a_stream_carry_the_tag_of_update(client, subscriber, name):
    client.ok("RESERVE", name, HERE)
    expect(subscriber, f"U1 RESERVE {{{len(name)}+}}\r\n{name} {{21+}}\r\n{HERE}\r\n".encode())
    client.ok("ACTIVATE", name, HERE, "x")
    expect(subscriber, f"U1 MAILBOX {{{len(name)}+}}\r\n{name} {{21+}}\r\n{HERE} {{1+}}\r\n"
                       "x\r\n".encode())
    client.ok("DELETE", name)
    expect(subscriber, f"U1 DELETE {{{len(name)}+}}\r\n{name}\r\n".encode())


ANSWERS = {
    'A1 NOOP': 'A1 OK "Noop done"',
    'A1 RESERVE "{name}" "b!p"': 'A1 OK "done"',
    'A1 ACTIVATE "{name}" "b!p" ""': 'A1 OK "done"',
    'A1 DEACTIVATE "{name}" "b!p"': 'A1 NO "mailbox doesn\'t exist"',
    'A1 DELETE "{name}"': 'A1 NO "mailbox doesn\'t exist"',
    'A1 NONSENSE': 'A1 BAD "unknown command"',
    '': '* BAD "empty line"',
    'A1 LOGOUT': 'A1 BYE "logged out"',
}


@pytest.mark.parametrize("command", ANSWERS)
def test_every_final_answer_has_exactly_one_quoted_string(client, name, command):
    client.send(command.format(name=name) + "\r\n")
    assert client.line().decode() == ANSWERS[command]


def test_a_holder_whose_name_a_quoted_string_cannot_carry_is_shown_as_far_as_it_can(client, name):
    client.ok("RESERVE", name, b'b\xf6"\\\t!p')
    client.send(f'R1 RESERVE "{name}" "other!p"\r\n')
    assert client.line() == b'R1 NO "mailbox is held by b????!p"'


def test_a_holder_of_the_longest_name_leaves_a_line_of_bounded_length(client, name):
    client.ok("RESERVE", name, "b!".ljust(1024, "p"))
    client.send(f'R1 RESERVE "{name}" "other!p"\r\n')
    line = client.line()
    assert line.startswith(b'R1 NO "mailbox is held by b!ppp') and len(line) < 1024


def test_the_tag_comes_back_as_it_was_sent(client):
    for tag in ("a", "A", "0", "aB9", "x" * 64, "a-b.c_d", "$%&'=,/:;<>?@[]^`|~"):
        client.send(tag + " NOOP\r\n")
        assert client.line().decode() == tag + ' OK "Noop done"'
