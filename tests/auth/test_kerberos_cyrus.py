"""A real Cyrus back-end and front-end that log in to the master by GSSAPI, each as itself.

SPDX-License-Identifier: BSD-3-Clause
"""
import contextlib
import glob
import itertools
import os
import re
import subprocess

import pytest

import mupdated
from imap import Imap, ImapNo
from kerberos import MASTER
from node import ADMIN, DEADLINE, MASTER_HOST, CyrusNode, own, wait_until
from syslogd import Syslogd

# The documented way: no user, no password, and the port of /etc/services.
MEMBER = '''
mupdate_server: mupdate.murder.test
mupdate_mechs: GSSAPI
mupdate_config: standard
mupdate_retry_delay: 2
'''

BACKEND = '''
defaultpartition: default
partition-default: {dir}/spool
proxyservers: murder
'''


AES128 = '''    default_tkt_enctypes = aes128-cts
    default_tgs_enctypes = aes128-cts
'''


class Murder:
    def __init__(self, base, site):
        self.base = base
        self.site = site
        self.numbers = itertools.count()
        self.changed = False
        self.syslog = Syslogd(os.path.join(base, 'syslog.log'))
        for host in ('backend1', 'frontend1'):
            subprocess.run(['/usr/sbin/saslpasswd2', '-p', '-c', '-f',
                            os.path.join(base, 'sasldb2'), '-u', host + '.murder.test', ADMIN[0]],
                           input=ADMIN[1], text=True, check=True)
        own(os.path.join(base, 'sasldb2'))
        self.daemons = mupdated.Daemons(os.path.join(base, 'masters'))
        self.master = self.daemons.make(
            servername=MASTER_HOST, listen='127.0.0.10:3905', sasl_mech_list='GSSAPI',
            sasl_keytab=site.murder.keytab(os.path.join(base, 'master.keytab'), MASTER),
            admins='backend1 frontend1')
        self.master.environment = site.kerberos.environment()
        self.backend = self.node('backend1', '127.0.0.11', {
            'imap': ('imapd', 143, 'prefork=1')}, ('ctl_mboxlist -m',), BACKEND)
        self.frontend = self.node('frontend1', '127.0.0.21', {
            'mupdate': ('mupdate', 3905, 'prefork=1')})

    def node(self, name, ip, services, start=(), options=''):
        """A node with a keytab, a ticket cache and a krb5.conf of its own."""
        node = CyrusNode(self.base, name, ip, MEMBER + options, services, start)
        node.environment = {'KRB5_CONFIG': os.path.join(node.dir, 'krb5.conf'),
                            'KRB5_CLIENT_KTNAME': os.path.join(node.dir, 'keytab'),
                            'KRB5CCNAME': 'FILE:' + os.path.join(node.dir, 'tickets')}
        self.become(node, name)
        return node

    def become(self, node, principal, settings=''):
        """Let the node be this principal; settings go into its [libdefaults]."""
        realm = self.site.murder
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(node.dir, 'tickets'))
        keytab = os.path.join(node.dir, 'keytab')
        with contextlib.suppress(FileNotFoundError):
            os.unlink(keytab)
        own(realm.keytab(keytab, principal))
        conf = node.environment['KRB5_CONFIG']
        with open(self.site.kerberos.conf) as source, open(conf, 'w') as target:
            target.write(source.read().replace('[libdefaults]', '[libdefaults]\n' + settings))
        os.chmod(conf, 0o644)
        if node.running:
            self.changed = True
            node.stop()
            node.start()

    def create(self):
        """Make a mailbox on the back-end; return its name."""
        name = f'user.anna{next(self.numbers)}'
        with Imap(self.backend.ip, *ADMIN) as imap:
            imap.create(name)
        return name

    def login(self):
        """Make a mailbox on the back-end; return how the master logs that it came."""
        before = len(self.master.log())
        self.create()
        return re.search('notice: login: .* (user=.*)', self.master.log()[before:])[1]

    def push(self, **environment):
        """Let the back-end compare its mailboxes with the master's; return the exit code."""
        return subprocess.run(self.backend.command_line('ctl_mboxlist -m -w').split(),
                              env={**os.environ, **self.backend.environment, **environment},
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE,
                              check=False).returncode

    def start(self):
        self.master.start()
        self.backend.start()
        self.frontend.start()

    def stop(self):
        self.frontend.stop()
        self.backend.stop()
        self.daemons.end()


@pytest.fixture(scope='module')
def murder(site):
    base = os.path.join(os.environ['MURDER_DIR'], 'kerberos')
    os.mkdir(base, 0o711)
    made = Murder(base, site)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def master(murder):
    """It and the back-end are what they were again at the end."""
    before = dict(murder.master.settings)
    yield murder.master
    murder.master.settings = before
    murder.master.reload()
    if murder.changed:
        murder.become(murder.backend, 'backend1')
        murder.changed = False


def test_a_mailbox_that_a_backend_makes_is_at_the_master_and_at_the_frontend(murder):
    name = murder.create()
    wait_until(lambda: name in murder.frontend.mailboxes(), 'the front-end to have it')
    assert murder.frontend.mailboxes()[name][0] == 'backend1.murder.test'
    log = murder.master.log()
    assert ' user=backend1 mechanism=GSSAPI' in log
    assert ' user=frontend1 mechanism=GSSAPI' in log


def test_a_backend_sends_what_it_has_when_the_master_has_lost_it(murder):
    name = murder.create()
    assert murder.push() == 0
    murder.backend.tool('ctl_mboxlist -m')
    wait_until(lambda: name in murder.frontend.mailboxes(), 'the front-end to have it')


@pytest.mark.parametrize('limits, layer', [((0, 0), ''), ((1, 1), ' layer=1'),
                                           ((0, 256), ' layer=1')])
def test_nodes_work_with_and_without_a_layer(murder, master, limits, layer):
    """With a key of 256 bits they take integrity: their own limit is 255."""
    master.reload(sasl_minimum_layer=limits[0], sasl_maximum_layer=limits[1])
    assert murder.login() == 'user=backend1 mechanism=GSSAPI' + layer


def test_nodes_with_keys_of_128_bits_encrypt(murder, master):
    murder.become(murder.backend, 'backend1', AES128)
    master.reload(sasl_minimum_layer=56)
    assert murder.login() == 'user=backend1 mechanism=GSSAPI layer=128'


def test_nodes_with_longer_keys_cannot_be_made_to_encrypt_but_by_tls(murder, master, certificate):
    master.reload(sasl_minimum_layer=56)
    with pytest.raises(ImapNo):
        murder.create()
    master.reload(tls_required='yes', **certificate)
    assert murder.login().startswith('user=backend1 mechanism=GSSAPI tls=TLSv1')


def test_a_computer_account_of_active_directory_is_a_name_like_others(murder, master):
    murder.site.murder.add('BACKEND1$')
    master.reload(admins='BACKEND1$ frontend1')
    murder.become(murder.backend, 'BACKEND1$')
    assert murder.login().startswith('user=BACKEND1$ mechanism=GSSAPI')


def test_a_node_whose_principal_is_no_admin_is_refused_and_named(murder, master):
    master.reload(admins='frontend1')
    before = len(master.log())
    with pytest.raises(ImapNo, match='no connection to server'):
        murder.create()
    assert ' mechanism=GSSAPI user=backend1 reason="not in admins, readers or backends"' in master.log()[before:]
    assert murder.push() != 0


def expired_ticket(site):
    cache = site.new_ticket('backend1', '-l', '1s')
    environment = site.kerberos.environment(KRB5CCNAME=cache)
    wait_until(lambda: subprocess.run(['klist', '-s'], env=environment, check=False).returncode,
               'the ticket to expire')
    return cache


def ticket_of_another_realm(site):
    return site.new_ticket('murder@OTHER.TEST')


def no_ticket(_):
    return '/nonexistent'


@pytest.mark.parametrize('ticket', [no_ticket, expired_ticket, ticket_of_another_realm])
def test_a_node_without_a_good_ticket_does_not_come_in_and_says_so(murder, ticket):
    """Cyrus does not say why. It has nothing to send, so the master sees it come and go."""
    cache = ticket(murder.site)
    start, before = murder.syslog.position(), len(murder.master.log())
    assert murder.push(KRB5_CLIENT_KTNAME='/nonexistent', KRB5CCNAME='FILE:' + cache) != 0
    wait_until(lambda: "couldn't authenticate to backend server" in murder.syslog.since(start),
               "the back-end's log to say so")
    wait_until(lambda: re.search('closed: .* user=- ', murder.master.log()[before:]),
               "the master's log to say so")
    assert murder.push() == 0


@pytest.mark.skipif(mupdated.SANITIZED, reason='what fakes the time must be loaded first')
@pytest.mark.parametrize('offset, reason', [('+1h', 'Clock skew too great'),
                                            ('+2d', 'Ticket expired'),
                                            ('-1h', 'Ticket not yet valid')])
def test_a_master_whose_clock_is_wrong_logs_it_and_the_backend_that_it_is_not_let_in(
        murder, master, offset, reason):
    usual = dict(master.environment)
    master.stop()
    master.environment.update(
        LD_PRELOAD=glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1')[0], FAKETIME=offset,
        FAKETIME_DONT_FAKE_MONOTONIC='1')
    try:
        master.start()
        start = murder.syslog.position()
        assert murder.push() != 0
        wait_until(lambda: "couldn't authenticate to backend server" in murder.syslog.since(start),
                   "the back-end's log to say so")
        master.wait_for_log(f'badlogin: .* mechanism=GSSAPI .*reason="Kerberos: {reason}"')
    finally:
        master.stop()
        master.environment = usual
        master.start()


def test_a_master_whose_keytab_is_of_yesterday_logs_it_and_takes_the_new_one(murder, master):
    keytab = master.settings['sasl_keytab']
    murder.site.murder.keytab(keytab + '.new', MASTER, new_key=True)
    # For the masters of other tests.
    murder.site.murder.keytab(murder.site.master_keytab, MASTER)
    os.unlink(os.path.join(murder.backend.dir, 'tickets'))
    before = len(master.log())
    with pytest.raises(ImapNo):
        murder.create()
    assert 'not found in keytab; keytab is likely out of date' in master.log()[before:]
    os.replace(keytab + '.new', keytab)
    assert murder.login().startswith('user=backend1 mechanism=GSSAPI')
