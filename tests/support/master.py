"""The MUPDATE master under test, and Cyrus's own in its place for comparison.

Both have the methods of MupdatedMaster, as far as Cyrus's own can follow.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import shutil
import signal
import subprocess

from mupdate import Mupdate
from node import DEADLINE, MASTER_HOST, MASTER_PORT, MURDER, CyrusNode, greets, wait_until

IP = '127.0.0.10'


class Master:
    tls = False

    def client(self):
        return Mupdate(IP, *MURDER, port=MASTER_PORT, tls=self.tls)

    def rows(self):
        with self.client() as client:
            return client.list()

    def ready(self):
        return greets(IP, MASTER_PORT)


class MupdatedMaster(Master):
    def __init__(self, base, mechanisms, rights):
        self.program = os.environ['MUPDATED']
        self.dir = os.path.join(base, 'master')
        os.mkdir(self.dir)
        self.db = os.path.join(self.dir, 'db')
        os.mkdir(self.db, 0o700)
        self.conf = os.path.join(self.dir, 'mupdated.conf')
        self.log = os.path.join(self.dir, 'mupdated.log')
        self.process = None
        self.options = {
            'servername': MASTER_HOST,
            'listen': '%s:%d' % (IP, MASTER_PORT),
            'database_directory': self.db,
            'log': 'stderr',
            **rights,
            'allowplaintext': 'yes',
            'sasl_pwcheck_method': 'auxprop',
            'sasl_auxprop_plugin': 'sasldb',
            'sasl_sasldb_path': os.path.join(base, 'sasldb2'),
            'sasl_mech_list': mechanisms,
            'heal_resync': 'yes',
            'user': 'root',
        }
        self.configure()

    def configure(self, **changes):
        """Write the configuration, with these changes for as long as no other is written."""
        self.tls = 'tls_server_cert' in changes
        with open(self.conf, 'w') as file:
            for key, value in {**self.options, **changes}.items():
                file.write('%s: %s\n' % (key, value))

    @property
    def running(self):
        return self.process is not None

    def start(self):
        assert not self.running
        with open(self.log, 'a') as log:
            self.process = subprocess.Popen([self.program, '-C', self.conf],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self._alive() and self.ready(), 'the master to answer')

    def _alive(self):
        if self.process.poll() is not None:
            status, self.process = self.process.returncode, None
            raise AssertionError('the master ended by itself, with %d' % status)
        return True

    def stop(self):
        if self.running:
            self._alive()
            self.process.send_signal(signal.SIGTERM)
            status = self.process.wait(DEADLINE)
            self.process = None
            assert status == 0, 'after SIGTERM the master exited with %d' % status

    def kill(self):
        self._alive()
        self.process.kill()
        self.process.wait()
        self.process = None

    def log_text(self):
        with open(self.log, errors='replace') as file:
            return file.read()

    def ctl(self, *arguments):
        """Run mupdatectl on the table of the stopped master."""
        program = os.path.join(os.path.dirname(self.program), 'mupdatectl')
        done = subprocess.run([program, '-C', self.conf, *arguments], capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, timeout=DEADLINE)
        assert done.returncode == 0, done
        return done.stdout

    def forget(self):
        """Empty the table of the stopped master."""
        shutil.rmtree(self.db)
        os.mkdir(self.db, 0o700)


class CyrusMaster(Master):
    def __init__(self, base, mechanisms, users):
        self.node = CyrusNode(base, 'mupdate', IP, '', {
            'mupdate': ('mupdate -m', MASTER_PORT, 'prefork=1')},
            admins=' '.join((MURDER[0],) + users), mechanisms=mechanisms)

    @property
    def running(self):
        return self.node.running

    def start(self):
        self.node.start()
        wait_until(self.ready, 'the master to answer')

    def configure(self, **changes):
        raise NotImplementedError('the comparison is made with one configuration')

    def stop(self):
        self.node.stop()

    def kill(self):
        # In a process group of its own, so this ends mupdate too.
        os.killpg(self.node.process.pid, signal.SIGKILL)
        self.node.process.wait()
        self.node.process = None

    def log_text(self):
        return "Cyrus's own: see above"

    def forget(self):
        os.unlink(os.path.join(self.node.dir, 'conf', 'mailboxes.db'))


def make(base, mechanisms, users=(), rights=None):
    """users: who may use it beside MURDER; rights: settings of mupdated's that say more."""
    if os.environ.get('MASTER', 'mupdated') == 'cyrus':
        return CyrusMaster(base, mechanisms, users)
    return MupdatedMaster(base, mechanisms,
                          rights or {'admins': ' '.join((MURDER[0],) + users)})
