"""PLAIN and LOGIN under TLS with passwords that saslauthd checks, by PAM and in LDAP.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import pathlib
import signal
import subprocess

import pytest

import master as masters
import mupdated
import sasl
from imap import Imap, ImapNo
from mupdate import Mupdate, Refused
from mupdated import CTL, PATIENCE_S, wait_for
from node import ADMIN, MURDER, Backend, Frontend, own, wait_until
from saslauthd import Accounts, Saslauthd, Slapd

OK = ("OK", "Authenticated")
FAILED = ("NO", "authentication failed")
NO_RIGHT = ("NO", "this user has no right to use this server")
EX_NOPERM = 77

PASSWORDS = {"anna": "Anna Pw \u00e9", "berta": "BertaPw"}
REALM_USER = "anna@example.org"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may have PAM read shadow")


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    made = Accounts(tmp_path_factory.mktemp("accounts") / "etc")
    for user, password in PASSWORDS.items():
        made.add(user, password)
    made.add(*MURDER)
    made.add("locked", "LockedPw", locked=True)
    made.add("expired", "ExpiredPw", expired=True)
    made.add(REALM_USER, "RealmPw")
    made.mount()
    yield made
    made.unmount()


@pytest.fixture
def saslauthd(tmp_path):
    """Starts a saslauthd; all are stopped at the end."""
    made = []

    def start(*arguments, **options):
        made.append(Saslauthd(tmp_path / f"saslauthd{len(made)}", *arguments, **options))
        return made[-1].start()
    yield start
    for one in made:
        one.stop()


@pytest.fixture
def serving(start, certificate):
    """Starts a master that has passwords checked there, under TLS only."""
    def begin(service, **settings):
        return start(**{**certificate, "tls_required": "yes", "allowplaintext": "no",
                        "sasl_pwcheck_method": "saslauthd", "sasl_saslauthd_path": service.path,
                        "sasl_mech_list": "PLAIN LOGIN", "sasl_sasldb_path": None,
                        "admins": f"anna locked expired outsider {REALM_USER}", **settings})
    return begin


def log_in(daemon, user, password):
    with daemon.connect() as client:
        client.starttls()
        return sasl.authenticate_plain(client, user, password)


def ping(daemon, directory, user, password, *options):
    """Have mupdatectl log in."""
    path = pathlib.Path(directory) / "password"
    path.write_text(password + "\n")
    path.chmod(0o600)
    return subprocess.run([CTL, "-h", f"127.0.0.1:{daemon.port}", "-u", user, "--password-file",
                           path, "--accept-any-certificate", *options, "ping"],
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False)


# --- PAM ---


@as_root
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_an_account_of_pam_logs_in_under_tls(accounts, saslauthd, serving, tmp_path, mechanism):
    daemon = serving(saslauthd("pam"))
    done = ping(daemon, tmp_path, "anna", PASSWORDS["anna"], "-m", mechanism)
    assert done.returncode == 0, done.stderr
    daemon.wait_for_log(f"login: .* user=anna mechanism={mechanism} tls=TLSv1")


@as_root
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("user, password", [
    ("anna", "wrong"), ("anna", ""), ("nobody-here", "x"), ("locked", "LockedPw"),
    ("expired", "ExpiredPw")])
def test_whom_pam_refuses_is_told_so_and_logged(accounts, saslauthd, serving, tmp_path, mechanism,
                                                user, password):
    daemon = serving(saslauthd("pam"))
    done = ping(daemon, tmp_path, user, password or "\t", "-m", mechanism)
    assert done.returncode == EX_NOPERM, done
    assert "authentication failed" in done.stderr
    daemon.wait_for_log(rf"badlogin: \[127.0.0.1\] port=\d+ mechanism={mechanism} user={user} "
                        "reason=.*authentication failure: ")
    assert " login: " not in daemon.log() and "nologin" not in daemon.log()


@as_root
def test_who_is_no_admin_has_no_right_and_the_password_is_in_no_log(accounts, saslauthd, serving):
    daemon = serving(saslauthd("pam"))
    assert log_in(daemon, "berta", PASSWORDS["berta"]) == NO_RIGHT
    assert log_in(daemon, "anna", PASSWORDS["anna"]) == OK
    assert log_in(daemon, "anna", "a wrong one") == FAILED
    daemon.wait_for_log("badlogin: .*user=berta reason=\"not in admins, readers or backends\"")
    assert not [text for text in (*PASSWORDS.values(), "a wrong one") if text in daemon.log()]


@as_root
def test_without_tls_neither_mechanism_is_offered_or_taken(accounts, saslauthd, serving, tmp_path):
    daemon = serving(saslauthd("pam"))
    with daemon.connect() as client:
        assert b"PLAIN" not in client.capabilities[0] and b"LOGIN" not in client.capabilities[0]
        assert sasl.authenticate_plain(client, "anna", PASSWORDS["anna"])[0] == "NO"
    assert ping(daemon, tmp_path, "anna", PASSWORDS["anna"], "--tls", "never").returncode != 0
    assert " login: " not in daemon.log()


@as_root
def test_a_realm_is_apart_from_the_name_unless_saslauthd_joins_them(accounts, saslauthd, serving):
    realms = f"{REALM_USER.partition('@')[2]} other.org"
    apart = serving(saslauthd("pam"))
    assert log_in(apart, REALM_USER, PASSWORDS["anna"]) == FAILED
    apart.wait_for_log("badlogin: .* reason=\"its realm is not in loginrealms\"")
    apart.reload(loginrealms=realms)
    assert log_in(apart, REALM_USER, PASSWORDS["anna"]) == OK
    assert log_in(apart, REALM_USER, "RealmPw") == FAILED
    # Another identity than anna, though with her password.
    apart.wait_for_log(f"login: .* user={REALM_USER} ")
    assert log_in(apart, "anna@other.org", PASSWORDS["anna"]) == NO_RIGHT
    joined = serving(saslauthd("pam", "-r"), loginrealms=realms)
    assert log_in(joined, REALM_USER, "RealmPw") == OK
    assert log_in(joined, REALM_USER, PASSWORDS["anna"]) == FAILED
    assert log_in(joined, "anna@mupdate.test", PASSWORDS["anna"]) == OK
    joined.wait_for_log("login: .* user=anna ")


@as_root
def test_password_cache_all_saves_questions_and_lets_the_old_password_live_a_while(
        accounts, saslauthd, serving):
    service = saslauthd("pam")
    cached, asking = serving(service, password_cache="all"), serving(service)
    assert log_in(cached, "anna", PASSWORDS["anna"]) == OK
    assert log_in(asking, "anna", PASSWORDS["anna"]) == OK
    service.kill()
    assert log_in(cached, "anna", PASSWORDS["anna"]) == OK
    assert log_in(asking, "anna", PASSWORDS["anna"])[0] == "NO"
    assert log_in(cached, "anna", "wrong")[0] == "NO"
    cached.reload()
    assert log_in(cached, "anna", PASSWORDS["anna"])[0] == "NO"


# --- LDAP ---


@pytest.fixture(scope="module")
def slapd(tmp_path_factory):
    made = Slapd(tmp_path_factory.mktemp("slapd") / "slapd",
                 {"anna": "AnnaLdapPw", "outsider": "OutsiderPw"}, ["anna"])
    yield made
    made.stop()


def test_a_member_of_the_group_logs_in_by_ldap_and_nobody_else(slapd, saslauthd, serving, tmp_path):
    daemon = serving(saslauthd("ldap", "-O", slapd.options))
    assert log_in(daemon, "anna", "AnnaLdapPw") == OK
    done = ping(daemon, tmp_path, "anna", "AnnaLdapPw", "-m", "LOGIN")
    assert done.returncode == 0, done.stderr
    for user, password in (("anna", "wrong"), ("outsider", "OutsiderPw"), ("nobody", "x"),
                           ("*", "AnnaLdapPw"), ("anna)(uid=*", "AnnaLdapPw")):
        assert log_in(daemon, user, password) == FAILED
        assert ping(daemon, tmp_path, user, password).returncode == EX_NOPERM
    daemon.wait_for_log("badlogin: .* user=outsider reason=")


def test_while_ldap_is_down_logins_are_refused_and_after_it_they_are_not(slapd, saslauthd, serving):
    service = saslauthd("ldap", "-O", slapd.options)
    daemon = serving(service)
    assert log_in(daemon, "anna", "AnnaLdapPw") == OK
    slapd.stop()
    try:
        assert log_in(daemon, "anna", "AnnaLdapPw") == FAILED
        daemon.wait_for_log("badlogin: .* user=anna ")
        # Why is known to saslauthd only, which says no more than "no".
        wait_for(lambda: "auth failure: [user=anna]" in service.log(), "saslauthd's log")
    finally:
        slapd.start()
    wait_for(lambda: log_in(daemon, "anna", "AnnaLdapPw") == OK, "logins to work again")


def test_an_ldap_server_that_hangs_is_no_answer_in_time(slapd, saslauthd, serving):
    service = saslauthd("ldap", "-O", slapd.options)
    daemon = serving(service)
    assert log_in(daemon, "anna", "AnnaLdapPw") == OK
    slapd.signal(signal.SIGSTOP)
    try:
        daemon.reload(authentication_timeout="200ms")
        assert log_in(daemon, "anna", "AnnaLdapPw") == (
            "NO", "authentication service is not answering")
    finally:
        slapd.signal(signal.SIGCONT)
    daemon.reload(authentication_timeout="1h")
    daemon.wait_for_log("logins: what was asked answers again: lane=password")
    wait_for(lambda: log_in(daemon, "anna", "AnnaLdapPw") == OK, "logins to work again")


# --- servers of Cyrus ---


class Murder:
    """A master under TLS only, and Cyrus's servers that log in there with PLAIN by PAM."""

    def __init__(self, base, service, certificate):
        self.base = base
        self.add_accounts()
        self.master = masters.make(base, "PLAIN")
        self.master.configure(allowplaintext="no", tls_required="yes", failedloginpause="0",
                              sasl_pwcheck_method="saslauthd", sasl_saslauthd_path=service.path,
                              authentication_timeout="5s", **certificate)
        self.backend = Backend(base, "backend1", "127.0.0.11", "mupdate_mechs: PLAIN\n")
        self.frontend = Frontend(base, "frontend1", "127.0.0.21", "mupdate_mechs: PLAIN\n")

    def add_accounts(self):
        path = os.path.join(self.base, "sasldb2")
        for node in ("backend1", "frontend1"):
            for user, password in (ADMIN, MURDER):
                subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-f", path, "-u",
                                node + ".murder.test", user], input=password, text=True,
                               check=True)
        own(path)

    def start(self):
        for part in (self.master, self.backend, self.frontend):
            part.start()

    def stop(self):
        for part in (self.frontend, self.backend, self.master):
            part.stop()

    def create(self, mailbox):
        with Imap(self.backend.ip, *ADMIN) as imap:
            imap.create(mailbox)

    def agree(self, mailbox):
        wait_until(lambda: mailbox in self.frontend.mailboxes(), f"{mailbox} at the front-end")


@pytest.fixture
def murder(accounts, saslauthd, certificate):
    service = saslauthd("pam")
    base = os.path.join(os.environ["MURDER_DIR"], "saslauthd")
    os.mkdir(base, 0o755)
    made = Murder(base, service, certificate)
    made.service = service
    try:
        made.start()
        yield made
    finally:
        service.signal(signal.SIGCONT)
        made.stop()
        subprocess.run(["rm", "-rf", base], check=True)


@as_root
def test_servers_of_cyrus_turn_to_tls_and_log_in_with_plain_by_pam(murder):
    murder.create("user.anna")
    murder.agree("user.anna")
    log = murder.master.log_text()
    assert "login: [127.0.0.1] " in log and "user=murder mechanism=PLAIN tls=TLSv1" in log
    assert murder.backend.tool("ctl_mboxlist -m -w").strip() == ""
    with pytest.raises(Refused, match="authentication failed"):
        Mupdate("127.0.0.10", MURDER[0], "wrong", tls=True)


@as_root
def test_a_server_of_cyrus_is_refused_while_saslauthd_hangs_and_works_on_after_it(murder):
    murder.service.signal(signal.SIGSTOP)
    with pytest.raises(ImapNo, match="no connection to server"):
        murder.create("user.berta")
    wait_until(lambda: "nologin: [127.0.0.1] " in murder.master.log_text(), "the log")
    murder.service.signal(signal.SIGCONT)

    def created():
        try:
            murder.create("user.clara")
        except ImapNo:  # as long as saslauthd works off what has come in meanwhile
            return False
        return True
    wait_until(created, "a CREATE that works again")
    murder.agree("user.clara")
