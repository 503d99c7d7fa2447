"""ctl_mboxlist -m: a back-end brings the master up to date.

SPDX-License-Identifier: BSD-3-Clause
"""


def test_pushes_into_an_empty_master_bring_every_mailbox_back(rig):
    for backend in rig.backends:
        name = 'user.' + rig.fresh()
        with rig.admin(backend) as imap:
            imap.create(name)
            imap.create(name + '.a folder')
            imap.setacl(name, 'cyrus', 'lrs')
        # Once before, because a push completes rows of renamed mailboxes.
        backend.tool('ctl_mboxlist -m')
    rig.assert_agreement()
    before = rig.master_table()
    rig.master.stop()
    rig.master.forget()
    rig.master.start()
    assert not rig.master.rows()
    for backend in rig.backends:
        backend.tool('ctl_mboxlist -m')
    assert rig.master_table() == before
    rig.assert_agreement()


def test_a_dry_run_tells_what_a_push_would_do_and_does_nothing(rig):
    ghost, lost = 'user.' + rig.fresh('ghost'), 'user.' + rig.fresh('lost')
    rig.backend1.tool('ctl_mboxlist -m')
    with rig.admin(rig.backend1) as imap:
        imap.create(lost)
    with rig.master.client() as client:
        client.activate(ghost, rig.backend1.fqdn + '!default', '')
        client.delete(lost)
    before = rig.master.rows()
    said = rig.backend1.tool('ctl_mboxlist -m -w')
    assert ghost in said and lost in said
    assert rig.master.rows() == before

    rig.backend1.tool('ctl_mboxlist -m')
    table = rig.master_table()
    assert ghost not in table and lost in table
    assert rig.backend1.tool('ctl_mboxlist -m -w').strip() == ''
    rig.assert_agreement(ghost, lost)


def test_a_backend_that_starts_pushes_what_changed_meanwhile(rig):
    name = 'user.' + rig.fresh()
    with rig.admin(rig.backend2) as imap:
        imap.create(name)
    rig.backend2.stop()
    with rig.master.client() as client:
        client.delete(name)
    rig.backend2.start()
    assert rig.master_table()[name][0] == rig.backend2.fqdn
    rig.assert_agreement(name)
