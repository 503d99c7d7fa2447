"""The client's side of some SASL mechanisms, step by step, for tests that leave the path.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import hashlib
import hmac
import secrets

from mupdated import literal


def encode(octets):
    return base64.b64encode(octets.encode() if isinstance(octets, str) else octets)


def plain(user, password, authorize=""):
    return f"{authorize}\0{user}\0{password}"


def begin(client, mechanism, initial=None):
    """Send AUTHENTICATE under the tag A1."""
    octets = f'A1 AUTHENTICATE "{mechanism}"'.encode()
    if initial is not None:
        octets += b" " + (literal(encode(initial)) if initial else b"={0+}\r\n")
    client.send(octets + b"\r\n")


def challenge(client):
    """The next challenge; it is a bare line of base64."""
    return base64.b64decode(client.line(), validate=True)


def respond(client, octets):
    client.send(encode(octets) + b"\r\n")


def outcome(client):
    """(word, text) of the answer to AUTHENTICATE."""
    tag, word, (text,) = client.response()
    assert tag == "A1"
    return word, text.decode()


def authenticate_plain(client, user, password, authorize=""):
    begin(client, "PLAIN", plain(user, password, authorize))
    return outcome(client)


def authenticate_cram_md5(client, user, password):
    begin(client, "CRAM-MD5")
    digest = hmac.new(password.encode(), challenge(client), "md5").hexdigest()
    respond(client, f"{user} {digest}")
    return outcome(client)


class Scram:
    """SCRAM without channel binding (RFC 5802)."""

    def __init__(self, user, password, authorize="", digest="sha256"):
        self.digest = digest
        self.password = password.encode()
        self.gs2 = f"n,{'a=' + authorize if authorize else ''},"
        self.first_bare = f"n={user},r={secrets.token_urlsafe(18)}"

    @property
    def mechanism(self):
        return {"sha1": "SCRAM-SHA-1", "sha256": "SCRAM-SHA-256"}[self.digest]

    def first(self):
        return self.gs2 + self.first_bare

    def final(self, server_first):
        fields = dict(part.split("=", 1) for part in server_first.decode().split(","))
        assert fields["r"].startswith(self.first_bare.split("r=", 1)[1])
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, base64.b64decode(fields["s"]),
                                     int(fields["i"]))
        client_key = hmac.new(salted, b"Client Key", self.digest).digest()
        stored_key = hashlib.new(self.digest, client_key).digest()
        bare = f"c={encode(self.gs2).decode()},r={fields['r']}"
        message = f"{self.first_bare},{server_first.decode()},{bare}".encode()
        signature = hmac.new(stored_key, message, self.digest).digest()
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        server_key = hmac.new(salted, b"Server Key", self.digest).digest()
        self.server_final = "v=" + encode(
            hmac.new(server_key, message, self.digest).digest()).decode()
        return f"{bare},p={encode(proof).decode()}"


def authenticate_scram(client, *args, with_initial=True, **kwargs):
    """Returns (word, text) of the end."""
    scram = Scram(*args, **kwargs)
    if with_initial:
        begin(client, scram.mechanism, scram.first())
    else:
        begin(client, scram.mechanism)
        assert challenge(client) == b""
        respond(client, scram.first())
    respond(client, scram.final(challenge(client)))
    line = client.line()
    if line.startswith(b"A1 "):
        _, word, text = line.decode().split(" ", 2)
        return word, text.strip('"')
    assert base64.b64decode(line).decode() == scram.server_final
    respond(client, "")
    return outcome(client)


# --- DIGEST-MD5 (RFC 2831) with its layers ---


def md5(*parts):
    return hashlib.md5(b"".join(parts)).digest()


class Rc4:
    """The cipher of DIGEST-MD5 that every implementation has."""

    def __init__(self, key):
        self.box = list(range(256))
        self.x = self.y = at = 0
        for number in range(256):
            at = (at + self.box[number] + key[number % len(key)]) % 256
            self.box[number], self.box[at] = self.box[at], self.box[number]

    def __call__(self, octets):
        box, out = self.box, bytearray()
        for octet in octets:
            self.x = (self.x + 1) % 256
            self.y = (self.y + box[self.x]) % 256
            box[self.x], box[self.y] = box[self.y], box[self.x]
            out.append(octet ^ box[(box[self.x] + box[self.y]) % 256])
        return bytes(out)


class DigestLayer:
    """One direction of auth-int or auth-conf, in the form of zlib's objects."""

    def __init__(self, session_key, direction, is_conf):
        self.packets = []
        self.mac_key = md5(session_key, b"Digest session key to %s signing key magic constant"
                           % direction)
        self.cipher = bytes
        if is_conf:
            self.cipher = Rc4(md5(session_key,
                                  b"Digest H(A1) to %s sealing key magic constant" % direction))
        self.sequence = 0
        self.buffer = b""

    def mac(self, octets):
        number = self.sequence.to_bytes(4, "big")
        return hmac.new(self.mac_key, number + octets, "md5").digest()[:10]

    def compress(self, octets):
        return b"".join(self.packet(octets[at:at + 60000]) for at in range(0, len(octets), 60000))

    def packet(self, octets):
        """One packet of any size."""
        frame = self.cipher(octets + self.mac(octets)) + b"\0\1" + self.sequence.to_bytes(4, "big")
        self.sequence += 1
        return len(frame).to_bytes(4, "big") + frame

    def flush(self, _mode):
        return b""

    def decompress(self, octets):
        self.buffer += octets
        plain = b""
        while (len(self.buffer) >= 4
               and len(self.buffer) >= 4 + (length := int.from_bytes(self.buffer[:4], "big"))):
            frame, self.buffer = self.buffer[4:4 + length], self.buffer[4 + length:]
            self.packets.append(length)
            assert frame[-6:] == b"\0\1" + self.sequence.to_bytes(4, "big")
            opened = self.cipher(frame[:-6])
            assert opened[-10:] == self.mac(opened[:-10])
            plain += opened[:-10]
            self.sequence += 1
        return plain


def authenticate_digest_md5(client, user, password, qop="auth", cipher=None, uri="mupdate/any",
                            maxbuf=65536):
    """Authenticate, and use the layer of this qop from then on; returns (word, text)."""
    begin(client, "DIGEST-MD5")
    offered = challenge(client).decode()
    nonce = offered.split('nonce="', 1)[1].split('"', 1)[0]
    realm = offered.split('realm="', 1)[1].split('"', 1)[0]
    cnonce = secrets.token_hex(16)
    session_key = md5(md5(f"{user}:{realm}:{password}".encode()), f":{nonce}:{cnonce}".encode())

    def response(method):
        tail = ":" + "0" * 32 if qop != "auth" else ""
        ha2 = md5(f"{method}:{uri}{tail}".encode()).hex()
        return md5(f"{session_key.hex()}:{nonce}:00000001:{cnonce}:{qop}:{ha2}".encode()).hex()

    message = (f'username="{user}",realm="{realm}",nonce="{nonce}",cnonce="{cnonce}",nc=00000001,'
               f'qop={qop},maxbuf={maxbuf},digest-uri="{uri}",response={response("AUTHENTICATE")}')
    respond(client, message + (f",cipher={cipher}" if cipher else ""))
    line = client.line()
    if line.startswith(b"A1 "):
        return tuple(line.decode().split(" ", 2)[1:])
    assert base64.b64decode(line).decode() == "rspauth=" + response("")
    respond(client, "")
    ended = outcome(client)
    if ended[0] == "OK" and qop != "auth":
        client.deflate = DigestLayer(session_key, b"client-to-server", qop == "auth-conf")
        client.inflate = DigestLayer(session_key, b"server-to-client", qop == "auth-conf")
    return ended
