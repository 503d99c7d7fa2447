"""A front-end that was away has the right list soon after it is back.

SPDX-License-Identifier: BSD-3-Clause
"""
import contextlib
import os

import pytest

from node import wait_until

SYNCED = 'mailbox list synchronization complete'
# "Seconds": more than healing takes on a slow machine, less than for ever.
SOON = 20


@contextlib.contextmanager
def away(rig, node):
    """Without this front-end; afterwards it is back and has synchronised, once."""
    node.stop()
    yield
    start = rig.syslog.position()
    node.start()
    wait_until(lambda: syncs(rig, node, start) == 1, 'a full synchronisation')


def syncs(rig, node, start):
    return sum(line.count(SYNCED) for line in rig.syslog.since(start).splitlines()
               if ' %s/mupdate[' % node.name in line)


def test_changes_made_while_a_frontend_was_away_are_there_when_it_is_back(rig):
    kept, renamed, deleted, created, changed = ('user.' + rig.fresh() for _ in range(5))
    guest = rig.person()
    with rig.admin(rig.frontend1) as imap:
        for name in (kept, renamed, deleted, changed):
            imap.create(name, rig.server(rig.backend1))
    rig.assert_agreement()
    with away(rig, rig.frontend2), rig.admin(rig.frontend1) as imap:
        imap.create(created, rig.server(rig.backend2))
        imap.rename(renamed, renamed + 'too')
        imap.delete(deleted)
        imap.setacl(changed, guest, 'lrs')
    rig.assert_agreement(deadline=SOON)
    with rig.login(rig.frontend2, guest) as imap:
        assert changed in imap.names('user.*')
    with rig.admin(rig.frontend2) as imap:
        assert {kept, renamed + 'too', created} <= imap.names('user.*')
        assert not {renamed, deleted} & imap.names('user.*')


STAY = ['', ' b', '-b', '.c', ' a', '-a', '-a.x', '.#b', '.&-b', '^b', '_b', '2', '.b b', '.b-b']
LEAVE = [['.b.c', '.b'], ['.a'], ['^a', '.b.c'], ['.a', '.b.c', '.b', '^a']]


@pytest.fixture(params=['running', 'restarted', 'killed'])
def meanwhile(rig, request):
    """What happens to the master while a front-end is away."""
    def happen():
        if request.param != 'running':
            (rig.master.kill if request.param == 'killed' else rig.master.stop)()
            rig.master.start()
    return happen


def test_no_row_is_missing_soon_after_neighbours_of_many_kinds_went_away(rig, meanwhile):
    leave = {rig.fresh('neigh'): tails for tails in LEAVE}
    stay = {'user.' + base + tail for base in leave for tail in STAY}
    with rig.admin(rig.backend1) as imap:
        for base in leave:
            for tail in sorted(STAY + LEAVE[-1]):
                imap.create('user.' + base + tail)
    rig.assert_agreement()
    start = rig.syslog.position()
    with away(rig, rig.frontend2), rig.admin(rig.backend1) as imap:
        for base, tails in leave.items():
            for tail in tails:
                imap.delete('user.' + base + tail)
        meanwhile()
    rig.assert_agreement(deadline=SOON)
    assert stay <= set(rig.frontend2.mailboxes())
    assert syncs(rig, rig.frontend2, start) == 1, 'a second synchronisation helped'


def test_a_frontend_with_an_empty_list_gets_all_of_it(rig):
    name = 'user.' + rig.fresh()
    with rig.admin(rig.backend2) as imap:
        imap.create(name)
    with away(rig, rig.frontend2):
        os.unlink(os.path.join(rig.frontend2.dir, 'conf', 'mailboxes.db'))
    rig.assert_agreement(deadline=SOON)
    assert name in rig.frontend2.mailboxes()
