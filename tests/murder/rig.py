"""The Murder: one master, two back-ends, two front-ends.

SPDX-License-Identifier: BSD-3-Clause
"""
import itertools
import os
import smtplib
import subprocess

import master
from imap import Imap
from node import ADMIN, DEADLINE, MURDER, Backend, Frontend, own, wait_until
from syslogd import Syslogd

MECHANISMS = 'PLAIN DIGEST-MD5 SCRAM-SHA-256'
# People with a mailbox who log in by themselves; each test takes fresh ones.
PEOPLE = ['person%02d' % number for number in range(16)]
PERSON_PASSWORD = 'PersonPw'
# Each node logs in at the master by its own name, and may do what its kind needs; the
# tests themselves are the admin.
NODES = ('backend1', 'backend2', 'frontend1', 'frontend2')
RIGHTS = {
    'admins': MURDER[0],
    'group_frontends': 'frontend1 frontend2',
    'readers': '@frontends',
    'backends': 'backend1=backend1.murder.test backend2=backend2.murder.test',
    'audit': 'yes',
}


def log_in_by_its_name(node):
    with open(node.imapd_conf) as file:
        lines = file.read().splitlines()
    for key in ('mupdate_authname', 'mupdate_username'):
        lines[lines.index('%s: %s' % (key, MURDER[0]))] = '%s: %s' % (key, node.name)
    with open(node.imapd_conf, 'w') as file:
        file.write('\n'.join(lines) + '\n')


def without_partition(table):
    return {name: (host, acl) for name, (host, _, acl) in table.items()}


def compare(left_name, left, right_name, right):
    found = []
    for name in sorted(set(left) | set(right)):
        if left.get(name) != right.get(name):
            found.append('%s: %s has %s, %s has %s' % (
                name, left_name, left.get(name), right_name, right.get(name)))
    return found


class Rig:
    def __init__(self, base):
        self.base = base
        self.syslog = Syslogd(os.path.join(base, 'syslog.log'))
        self.numbers = itertools.count(1)
        self.people = iter(PEOPLE)
        self.add_accounts()
        self.master = master.make(base, MECHANISMS, NODES, RIGHTS)
        # SCRAM-SHA-256 is what Cyrus takes by itself; the others are made to differ.
        self.backend1 = Backend(base, 'backend1', '127.0.0.11')
        self.backend2 = Backend(base, 'backend2', '127.0.0.12', 'mupdate_mechs: DIGEST-MD5\n')
        self.frontend1 = Frontend(base, 'frontend1', '127.0.0.21')
        self.frontend2 = Frontend(base, 'frontend2', '127.0.0.22', 'mupdate_mechs: PLAIN\n')
        self.backends = (self.backend1, self.backend2)
        self.frontends = (self.frontend1, self.frontend2)
        for node in self.backends + self.frontends:
            log_in_by_its_name(node)

    def add_accounts(self):
        realms = {'mupdate': [MURDER] + [(name, MURDER[1]) for name in NODES],
                  'backend1': (ADMIN, MURDER), 'backend2': (ADMIN, MURDER)}
        people = [(person, PERSON_PASSWORD) for person in PEOPLE]
        for frontend in ('frontend1', 'frontend2'):
            realms[frontend] = [ADMIN] + people
        path = os.path.join(self.base, 'sasldb2')
        for realm, accounts in realms.items():
            for user, password in accounts:
                subprocess.run(['/usr/sbin/saslpasswd2', '-p', '-c', '-f', path,
                                '-u', realm + '.murder.test', user],
                               input=password, text=True, check=True)
        own(path)

    def start(self):
        self.master.start()
        for node in self.backends + self.frontends:
            node.start()

    def mend(self):
        """Start again what a failed test left stopped."""
        for part in (self.master,) + self.backends + self.frontends:
            if not part.running:
                part.start()

    def stop(self):
        for node in self.frontends + self.backends:
            node.stop()
        self.master.stop()

    def admin(self, node):
        return Imap(node.ip, *ADMIN)

    def login(self, node, person):
        return Imap(node.ip, person, PERSON_PASSWORD)

    def deliver(self, node, person, text):
        """Hand a message to a node's LMTP service."""
        with smtplib.LMTP(node.ip, 24) as lmtp:
            lmtp.sendmail('sender@example.org', [person], 'Subject: a test\r\n\r\n%s\r\n' % text)

    def fresh(self, word='box'):
        """A user name that no other test uses."""
        return '%s%d' % (word, next(self.numbers))

    def server(self, node):
        """CREATE's argument that makes a front-end choose this back-end."""
        return '(SERVER %s)' % node.fqdn

    def person(self):
        """A fresh user who can log in at the front-ends."""
        return next(self.people)

    def master_table(self):
        """The active rows of the master in the form of CyrusNode.mailboxes()."""
        table = {}
        for name, (state, location, acl) in self.master.rows().items():
            if state == 'ACTIVE':
                host, _, partition = location.partition('!')
                words = acl.split('\t')
                table[name] = (host, partition, dict(zip(words[0:-1:2], words[1::2])))
        return table

    def differences(self, prefixes):
        """What keeps the nodes from agreeing on names that start so, as text."""
        def chosen(rows):
            return {name: row for name, row in rows.items() if name.startswith(prefixes)}

        table = chosen(self.master_table())
        found = []
        for node in self.frontends:
            found += compare(node.name, chosen(node.mailboxes()), 'master', table)
        for node in self.backends:
            # A renamed mailbox is registered without its partition.
            found += compare(node.name, without_partition(chosen(node.mailboxes())), 'master',
                             without_partition({name: row for name, row in table.items()
                                                if row[0] == node.fqdn}))
        return found

    def assert_agreement(self, *prefixes, deadline=DEADLINE):
        """Wait until all nodes have the same mailboxes (of the names that start so)."""
        found = []

        def agree():
            found[:] = self.differences(prefixes or ('',))
            return not found
        try:
            wait_until(agree, 'agreement', deadline, interval=0.2)
        except AssertionError as error:
            raise AssertionError('%s\n%s' % (error, '\n'.join(found[:20]))) from None
