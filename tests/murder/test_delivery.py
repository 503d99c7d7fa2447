"""Mail goes in and out through front-ends, wherever the mailbox lives.

SPDX-License-Identifier: BSD-3-Clause
"""
import poplib
import smtplib

import pytest

from rig import PERSON_PASSWORD


@pytest.fixture(params=['backend1', 'backend2'])
def mailbox(rig, request):
    """A person with a mailbox on each of the back-ends in turn."""
    person = rig.person()
    with rig.admin(rig.frontend1) as imap:
        imap.create('user.' + person, rig.server(getattr(rig, request.param)))
    rig.assert_agreement('user.' + person)
    return person


def test_mail_delivered_through_one_frontend_is_read_by_imap_at_both(rig, mailbox):
    rig.deliver(rig.frontend1, mailbox, 'first')
    rig.deliver(rig.frontend2, mailbox, 'second')
    for node in rig.frontends:
        with rig.login(node, mailbox) as imap:
            assert imap.texts('INBOX') == ['first', 'second']


def test_mail_is_read_by_pop3_through_a_frontend(rig, mailbox):
    rig.deliver(rig.frontend2, mailbox, 'by post')
    pop = poplib.POP3(rig.frontend1.ip, timeout=60)
    try:
        pop.user(mailbox)
        pop.pass_(PERSON_PASSWORD)
        assert pop.stat()[0] == 1
        assert b'by post' in pop.retr(1)[1]
    finally:
        pop.quit()


def test_mail_for_a_mailbox_is_accepted_by_a_frontend_right_after_its_creation(rig):
    for backend in rig.backends:
        name = rig.fresh()
        with rig.admin(rig.frontend1) as imap:
            imap.create('user.' + name, rig.server(backend))
        rig.deliver(rig.frontend2, name, 'welcome')


def test_mail_for_nobody_is_refused_by_the_frontend(rig):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        rig.deliver(rig.frontend1, rig.fresh('nobody'), 'lost')
    assert [code for code, _ in refused.value.recipients.values()] == [550]
