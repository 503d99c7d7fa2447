"""From Cyrus to mupdated and back again: dumps of Cyrus's are imported, exports are served by it.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import subprocess

import pytest

import cyrus_dump
from mupdate import Mupdate
from node import ADMIN, DEADLINE, FRONTEND, MURDER, MURDER_MEMBER, CyrusNode, wait_until

pytestmark = pytest.mark.skipif(os.environ.get('MASTER') == 'cyrus',
                                reason='it is about moving between the two')

FOLDERS = ['', '.two words', '.a', '.a.b', '.a-b', '.a^b', '.K&AOQ-se', '.fish &- chips', ".it's",
           '.[x]', '.#news', '.a+b=c']
RENAMED = {'.a': '.b', '.a.b': '.b.b'}
FOUND = 1


class Move:
    """The tool on a table of its own, and Cyrus nodes that are not of the Murder."""

    def __init__(self, rig, directory):
        self.rig = rig
        self.directory = directory
        self.database = os.path.join(directory, 'database')
        self.password = os.path.join(directory, 'password')
        with open(self.password, 'w') as file:
            file.write(MURDER[1] + '\n')
        os.chmod(self.password, 0o600)
        # Where the nodes below look for it.
        os.symlink(os.path.join(rig.base, 'sasldb2'), os.path.join(directory, 'sasldb2'))
        self.nodes = []

    def ctl(self, *arguments, status=0):
        program = os.path.join(os.path.dirname(self.rig.master.program), 'mupdatectl')
        done = subprocess.run([program, '-C', '/dev/null', '--database', self.database,
                               *arguments], capture_output=True, stdin=subprocess.DEVNULL,
                              timeout=DEADLINE)
        assert done.returncode == status, done
        return done.stdout

    def import_(self, octets, status=0):
        path = os.path.join(self.directory, 'dump')
        with open(path, 'wb') as file:
            file.write(octets)
        return self.ctl('import', path, status=status)

    def export(self, status=0):
        return self.ctl('export', status=status)

    def node(self, name, ip, options, services, **more):
        for user, password in (ADMIN, MURDER):
            subprocess.run(['/usr/sbin/saslpasswd2', '-p', '-c', '-f',
                            os.path.join(self.rig.base, 'sasldb2'), '-u', name + '.murder.test',
                            user], input=password, text=True, check=True)
        self.nodes.append(CyrusNode(self.directory, name, ip, options, services, **more))
        return self.nodes[-1]

    def master(self, name, ip):
        return self.node(name, ip, '', {'mupdate': ('mupdate -m', 3905, 'prefork=1')},
                         admins=MURDER[0])


@pytest.fixture
def move(rig):
    directory = os.path.join(rig.base, rig.fresh('move'))
    os.mkdir(directory, 0o755)
    made = Move(rig, directory)
    yield made
    for node in made.nodes:
        node.stop()


def dump(node):
    return node.tool('ctl_mboxlist -d').encode('latin-1')


def undump(node, octets):
    """What -u says of it."""
    done = subprocess.run(node.command_line('ctl_mboxlist -u').split(), input=octets,
                          capture_output=True, timeout=DEADLINE)
    assert done.returncode == 0
    return done.stdout + done.stderr


@pytest.fixture
def base(rig):
    """A user with odd folders on each back-end."""
    base = rig.fresh('moving')
    for backend, user in ((rig.backend1, base), (rig.backend2, base + '^two')):
        with rig.admin(backend) as imap:
            for folder in FOLDERS:
                imap.create('user.' + user + folder)
            imap.rename('user.%s.a' % user, 'user.%s.b' % user)
    rig.assert_agreement('user.' + base)
    return base


def test_a_frontends_list_goes_through_import_and_export_and_cyrus_unchanged(rig, move, base):
    original = dump(rig.frontend1)
    move.import_(original)
    exported = move.export()
    assert cyrus_dump.without(exported, 'uniqueid') == original
    fresh = move.node('fresh', '127.0.0.23', FRONTEND, {})
    assert undump(fresh, exported) == b''
    again = dump(fresh)
    assert cyrus_dump.without(again, 'mtime') == cyrus_dump.without(exported, 'mtime')
    assert cyrus_dump.without(again, 'mtime', 'uniqueid') == cyrus_dump.without(original, 'mtime')
    assert 'user.' + base + '.b.b' in fresh.mailboxes()
    # Cyrus's own dump of this list does not go back: it has no unique ids.
    empty = move.node('empty', '127.0.0.24', FRONTEND, {})
    assert b'missing uniqueid' in undump(empty, original)
    assert empty.mailboxes() == {}


def test_a_frontend_serves_what_was_exported_and_then_follows_the_master(rig, move, base):
    move.import_(dump(rig.frontend1))
    # Without the replica that would fetch the list: it has what it was given only.
    fresh = move.node('fresh', '127.0.0.23', MURDER_MEMBER + FRONTEND, {
        'imap': ('imapd', 143, 'prefork=1')})
    assert undump(fresh, move.export()) == b''
    fresh.start()
    with rig.admin(fresh) as imap:
        for user in (base, base + '^two'):
            names = {'user.' + user + RENAMED.get(folder, folder) for folder in FOLDERS}
            assert imap.names('user.%s' % user) | imap.names('user.%s.*' % user) == names
            name = 'user.%s.two words' % user
            owner = user.replace('^', '.')
            assert any(owner + ' lrs' in line for line in imap.ok('GETACL "%s"' % name))
            # This one goes on to the back-end that the list names.
            imap.setacl(name, 'cyrus', 'lrs')
            assert any('EXISTS' in line for line in imap.ok('SELECT "%s"' % name))
    fresh.stop()
    with open(fresh.cyrus_conf) as file:
        text = file.read()
    with open(fresh.cyrus_conf, 'w') as file:
        file.write(text.replace('SERVICES {\n', 'SERVICES {\n  mupdate cmd="%s" listen="%s:3905" '
                                'prefork=1\n' % (fresh.command_line('mupdate'), fresh.ip)))
    fresh.start()
    with rig.admin(rig.backend1) as imap:
        imap.create('user.%s.new' % base)
        imap.delete('user.%s.[x]' % base)
        imap.rename('user.%s.two words' % base, 'user.%s.three words' % base)
    rig.assert_agreement('user.' + base)
    wait_until(lambda: fresh.mailboxes() == rig.frontend1.mailboxes(),
               'the front-end to have followed', interval=0.2)


ROWS = {
    'user.reserved': ('RESERVED', 'be1.test!default', None),
    'user.active': ('ACTIVE', 'be1.test!default', 'a\tlrs\tb\tl\t-c\tw\t'),
    'user.no-acl': ('ACTIVE', 'be2.test!', ''),
    'user.two words': ('ACTIVE', 'be2.test!fast', 'a\tlrs\t'),
    'user.john^doe.a': ('ACTIVE', 'be2.test!fast', 'john.doe\tlrs\t'),
    'user.john2': ('ACTIVE', 'be2.test!fast', 'john2\tlrs\t'),
    'user.utf\xc3\xa9': ('ACTIVE', 'be2.test!fast', 'a\tlrs\t'),
    'user.latin\xe9': ('ACTIVE', 'be2.test!fast', 'a\tlrs\t'),
}


def test_a_master_of_cyrus_is_asked_and_takes_its_table_back(rig, move):
    old = move.master('mupdate2', '127.0.0.13')
    old.start()
    wait_until(lambda: Mupdate(old.ip, *MURDER), 'the master to let clients in')
    with Mupdate(old.ip, *MURDER) as client:
        for name, (state, location, acl) in ROWS.items():
            if state == 'RESERVED':
                client.reserve(name, location)
            else:
                client.activate(name, location, acl)
        assert client.list() == ROWS
    move.ctl('import', '-u', MURDER[0], '--password-file', move.password, '--from', old.ip)
    text = move.ctl('--json', 'dump').decode()
    assert text.count('"state":"reserved"') == 1 and text.count('"state":"active"') == 7
    # Its dump lacks the one name that is not UTF-8, and so does what goes back.
    by_wire = move.export(status=FOUND)
    move.import_(dump(old), status=FOUND)
    by_dump = move.export()
    old.stop()
    assert cyrus_dump.without(by_dump, 'mtime') == cyrus_dump.without(by_wire, 'mtime')
    new = move.master('mupdate3', '127.0.0.14')
    assert undump(new, by_wire) == b''
    assert cyrus_dump.parse(dump(new)) == cyrus_dump.parse(by_wire)
    assert b'"user.reserved"' in dump(new)
    new.start()
    # Cyrus's own recovery at each start frees what is reserved.
    with Mupdate(new.ip, *MURDER) as client:
        assert client.list() == {name: row for name, row in ROWS.items()
                                 if name not in ('user.latin\xe9', 'user.reserved')}
