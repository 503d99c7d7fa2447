"""A table that was loaded and not confirmed costs no back-end a mailbox.

Each time a back-end starts it compares its mailboxes with the master's table
(ctl_mboxlist -m in START) and believes the table.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import subprocess

import pytest

from node import BIN, wait_until

pytestmark = pytest.mark.skipif(os.environ.get('MASTER') == 'cyrus',
                                reason="Cyrus's own master cannot load a table")


class Tables:
    """The dumps of a master, before and after a mailbox went to another back-end."""

    def __init__(self, rig):
        self.rig = rig
        self.name = 'user.' + rig.fresh('moved')
        self.stays = 'user.' + rig.fresh('stays')
        with rig.admin(rig.backend2) as imap:
            imap.create(self.name)
        with rig.admin(rig.backend1) as imap:
            imap.create(self.stays)
        self.old = self.dump('old')
        with rig.admin(rig.backend2) as imap:
            imap.delete(self.name)
        with rig.admin(rig.backend1) as imap:
            imap.create(self.name)
        rig.assert_agreement()
        self.right = self.dump('right')

    def dump(self, word):
        """Stop the master for a dump; return its path."""
        path = os.path.join(self.rig.base, '%s-%s.mupdate' % (self.name, word))
        self.rig.master.stop()
        self.rig.master.ctl('dump', '-o', path)
        self.rig.master.start()
        return path

    def load(self, path, confirm):
        """Give the master that table while backend1 is away."""
        self.rig.master.stop()
        self.rig.master.ctl('load', path)
        if confirm:
            self.rig.master.ctl('confirm')
        self.rig.master.start()


@pytest.fixture
def tables(rig):
    made = Tables(rig)
    yield made
    # Whatever a failure left: the table that is right, and everybody in agreement with it.
    rig.backend1.stop()
    made.load(made.right, confirm=True)
    rig.backend1.start()


def synchronise(node):
    """What START does, by hand; its exit status."""
    command = '%s/ctl_mboxlist -C %s -m' % (BIN, node.imapd_conf)
    return subprocess.run(command.split(), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60).returncode


def cannot_start(node):
    """A back-end that gets no answer in START ends, as when there is no master."""
    with pytest.raises(AssertionError, match='its master process ended'):
        node.start()


def test_an_old_table_that_nobody_confirmed_deletes_nothing(rig, tables, report):
    rig.backend1.stop()
    before = rig.backend1.mailboxes()
    assert {tables.name, tables.stays} <= set(before)
    tables.load(tables.old, confirm=False)
    logged = len(rig.master.log_text())
    cannot_start(rig.backend1)
    assert 'unconfirmed: [' in rig.master.log_text()[logged:]
    assert rig.backend1.mailboxes() == before
    # Nor does it when the operator tries again and again.
    for _ in range(3):
        assert synchronise(rig.backend1) != 0
    assert rig.backend1.mailboxes() == before
    tables.load(tables.right, confirm=True)
    rig.backend1.start()
    with rig.admin(rig.backend1) as imap:
        assert {tables.name, tables.stays} <= imap.names('user.*')
    report('unconfirmed: %d mailboxes of a back-end before and after its starts' % len(before))


def test_right_after_the_confirmation_the_backend_synchronises(rig, tables):
    rig.backend1.stop()
    tables.load(tables.right, confirm=False)
    cannot_start(rig.backend1)
    rig.master.stop()
    rig.master.ctl('confirm')
    rig.master.start()
    rig.backend1.start()
    assert {tables.name, tables.stays} <= set(rig.backend1.mailboxes())
    rig.assert_agreement()


def test_what_a_backend_made_after_the_dump_is_in_the_table_after_its_start(rig, tables):
    with rig.admin(rig.backend1) as imap:
        imap.create(tables.stays + '.later')
    rig.backend1.stop()
    tables.load(tables.right, confirm=True)
    assert tables.stays + '.later' not in rig.master_table()
    rig.backend1.start()
    assert tables.stays + '.later' in rig.backend1.mailboxes()
    rig.assert_agreement()
    tables.right = tables.dump('righter')


def test_the_same_old_table_would_have_deleted_had_it_been_confirmed(rig, tables):
    rig.backend1.stop()
    tables.load(tables.old, confirm=True)
    rig.backend1.start()
    wait_until(lambda: tables.name not in rig.backend1.mailboxes(), 'the back-end to believe it')
    assert tables.stays in rig.backend1.mailboxes()
    # The table that is right from now on.
    with rig.master.client() as client:
        client.delete(tables.name)
    for node in rig.backends:
        assert synchronise(node) == 0
    rig.assert_agreement()
    tables.right = tables.dump('without')
