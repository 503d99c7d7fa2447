"""Each node logs in by its own name and has the rights of its kind only.

SPDX-License-Identifier: BSD-3-Clause
"""
import re

import pytest

from imap import ImapNo
from mupdate import Mupdate, Refused
from node import MASTER_HOST, MASTER_PORT, MURDER


def log_since(rig, start):
    return rig.master.log_text()[start:]


@pytest.fixture
def start(rig):
    return len(rig.master.log_text())


def test_nothing_that_the_nodes_do_by_themselves_is_refused(rig, start):
    """Create, change, move there and back, rename and delete, and what each start does."""
    name, person = 'user.' + rig.fresh(), 'user.' + rig.person()
    with rig.admin(rig.frontend1) as imap:
        imap.create(name, rig.server(rig.backend1))
        imap.create(name + '.folder')
        imap.setacl(name, 'anna', 'lr')
        imap.rename(name + '.folder', name + '.other')
        imap.delete(name + '.other')
        imap.create(person, rig.server(rig.backend1))
    with rig.admin(rig.backend1) as imap:
        imap.ok('XFER %s %s' % (person, rig.backend2.fqdn))
    with rig.admin(rig.backend2) as imap:
        imap.ok('XFER %s %s' % (person, rig.backend1.fqdn))
    for node in rig.backends + rig.frontends:
        node.stop()
        node.start()
    rig.assert_agreement(name, person)
    said = log_since(rig, start)
    assert 'refused:' not in said
    assert re.search(r'audit: \S+ port=\d+ user=backend1 .* command=RESERVE mailbox=%s '
                     r'old_state=absent ' % re.escape(name), said)
    assert re.search(r'audit: \S+ port=\d+ user=backend2 .* command=ACTIVATE mailbox=%s '
                     r'old_state=reserved old_location=backend1\.murder\.test!default .* '
                     r'new_location=backend2\.murder\.test!default ' % re.escape(person), said)


def test_a_backend_whose_mailbox_is_active_elsewhere_is_refused_and_says_so(rig, start):
    name = 'user.' + rig.fresh()
    with rig.admin(rig.backend1) as imap:
        imap.create(name)
        _, location, acl = rig.master.rows()[name]
        elsewhere = rig.backend2.fqdn + '!default'
        with rig.master.client() as admin:
            admin.activate(name, elsewhere, acl)
            with pytest.raises(ImapNo):
                imap.setacl(name, 'anna', 'lr')
            assert admin.find(name) == ('ACTIVE', elsewhere, acl)
            admin.activate(name, location, acl)
        imap.setacl(name, 'anna', 'lr')
    rig.assert_agreement(name)
    assert re.search(r'refused: \S+ port=\d+ user=backend1 command=ACTIVATE mailbox=%s '
                     r'location=backend1\.murder\.test!default reason="this user may not write '
                     r'mailboxes of server backend2\.murder\.test"' % re.escape(name),
                     log_since(rig, start))


def test_who_steals_a_frontends_password_cannot_write(rig):
    name = 'user.' + rig.fresh()
    with Mupdate(MASTER_HOST, 'frontend1', MURDER[1], port=MASTER_PORT) as thief:
        with pytest.raises(Refused, match='this user may only read'):
            thief.activate(name, rig.backend1.fqdn + '!default', 'anna\tlr\t')
        assert thief.find(name) is None
