"""GSSAPI's security layers: both directions, the sizes of packets, and what breaks them.

SPDX-License-Identifier: BSD-3-Clause
"""
import subprocess

import pytest

import gss
from kerberos import Ctl
from mupdated import limits_rss, row

ACL = 'anna\tlrswipkxtecda\t' * 500
LAYERS = {'integrity': gss.INTEGRITY, 'confidentiality': gss.CONFIDENTIALITY}


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]


@pytest.fixture
def protected(site, kerberized, layer):
    """A client that is logged in under the layer; it announces what it takes in one packet."""
    clients = []

    def connect(maxbuf=gss.MAXBUF):
        client = kerberized().connect()
        clients.append(client)
        assert gss.log_in(client, site.ticket('murder'), layer, maxbuf)[0] == 'OK'
        return client
    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def table(site, kerberized, name):
    """200 rows with 2 MB of ACLs; the prefix of their location."""
    location = f'{name}.test!p'
    with kerberized().connect() as client:
        assert gss.log_in(client, site.ticket('murder'), gss.NONE)[0] == 'OK'
        words = client.set_many([('ACTIVATE', f'{name}.{number:03}', location, ACL)
                                 for number in range(200)])
    assert words == ['OK'] * 200
    return location


def rows_of(client, location):
    rows = client.list(location)
    assert [one[2:] for one in rows] == [(location.encode(), ACL.encode())] * 200
    return rows


def test_long_answers_and_pipelined_input_pass_the_layer(protected, table, name):
    client = protected()
    rows_of(client, table)
    words = client.set_many([('ACTIVATE', f'{name}.more.{number}', table, ACL)
                             for number in range(300)])
    assert words == ['OK'] * 300
    assert client.find(f'{name}.more.299') == row('MAILBOX', f'{name}.more.299', table, ACL)
    assert len(client.update()) >= 500
    with protected() as other:
        other.ok('DELETE', f'{name}.more.7')
    assert row('DELETE', f'{name}.more.7') in client.changes()


def test_input_may_come_in_any_pieces(protected, name):
    client = protected()
    packets = b''.join(client.deflate.compress(b'T%d NOOP\r\n' % number) for number in range(3))
    for at in range(len(packets)):
        client.socket.sendall(packets[at:at + 1])
    for number in range(3):
        assert client.response()[:2] == (f'T{number}', 'OK')


@pytest.mark.parametrize('maxbuf', [128, 1000, 4096, 65535, 0xFFFFFF])
def test_no_packet_is_larger_than_the_client_takes(protected, table, maxbuf):
    client = protected(maxbuf)
    rows_of(client, table)
    packets = client.inflate.packets
    assert max(packets) <= maxbuf
    if maxbuf < 65536:
        # Full ones but for the size of a cipher's block: few packets, not many.
        assert max(packets) > maxbuf - 64


def test_a_client_that_takes_too_small_packets_is_refused_and_the_next_size_is_kept(
        site, kerberized, layer):
    words = {}
    for maxbuf in range(0, 100):
        with kerberized().connect() as client:
            word, _ = gss.log_in(client, site.ticket('murder'), layer, maxbuf)
            words[maxbuf] = word
            if word == 'OK':
                client.noop()
                assert max(client.inflate.packets) <= maxbuf
    least = min(maxbuf for maxbuf, word in words.items() if word == 'OK')
    assert 20 < least
    assert all((word == 'OK') == (maxbuf >= least) for maxbuf, word in words.items())


def packet_of(client, length):
    """A packet of this length that holds NOOPs, and how many."""
    overhead = len(client.deflate.packet(b'x')) - 4 - 1
    size = length - overhead
    line = b'T NOOP\r\n'
    count = size // len(line) - 1
    octets = line * count
    rest = size - len(octets)
    octets += b'T' * (rest - len(b' NOOP\r\n')) + b' NOOP\r\n'
    return octets, count + 1


def test_a_packet_as_large_as_announced_is_taken(protected, site, kerberized, layer):
    probe, client = protected(), protected()
    octets, count = packet_of(probe, 65536)
    packet = client.deflate.packet(octets)
    assert len(packet) == 4 + 65536
    client.socket.sendall(packet)
    for _ in range(count):
        assert client.response()[1] == 'OK'


def test_a_packet_one_octet_larger_than_announced_ends_the_connection(protected):
    probe, client = protected(), protected()
    octets, _ = packet_of(probe, 65537)
    packet = client.deflate.packet(octets)
    assert len(packet) == 4 + 65537
    client.socket.sendall(packet[:8])
    assert client.at_end()


def test_announced_sizes_cost_no_memory(kerberized, protected):
    daemon = kerberized()
    protected().noop()
    before = daemon.rss_mb()
    clients = [protected() for _ in range(20)]
    for client in clients:
        client.socket.sendall(b'\x7f\xff\xff\xff' + bytes(60000))
        assert client.at_end()
    waiting = [protected() for _ in range(20)]
    for client in waiting:
        client.socket.sendall(client.deflate.packet(bytes(60000))[:-1])
        assert client.has_nothing()
    limits_rss(daemon, before, 16)


@pytest.mark.parametrize('spoil', ['bit', 'lost', 'repeated', 'clear', 'other session', 'size 0'])
def test_what_is_not_the_next_packet_of_this_session_ends_it_without_an_answer(
        protected, spoil):
    client, other = protected(), protected()
    first = client.deflate.compress(b'T1 NOOP\r\n')
    second = client.deflate.compress(b'T2 NOOP\r\n')
    client.socket.sendall({'bit': first[:-1] + bytes([first[-1] ^ 1]),
                           'lost': second,
                           'repeated': first + second + first,
                           'clear': b'T1 NOOP\r\nT2 NOOP\r\n',
                           'other session': other.deflate.compress(b'T1 NOOP\r\n'),
                           'size 0': bytes(8)}[spoil])
    client.end_sending()
    # What came in good order with the spoilt one may be answered.
    assert client.read_to_end().count(b'OK') <= (2 if spoil == 'repeated' else 0)
    other.close()
    with protected() as third:
        third.noop()


def test_what_is_sent_in_the_clear_behind_the_login_is_no_command(site, kerberized, layer, name):
    with kerberized().connect() as client:
        login = gss.Login(client, site.ticket('murder'))
        login.begin()
        login.offer()
        send = client.send
        client.send = lambda octets: send(octets + b'X1 RESERVE {%d+}\r\n%s "a!b"\r\n'
                                          % (len(name), name.encode()))
        assert login.choose(layer)[0] == 'OK'
        client.send = send
        assert client.find(name) is None


@pytest.mark.parametrize('compress', [(), ('--compress',)])
def test_mupdatectl_reads_and_writes_through_the_layer(site, kerberized, name, layer,
                                                       compress):
    ctl = Ctl(site, kerberized(sasl_maximum_layer=1 if layer == gss.INTEGRITY else 256))
    for number in range(20):
        ctl.good(*compress, 'activate', f'{name}.{number}', f'{name}.test!p', ACL)
    listed = ctl.good(*compress, '--json', 'list', '--location', f'{name}.test!')
    assert len(listed.splitlines()) == 20 and listed.count('lrswipkxtecda') == 20 * 500


def test_keys_of_an_old_kind_do_for_a_login_and_for_no_layer(site, kerberized, tmp_path,
                                                             monkeypatch):
    """The numbers of their packets cannot be read, so that a repeated one would go unseen."""
    service, user = 'mupdate/old.murder.test', 'oldtimer'
    site.murder.add(service, user, options=('-e', 'arcfour-hmac:normal'))
    site.murder.admin('setstr', 'krbtgt/MURDER.TEST', 'session_enctypes',
                      'aes256-cts aes128-cts arcfour-hmac')
    keytab = site.murder.keytab(str(tmp_path / 'keytab'), service)
    daemon = kerberized(servername='old.murder.test', sasl_keytab=keytab, admins=user)
    conf = tmp_path / 'krb5.conf'
    with open(site.kerberos.conf, encoding='ascii') as file:
        conf.write_text(file.read().replace(
            '[libdefaults]', '[libdefaults]\n    permitted_enctypes = arcfour-hmac'))
    cache = str(tmp_path / 'cache')
    subprocess.run(['kinit', '-k', '-t', site.murder.keytab(str(tmp_path / 'user'), user),
                    '-c', cache, user], env=site.kerberos.environment(KRB5_CONFIG=str(conf)),
                   check=True)
    monkeypatch.setenv('KRB5_CONFIG', str(conf))

    def log_in(layer):
        with daemon.connect() as client:
            login = gss.Login(client, cache, service + '@MURDER.TEST')
            login.begin()
            login.offer()
            return login.choose(layer)[0]
    for layer in LAYERS.values():
        assert log_in(layer) == 'NO'
    daemon.wait_for_log('badlogin: .* user=oldtimer reason="Kerberos: the key is of an old kind, '
                        'whose packets could be repeated: give the principals keys for AES"')
    assert log_in(gss.NONE) == 'OK'
