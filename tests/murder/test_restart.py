"""The master goes away and comes back; nothing that it acknowledged is lost.

SPDX-License-Identifier: BSD-3-Clause
"""
import threading

import pytest

from imap import ImapNo
from node import DEADLINE, wait_until

CREATIONS = 200
KILLS = 4
PARALLEL = 4


def test_mail_is_read_while_the_master_is_away_and_changes_go_on_afterwards(rig):
    person, name = rig.person(), 'user.' + rig.fresh()
    with rig.admin(rig.frontend1) as imap:
        imap.create('user.' + person, rig.server(rig.backend1))
    rig.deliver(rig.frontend1, person, 'a message')
    rig.assert_agreement()
    before = rig.master.rows()

    rig.master.stop()
    with rig.admin(rig.backend2) as imap:
        with pytest.raises(ImapNo):
            imap.create(name)
        with rig.login(rig.frontend1, person) as reader:
            assert reader.texts('INBOX') == ['a message']
        rig.master.start()
        assert rig.master.rows() == before
        imap.create(name)
    rig.assert_agreement()


class Creators:
    """Administrators at both back-ends who try each name until it is created."""

    def __init__(self, rig, names):
        self.created = set()
        self.refused = 0
        self.broken = []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._work, args=(rig, rig.backends[part % 2],
                                                                  names[part::PARALLEL]))
                        for part in range(PARALLEL)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.wait()

    def _work(self, rig, backend, names):
        try:
            with rig.admin(backend) as imap:
                for name in names:
                    while name not in self.created and not self.ending.is_set():
                        self._attempt(imap, name)
        except (OSError, ConnectionError) as error:
            self.broken.append(error)

    def _attempt(self, imap, name):
        try:
            imap.create(name)
            self.created.add(name)
        except ImapNo:
            self.refused += 1
            self.ending.wait(0.05)

    def reach(self, count):
        wait_until(lambda: self.broken or len(self.created) >= count, '%d creations' % count,
                   interval=0.001)
        assert not self.broken

    def wait(self):
        for thread in self.threads:
            thread.join(DEADLINE)


def test_a_master_killed_during_200_creations_has_lost_none_that_users_saw_succeed(rig, report):
    names = ['user.' + rig.fresh('killed') for _ in range(CREATIONS)]
    with Creators(rig, names) as creators:
        for kill in range(1, KILLS + 1):
            creators.reach(kill * CREATIONS // (KILLS + 1))
            # What was acknowledged before this instant must survive it.
            acknowledged = set(creators.created)
            rig.master.kill()
            rig.master.start()
            missing = acknowledged - set(rig.master_table())
            assert not missing, 'lost by kill %d: %s' % (kill, sorted(missing))
        creators.reach(CREATIONS)

    rig.assert_agreement('user.killed')
    assert set(names) <= set(rig.master_table())
    for node in rig.frontends:
        assert set(names) <= set(node.mailboxes())
    report('%d creations, the master killed %d times: none of them lost, %d attempts refused'
           % (CREATIONS, KILLS, creators.refused))
