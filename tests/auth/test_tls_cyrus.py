"""TLS and certificates between real Cyrus servers and the master.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import re
import signal
import subprocess

import pytest

import master
from authority import LATER, LONG_AGO, Authority
from imap import Imap
from node import ADMIN, MASTER_HOST, MURDER, Backend, Frontend, own, wait_until
from syslogd import Syslogd

TLS_PORT = 3906
FIRST = '%s:%d/tls' % (MASTER_HOST, TLS_PORT)
MECHANISMS = 'PLAIN SCRAM-SHA-256 EXTERNAL'


class Murder:
    """A master with a certificate, one back-end and one front-end."""

    def __init__(self, base):
        self.base = base
        os.mkdir(base)
        os.chmod(base, 0o755)
        self.syslog = Syslogd(os.path.join(base, 'syslog.log'))
        self.authority = Authority(os.path.join(base, 'ca'))
        self.other = Authority(os.path.join(base, 'other'), 'Other CA')
        cert, key = self.issue('/CN=' + MASTER_HOST, 'subjectAltName=DNS:' + MASTER_HOST)
        self.add_accounts()
        self.master = master.make(base, MECHANISMS)
        self.master.options.update(
            listen='%s:3905 tls:%s:%d' % (master.IP, master.IP, TLS_PORT), allowplaintext='no',
            tls_server_cert=cert, tls_server_key=key,
            tls_client_ca_file=self.authority.certificate,
            tls_client_identity='san-dns', admins='murder',
            backends='backend1.murder.test', readers='frontend1.murder.test')
        self.backend = Backend(base, 'backend1', '127.0.0.11')
        self.frontend = Frontend(base, 'frontend1', '127.0.0.21')
        self.count = 0
        self.changed = False

    def issue(self, *words, authority=None, **options):
        """As Authority.issue(), with a key that Cyrus can read."""
        made = (authority or self.authority).issue(*words, **options)
        for path in made:
            own(path)
        return made

    def add_accounts(self):
        path = os.path.join(self.base, 'sasldb2')
        for realm, account in (('mupdate', MURDER), ('backend1', ADMIN), ('backend1', MURDER)):
            subprocess.run(['/usr/sbin/saslpasswd2', '-p', '-c', '-f', path, '-u',
                            realm + '.murder.test', account[0]], input=account[1], text=True,
                           check=True)
        own(path)

    def restart_master(self, **changes):
        self.changed = True
        self.master.stop()
        self.master.configure(**changes)
        self.master.start()

    def start(self, settings=None, **changes):
        """Start both servers anew with these settings; a change then goes all the way.

        settings gives those that differ between the servers.
        """
        for node in (self.frontend, self.backend):
            node.stop()
            node.configure(**changes, **(settings(node) if settings else {}))
            node.start()
        self.create()

    def create(self):
        """Make a mailbox on the back-end and wait until the front-end knows it."""
        self.count += 1
        name = 'user.box%d' % self.count
        with Imap(self.backend.ip, *ADMIN) as imap:
            imap.create(name)
        wait_until(lambda: name in self.frontend.mailboxes(), 'the mailbox at the front-end',
                   interval=0.2)

    def push(self, **changes):
        """Have a tool of the back-end talk to the master with these settings; whether it can."""
        self.backend.configure(**changes)
        done = subprocess.run(self.backend.command_line('ctl_mboxlist -m').split(),
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
                              check=False)
        return done.returncode == 0

    def stop(self):
        for node in (self.frontend, self.backend):
            node.stop()
        self.master.stop()


@pytest.fixture(scope='module')
def murder():
    made = Murder(os.path.join(os.environ['MURDER_DIR'], 'tls'))
    try:
        made.master.configure()
        made.master.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def log(murder):
    """What the master, which is as it was at the beginning, has logged since then."""
    if murder.changed:
        murder.restart_master()
    murder.changed = False
    start = len(murder.master.log_text())
    return lambda: murder.master.log_text()[start:]


@pytest.fixture
def syslog(murder):
    start = murder.syslog.position()
    return lambda: murder.syslog.since(start)


def certificate(made):
    return {'tls_client_cert': made[0], 'tls_client_key': made[1]}


def test_servers_reach_a_port_that_begins_with_tls(murder, log):
    murder.start(mupdate_server=FIRST, mupdate_mechs='PLAIN')
    logins = re.findall('login: .*', log())
    assert len(logins) >= 3
    assert all('user=murder mechanism=PLAIN tls=TLSv1.3' in login for login in logins), logins
    assert 'subscriber: ' in log()


def test_servers_turn_to_starttls_by_themselves_where_it_is_required(murder, log):
    murder.restart_master(tls_required='yes')
    murder.start()
    logins = re.findall('login: .*', log())
    assert len(logins) >= 3
    assert all('tls=TLSv1.3' in login for login in logins), logins


def test_servers_log_in_by_their_certificates(murder, log):
    """Without any password: EXTERNAL, each server as itself, with no more rights than it needs."""
    murder.restart_master(tls_required='yes', admins='nobody')

    def settings(node):
        own_name = certificate(murder.issue('/CN=any', 'subjectAltName=DNS:' + node.fqdn))
        return {**own_name, 'mupdate_mechs': 'EXTERNAL', 'mupdate_username': None,
                'mupdate_authname': None, 'mupdate_password': None}
    murder.start(settings)
    for user in ('backend1', 'frontend1'):
        assert re.search(f'login: .* user={user}.murder.test mechanism=EXTERNAL tls=TLSv1.3 '
                         'subject="CN=any" issuer="CN=Murder CA"', log())
    assert 'mechanism=SCRAM' not in log() and 'mechanism=PLAIN' not in log()


def test_a_server_that_names_another_user_needs_the_right_to_act_as_him(murder, log):
    """mupdate_username is whom the server asks to act as."""
    murder.restart_master(tls_required='yes', failedloginpause='0', admins='backend1.murder.test',
                          backends='backend2.murder.test')
    shown = {'mupdate_mechs': 'EXTERNAL',
             **certificate(murder.issue('/CN=b', 'subjectAltName=DNS:backend1.murder.test'))}
    assert murder.push(**shown, mupdate_username='backend1.murder.test')
    assert 'user=backend1.murder.test mechanism=EXTERNAL' in log()
    assert not murder.push(**shown, mupdate_username='stranger')
    assert re.search('badlogin: .* mechanism=EXTERNAL user=stranger', log())


@pytest.mark.parametrize('which, reason', [
    ('expired', 'certificate has expired'),
    ('not valid yet', 'certificate is not yet valid'),
    ('another CA', 'unable to get local issuer certificate'),
    ('revoked', 'certificate revoked'),
    ('for servers', 'unsuitable certificate purpose'),
])
def test_a_bad_certificate_keeps_a_server_out_and_both_logs_say_so(murder, log, syslog, which,
                                                                   reason):
    shown = murder.issue('/CN=backend1', 'extendedKeyUsage=' +
                         ('serverAuth' if which == 'for servers' else 'clientAuth'),
                         authority=murder.other if which == 'another CA' else None,
                         dates={'expired': LONG_AGO, 'not valid yet': LATER}.get(which))
    if which == 'revoked':
        murder.authority.revoke(shown[0])
    murder.restart_master(tls_required='yes', tls_crl_file=murder.authority.crl())
    assert not murder.push(**certificate(shown))
    wait_until(lambda: re.search(
        "TLS failed: .*the peer's certificate is refused: %s.* subject=.*CN=backend1" % reason,
        log()), "the master's log to say so")
    wait_until(lambda: "couldn't authenticate to backend server" in syslog(), 'Cyrus to say so')
    # And one that is good goes on to work.
    assert murder.push(**certificate(murder.issue('/CN=backend1')))


def test_a_server_without_a_certificate_is_kept_out_where_one_is_required(murder, log):
    murder.restart_master(tls_required='yes', tls_client_certs='require')
    assert not murder.push()
    wait_until(lambda: 'peer did not return a certificate' in log(), "the master's log to say so")
    assert murder.push(**certificate(murder.issue('/CN=backend1')))


def test_a_new_certificate_of_the_master_disturbs_no_server(murder, log):
    murder.start(mupdate_server=FIRST)
    murder.changed = True
    before = len(log())
    cert, key = murder.issue('/CN=' + MASTER_HOST)
    murder.master.configure(tls_server_cert=cert, tls_server_key=key)
    murder.master.process.send_signal(signal.SIGHUP)
    wait_until(lambda: 'reload: done' in log()[before:], 'the reload')
    murder.create()
    assert 'subscriber: ' not in log()[before:], 'the front-end connected anew'
