"""Names, locations and ACLs: which octets they may hold, how many, and that all of them survive.

SPDX-License-Identifier: BSD-3-Clause
"""

import pytest

from mupdated import literal, row

HERE = "backend1.test!default"
ACL = "anna\tlrs\t"
ALL_8BIT = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")

NAMES = {
    "8-bit": "user.j\u00f6rg".encode("latin-1"),
    "UTF-8": "user.\u30e1\u30fc\u30eb".encode(),
    "modified UTF-7": b"user.sub1.Work.K&AOQ-se",
    "quotes": b'user."quoted".a""b',
    "backslashes": b"user.\\back\\\\slash\\",
    "a quote behind a backslash": b'user.\\"',
    "tabs": b"user.\ttab\tbed\t",
    "blanks": b" user. two  words ",
    "a blank only": b" ",
    "a literal's announcement": b"user.{5+}",
    "an answer": b'T1 OK "done"',
    "a star": b"*",
    "deleted": b"DELETED.user.sub1.Play.6B024777",
    "a domain": b"example.org!user.anna^b.Sent",
    "marks": b"!!!",
    "every octet but NUL, CR and LF": ALL_8BIT,
}


@pytest.mark.parametrize("which", NAMES)
def test_names_survive_exactly(client, subscriber, name, which):
    mailbox = NAMES[which]
    location = f"{name}.test!default"
    client.ok("ACTIVATE", mailbox, location, ACL)
    expected = row("MAILBOX", mailbox, location, ACL)
    assert subscriber.change() == expected
    assert client.find(mailbox) == expected
    assert client.list(location) == [expected]
    client.ok("DELETE", mailbox)
    assert subscriber.change() == row("DELETE", mailbox)
    assert client.find(mailbox) is None


@pytest.mark.parametrize("which", ["8-bit", "quotes", "backslashes", "tabs", "blanks",
                                   "every octet but NUL, CR and LF"])
def test_a_quoted_name_is_the_same_name_as_the_literal(client, which):
    mailbox = NAMES[which]
    quoted = b'"' + mailbox.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    assert client.command(b"ACTIVATE " + quoted + b' "quoted.test!p" ""')[1] == "OK"
    assert client.find(mailbox) == row("MAILBOX", mailbox, "quoted.test!p", "")
    assert client.command(b"DELETE " + quoted)[1] == "OK"
    assert client.find(mailbox) is None


ACLS = {
    "empty": b"",
    "with a trailing tab": b"anna\tlrswipkxtecda\t",
    "without a trailing tab": b"anna\tlrs",
    "not normalised": b"anna\tsrl\tanna\tlrs\t",
    "with CR and LF": b"anna\tlrs\r\nT1 OK \"no\"\r\n",
    "ending in CR": b"anna\tlrs\r",
    "every octet but NUL": bytes(range(1, 256)),
    "64 kB": b"x" * 65536,
}


@pytest.mark.parametrize("which", ACLS)
def test_acls_are_kept_octet_for_octet(client, subscriber, name, which):
    client.ok("ACTIVATE", name, HERE, ACLS[which])
    expected = row("MAILBOX", name, HERE, ACLS[which])
    assert subscriber.change() == expected
    assert client.find(name) == expected


@pytest.mark.parametrize("location", ["backend1.test", "backend1.test!", "backend1.test!p",
                                      "b\u00f6 \"\\\t!p\u00f6 \"\\\t"])
def test_locations_survive_exactly_with_and_without_a_partition(client, name, location):
    client.ok("RESERVE", name, location)
    assert client.find(name) == row("RESERVE", name, location)
    client.ok("ACTIVATE", name, location, ACL)
    assert client.find(name) == row("MAILBOX", name, location, ACL)


# --- refused ---

BAD_NAMES = {b"": "empty", b"a\0b": "NUL", b"a\rb": "CR", b"a\nb": "LF", b"\r\n": "CR"}
BAD_LOCATIONS = {b"": "empty", b"a!b!c": '"!"', b"a!!": '"!"', b"!p": "no server", b"a\0!b": "NUL",
                 b"a!b\r": "CR", b"a!\nb": "LF"}


@pytest.mark.parametrize("verb", ["RESERVE", "ACTIVATE", "DEACTIVATE", "DELETE", "FIND"])
@pytest.mark.parametrize("bad", BAD_NAMES)
def test_a_name_that_cannot_be_is_refused_with_the_reason(client, subscriber, verb, bad):
    strings = {"ACTIVATE": (HERE, ACL), "RESERVE": (HERE,), "DEACTIVATE": (HERE,)}.get(verb, ())
    word, text = client.set(verb, bad, *strings)
    assert word == "NO" and "name" in text and BAD_NAMES[bad] in text
    assert subscriber.changes() == []


@pytest.mark.parametrize("verb", ["RESERVE", "ACTIVATE", "DEACTIVATE"])
@pytest.mark.parametrize("bad", BAD_LOCATIONS)
def test_a_location_that_cannot_be_is_refused_with_the_reason(client, name, verb, bad):
    if verb == "DEACTIVATE":
        client.ok("ACTIVATE", name, HERE, ACL)
    before = client.find(name)
    word, text = client.set(verb, name, bad, *([ACL] if verb == "ACTIVATE" else []))
    assert word == "NO" and "location" in text and BAD_LOCATIONS[bad] in text
    assert client.find(name) == before


def test_an_acl_with_nul_is_refused(client, name):
    word, text = client.set("ACTIVATE", name, HERE, b"anna\tlrs\0\t")
    assert word == "NO" and "ACL" in text and "NUL" in text
    assert client.find(name) is None


# --- limits ---

LIMITS = {"limit_name": (1024, 4096), "limit_location": (256, 1024),
          "limit_acl": (65536, 65536)}


def strings_with(key, length, name):
    """(name, location, ACL) of which the one that the key limits has this length."""
    strings = {"limit_name": name, "limit_location": f"{name}!", "limit_acl": ""}
    strings[key] = strings[key].ljust(length, "x")
    return tuple(strings.values())


@pytest.mark.parametrize("key", LIMITS)
def test_the_limit_is_kept_up_to_its_last_octet(client, name, key):
    default = LIMITS[key][1]
    mailbox, location, acl = strings_with(key, default, name)
    client.ok("ACTIVATE", mailbox, location, acl)
    assert client.find(mailbox) == row("MAILBOX", mailbox, location, acl)
    client.ok("DELETE", mailbox)


@pytest.mark.parametrize("key", LIMITS)
def test_one_octet_past_the_limit_is_refused_with_the_reason(client, name, key):
    mailbox, location, acl = strings_with(key, LIMITS[key][1] + 1, name)
    word, text = client.set("ACTIVATE", mailbox, location, acl)
    assert word == "NO" and text.endswith("is too long")
    assert client.list(f"{name}!") == []


def test_limits_are_those_of_the_configuration(start, name):
    daemon = start(**{key: least for key, (least, _) in LIMITS.items()})
    with daemon.client() as client:
        for key, (least, _) in LIMITS.items():
            client.ok("ACTIVATE", *strings_with(key, least, name))
            word, text = client.set("ACTIVATE", *strings_with(key, least + 1, name))
            assert word == "NO" and text.endswith("is too long")


def test_a_row_of_wider_limits_can_still_be_seen_and_deleted(start):
    daemon = start(limit_name="8K")
    long_name = "user." + "x" * 8000
    with daemon.client() as client:
        client.ok("ACTIVATE", long_name, HERE, ACL)
    daemon.reload(limit_name="4K")
    with daemon.client() as client:
        assert client.list() == [row("MAILBOX", long_name, HERE, ACL)]
        assert client.set("ACTIVATE", long_name, HERE, "")[0] == "NO"
        client.ok("DELETE", long_name)
        assert client.list() == []


def test_find_of_a_name_past_the_limit_is_refused_with_the_reason(client):
    _, word, text = client.command(b"FIND " + literal(b"x" * 4097))
    assert (word, text) == ("NO", "mailbox name is too long")
