"""Who may do what: readers, back-ends of some servers, admins, and the log of it.

SPDX-License-Identifier: BSD-3-Clause
"""

import itertools
import re
import signal
import threading

import pytest

import sasl
from mupdated import ROOT, command_octets, make_sasldb, row

USERS = {"murder": "m", "front": "f", "back1": "1", "back2": "2", "twin": "t", "nobody": "n"}
RIGHTS = {
    "admins": "murder",
    "readers": "front",
    "backends": "back1=one.test back2=two.test,three.test @twins=one.test",
    "group_twins": "twin",
}
READ_ONLY = "this user may only read"
ACL = "anna\tlrs\t"
OLD_ACL = "anna\tlr\t"


def not_of(server):
    return f"this user may not write mailboxes of server {server}"


def make(daemons, **settings):
    daemon = daemons.make(**{**RIGHTS, **settings})
    make_sasldb(daemon.directory / "sasldb2", "mupdate.test", USERS)
    return daemon


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A master with every role."""
    import mupdated
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("guarded"))
    yield make(daemons, audit="yes", failedlogins_max="10").start()
    daemons.end()


@pytest.fixture
def own(daemons):
    """Starts a master of its own with every role."""
    return lambda **settings: make(daemons, **settings).start()


def log_in(master, user):
    client = master.connect()
    client.login(user, USERS[user])
    return client


@pytest.fixture
def users(guarded):
    """A session of each user who may log in."""
    clients = {user: log_in(guarded, user) for user in USERS if user != "nobody"}
    yield clients
    for client in clients.values():
        client.close()


def put(users, name, state):
    """Bring about a row."""
    kind, _, location = state.partition(" ")
    if kind == "reserved":
        users["murder"].ok("RESERVE", name, location)
    elif kind == "active":
        users["murder"].ok("ACTIVATE", name, location, OLD_ACL)
    return users["murder"].find(name)


# --- every command by every role on every row ---

HELD_1 = "mailbox is held by one.test!p"
HELD_2 = "mailbox is held by two.test!p"
MISSING = "mailbox doesn't exist"
INACTIVE = "mailbox not currently active"
NOT_1, NOT_2 = not_of("one.test"), not_of("two.test")

STATES = ("absent", "reserved one.test!p", "active one.test!p", "reserved two.test!p",
          "active two.test!p")
OK = "OK"

# For each verb and location, and each user, the answer in each of the states:
# OK, or the text of the NO.
EXPECTED = {
    ("RESERVE", "one.test!p"): {
        "murder": (OK, OK, OK, HELD_2, HELD_2),
        "back1": (OK, OK, OK, HELD_2, HELD_2),
        "back2": (NOT_1, NOT_1, NOT_1, HELD_2, HELD_2),
        "front": (READ_ONLY,) * 5,
    },
    ("RESERVE", "two.test!p"): {
        "murder": (OK, HELD_1, HELD_1, OK, OK),
        "back1": (NOT_2, HELD_1, HELD_1, NOT_2, NOT_2),
        "back2": (OK, HELD_1, HELD_1, OK, OK),
        "front": (READ_ONLY,) * 5,
    },
    ("ACTIVATE", "one.test!p"): {
        "murder": (OK,) * 5,
        "back1": (OK, OK, OK, OK, NOT_2),
        "back2": (NOT_1,) * 5,
        "front": (READ_ONLY,) * 5,
    },
    ("ACTIVATE", "two.test!p"): {
        "murder": (OK,) * 5,
        "back1": (NOT_2,) * 5,
        "back2": (OK, OK, NOT_1, OK, OK),
        "front": (READ_ONLY,) * 5,
    },
    ("DEACTIVATE", "one.test!p"): {
        "murder": (MISSING, INACTIVE, OK, INACTIVE, OK),
        "back1": (MISSING, INACTIVE, OK, INACTIVE, NOT_2),
        "back2": (MISSING, INACTIVE, NOT_1, INACTIVE, NOT_1),
        "front": (READ_ONLY,) * 5,
    },
    ("DEACTIVATE", "two.test!p"): {
        "murder": (MISSING, INACTIVE, OK, INACTIVE, OK),
        "back1": (MISSING, INACTIVE, NOT_2, INACTIVE, NOT_2),
        "back2": (MISSING, INACTIVE, NOT_1, INACTIVE, OK),
        "front": (READ_ONLY,) * 5,
    },
    ("DELETE", None): {
        "murder": (MISSING, OK, OK, OK, OK),
        "back1": (MISSING, OK, OK, NOT_2, NOT_2),
        "back2": (MISSING, NOT_1, NOT_1, OK, OK),
        "front": (READ_ONLY,) * 5,
    },
}

FORBIDDEN = (READ_ONLY, NOT_1, NOT_2)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("user", ["murder", "back1", "back2", "front"])
@pytest.mark.parametrize("verb,location", EXPECTED)
def test_every_change_by_every_role_on_every_row(guarded, users, name, verb, location, user, state):
    before = put(users, name, state)
    strings = [string for string in (location, ACL if verb == "ACTIVATE" else None) if string]
    expected = EXPECTED[verb, location][user][STATES.index(state)]
    word, text = users[user].set(verb, name, *strings)
    assert (word, text) == ((OK, "done") if expected == OK else ("NO", expected))
    if expected != OK:
        assert users["murder"].find(name) == before
    peer = rf"\[127\.0\.0\.1\] port={users[user].socket.getsockname()[1]} user={user}"
    line = (rf"^mupdated: notice: refused: {peer} command={verb} mailbox={re.escape(name)} "
            rf'location={re.escape(location or chr(34) * 2)} reason="{re.escape(expected)}"$')
    if expected in FORBIDDEN:
        guarded.wait_for_log(line)
    else:
        assert f" mailbox={name} location=" not in guarded.log()


@pytest.mark.parametrize("user", ["murder", "back1", "back2", "front"])
def test_every_role_reads_every_row(guarded, users, name, user):
    for number, state in enumerate(STATES):
        put(users, f"{name}.{number}", state)
    client = users[user]
    expected = [users["murder"].find(f"{name}.{number}") for number in range(len(STATES))]
    assert [client.find(f"{name}.{number}") for number in range(len(STATES))] == expected
    rows = [found for found in expected if found]
    assert [found for found in client.list() if name.encode() in found[1]] == rows
    assert [found for found in client.list("two.test!") if name.encode() in found[1]] == rows[2:]
    client.noop()
    assert [found for found in client.update() if name.encode() in found[1]] == rows


def test_a_reader_who_streams_sees_each_change_and_may_ask_on(users, name):
    users["front"].update()
    users["back1"].ok("RESERVE", name, "one.test!p")
    assert row("RESERVE", name, "one.test!p") in users["front"].changes()


def test_who_has_no_role_cannot_log_in_and_is_told_nothing_else(guarded):
    with guarded.connect() as client:
        assert sasl.authenticate_plain(client, "nobody", "n") == (
            "NO", "this user has no right to use this server")
        assert client.command("NOOP")[1] == "NO"
        assert client.command('FIND "user.a"')[:2] == ([], "NO")
        guarded.wait_for_log("badlogin: .* user=nobody reason=\"not in admins, readers or "
                             'backends"$')


# --- what Cyrus's servers do ---


def test_a_mailbox_is_created_changed_renamed_and_deleted_by_its_own_backend(users, name):
    client = users["back1"]
    client.ok("RESERVE", name, "one.test!default")
    client.ok("RESERVE", name, "one.test!default")
    client.ok("ACTIVATE", name, "one.test!default", ACL)
    client.ok("ACTIVATE", name, "one.test!default", OLD_ACL)
    client.ok("DELETE", name)
    client.ok("RESERVE", name + "2", "one.test!")
    client.ok("ACTIVATE", name + "2", "one.test!", ACL)
    client.ok("ACTIVATE", name + "3", "one.test!p", ACL)
    client.ok("DELETE", name + "2")
    assert client.find(name + "3") == row("MAILBOX", name + "3", "one.test!p", ACL)


def test_a_backend_may_delete_its_own_reservation_and_no_others(users, name):
    users["back1"].ok("RESERVE", name, "one.test!p")
    assert users["back2"].set("DELETE", name) == ("NO", NOT_1)
    users["back1"].ok("DELETE", name)
    assert users["front"].find(name) is None


def test_an_xfer_goes_from_bound_backend_to_bound_backend_and_back(users, name):
    one, two = users["back1"], users["back2"]
    one.ok("ACTIVATE", name, "one.test!p", ACL)
    assert two.set("ACTIVATE", name, "two.test!p", ACL) == ("NO", NOT_1)
    one.ok("DEACTIVATE", name, "one.test!p")
    two.ok("ACTIVATE", name, "two.test!p", ACL)
    assert one.set("DELETE", name) == ("NO", NOT_2)
    assert one.set("ACTIVATE", name, "one.test!p", ACL) == ("NO", NOT_2)
    two.ok("DEACTIVATE", name, "two.test!p")
    one.ok("ACTIVATE", name, "one.test!p", ACL)
    assert users["front"].find(name) == row("MAILBOX", name, "one.test!p", ACL)


def test_an_xfer_that_broke_off_is_taken_back_by_the_source(users, name):
    one = users["back1"]
    one.ok("ACTIVATE", name, "one.test!p", ACL)
    one.ok("DEACTIVATE", name, "one.test!p")
    one.ok("ACTIVATE", name, "one.test!p", ACL)


def test_backends_of_one_server_write_each_others_rows(users, name):
    users["back1"].ok("RESERVE", name, "one.test!p")
    users["twin"].ok("RESERVE", name, "one.test!p")
    users["twin"].ok("ACTIVATE", name, "one.test!p", ACL)
    users["back1"].ok("DELETE", name)
    assert users["twin"].set("DELETE", name) == ("NO", MISSING)


def test_a_backend_of_two_servers_moves_mailboxes_between_them(users, name):
    users["back2"].ok("ACTIVATE", name, "two.test!p", ACL)
    users["back2"].ok("ACTIVATE", name, "three.test!p", ACL)
    users["back2"].ok("DELETE", name)


@pytest.mark.parametrize("location", ["ONE.test!p", "one.test2!p", "one.tes!p", "two!one.test",
                                      "one.test.!p", "one"])
def test_a_server_is_compared_octet_by_octet(users, name, location):
    assert users["back1"].set("RESERVE", name, location) == (
        "NO", not_of(location.partition("!")[0]))


@pytest.mark.parametrize("user,answers", [
    ("front", ["NO"] * 4), ("back1", ["OK", "NO", "OK", "NO"]), ("murder", ["OK"] * 4)])
def test_pipelined_changes_are_answered_in_order(users, name, user, answers):
    assert users[user].set_many([
        ("RESERVE", name + "1", "one.test!p"), ("RESERVE", name + "2", "two.test!p"),
        ("ACTIVATE", name + "1", "one.test!p", ACL),
        ("ACTIVATE", name + "3", "three.test!p", ACL)]) == answers
    users[user].noop()


# --- acting as others ---


@pytest.mark.parametrize("other,may", [("front", []), ("back1", ["one.test"]),
                                       ("murder", ["one.test", "two.test"])])
def test_an_admin_who_acts_as_another_has_the_others_rights(guarded, name, other, may):
    with guarded.connect() as client:
        assert sasl.authenticate_plain(client, "murder", "m", other)[0] == "OK"
        for server in ("one.test", "two.test"):
            word, _ = client.set("RESERVE", f"{name}.{server}", f"{server}!p")
            assert (word == "OK") == (server in may)
        port = client.socket.getsockname()[1]
        by = " by=murder" if other != "murder" else ""
        guarded.wait_for_log(rf"login: \[127\.0\.0\.1\] port={port} user={other} "
                             rf"mechanism=PLAIN{by}$")
        if other == "back1":
            guarded.wait_for_log(rf"audit: \[127\.0\.0\.1\] port={port} user=back1 by=murder seq")
            guarded.wait_for_log(rf"refused: \[127\.0\.0\.1\] port={port} user=back1 by=murder com")


@pytest.mark.parametrize("user,other", itertools.permutations(["front", "back1", "nobody"], 2))
def test_nobody_else_may_act_as_another(guarded, user, other):
    with guarded.connect() as client:
        assert sasl.authenticate_plain(client, user, USERS[user], other)[0] == "NO"
        assert sasl.authenticate_plain(client, user, USERS[user], "murder")[0] == "NO"
        assert client.command("NOOP")[1] == "NO"


def test_a_remembered_password_gives_the_rights_of_now(own, name):
    master = own(password_cache="all", password_cache_time="1h")
    for _ in range(3):
        with log_in(master, "back1") as client:
            client.ok("RESERVE", name, "one.test!p")
            assert client.set("RESERVE", name + "x", "two.test!p") == ("NO", NOT_2)
        with master.connect() as client:
            assert sasl.authenticate_plain(client, "murder", "m", "front")[0] == "OK"
            assert client.set("RESERVE", name + "x", "two.test!p") == ("NO", READ_ONLY)
        with master.connect() as client:
            assert sasl.authenticate_plain(client, "nobody", "n")[0] == "NO"


# --- admins alone ---


def test_admins_alone_may_do_everything_and_nobody_else_anything(own, name):
    master = own(admins="murder back1", readers=None, backends=None, group_twins=None)
    with log_in(master, "back1") as one, log_in(master, "murder") as two:
        one.ok("ACTIVATE", name, "one.test!p", ACL)
        two.ok("ACTIVATE", name, "two.test!p", ACL)
        one.ok("DEACTIVATE", name, "elsewhere.test!p")
        two.ok("DELETE", name)
    for user in ("front", "back2", "nobody"):
        with master.connect() as client:
            assert sasl.authenticate_plain(client, user, USERS[user]) == (
                "NO", "this user has no right to use this server")
    assert "refused:" not in master.log() and "audit:" not in master.log()


# --- reload ---


def test_a_reload_gives_open_sessions_their_new_rights_at_once(own, name):
    master = own()
    with log_in(master, "front") as front, log_in(master, "back1") as back:
        assert front.set("RESERVE", name, "one.test!p") == ("NO", READ_ONLY)
        back.ok("RESERVE", name, "one.test!p")
        master.reload(readers="back1", backends="front=one.test", group_twins="twin")
        assert back.set("DELETE", name) == ("NO", READ_ONLY)
        front.ok("ACTIVATE", name, "one.test!p", ACL)
        assert front.set("RESERVE", name + "2", "two.test!p") == ("NO", NOT_2)
        master.reload(readers="back1", backends=None, admins="murder front")
        front.ok("RESERVE", name + "2", "two.test!p")
        assert back.find(name) == row("MAILBOX", name, "one.test!p", ACL)


def test_a_reload_changes_what_a_group_holds(own, name):
    master = own()
    with log_in(master, "back2") as client:
        assert client.set("RESERVE", name, "one.test!p") == ("NO", NOT_1)
        assert "reload: key=group_twins changed" in master.reload(group_twins="twin back2")
        client.ok("RESERVE", name, "one.test!p")
        client.ok("RESERVE", name + "2", "two.test!p")


def test_a_session_whose_user_has_no_right_any_more_is_closed(own, name):
    master = own()
    clients = {user: log_in(master, user) for user in ("front", "back1", "back2", "murder")}
    clients["back2"].update()
    master.reload(readers=None, backends="@twins=one.test")
    assert clients["front"].read_to_end() == (
        b'* BYE "this user has no right to use this server"\r\n')
    assert b"BYE" in clients["back1"].read_to_end()
    clients["back2"].read_to_end()
    for user in ("front", "back1", "back2"):
        port = clients[user].socket.getsockname()[1]
        master.wait_for_log(rf"notice: revoked: \[127\.0\.0\.1\] port={port} user={user}$")
    clients["murder"].ok("RESERVE", name, "two.test!p")
    for client in clients.values():
        client.close()


def test_who_acts_as_another_is_closed_when_he_may_not_any_more(own):
    master = own(admins="murder twin", backends="back1=one.test", group_twins=None)
    with master.connect() as client, log_in(master, "front") as front:
        assert sasl.authenticate_plain(client, "twin", "t", "front")[0] == "OK"
        client.noop()
        master.reload(admins="murder")
        assert b"BYE" in client.read_to_end()
        master.wait_for_log("revoked: .* user=front by=twin$")
        front.noop()


def test_a_reload_with_a_mistake_leaves_all_rights(own, name):
    master = own()
    with log_in(master, "back1") as client:
        said = master.reload(readers="front @nobody")
        assert re.search(r"mupdated\.conf:\d+: readers: '@nobody' is no group that is configured",
                         said)
        assert "reload: the configuration stays as it was" in said
        client.ok("RESERVE", name, "one.test!p")


@pytest.mark.parametrize("settings,message", [
    ({"readers": "front murder"}, r"'murder' is in (readers|admins) too"),
    ({"backends": "back1=one.test!p"}, "has a server that is no name of one"),
    ({"backends": "@stores=one.test"}, "'@stores' is no group that is configured"),
    ({"group_twins": "@twins"}, "a group cannot hold another"),
    ({"audit": "yes", "log_level": "error"}, "audit: yes writes lines of the level notice"),
])
def test_a_mistake_in_the_rights_is_told_with_its_place(daemons, settings, message):
    done = make(daemons, **settings).run("--check-config")
    assert done.returncode == 78
    assert re.search(rf"mupdated\.conf:\d+: .*{message}", done.stderr), done.stderr


# --- the log ---


def audit_lines(master, name, count):
    """What was audited of a mailbox, behind the port; the lines come before the answers."""
    found = re.findall(rf"^mupdated: notice: audit: \[127\.0\.0\.1\] port=\d+ "
                       rf"(.* mailbox={re.escape(name)} .*)$", master.log(), re.MULTILINE)
    assert len(found) == count, found
    return [re.sub(r"sequence=\d+", "sequence=N", line) for line in found]


def test_each_stored_change_is_audited_with_old_and_new(guarded, users, name):
    users["back1"].ok("RESERVE", name, "one.test!p")
    users["back1"].ok("RESERVE", name, "one.test!p")
    users["back1"].ok("ACTIVATE", name, "one.test!p", ACL)
    users["back1"].ok("ACTIVATE", name, "one.test!p", ACL)
    users["back1"].ok("ACTIVATE", name, "one.test!q", ACL)
    users["murder"].ok("ACTIVATE", name, "two.test!p", "")
    assert users["back1"].set("DELETE", name)[0] == "NO"
    users["back2"].ok("DEACTIVATE", name, "two.test!p")
    users["back2"].ok("DELETE", name)
    acl = r'"anna\x09lrs\x09"'
    assert audit_lines(guarded, name, 6) == [
        f"user=back1 sequence=N command=RESERVE mailbox={name} old_state=absent "
        'old_location="" old_acl="" new_state=reserved new_location=one.test!p new_acl="" '
        "acl_changed=no",
        f"user=back1 sequence=N command=ACTIVATE mailbox={name} old_state=reserved "
        f'old_location=one.test!p old_acl="" new_state=active new_location=one.test!p '
        f"new_acl={acl} acl_changed=yes",
        f"user=back1 sequence=N command=ACTIVATE mailbox={name} old_state=active "
        f"old_location=one.test!p old_acl={acl} new_state=active new_location=one.test!q "
        f"new_acl={acl} acl_changed=no",
        f"user=murder sequence=N command=ACTIVATE mailbox={name} old_state=active "
        f"old_location=one.test!q old_acl={acl} new_state=active new_location=two.test!p "
        'new_acl="" acl_changed=yes',
        f"user=back2 sequence=N command=DEACTIVATE mailbox={name} old_state=active "
        'old_location=two.test!p old_acl="" new_state=reserved new_location=two.test!p '
        'new_acl="" acl_changed=no',
        f"user=back2 sequence=N command=DELETE mailbox={name} old_state=reserved "
        'old_location=two.test!p old_acl="" new_state=absent new_location="" new_acl="" '
        "acl_changed=no",
    ]


def test_pipelined_changes_of_one_row_are_audited_one_upon_the_other(guarded, users, name):
    acls = [f"u{number}\tlrs\t" for number in range(50)]
    users["back1"].set_many([("ACTIVATE", name, "one.test!p", acl) for acl in acls])
    lines = audit_lines(guarded, name, 50)
    for number, line in enumerate(lines):
        old = rf'"u{number - 1}\x09lrs\x09"' if number else '""'
        assert f" old_acl={old} " in line and rf' new_acl="u{number}\x09lrs\x09" ' in line
    numbers = [int(number) for number in re.findall(
        rf"audit: .* sequence=(\d+) .* mailbox={re.escape(name)} ", guarded.log())]
    assert numbers == list(range(numbers[0], numbers[0] + 50))


def test_a_long_acl_is_cut_in_the_audit_and_still_compared_whole(guarded, users, name):
    long = "x" * 5000 + "\tlrs\t"
    users["back1"].ok("ACTIVATE", name, "one.test!p", long + "a\tl\t")
    users["back1"].ok("ACTIVATE", name, "one.test!p", long + "b\tl\t")
    line = audit_lines(guarded, name, 2)[1]
    cut = r'"x{400,510}\.\.\."'
    assert re.search(rf" old_acl={cut} .* new_acl={cut} acl_changed=yes$", line)


def test_what_a_client_sends_stays_on_its_line_of_the_audit(guarded, users, name):
    users["back1"].ok("ACTIVATE", name, 'one.test!p" user=root', "a\nmupdated: notice: audit:\t")
    line, = audit_lines(guarded, name, 1)
    assert r'new_location="one.test!p\" user=root"' in line
    assert r'new_acl="a\x0amupdated: notice: audit:\x09"' in line


def test_the_audit_starts_and_ends_at_a_reload(own, name):
    master = own()
    with log_in(master, "back1") as client:
        client.ok("RESERVE", name, "one.test!p")
        assert "audit:" not in master.log()
        master.reload(audit="yes")
        client.ok("DELETE", name)
        audit_lines(master, name, 1)
        master.reload(audit="no")
        client.ok("RESERVE", name, "one.test!p")
        audit_lines(master, name, 1)


def test_a_client_in_a_loop_does_not_flood_the_log_with_refusals(own, name):
    master = own()
    with log_in(master, "back1") as client, log_in(master, "back2") as other:
        assert set(client.set_many([("RESERVE", name, "two.test!p")] * 300)) == {"NO"}
        port = client.socket.getsockname()[1]
        assert other.set("RESERVE", name, "one.test!p") == ("NO", NOT_1)
    master.wait_for_log(rf"refused: \[127\.0\.0\.1\] port={port} user=back1 unlogged=280$")
    assert len(re.findall("refused: .* user=back1 command=", master.log())) == 20
    assert len(re.findall("refused: .* user=back2 command=", master.log())) == 1


def test_the_filter_of_the_manual_finds_wrong_passwords_and_no_other_line(guarded):
    """fail2ban: its prefix stands for date and host, which are not in this log."""
    manual = (ROOT / "man" / "mupdated.8").read_text(encoding="utf-8")
    written = re.search(r"^failregex = (.*)$", manual, re.MULTILINE)[1].replace(r"\e", "\\")
    assert written.startswith("^%(__prefix_line)s")
    failregex = re.compile(written.replace("%(__prefix_line)s", "").replace("<HOST>", r"(\S+)"))
    with guarded.connect() as client:
        port = client.socket.getsockname()[1]
        lie = f'badlogin: [192.0.2.1] port={port} x reason="SASL(-13): '
        for user, password in [("back1", "x"), ("unknown", "x"), (lie, "x"), ("nobody", "n")]:
            assert sasl.authenticate_plain(client, user, password)[0] == "NO"
        sasl.begin(client, "PLAIN")
        client.line()
        client.send("*\r\n")
        assert sasl.outcome(client)[0] == "NO"
        assert sasl.authenticate_scram(client, "back1", "x")[0] == "NO"
        client.login("front", "f")
        assert client.set("RESERVE", lie, "one.test!p")[0] == "NO"
    guarded.wait_for_log(f"refused: .* port={port} ")
    lines = [line for line in guarded.log().splitlines() if f"port={port} " in line]
    found = [failregex.search(line) for line in lines]
    assert [match[1] for match in found if match] == ["127.0.0.1"] * 4


def test_answers_stay_in_order_when_a_reload_takes_the_right_in_the_middle_of_a_pipeline(own, name):
    """The changes before are at the writer when the first one is refused without it."""
    master = own()
    count = 20000
    with log_in(master, "back1") as client:
        octets = b"".join(command_octets(f"P{number}", "RESERVE", f"{name}.{number}", "one.test!p")
                          for number in range(count))
        sender = threading.Thread(target=client.send, args=(octets,))
        sender.start()
        words = [client.answer(f"P{number}")[1] for number in range(100)]
        master.configure(readers="front back1", backends="@twins=one.test")
        master.signal(signal.SIGHUP)
        words += [client.answer(f"P{number}")[1] for number in range(100, count)]
        sender.join()
        master.wait_for_log("reload: done")
        assert client.set("RESERVE", name, "one.test!p") == ("NO", READ_ONLY)
        assert words == sorted(words, reverse=True)
        stored = [int(found[1].rpartition(b".")[2]) for found in client.list("one.test!")]
        assert sorted(stored) == list(range(words.count("OK")))
