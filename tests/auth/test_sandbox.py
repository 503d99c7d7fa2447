"""What logging in with real servers behind it asks of the kernel, and the unit for systemd.

SPDX-License-Identifier: BSD-3-Clause
"""
import pytest

import gss
import mupdated
import sasl
from kerberos import ADMINS
from node import MASTER_HOST
from sandbox import Traced, allowed_calls, needs_tracing
from saslauthd import Scripted
from syslogd import Syslogd

UNIT = mupdated.ROOT / 'etc/mupdated.service'


@pytest.fixture
def saslauthd(tmp_path):
    made = Scripted(tmp_path)
    yield made
    made.stop()


@needs_tracing
def test_kerberos_saslauthd_and_syslog_need_only_calls_that_the_unit_allows(site, daemons, saslauthd,
                                                                            tmp_path):
    syslog = Syslogd(str(tmp_path / 'syslog'))
    daemon = Traced.make(
        daemons, tmp_path / 'trace', servername=MASTER_HOST, admins=f'{ADMINS} {mupdated.USER}',
        log='syslog', sasl_mech_list='GSSAPI PLAIN', sasl_keytab=site.master_keytab,
        sasl_pwcheck_method='saslauthd', sasl_saslauthd_path=saslauthd.path)
    daemon.environment = site.kerberos.environment()
    daemon.start(wait=False)
    mupdated.wait_for(lambda: 'ready: ' in syslog.since(0), 'the daemon to be ready')
    with daemon.connect() as client:
        assert gss.log_in(client, site.ticket('murder'), gss.NONE)[0] == 'OK'
    with daemon.connect() as client:
        assert sasl.authenticate_plain(client, mupdated.USER, 'any')[0] == 'OK'
    assert saslauthd.questions
    daemon.stop()
    assert ' mechanism=GSSAPI' in syslog.since(0)
    used = daemon.calls()
    assert {'accept4', 'connect', 'sendto'} <= used
    assert used - allowed_calls(UNIT) == set()
