"""Fixtures for tests with a KDC.

SPDX-License-Identifier: BSD-3-Clause
"""
import itertools
import os
import subprocess

import pytest

import kdc
import mupdated
from node import MASTER_HOST

MASTER = kdc.MASTER_PRINCIPAL
# May use the master unless a test says otherwise, in the form of `admins`.
ADMINS = 'murder backend1 mupdate/backend1.murder.test stranger@PARTNER.TEST'
USERS = ('murder', 'backend1', 'frontend1', 'reader', 'mupdate/backend1.murder.test',
         'mupdate/frontend1.murder.test')


class Site:
    """The realms, their principals and keytabs, and ticket caches."""

    def __init__(self, directory):
        self.dir = str(directory)
        self.kerberos = kdc.Kerberos(directory)
        self.murder = self.kerberos.murder
        self.numbers = itertools.count()
        self.kerberos.start()
        self.murder.add(MASTER, *USERS)
        self.kerberos.partner.add('stranger')
        self.kerberos.other.add('murder')
        self.keytabs = {
            'MURDER.TEST': self.murder.keytab(self.path('users.keytab'), *USERS),
            'PARTNER.TEST': self.kerberos.partner.keytab(self.path('partner.keytab'), 'stranger'),
            'OTHER.TEST': self.kerberos.other.keytab(self.path('other.keytab'), 'murder'),
        }
        self.master_keytab = self.murder.keytab(self.path('master.keytab'), MASTER)
        self.caches = {}

    def path(self, name):
        return os.path.join(self.dir, name)

    def environment(self, principal=None, **more):
        """For a process with a ticket of this principal, or without any."""
        cache = self.ticket(principal) if principal else self.path('no-cache')
        return self.kerberos.environment(KRB5CCNAME='FILE:' + cache, **more)

    def new_ticket(self, principal, *options, prefix=()):
        """A fresh ticket cache."""
        realm = principal.partition('@')[2] or 'MURDER.TEST'
        return self.kerberos.kinit(self.path('cache%d' % next(self.numbers)), principal,
                                   self.keytabs[realm], *options, prefix=prefix)

    def ticket(self, principal):
        """A ticket cache that tests share."""
        if principal not in self.caches:
            self.caches[principal] = self.new_ticket(principal)
        return self.caches[principal]


class Ctl:
    """mupdatectl with a ticket."""

    def __init__(self, site, daemon):
        self.site, self.daemon = site, daemon

    def command(self, arguments, host=MASTER_HOST):
        return [mupdated.CTL, '-h', '%s:%d' % (host, self.daemon.port), *arguments]

    def __call__(self, *arguments, principal='murder', environment=None, prefix=(),
                 host=MASTER_HOST):
        return subprocess.run(
            [*prefix, *self.command(arguments, host)], capture_output=True, text=True,
            env=environment or self.site.environment(principal), stdin=subprocess.DEVNULL,
            timeout=mupdated.PATIENCE_S, check=False)

    def good(self, *arguments, **options):
        done = self(*arguments, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments, **options):
        """What it says; the login must fail."""
        done = self('ping', *arguments, **options)
        assert done.returncode == 77, (done.returncode, done.stdout, done.stderr)
        return done.stderr


@pytest.fixture(scope='session')
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp('kerberos'))
    # For the GSSAPI of this process.
    before = {name: os.environ.get(name) for name in ('KRB5_CONFIG', 'KRB5RCACHEDIR')}
    os.environ.update((name, made.environment()[name]) for name in before)
    yield made
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    made.kerberos.stop()


@pytest.fixture(scope='module')
def kerberized(site, tmp_path_factory):
    """Makes masters that offer GSSAPI; settings replace the usual ones, equal ones share one."""
    made = mupdated.Daemons(tmp_path_factory.mktemp('kerberized'))
    daemons = {}

    def one(prefix=(), share=True, **settings):
        key = str((prefix, sorted(settings.items())))
        if share and key in daemons:
            return daemons[key]
        daemon = made.make(prefix=prefix, **{'servername': MASTER_HOST, 'admins': ADMINS,
                                             'sasl_mech_list': 'GSSAPI',
                                             'sasl_keytab': site.master_keytab, **settings})
        daemon.environment = site.kerberos.environment()
        daemon.configure(listen='127.0.0.1:%d 127.0.0.10:%d' % (daemon.port, daemon.port))
        if share:
            daemons[key] = daemon
        return daemon.start()

    yield one
    made.end()
