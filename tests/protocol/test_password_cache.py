"""password_cache: a password that was right lately is not checked again, and nothing else.

SPDX-License-Identifier: BSD-3-Clause
"""

import socket
import struct
import subprocess
import threading
import time

import pytest

import sasl
from mupdated import PASSWORD, USER, wait_for

FAILED = ("NO", "authentication failed")
OK = ("OK", "Authenticated")


class Checker:
    """Cyrus-SASL's saslauthd, as far as a password check goes; it counts the checks."""

    def __init__(self, directory):
        self.passwords = {USER: PASSWORD, "keeper": "k", "guest": "g"}
        self.checks = 0
        self.path = directory / "mux"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen(16)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            try:
                link = self.socket.accept()[0]
            except OSError:
                return
            with link:
                user, password = [self.text(link) for _ in range(4)][:2]
                self.checks += 1
                answer = b"OK" if self.passwords.get(user) == password else b"NO"
                link.sendall(struct.pack(">H", len(answer)) + answer)

    @staticmethod
    def text(link):
        size = struct.unpack(">H", link.recv(2, socket.MSG_WAITALL))[0]
        return link.recv(size, socket.MSG_WAITALL).decode() if size else ""

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.fixture
def checker(tmp_path):
    made = Checker(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def checked(start, checker, tmp_path):
    """Starts a master that asks the checker."""
    def begin(**settings):
        return start(**{"sasl_pwcheck_method": "saslauthd", "sasl_saslauthd_path": checker.path,
                        "sasl_sasldb_path": tmp_path / "none", "admins": f"{USER} keeper",
                        "password_cache": "all",
                        **settings})
    return begin


def login(master, user=USER, password=PASSWORD, authorize=""):
    with master.connect() as one:
        return sasl.authenticate_plain(one, user, password, authorize)


def test_a_password_that_was_right_is_checked_once(checked, checker):
    master = checked()
    for _ in range(5):
        with master.client() as client:
            assert client.command("NOOP")[1] == "OK"
    assert checker.checks == 1
    assert len([line for line in master.log().splitlines() if " login: " in line]) == 5


def test_a_wrong_password_is_checked_each_time_also_after_a_right_one(checked, checker):
    master = checked()
    assert login(master) == OK
    for _ in range(3):
        assert login(master, password=PASSWORD + "x") == FAILED
    assert checker.checks == 4
    assert login(master) == OK
    assert checker.checks == 4


def test_each_user_is_checked(checked, checker):
    checker.passwords["keeper"] = PASSWORD
    master = checked()
    assert login(master) == OK
    assert login(master, "keeper") == OK
    assert login(master, "keeper2") == FAILED
    assert checker.checks == 3


def test_who_is_acted_for_is_part_of_what_was_checked(checked, checker):
    checker.passwords["keeper"] = PASSWORD
    master = checked()
    assert login(master) == OK
    assert login(master, authorize="keeper") == OK
    assert checker.checks == 2
    assert login(master, authorize="keeper") == OK
    assert login(master, authorize="guest")[0] == "NO"
    assert checker.checks == 3
    assert "login: " in master.log() and "user=keeper mechanism=PLAIN" in master.log()


def test_a_user_without_right_gets_none_and_is_checked_each_time(checked, checker):
    master = checked()
    for checks in (1, 2):
        assert login(master, "guest", "g")[0] == "NO"
        assert checker.checks == checks


@pytest.mark.parametrize("change", [{}, {"admins": "keeper"}, {"allowplaintext": "no"},
                                    {"sasl_mech_list": "SCRAM-SHA-256"}],
                         ids=["nothing", "admins", "allowplaintext", "mech_list"])
def test_a_reload_forgets_all(checked, checker, change):
    master = checked()
    assert login(master) == OK
    assert "reload: done" in master.reload(**change)
    assert (login(master) == OK) == (not change)
    if not change:
        assert checker.checks == 2


def test_a_right_password_is_forgotten_in_time(checked, checker):
    master = checked(password_cache_time="300ms")
    assert login(master) == OK
    checker.passwords[USER] = "another"
    wait_for(lambda: login(master) == FAILED, "the old password to be refused")


@pytest.mark.parametrize("cache", ["off", "sasldb"])
def test_what_others_than_sasldb_check_is_remembered_only_when_that_is_asked_for(checked, checker,
                                                                                 cache):
    master = checked(password_cache=cache, sasl_auxprop_plugin="sasldb")
    for checks in (1, 2, 3):
        assert login(master) == OK
        assert checker.checks == checks


def test_tls_and_the_clear_do_not_know_of_each_other(checked, checker, certificate):
    master = checked(**certificate)
    assert login(master) == OK
    for _ in range(2):
        with master.connect() as one:
            one.starttls()
            assert sasl.authenticate_plain(one, USER, PASSWORD) == OK
    assert checker.checks == 2


def test_other_ways_of_saying_it_are_checked_each_time(checked, checker):
    master = checked(sasl_mech_list="PLAIN LOGIN")
    assert login(master) == OK
    with master.connect() as one:
        sasl.begin(one, "PLAIN")
        one.line()
        sasl.respond(one, sasl.plain(USER, PASSWORD))
        assert sasl.outcome(one) == OK
    with master.connect() as one:
        sasl.begin(one, "LOGIN")
        one.line()
        sasl.respond(one, USER)
        one.line()
        sasl.respond(one, PASSWORD)
        assert sasl.outcome(one) == OK
    assert checker.checks == 3


def settle(path):
    """Wait until the file's change is so old that its time tells the next one from it."""
    wait_for(lambda: time.time() - path.stat().st_ctime > 3, "the file to be old")


def test_a_change_of_the_password_file_makes_all_be_checked_again(checked, checker, tmp_path):
    accounts = tmp_path / "accounts"
    accounts.write_bytes(b"1")
    master = checked(sasl_sasldb_path=accounts)
    settle(accounts)
    for _ in range(3):
        assert login(master) == OK
    assert checker.checks == 1
    accounts.write_bytes(b"2")
    assert login(master) == OK
    assert checker.checks == 2


def test_while_the_password_file_is_new_each_password_is_checked(checked, checker, tmp_path):
    accounts = tmp_path / "accounts"
    accounts.write_bytes(b"1")
    master = checked(sasl_sasldb_path=accounts)

    def log_in_twice_in_time():
        """The checks, if both log-ins came so soon that the file was new all the time."""
        accounts.write_bytes(b"1")
        before = checker.checks
        assert [login(master), login(master)] == [OK, OK]
        return time.time() - accounts.stat().st_ctime < 1.5 and checker.checks - before

    assert wait_for(log_in_twice_in_time, "two log-ins within 1.5 s") == 2


def saslpasswd(path, *arguments, password=""):
    subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-f", path, "-u", "mupdate.test", *arguments],
                   input=password.encode(), check=True)


def test_a_user_who_is_removed_from_sasldb_is_refused_at_once(start):
    master = start()
    accounts = master.settings["sasl_sasldb_path"]
    settle(accounts)
    for _ in range(3):
        assert login(master) == OK
    saslpasswd(accounts, "-d", USER)
    assert login(master) == FAILED


def test_a_password_that_is_changed_in_sasldb_holds_at_once(start):
    master = start()
    accounts = master.settings["sasl_sasldb_path"]
    settle(accounts)
    for _ in range(3):
        assert login(master) == OK
    saslpasswd(accounts, "-c", USER, password="another")
    assert login(master) == FAILED
    assert login(master, password="another") == OK


def test_where_many_logins_fail_a_known_one_waits_like_a_wrong_one(checked, checker):
    master = checked(failedloginpause="3s")
    assert login(master) == OK
    guessers = [master.connect() for _ in range(20)]
    for guesser in guessers:
        sasl.begin(guesser, "PLAIN", sasl.plain(USER, "wrong"))
    wait_for(lambda: master.log().count("badlogin:") == 20, "the failures")
    with master.connect() as known:
        sasl.begin(known, "PLAIN", sasl.plain(USER, PASSWORD))
        for _ in range(3):
            with master.connect(source="127.0.0.2") as other:
                assert sasl.authenticate_plain(other, USER, PASSWORD) == OK
        assert known.has_nothing()
        assert sasl.outcome(known) == OK
    assert checker.checks == 21
    for guesser in guessers:
        guesser.close()
