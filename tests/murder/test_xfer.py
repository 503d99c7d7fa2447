"""Users move between back-ends with all they have.

SPDX-License-Identifier: BSD-3-Clause
"""
import pytest

from node import wait_until


@pytest.fixture
def mover(rig):
    """A person on the first back-end with a folder and a message."""
    person = rig.person()
    with rig.admin(rig.frontend1) as imap:
        imap.create('user.' + person, rig.server(rig.backend1))
        # A front-end whose master was away a moment ago learns of it when it is back.
        wait_until(lambda: 'user.' + person in rig.frontend1.mailboxes(), 'frontend1 to know it')
        imap.create('user.' + person + '.old letters')
    rig.deliver(rig.frontend1, person, 'packed')
    return person


def has_moved(rig, person):
    hosts = {row[0] for name, row in rig.frontend2.mailboxes().items()
             if name == 'user.' + person or name.startswith('user.' + person + '.')}
    return hosts == {rig.backend2.fqdn}


def check_arrival(rig, person):
    names = {'user.' + person, 'user.' + person + '.old letters'}
    wait_until(lambda: has_moved(rig, person), 'frontend2 to know the new place')
    assert names <= set(rig.backend2.mailboxes())
    assert not names & set(rig.backend1.mailboxes())
    rig.deliver(rig.frontend2, person, 'unpacked')
    for node in rig.frontends:
        with rig.login(node, person) as imap:
            assert imap.names('*') == {'INBOX', 'INBOX.old letters'}
            assert imap.texts('INBOX') == ['packed', 'unpacked']
    rig.assert_agreement('user.' + person)


def test_xfer_at_a_backend_moves_mail_and_folders_to_the_other(rig, mover):
    with rig.admin(rig.backend1) as imap:
        imap.ok('XFER user.%s %s' % (mover, rig.backend2.fqdn))
    check_arrival(rig, mover)


def test_rename_to_a_server_through_a_frontend_moves_mail_and_folders(rig, mover):
    with rig.admin(rig.frontend1) as imap:
        imap.rename('user.' + mover, 'user.' + mover, rig.backend2.fqdn)
    check_arrival(rig, mover)


def test_a_moved_user_can_move_back(rig, mover):
    with rig.admin(rig.backend1) as imap:
        imap.ok('XFER user.%s %s' % (mover, rig.backend2.fqdn))
    check_arrival(rig, mover)
    with rig.admin(rig.backend2) as imap:
        imap.ok('XFER user.%s %s' % (mover, rig.backend1.fqdn))
    rig.assert_agreement('user.' + mover)
    assert rig.master_table()['user.' + mover][0] == rig.backend1.fqdn
    with rig.login(rig.frontend2, mover) as imap:
        assert imap.texts('INBOX') == ['packed', 'unpacked']
