"""How Cyrus's servers log in to the master.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import subprocess

import pytest

from node import own


def creation(rig, backend):
    """Create a mailbox there; the master's log of the time it took."""
    start = len(rig.master.log_text())
    name = 'user.' + rig.fresh()
    with rig.admin(backend) as imap:
        imap.create(name)
    rig.assert_agreement(name)
    return rig.master.log_text()[start:]


def test_a_backend_takes_the_strongest_mechanism_by_itself(rig):
    assert 'user=backend1 mechanism=SCRAM-SHA-256' in creation(rig, rig.backend1)


def test_a_backend_can_be_told_to_use_another_mechanism(rig):
    assert 'user=backend2 mechanism=DIGEST-MD5' in creation(rig, rig.backend2)


@pytest.fixture
def plain_under_tls_only(rig):
    """For a while the master has a certificate and offers PLAIN, but not in the clear."""
    cert, key = (os.path.join(rig.base, name) for name in ('cert.pem', 'key.pem'))
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-out', cert,
                    '-keyout', key, '-subj', '/CN=mupdate.murder.test'],
                   check=True, capture_output=True)
    own(key)
    rig.master.stop()
    rig.master.configure(allowplaintext='no', sasl_mech_list='PLAIN',
                         tls_server_cert=cert, tls_server_key=key)
    try:
        rig.master.start()
        yield
    finally:
        rig.master.stop()
        rig.master.configure()
        rig.master.start()
    rig.assert_agreement()


def test_nodes_turn_to_tls_where_plain_is_not_offered_without(rig, plain_under_tls_only):
    with rig.master.client() as client:
        assert client.mechanisms() == []
    # The front-ends have to log in again too before they can agree.
    for _ in range(3):
        assert 'user=backend1 mechanism=PLAIN' in creation(rig, rig.backend1)
    rig.backend1.tool('ctl_mboxlist -m')
    assert rig.backend1.tool('ctl_mboxlist -m -w').strip() == ''
