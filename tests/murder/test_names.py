"""Names that sort or encode in surprising ways are kept exactly, everywhere.

SPDX-License-Identifier: BSD-3-Clause
"""
import pytest

from node import wait_until

# What follows a user's name: other users, and folders. A dot, a blank, a hyphen
# and a caret sort in an order of their own.
OTHERS = ['', ' x', '-x', '^x', '2', '_x']
FOLDERS = ['.a', '.a.b', '.a.b.c', '.a b', '.a-b', '.a^b', '.a2', '.A', '.0', '.two  blanks',
           '.trailing-', '.K&AOQ-se', '.&U,BTFw-', '.&2D3eAA-', '.R&AOk-sum&AOk- 2026',
           '.fish &- chips', ".it's", '.a+b=c', '.#news', '.a~b', '.[a]']


def names_of(base):
    return ['user.' + base + other for other in OTHERS] + \
        ['user.' + base + folder for folder in FOLDERS]


@pytest.fixture
def base(rig):
    """A user with every kind of name, on the first back-end."""
    base = rig.fresh('odd')
    with rig.admin(rig.frontend1) as imap:
        for name in names_of(base):
            imap.create(name, rig.server(rig.backend1) if name.count('.') == 1 else None)
    return base


def test_odd_names_are_the_same_at_master_backend_and_frontends(rig, base):
    rig.assert_agreement('user.' + base)
    names = set(names_of(base))
    assert names <= set(rig.master.rows())
    for node in rig.frontends:
        with rig.admin(node) as imap:
            assert imap.names('user.%s*' % base) == names
            for name in names:
                assert imap.names(name) == {name}


def test_odd_names_are_renamed_and_deleted_like_others(rig, base):
    moved = rig.fresh('moved')
    with rig.admin(rig.frontend2) as imap:
        imap.rename('user.' + base, 'user.' + moved)
        for folder in FOLDERS:
            assert imap.names('user.' + moved + folder) == {'user.' + moved + folder}
        for folder in ('.a b', '.K&AOQ-se', '.a^b'):
            imap.delete('user.' + moved + folder)
            assert not imap.names('user.' + moved + folder)
    rig.assert_agreement('user.' + base, 'user.' + moved)


def test_the_same_odd_name_is_refused_at_the_other_backend(rig, base):
    with rig.admin(rig.backend2) as imap:
        for other in OTHERS:
            answer, _ = imap.command('CREATE "user.%s%s"' % (base, other))
            assert answer.startswith('NO'), other


def test_a_push_finds_odd_names_where_it_expects_them(rig, base):
    rig.backend1.tool('ctl_mboxlist -m')
    before = rig.master.rows()
    assert rig.backend1.tool('ctl_mboxlist -m -w').strip() == ''
    rig.backend1.tool('ctl_mboxlist -m')
    assert rig.master.rows() == before
    assert {'user.' + base, 'user.' + base + '.a b'} <= set(before)


def test_bytes_that_no_imap_user_can_type_reach_the_frontends_unchanged(rig):
    base = 'user.' + rig.fresh('raw')
    # As the raw client speaks: one character a byte, here of UTF-8 text.
    names = [base + tail.encode().decode('latin-1')
             for tail in ('', '.büro', '.日本', '."quoted"', '.back\\slash', '.{5}', '.(x) *%')]
    with rig.master.client() as client:
        for name in names:
            client.activate(name, rig.backend1.fqdn + '!default', 'anyone\tlrs\t')
        for node in rig.frontends:
            wait_until(lambda n=node: set(names) <= set(n.mailboxes()), node.name)
        for name in names:
            client.delete(name)
    rig.assert_agreement(base)
