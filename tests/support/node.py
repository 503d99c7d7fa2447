"""Cyrus nodes: configuration, start, stop, and Cyrus's own tools on them.

SPDX-License-Identifier: BSD-3-Clause
"""
import grp
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

BIN = '/usr/lib/cyrus/bin'
MASTER_HOST = 'mupdate.murder.test'
MASTER_PORT = 3905
DEADLINE = 60

# Flags in a row's mbtype: deleted, intermediate, being moved, reserved.
GONE = set('dimz')

# The users that servers know in every realm; mailbox owners come on top.
ADMIN = ('cyrus', 'CyrusPw')
MURDER = ('murder', 'MurderPw')

COMMON = '''
servername: {fqdn}
configdirectory: {dir}/conf
admins: {admins}
cyrus_user: {user}
cyrus_group: {group}
syslog_prefix: {name}
unixhierarchysep: no
altnamespace: no
virtdomains: off
umask: 077
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {sasldb}
sasl_mech_list: {mechanisms}
proc_path: {dir}/conf/proc
mboxname_lockpath: {dir}/conf/lock
lmtpsocket: {dir}/conf/socket/lmtp
idlesocket: {dir}/conf/socket/idle
notifysocket: {dir}/conf/socket/notify
sievedir: {dir}/sieve
duplicatesuppression: no
lmtp_downcase_rcpt: yes
'''

MURDER_MEMBER = '''
mupdate_server: {master}
mupdate_authname: murder
mupdate_username: murder
mupdate_password: MurderPw
mupdate_config: standard
mupdate_retry_delay: 2
'''

BACKEND = '''
defaultpartition: default
partition-default: {dir}/spool
proxyservers: murder
lmtp_admins: murder
allowusermoves: yes
proxy_authname: murder
proxy_password: MurderPw
'''

FRONTEND = '''
proxy_authname: murder
proxy_password: MurderPw
'''


def wait_until(condition, what, deadline=DEADLINE, interval=0.02):
    """Call condition until it returns something true, and return that."""
    end = time.monotonic() + deadline
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError('waited %d s in vain for: %s' % (deadline, what))
        time.sleep(interval)


def greets(ip, port):
    """Whether a server there says something."""
    try:
        with socket.create_connection((ip, port), timeout=5) as sock:
            return bool(sock.recv(1))
    except OSError:
        return False


def cyrus_account():
    """The account that Cyrus runs as: its own where only root may choose."""
    return pwd.getpwnam('cyrus') if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def own(path):
    if os.geteuid() == 0:
        account = cyrus_account()
        shutil.chown(path, account.pw_uid, account.pw_gid)


class CyrusNode:
    """One configdirectory, run by one Cyrus master process."""

    def __init__(self, base, name, ip, options, services, start=(), admins='cyrus',
                 mechanisms='PLAIN', master='%s:%d' % (MASTER_HOST, MASTER_PORT)):
        self.name = name
        self.ip = ip
        self.fqdn = name + '.murder.test'
        self.dir = os.path.join(base, name)
        self.process = None
        self.environment = {}  # on top of this process's
        self.services = services
        account = cyrus_account()
        for folder in ('', 'conf', 'conf/db', 'conf/socket', 'conf/proc', 'conf/lock',
                       'conf/log', 'spool', 'sieve'):
            path = os.path.join(self.dir, folder)
            os.mkdir(path, 0o755)
            own(path)
        names = {'name': name, 'fqdn': self.fqdn, 'dir': self.dir, 'admins': admins,
                 'mechanisms': mechanisms, 'master': master,
                 'sasldb': os.path.join(base, 'sasldb2'),
                 'user': account.pw_name, 'group': grp.getgrgid(account.pw_gid).gr_name}
        self.imapd_conf = os.path.join(self.dir, 'imapd.conf')
        self.settings = dict(line.split(': ', 1) for line in
                             (COMMON + options).format(**names).splitlines() if line)
        self.configure()
        self.cyrus_conf = os.path.join(self.dir, 'cyrus.conf')
        with open(self.cyrus_conf, 'w') as file:
            file.write('START {\n')
            for number, command in enumerate(('ctl_cyrusdb -r',) + tuple(start)):
                file.write('  start%d cmd="%s"\n' % (number, self.command_line(command)))
            file.write('}\nSERVICES {\n')
            for service, (command, port, rest) in services.items():
                file.write('  %s cmd="%s" listen="%s:%d" %s\n' % (
                    service, self.command_line(command), ip, port, rest))
            file.write('}\nEVENTS {\n}\n')

    def configure(self, **changes):
        """Write imapd.conf with these changes, None without; they last until it is written anew."""
        with open(self.imapd_conf, 'w') as file:
            for key, value in {**self.settings, **changes}.items():
                if value is not None:
                    file.write('%s: %s\n' % (key, value))

    def command_line(self, command):
        program, _, arguments = command.partition(' ')
        return '%s/%s -C %s %s' % (BIN, program, self.imapd_conf, arguments)

    @property
    def running(self):
        return self.process is not None

    def start(self):
        assert not self.running
        with open(os.path.join(self.dir, 'master.log'), 'a') as log:
            self.process = subprocess.Popen(
                [BIN + '/master', '-C', self.imapd_conf, '-M', self.cyrus_conf,
                 '-p', os.path.join(self.dir, 'master.pid')],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **self.environment})
        for service, (_, port, _) in self.services.items():
            wait_until(lambda p=port: self._alive() and greets(self.ip, p),
                       '%s of %s to answer' % (service, self.name))

    def _alive(self):
        if self.process.poll() is not None:
            self.process = None
            raise AssertionError('%s: its master process ended' % self.name)
        return True

    def stop(self):
        if self.running:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(DEADLINE)
            self.process = None

    def tool(self, command):
        """Run one of Cyrus's programs with this node's configuration; return what it said."""
        result = subprocess.run(self.command_line(command).split(), capture_output=True,
                                timeout=DEADLINE, stdin=subprocess.DEVNULL,
                                env={**os.environ, **self.environment})
        text = result.stdout.decode('latin-1') + result.stderr.decode('latin-1')
        assert result.returncode == 0, '%s: %s' % (command, text)
        return text

    def mailboxes(self):
        """The node's own list: name -> (host, partition, acl as a dict)."""
        return {name: (row.get('server', self.fqdn), row['partition'], row['acl'])
                for name, row in json.loads(self.tool('ctl_mboxlist -d')).items()
                if not set(row['mbtype']) & GONE}


class Backend(CyrusNode):
    def __init__(self, base, name, ip, options='', **changes):
        super().__init__(base, name, ip, MURDER_MEMBER + BACKEND + options, {
            'imap': ('imapd', 143, 'prefork=1'),
            'pop3': ('pop3d', 110, 'prefork=0'),
            'lmtp': ('lmtpd', 24, 'prefork=0'),
        }, ('ctl_mboxlist -m',), admins='cyrus murder', **changes)


class Frontend(CyrusNode):
    def __init__(self, base, name, ip, options='', **changes):
        super().__init__(base, name, ip, MURDER_MEMBER + FRONTEND + options, {
            'mupdate': ('mupdate', MASTER_PORT, 'prefork=1'),
            'imap': ('imapd', 143, 'prefork=1'),
            'pop3': ('pop3d', 110, 'prefork=0'),
            'lmtp': ('lmtpd -a', 24, 'prefork=0'),
        }, **changes)
