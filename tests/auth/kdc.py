"""Real Kerberos realms of MIT krb5, on addresses of the suite's own network.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import subprocess

from node import wait_until

DOMAIN = 'murder.test'
MASTER_PRINCIPAL = 'mupdate/mupdate.murder.test'
TRUST_PASSWORD = 'both realms know this'

KRB5_CONF = '''
[libdefaults]
    default_realm = {default}
    dns_lookup_realm = false
    dns_lookup_kdc = false
    rdns = false
    # For the test of what old keys are good for.
    allow_rc4 = true
    # A KDC that is down must not hold up a test.
    kdc_timeout = 1000
    max_retries = 1
[realms]
{realms}
[domain_realm]
    .murder.test = MURDER.TEST
[capaths]
    PARTNER.TEST = {{
        MURDER.TEST = .
    }}
'''

KDC_CONF = '''
[kdcdefaults]
    kdc_listen = {ip}:88
    kdc_tcp_listen = {ip}:88
[realms]
    {name} = {{
        database_name = {dir}/principal
        key_stash_file = {dir}/stash
        acl_file = {dir}/kadm5.acl
        max_life = 10h
        max_renewable_life = 0
    }}
[logging]
    kdc = FILE:{dir}/kdc.log
'''


class Realm:
    """A realm with a KDC of its own."""

    def __init__(self, kerberos, name, ip):
        self.name = name
        self.ip = ip
        self.dir = os.path.join(kerberos.dir, name)
        os.mkdir(self.dir, 0o700)
        self.process = None
        conf = os.path.join(self.dir, 'kdc.conf')
        with open(conf, 'w') as file:
            file.write(KDC_CONF.format(name=name, ip=ip, dir=self.dir))
        self.environment = {**kerberos.environment(), 'KRB5_KDC_PROFILE': conf}
        self._run(['/usr/sbin/kdb5_util', '-r', name, 'create', '-s', '-P', 'MasterPw'])

    def _run(self, command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def admin(self, *words):
        """A command of kadmin."""
        return self._run(['/usr/sbin/kadmin.local', '-r', self.name, *words])

    def add(self, *principals, options=()):
        for principal in principals:
            self.admin('addprinc', '-randkey', *options, principal)

    def keytab(self, path, *principals, new_key=False):
        """Add the keys of principals to a keytab; new_key makes the ones before worthless."""
        self.admin('ktadd', '-k', path, *(() if new_key else ('-norandkey',)), *principals)
        return path

    def trust(self, other):
        """Users of the other realm may have tickets of this one."""
        for realm in (self, other):
            realm.admin('addprinc', '-pw', TRUST_PASSWORD,
                        'krbtgt/%s@%s' % (self.name, other.name))

    def start(self):
        assert self.process is None
        pid = os.path.join(self.dir, 'pid')
        if os.path.exists(pid):
            os.unlink(pid)
        self.process = subprocess.Popen(
            ['/usr/sbin/krb5kdc', '-n', '-r', self.name, '-P', pid], env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # It is written when the KDC listens.
        wait_until(lambda: os.path.exists(pid), 'the KDC of ' + self.name)

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None


class Kerberos:
    """MURDER.TEST with the master, PARTNER.TEST, which it trusts, and OTHER.TEST, unknown to it."""

    def __init__(self, directory, network='127.0.0'):
        self.dir = str(directory)
        self.conf = os.path.join(self.dir, 'krb5.conf')
        addresses = {'MURDER.TEST': network + '.31', 'PARTNER.TEST': network + '.32',
                     'OTHER.TEST': network + '.33'}
        with open(self.conf, 'w') as file:
            file.write(KRB5_CONF.format(default='MURDER.TEST', realms=''.join(
                '    %s = {\n        kdc = %s:88\n    }\n' % pair for pair in addresses.items())))
        self.murder, self.partner, self.other = self.realms = [
            Realm(self, name, ip) for name, ip in addresses.items()]
        self.murder.trust(self.partner)

    def environment(self, **more):
        """For a process that uses Kerberos; with a replay cache that ends with the suite.

        The libraries keep memory to the end, which a sanitizer would complain of.
        """
        return {**os.environ, 'KRB5_CONFIG': self.conf, 'KRB5RCACHEDIR': self.dir,
                'LSAN_OPTIONS': 'detect_leaks=0', **more}

    def start(self):
        for realm in self.realms:
            realm.start()

    def stop(self):
        for realm in self.realms:
            realm.stop()

    def kinit(self, cache, principal, keytab, *options, prefix=()):
        """Get a ticket into the cache, a path."""
        done = subprocess.run([*prefix, 'kinit', '-k', '-t', keytab, '-c', cache, *options,
                               principal], env=self.environment(), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return cache
