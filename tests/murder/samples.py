"""Makes tests/ctl/data/*.json anew: what Cyrus's ctl_mboxlist -d prints on each kind of node.

    MASTER=cyrus tests/murder/run samples.py

No test of the suite: its name keeps it out.

SPDX-License-Identifier: BSD-3-Clause
"""
import json
import os
import pathlib
import re

import pytest

from node import wait_until

DATA = pathlib.Path(__file__).resolve().parent.parent / 'ctl' / 'data'
FOLDERS = ['', '.Sent', '.Sent.2026', '.two words', '.a', '.a.b', '.a-b', '.a^b', '.K&AOQ-se',
           '.fish &- chips', ".it's", '.[x]']
# What a back-end does not make by itself; the master takes it all the same.
ODD = {
    'user.latin\xe9': ('backend2.murder.test!default', 'a\tlrs\t'),
    'user.utf\xc3\xa9': ('backend2.murder.test!default', 'a\tlrs\t'),
    'user.empty-acl': ('backend2.murder.test!default', ''),
    'user.no-partition': ('backend2.murder.test!', 'anna\tlrs\t'),
    'user.tab\there': ('backend2.murder.test!fast', 'anna\tlrs\t'),
    'user.quote"back\\slash': ('backend2.murder.test!fast', 'anna\tlrs\t-anna\tw\t'),
    'example.org!user.virtual': ('backend2.murder.test!fast', 'anna@example.org\tlrs\t'),
}
LAST = 'user.zz'


@pytest.mark.skipif(os.environ.get('MASTER') != 'cyrus', reason="the samples are of Cyrus's own")
def test_make_samples(rig):
    with rig.admin(rig.backend1) as imap:
        for folder in FOLDERS:
            imap.create('user.anna' + folder)
        imap.rename('user.anna.Sent.2026', 'user.anna.Archive')
        imap.create('user.bob^smith')
        imap.setacl('user.bob^smith', 'anyone', 'lrs')
        imap.create('user.gone')
        imap.delete('user.gone')
    with rig.master.client() as client:
        client.reserve('user.reserved', 'backend2.murder.test!default')
        for name, (location, acl) in ODD.items():
            client.activate(name, location, acl)
        client.activate(LAST, 'backend2.murder.test!default', '')
    wait_until(lambda: '"%s"' % LAST in rig.frontend1.tool('ctl_mboxlist -d'), 'the front-end')
    DATA.mkdir(exist_ok=True)
    for node in (rig.master.node, rig.frontend1, rig.backend1):
        text = node.tool('ctl_mboxlist -d').encode('latin-1')
        # The one name that is not UTF-8 left its commas behind.
        assert json.loads(re.sub(rb',\n,', b',', text))
        (DATA / (node.name.rstrip('1') + '.json')).write_bytes(text)
