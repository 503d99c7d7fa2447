"""mupdatectl verify --backend: the master's rows of a back-end against its own ctl_mboxlist -d.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import subprocess

import pytest

from mupdated import CTL

EX_USAGE, EX_DATAERR, EX_NOINPUT = 64, 65, 66
BE = "be.test"
ACL = {"anna": "lrs"}


def mailbox(name, acl=None, kind="e", **more):
    """(name, what ctl_mboxlist -d of 3.6 says of it)"""
    return name, {"name": name, "mtime": "1700000000", "uidvalidity": "0", "createdmodseq": "0",
                  "foldermodseq": "0", "mbtype": kind, "partition": "p",
                  "acl": ACL if acl is None else acl, "name_history": [], **more}


MAILBOXES = [mailbox("user.a"), mailbox("user.b", {"anna": "lr"}),
             mailbox("user.c", partition="q"), mailbox("user.d"), mailbox("user.e"),
             mailbox("user.reserved"), mailbox("user.gone", kind="d"),
             mailbox("user.remote", kind="er", server="other.test")]

FOUND = ["acl\tuser.b\tanna lrs\tanna lr", "location\tuser.c\tbe.test!p\tbe.test!q",
         "elsewhere\tuser.d\tactive other.test!p\tactive be.test!p",
         "only-there\tuser.e\t-\tactive be.test!p", "only-here\tuser.f\tactive be.test!p\t-",
         "reservation\tuser.g\treserved be.test!p\t-",
         "state\tuser.reserved\treserved\tactive"]


@pytest.fixture
def daemon(start):
    daemon = start()
    with daemon.client() as client:
        for name in "abcf":
            client.ok("ACTIVATE", f"user.{name}", f"{BE}!p", "anna\tlrs\t")
        client.ok("ACTIVATE", "user.d", "other.test!p", "anna\tlrs\t")
        client.ok("ACTIVATE", "user.other", "other.test!p", "anna\tlrs\t")
        client.ok("ACTIVATE", "user.remote", "other.test!p", "anna\tlrs\t")
        client.ok("RESERVE", "user.g", f"{BE}!p")
        client.ok("RESERVE", "user.reserved", f"{BE}!p")
    return daemon


@pytest.fixture
def listed(daemon):
    path = daemon.directory / "list"
    path.write_text(json.dumps(dict(MAILBOXES)))
    return path


def found(daemon, listed, *options, status=1):
    return daemon.ctl(*options, "verify", "--backend", BE, "--list", listed,
                      status=status).stdout.decode().splitlines()


def test_each_kind_of_difference_is_told_with_what_to_do(daemon, listed):
    lines = found(daemon, listed)
    assert lines[:8] == FOUND + [
        "DIFFERENT: 7 rows: 1 only-here, 1 only-there, 1 state, 1 location, 1 acl, 1 elsewhere, "
        "1 reservation; 1 are the same."]
    advice = [line for line in lines[9:] if not line.startswith(" ")]
    assert [line.split(":")[0] for line in advice] == [
        "elsewhere", "only-here", "reservation", "only-there", "state, location, acl",
        "ctl_mboxlist -mw on be.test shows what -m would do and does not do it."]
    assert "be.test DELETES ITS OWN when it runs ctl_mboxlist -m" in "\n".join(lines)
    daemon.stop()
    assert found(daemon, listed) == lines


def test_json_has_both_rows_and_all_counts(daemon, listed):
    lines = [json.loads(line) for line in found(daemon, listed, "--json")]
    assert lines[2] == {
        "name": "user.d", "differs": ["elsewhere"],
        "here": {"state": "active", "name": "user.d", "location": "other.test!p",
                 "acl": "anna\tlrs\t"},
        "there": {"state": "active", "name": "user.d", "location": f"{BE}!p",
                  "acl": "anna\tlrs\t"}}
    assert lines[-1] == {"verdict": "different", "backend": BE, "others": 1, "same": 1,
                         "different": 7, "only-here": 1, "only-there": 1, "state": 1,
                         "location": 1, "acl": 1, "elsewhere": 1, "reservation": 1,
                         "not-compared": 0}


def test_what_agrees_is_said_so_and_no_advice_is_given(daemon, listed):
    with daemon.client() as client:
        for name, acl, partition in (("b", "anna\tlr\t", "p"), ("c", "anna\tlrs\t", "q"),
                                     ("d", "anna\tlrs\t", "p"), ("e", "anna\tlrs\t", "p"),
                                     ("reserved", "anna\tlrs\t", "p")):
            client.ok("ACTIVATE", f"user.{name}", f"{BE}!{partition}", acl)
        client.ok("DELETE", "user.f")
        client.ok("DELETE", "user.g")
    assert found(daemon, listed, status=0) == ["EQUAL: 6 rows."]


def test_the_list_may_come_by_a_pipe_and_in_the_older_form(daemon):
    text = b"".join(b"user.%s\t0 p anna\tlrs\t\n" % name for name in (b"a", b"b", b"c", b"f", b"g"))
    done = subprocess.run([CTL, "-C", daemon.config_path, "verify", "--backend", BE, "--list", "-"],
                          input=text, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1, done
    assert done.stdout.decode().splitlines()[:2] == [
        "state\tuser.g\treserved\tactive", "reservation\tuser.reserved\treserved be.test!p\t-"]


def test_the_list_of_another_back_end_is_refused(daemon, listed):
    listed.write_text(json.dumps(dict([mailbox("user.remote", kind="er", server="other.test")])))
    done = daemon.ctl("verify", "--backend", BE, "--list", listed, status=EX_DATAERR)
    assert b"lists no mailbox of be.test" in done.stderr
    listed.write_text("{}")
    daemon.ctl("verify", "--backend", BE, "--list", listed, status=EX_DATAERR)


def test_wrong_usage_is_refused(daemon, listed):
    daemon.ctl("verify", "--backend", BE, status=EX_USAGE)
    daemon.ctl("verify", "--list", listed, status=EX_USAGE)
    daemon.ctl("verify", "--backend", "be!p", "--list", listed, status=EX_USAGE)
    daemon.ctl("verify", "--backend", BE, "--list", listed, "--against", listed, status=EX_USAGE)
    daemon.ctl("verify", "--backend", BE, "--list", daemon.directory / "none", status=EX_NOINPUT)


def test_a_dump_of_a_cyrus_master_or_front_end_is_compared_as_any_table(daemon):
    path = daemon.directory / "cyrus"
    path.write_text(json.dumps(dict(
        [mailbox(f"user.{name}", kind="er", server=BE) for name in "abcf"]
        + [mailbox(f"user.{name}", kind="er", server="other.test")
           for name in ("d", "other", "remote")]
        + [mailbox(f"user.{name}", {}, kind="zr", server=BE) for name in ("g", "reserved")])))
    done = daemon.ctl("verify", "--against", path)
    assert done.stdout.startswith(b"EQUAL: 9 rows, digest ")
    with daemon.client() as client:
        client.ok("DELETE", "user.a")
    done = daemon.ctl("verify", "--against", path, status=1)
    assert done.stdout.decode().splitlines()[0] == "only-there\tuser.a\t-\tactive be.test!p"


def test_what_a_cyrus_dump_does_not_tell_is_not_equal_but_not_compared(daemon):
    path = daemon.directory / "cyrus"
    rows = dict([mailbox(f"user.{name}", kind="er", server=BE) for name in "abcf"]
                + [mailbox(f"user.{name}", kind="er", server="other.test")
                   for name in ("d", "other", "remote")]
                + [mailbox("user.g", {}, kind="zr", server=BE)])
    # Of these two the dump says not whose one is, and that the other is being moved.
    more = dict([mailbox("user.local"), mailbox("user.reserved", kind="mr", server=BE)])
    path.write_text(json.dumps({**rows, **more}))
    done = daemon.ctl("verify", "--against", path, status=1)
    assert done.stdout.decode().splitlines() == [
        "not-compared\tuser.local\t-\t-", "not-compared\tuser.reserved\treserved be.test!p\t-",
        "INCOMPLETE, what was compared is equal: 8 rows; not compared: 2."]
    assert b"--server" not in done.stderr and b"--report" not in done.stderr
    lines = [json.loads(line) for line in
             daemon.ctl("--json", "verify", "--against", path, status=1).stdout.splitlines()]
    assert lines[0]["differs"] == ["not-compared"]
    assert (lines[-1]["verdict"], lines[-1]["not-compared"], lines[-1]["same"]) == \
        ("incomplete", 2, 8)
    # Equal digests do not make it equal.
    with daemon.client() as client:
        client.ok("DELETE", "user.reserved")
    assert b"not compared: 2." in daemon.ctl("verify", "--against", path, status=1).stdout
    del rows["user.a"]
    path.write_text(json.dumps({**rows, **more}))
    assert daemon.ctl("verify", "--against", path, status=1).stdout.decode().splitlines()[-1] == \
        "DIFFERENT: 1 rows: 1 only-here; 7 are the same; not compared: 2."


def test_what_the_list_of_a_back_end_does_not_tell_is_not_to_be_deleted(daemon, listed):
    listed.write_text(json.dumps(dict([mailbox("user.a"), mailbox("user.f", kind="em")])))
    lines = found(daemon, listed)
    assert "not-compared\tuser.f\tactive be.test!p\t-" in lines
    assert not [line for line in lines if line.startswith("only-here\tuser.f")]
    verdict, = [line for line in lines if line.startswith("DIFFERENT")]
    assert verdict.endswith("; not compared: 1.")
    assert "Do not delete them" in "\n".join(lines)
    assert json.loads(found(daemon, listed, "--json")[-1])["not-compared"] == 1
