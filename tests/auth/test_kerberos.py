"""Logins by GSSAPI with a real KDC: who is let in, who is not, and what both ends say.

SPDX-License-Identifier: BSD-3-Clause
"""
import base64
import glob
import os
import re
import subprocess

import pytest

import gss
import kdc
import mupdated
from kerberos import ADMINS, MASTER, Ctl
from mupdated import PASSWORD, PATIENCE_S, USER, literal
from node import MASTER_HOST, wait_until
from relay import Relay


@pytest.fixture
def ctl(site, kerberized):
    """mupdatectl at a master with the usual settings."""
    return Ctl(site, kerberized())


def log_of(daemon, call):
    """What the daemon logs about a connection while call() makes one, which is its result."""
    before = len(daemon.log())
    result = call()
    mupdated.wait_for(lambda: 'closed: ' in daemon.log()[before:], 'the end of the connection')
    return daemon.log()[before:], result


# --- who is let in ---

@pytest.mark.parametrize('principal', ['murder', 'mupdate/backend1.murder.test',
                                       'stranger@PARTNER.TEST'])
def test_a_ticket_is_enough_and_its_principal_is_the_user(ctl, principal):
    log, _ = log_of(ctl.daemon, lambda: ctl.good('ping', principal=principal))
    assert f' user={principal} mechanism=GSSAPI layer=256\n' in log
    assert 'warning' not in log and 'failed' not in log


def test_mupdatectl_takes_the_ticket_s_word_for_who_the_user_is(ctl):
    log, _ = log_of(ctl.daemon, lambda: ctl.good('-u', 'backend1', 'ping'))
    assert ' user=murder ' in log


@pytest.mark.parametrize('host', ['mupdate.murder.test', 'mupdate'])
def test_a_short_host_name_is_made_whole_for_the_service_principal(ctl, host):
    ctl.good('ping', host=host)


def test_over_a_local_socket_the_master_s_name_makes_the_service_principal(site, kerberized,
                                                                           tmp_path):
    daemon = kerberized(share=False)
    path = tmp_path / 'socket'
    daemon.stop()
    daemon.configure(listen=f'unix:{path}')
    daemon.start()
    done = subprocess.run([mupdated.CTL, '-h', f'unix:{path}', 'ping'], capture_output=True,
                          text=True, env=site.environment('murder'), timeout=PATIENCE_S,
                          stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr


def test_a_user_of_another_realm_is_not_the_one_of_that_name_in_this(site, kerberized):
    site.kerberos.partner.add('murder')
    site.kerberos.partner.keytab(site.keytabs['PARTNER.TEST'], 'murder')
    ctl = Ctl(site, kerberized())
    log, said = log_of(ctl.daemon, lambda: ctl.refused(principal='murder@PARTNER.TEST'))
    assert ' user=murder@PARTNER.TEST reason="not in admins, readers or backends"' in log
    assert 'as murder@PARTNER.TEST: ' in said


def example_of_the_manual():
    """The keys of the example of roles with Kerberos in mupdated.conf(5)."""
    with open(os.path.join(os.path.dirname(__file__), '../../man/mupdated.conf.5'),
              encoding='utf-8') as page:
        example = page.read().partition('With Kerberos, where each server')[2]
    text = example.partition('.Bd -literal -offset indent\n')[2].partition('.Ed\n')[0]
    return dict(line.split(': ', 1) for line in text.replace('\\e\n', '').splitlines())


def test_the_manual_s_example_of_roles_gives_each_principal_its_rights(site, kerberized):
    users = ('front1', 's1', 's2', 'mailadmin')
    site.murder.add(*users)
    site.murder.keytab(site.keytabs['MURDER.TEST'], *users)
    ctl = Ctl(site, kerberized(share=False, **example_of_the_manual()))

    def may(user, *command):
        done = ctl(*command, principal=user)
        assert done.returncode == 0 or 'refused: this user may ' in done.stderr, done.stderr
        return done.returncode == 0

    ctl.good('reserve', 'user.a', 'store.example.org!p', principal='s1')
    ctl.good('delete', 'user.a', principal='s2')
    ctl.good('reserve', 'user.a', 'other.example.org!p', principal='mailadmin')
    assert may('front1', 'find', 'user.a') and may('s2', 'find', 'user.a')
    assert not may('s1', 'delete', 'user.a')
    assert not may('s2', 'reserve', 'user.b', 'other.example.org!p')
    assert not may('front1', 'delete', 'user.a')
    ctl.refused(principal='reader')


def test_a_realm_that_is_called_like_the_master_s_host_is_not_its_own(site, kerberized):
    # The trusted realm's name is the servername of this master.
    daemon = kerberized(servername='partner.test')
    site.murder.add('mupdate/partner.test')
    site.murder.keytab(site.master_keytab, 'mupdate/partner.test')
    site.kerberos.partner.add('murder2')
    site.kerberos.partner.keytab(site.keytabs['PARTNER.TEST'], 'murder2')
    daemon.reload(admins='murder2')
    with daemon.connect() as client:
        login = gss.Login(client, site.ticket('murder2@PARTNER.TEST'),
                          'mupdate/partner.test@MURDER.TEST')
        login.begin()
        login.offer()
        assert login.choose(gss.NONE) == ('NO', 'this user has no right to use this server')
    daemon.wait_for_log('badlogin: .* user=murder2@PARTNER.TEST reason="not in admins, readers or backends"')


def test_who_may_act_as_others_may_by_kerberos_too(ctl):
    log, _ = log_of(ctl.daemon, lambda: ctl.good('--authorize', 'backend1', 'ping'))
    assert ' user=backend1 mechanism=GSSAPI' in log


def test_who_may_not_act_as_others_may_not_by_kerberos_either(ctl):
    log, said = log_of(ctl.daemon,
                       lambda: ctl.refused('--authorize', 'murder', principal='reader'))
    assert 'badlogin: ' in log and 'reader may not act as murder' in log
    assert 'as reader@MURDER.TEST: the server says authentication failed' in said


def test_a_keytab_for_the_client_needs_no_kinit(site, ctl, tmp_path):
    ctl.good('ping', environment=site.kerberos.environment(
        KRB5CCNAME=f'FILE:{tmp_path}/cache', KRB5_CLIENT_KTNAME=site.keytabs['MURDER.TEST']))


def test_fifty_logins_at_once_all_succeed(site, ctl):
    environment = site.environment('murder')
    ctl.good('ping')
    running = [subprocess.Popen(ctl.command(['find', 'user.nobody']), env=environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True) for _ in range(50)]
    ended = [(one.communicate(timeout=PATIENCE_S)[0], one.returncode) for one in running]
    assert {said for said, _ in ended if said.startswith('mupdatectl: cannot')} == set()


# --- beside other mechanisms ---

def test_without_a_ticket_mupdatectl_turns_to_a_password(site, kerberized, tmp_path):
    daemon = kerberized(sasl_mech_list='GSSAPI SCRAM-SHA-256', servername='mupdate.test')
    password = tmp_path / 'password'
    password.write_text(PASSWORD + '\n')
    password.chmod(0o600)
    ctl = Ctl(site, daemon)
    arguments = ('-u', USER, '--password-file', password, 'ping')
    log, _ = log_of(daemon, lambda: ctl.good(*arguments, environment=site.environment()))
    assert 'mechanism=SCRAM-SHA-256' in log


def test_without_a_ticket_and_a_password_mupdatectl_says_both(site, kerberized):
    ctl = Ctl(site, kerberized(sasl_mech_list='GSSAPI SCRAM-SHA-256'))
    done = ctl('ping', environment=site.environment())
    assert done.returncode == 66
    assert 'a password is needed' in done.stderr and 'No Kerberos credentials' in done.stderr


def test_a_ticket_is_preferred_to_a_password(site, kerberized):
    ctl = Ctl(site, kerberized(sasl_mech_list='SCRAM-SHA-256 GSSAPI'))
    log, _ = log_of(ctl.daemon, lambda: ctl.good('-u', USER, 'ping'))
    assert 'mechanism=GSSAPI' in log


@pytest.mark.parametrize('mechanisms', ['GSS-SPNEGO GS2-KRB5 GS2-IAKERB GSSAPI', None])
def test_no_other_form_of_kerberos_is_offered_or_taken(site, kerberized, mechanisms):
    daemon = kerberized(sasl_mech_list=mechanisms)
    with daemon.connect() as client:
        offered = client.capabilities[0]
        assert b'"GSSAPI"' in offered and b'GS2' not in offered and b'SPNEGO' not in offered
        for mechanism in ('GSS-SPNEGO', 'GS2-KRB5', 'gs2-iakerb'):
            assert client.command(f'AUTHENTICATE "{mechanism}" {{4+}}\r\nAAAA')[1] == 'NO'
        assert gss.log_in(client, site.ticket('murder'), gss.NONE)[0] == 'OK'


# --- tokens ---

def test_a_ticket_may_come_as_the_answer_to_an_empty_challenge(site, kerberized):
    with kerberized().connect() as client:
        assert gss.log_in(client, site.ticket('murder'), gss.NONE, initial=False)[0] == 'OK'
        client.noop()


# 64 kB in base64; Active Directory makes tickets as large as 48,000, for all the groups of a user.
LARGEST_TOKEN = 49152


# A line has two octets more.
@pytest.mark.parametrize('initial, octets', [(True, 1), (True, 48000), (True, LARGEST_TOKEN),
                                             (False, 48000), (False, LARGEST_TOKEN - 3)])
def test_a_large_token_is_looked_at_and_a_login_may_follow(site, kerberized, octets, initial):
    daemon = kerberized()
    token = base64.b64encode(b'\x60' + bytes(octets - 1))
    with daemon.connect() as client:
        if initial:
            client.send(b'A1 AUTHENTICATE "GSSAPI" ' + literal(token) + b'\r\n')
        else:
            client.send(b'A1 AUTHENTICATE "GSSAPI"\r\n')
            assert client.line() == b''
            client.send(token + b'\r\n')
        assert client.line() == b'A1 NO "authentication failed"'
        daemon.wait_for_log(f'badlogin: .* port={client.socket.getsockname()[1]} .*"Kerberos: ')
        assert gss.log_in(client, site.ticket('murder'), gss.NONE)[0] == 'OK'


def test_a_token_past_the_limit_is_not_read(site, kerberized):
    with kerberized().connect() as client:
        token = base64.b64encode(bytes(LARGEST_TOKEN + 1))
        assert client.command(b'AUTHENTICATE "GSSAPI" ' + literal(token))[1] == 'BAD'
        assert gss.log_in(client, site.ticket('murder'), gss.NONE)[0] == 'OK'


def test_a_token_that_was_seen_on_the_wire_lets_nobody_in_again(site, kerberized):
    daemon = kerberized()
    with daemon.connect() as client, daemon.connect() as thief:
        login = gss.Login(client, site.ticket('murder'))
        sent = []
        send, client.send = client.send, sent.append
        login.begin()
        client.send = send
        client.send(sent[0])
        login.offer()
        thief.send(sent[0])
        assert thief.response()[1] == 'NO'
        daemon.wait_for_log('badlogin: .* reason="Kerberos: Request is a replay"')


# --- who is not let in, and what is said ---

def test_a_principal_without_rights_is_named_at_both_ends(ctl):
    log, said = log_of(ctl.daemon, lambda: ctl.refused(principal='reader'))
    assert ' mechanism=GSSAPI user=reader reason="not in admins, readers or backends"' in log
    assert 'as reader@MURDER.TEST: the server says this user has no right' in said
    assert 'admins' in said


def test_without_a_ticket_kinit_is_advised(site, ctl):
    said = ctl.refused(environment=site.environment())
    assert 'Kerberos: No Kerberos credentials available' in said and 'run kinit' in said


def test_a_ticket_of_a_realm_without_trust_names_the_realms(ctl):
    said = ctl.refused(principal='murder@OTHER.TEST')
    assert 'krbtgt/MURDER.TEST@OTHER.TEST' in said and 'does not trust' in said


def test_a_host_without_a_service_principal_is_named(ctl):
    said = ctl.refused(host='127.0.0.10')
    assert 'mupdate/127.0.0.10@MURDER.TEST not found' in said and 'mupdate/HOST@REALM' in said


def test_an_expired_ticket_is_called_expired(site, ctl):
    cache = site.new_ticket('murder', '-l', '1s')
    environment = site.kerberos.environment(KRB5CCNAME=cache)
    wait_until(lambda: subprocess.run(['klist', '-s'], env=environment, check=False).returncode,
               'the ticket to expire')
    said = ctl.refused(environment=environment)
    assert 'expired' in said and 'run kinit again' in said


no_sanitizer = pytest.mark.skipif(mupdated.SANITIZED,
                                  reason='what fakes the time must be loaded first')


@no_sanitizer
def test_a_client_whose_clock_is_wrong_is_told_by_the_kdc(site, ctl):
    cache = site.new_ticket('murder')
    said = ctl.refused(environment=site.kerberos.environment(KRB5CCNAME=cache),
                       prefix=('faketime', '-f', '+1h'))
    assert 'Clock skew too great' in said and 'clocks' in said


@no_sanitizer
@pytest.mark.parametrize('offset, reason', [('+1h', 'Clock skew too great'),
                                            ('+2d', 'Ticket expired'),
                                            ('-1h', 'Ticket not yet valid')])
def test_a_master_whose_clock_is_wrong_logs_it(site, kerberized, offset, reason):
    # "faketime" itself would stay between, and end by the signal that is for the master.
    ctl = Ctl(site, kerberized(prefix=(
        'env', 'LD_PRELOAD=' + glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1')[0],
        'FAKETIME=' + offset, 'FAKETIME_DONT_FAKE_MONOTONIC=1')))
    log, said = log_of(ctl.daemon, ctl.refused)
    assert 'badlogin: [127.0.0.1]' in log and f'reason="Kerberos: {reason}"' in log
    assert 'its log says what it has against the ticket' in said and 'clock' in said


def test_a_master_needs_no_kdc_and_a_client_that_does_says_which(site, ctl):
    served = site.environment('murder')
    ctl.good('ping', environment=served)
    fresh = site.new_ticket('murder')
    site.murder.stop()
    try:
        ctl.good('ping', environment=served)
        said = ctl.refused(environment=site.kerberos.environment(KRB5CCNAME=fresh))
        assert "Cannot contact any KDC for realm 'MURDER.TEST'" in said and 'reached' in said
    finally:
        site.murder.start()


def test_a_ticket_of_an_impostor_s_kdc_is_refused(site, ctl, tmp_path):
    impostor = kdc.Kerberos(tmp_path, '127.0.1')
    impostor.murder.add(MASTER, 'murder')
    keytab = impostor.murder.keytab(str(tmp_path / 'keytab'), 'murder')
    impostor.start()
    try:
        cache = impostor.kinit(str(tmp_path / 'cache'), 'murder', keytab)
        log, said = log_of(ctl.daemon, lambda: ctl.refused(
            environment=impostor.environment(KRB5CCNAME=cache)))
    finally:
        impostor.stop()
    assert re.search('badlogin: .* reason="Kerberos: .*(decrypt|integrity)', log), log
    assert 'its keytab' in said


# --- the keytab ---

def test_a_keytab_may_be_called_by_its_kind_as_kerberos_does(site, kerberized):
    Ctl(site, kerberized(sasl_keytab='FILE:' + site.master_keytab)).good('ping')


def test_a_keytab_may_be_named_by_the_environment(site, daemons):
    daemon = daemons.make(servername=MASTER_HOST, sasl_mech_list='GSSAPI', admins=ADMINS)
    daemon.environment = site.kerberos.environment(KRB5_KTNAME='FILE:' + site.master_keytab)
    daemon.configure(listen='127.0.0.10:%d' % daemon.port)
    daemon.start()
    Ctl(site, daemon).good('ping')


def test_a_keytab_that_is_not_there_is_complained_of_at_the_start(kerberized, tmp_path):
    daemon = kerberized(sasl_keytab=tmp_path / 'nowhere')
    assert ('warning: sasl: nobody can log in by GSSAPI: reason="the keytab '
            f'{tmp_path}/nowhere cannot be read: No such file or directory"') in daemon.log()


def test_a_mechanism_that_is_wanted_and_not_installed_is_complained_of(kerberized, tmp_path):
    daemon = kerberized(prefix=('env', f'SASL_PATH={tmp_path}'))
    assert ('warning: sasl: GSSAPI is in sasl_mech_list and cannot be offered: its plug-in is not '
            'installed') in daemon.log()


def test_whoever_does_not_want_kerberos_hears_nothing_of_it(kerberized, tmp_path):
    daemon = kerberized(sasl_mech_list='PLAIN', sasl_keytab=tmp_path / 'nowhere')
    assert 'warning: sasl' not in daemon.log() and 'GSSAPI' not in daemon.log()


def test_a_keytab_that_others_own_is_complained_of_at_the_start(site, kerberized, tmp_path):
    if os.geteuid() != 0:
        pytest.skip('only root can become somebody else')
    keytab = tmp_path / 'keytab'
    keytab.write_bytes(open(site.master_keytab, 'rb').read())
    keytab.chmod(0o600)
    # All but the rights of root, to read what is not its own.
    daemon = kerberized(prefix=('setpriv', '--inh-caps=-all', '--bounding-set=-all'),
                        sasl_keytab=keytab)
    os.chown(keytab, 1, 1)
    daemon.stop()
    daemon.start()
    assert 'cannot be read: Permission denied' in daemon.log_since_start()


def test_a_keytab_without_the_service_is_complained_of_at_the_start(site, kerberized):
    daemon = kerberized(sasl_keytab=site.keytabs['MURDER.TEST'])
    assert ('warning: sasl: nobody can log in by GSSAPI: reason="Kerberos: No key table entry '
            f'found matching {MASTER}@') in daemon.log()
    ctl = Ctl(site, daemon)
    log, _ = log_of(daemon, ctl.refused)
    assert f'reason="Kerberos: No key table entry found matching {MASTER}@' in log


def test_a_new_key_of_the_service_works_as_soon_as_it_is_in_the_keytab(site, kerberized, tmp_path):
    service = 'mupdate/rekeyed.murder.test'
    site.murder.add(service)
    keytab = site.murder.keytab(str(tmp_path / 'master.keytab'), service)
    daemon = kerberized(servername='rekeyed.murder.test', sasl_keytab=keytab)

    def log_in():
        cache = site.new_ticket('murder')
        with daemon.connect() as client:
            login = gss.Login(client, cache, 'mupdate/rekeyed.murder.test@MURDER.TEST')
            login.begin()
            line = client.line()
            client.end_sending()
            return line
    assert not log_in().startswith(b'A1 ')
    site.murder.keytab(str(tmp_path / 'new.keytab'), service, new_key=True)
    assert log_in() == b'A1 NO "authentication failed"'
    daemon.wait_for_log('badlogin: .* reason="Kerberos: .*kvno 2 not found in keytab; keytab is '
                        'likely out of date"')
    os.replace(tmp_path / 'new.keytab', keytab)
    assert not log_in().startswith(b'A1 ')


# --- TLS ---

def test_under_tls_no_second_layer_is_negotiated(site, kerberized, certificate):
    daemon = kerberized(sasl_minimum_layer=256, **certificate)
    ctl = Ctl(site, daemon)
    log, _ = log_of(daemon, lambda: ctl.good('--tls', 'require', '--accept-any-certificate',
                                             'ping'))
    assert ' mechanism=GSSAPI tls=TLSv1' in log
    with daemon.connect() as client:
        client.starttls()
        login = gss.Login(client, site.ticket('murder'))
        login.begin()
        assert login.offer()[0] == gss.NONE
        assert login.choose(gss.NONE)[0] == 'OK'
        client.noop()


# --- what can be read on the wire ---

@pytest.mark.parametrize('limits, offered, hidden', [
    ((0, 0), gss.NONE, False),
    ((0, 1), gss.NONE | gss.INTEGRITY, False),
    ((1, 1), gss.INTEGRITY, False),
    ((0, 256), gss.NONE | gss.INTEGRITY | gss.CONFIDENTIALITY, True),
    ((1, 256), gss.INTEGRITY | gss.CONFIDENTIALITY, True),
    ((56, 256), gss.CONFIDENTIALITY, True),
    ((256, 256), gss.CONFIDENTIALITY, True),
])
def test_the_limits_of_the_layer_decide_what_is_offered_and_hidden(site, kerberized, name, limits,
                                                                   offered, hidden):
    daemon = kerberized(sasl_minimum_layer=limits[0], sasl_maximum_layer=limits[1])
    with daemon.connect() as client:
        login = gss.Login(client, site.ticket('murder'))
        login.begin()
        layers, maxbuf = login.offer()
        assert layers == offered
        assert maxbuf == (65536 if offered != gss.NONE else 0)
    with Relay(('127.0.0.10', 0), ('127.0.0.1', daemon.port)) as relay:
        done = subprocess.run([mupdated.CTL, '-h', f'{MASTER_HOST}:{relay.port}', 'reserve', name,
                               'a!b'], env=site.environment('murder'), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stderr
    assert (name.encode() not in relay.seen) == hidden


def test_a_client_that_chooses_no_layer_where_one_is_a_must_is_refused(site, kerberized):
    daemon = kerberized(sasl_minimum_layer=56)
    with daemon.connect() as client:
        login = gss.Login(client, site.ticket('murder'))
        login.begin()
        login.offer()
        assert login.choose(gss.NONE)[0] == 'NO'


def test_a_client_that_chooses_integrity_where_encryption_is_a_must_gets_encryption(
        site, kerberized):
    """Cyrus-SASL takes this choice for the other."""
    daemon = kerberized(sasl_minimum_layer=56)
    with daemon.connect() as client:
        login = gss.Login(client, site.ticket('murder'))
        login.begin()
        login.offer()
        assert login.choose(gss.INTEGRITY)[0] == 'OK'
        client.inflate.encrypt = True
        client.noop()


def test_a_minimum_leaves_gssapi_alone_beside_weaker_mechanisms(kerberized):
    daemon = kerberized(sasl_mech_list='PLAIN SCRAM-SHA-256 GSSAPI', sasl_minimum_layer=256,
                        allowplaintext='no')
    with daemon.connect() as client:
        assert client.capabilities[0] == b'* AUTH "GSSAPI"'


def test_the_replay_cache_is_where_the_environment_says(site, ctl):
    ctl.good('ping')
    assert os.path.exists(os.path.join(site.dir, 'krb5_%d.rcache2' % os.geteuid()))
