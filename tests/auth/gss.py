"""The client's side of GSSAPI (RFC 4752), step by step, for tests that leave the path.

SPDX-License-Identifier: BSD-3-Clause
"""
import base64

import gssapi

from mupdated import literal

NONE, INTEGRITY, CONFIDENTIALITY = 1, 2, 4
MAXBUF = 65536


class Layer:
    """One direction of a security layer, in the form of zlib's objects."""

    def __init__(self, context, layer):
        self.context = context
        self.encrypt = layer == CONFIDENTIALITY
        self.buffer = b''
        self.packets = []

    def packet(self, octets):
        """One packet of any size."""
        packet = self.context.wrap(octets, self.encrypt).message
        return len(packet).to_bytes(4, 'big') + packet

    def compress(self, octets):
        return b''.join(self.packet(octets[at:at + 60000]) for at in range(0, len(octets), 60000))

    def flush(self, _mode):
        return b''

    def decompress(self, octets):
        self.buffer += octets
        plain = b''
        while (len(self.buffer) >= 4
               and len(self.buffer) >= 4 + (length := int.from_bytes(self.buffer[:4], 'big'))):
            unwrapped = self.context.unwrap(self.buffer[4:4 + length])
            assert unwrapped.encrypted == self.encrypt
            self.buffer = self.buffer[4 + length:]
            self.packets.append(length)
            plain += unwrapped.message
        return plain


class Login:
    """A login at a master of which each step can be looked at."""

    def __init__(self, client, cache, principal='mupdate/mupdate.murder.test@MURDER.TEST'):
        self.client = client
        self.context = gssapi.SecurityContext(
            name=gssapi.Name(principal, gssapi.NameType.kerberos_principal),
            creds=gssapi.Credentials(usage='initiate', store={'ccache': 'FILE:' + cache}),
            mech=gssapi.MechType.kerberos, usage='initiate',
            flags=[gssapi.RequirementFlag.mutual_authentication,
                   gssapi.RequirementFlag.out_of_sequence_detection,
                   gssapi.RequirementFlag.integrity, gssapi.RequirementFlag.confidentiality])

    def begin(self, initial=True):
        """Send the ticket, with AUTHENTICATE or as the answer to an empty challenge."""
        token = base64.b64encode(self.context.step())
        if initial:
            self.client.send(b'A1 AUTHENTICATE "GSSAPI" ' + literal(token) + b'\r\n')
        else:
            self.client.send(b'A1 AUTHENTICATE "GSSAPI"\r\n')
            assert self.client.line() == b''
            self.client.send(token + b'\r\n')

    def offer(self):
        """What layers the server has, and its maxbuf."""
        self.context.step(base64.b64decode(self.client.line(), validate=True))
        assert self.context.complete
        self.client.send(b'\r\n')
        word = self.context.unwrap(base64.b64decode(self.client.line(), validate=True)).message
        assert len(word) == 4
        return word[0], int.from_bytes(word[1:], 'big')

    def choose(self, layer, maxbuf=MAXBUF, authorize=''):
        """Choose a layer and use it when the server agrees; return its answer's (word, text)."""
        word = bytes([layer]) + maxbuf.to_bytes(3, 'big') + authorize.encode()
        self.client.send(base64.b64encode(self.context.wrap(word, False).message) + b'\r\n')
        tag, word, (text,) = self.client.response()
        assert tag == 'A1'
        if word == 'OK' and layer != NONE:
            self.client.deflate = Layer(self.context, layer)
            self.client.inflate = Layer(self.context, layer)
        return word, text.decode()


def log_in(client, cache, layer, maxbuf=MAXBUF, initial=True, authorize=''):
    """Returns (word, text)."""
    login = Login(client, cache)
    login.begin(initial)
    offered, _ = login.offer()
    assert offered & layer
    return login.choose(layer, maxbuf, authorize)
