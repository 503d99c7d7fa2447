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
