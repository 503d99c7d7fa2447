#!/usr/bin/python3
"""Misuse a MUPDATE server in one way, until standard input ends.

usage: attacker.py KIND PORT COUNT

Says "ready" once all its connections stand. Its connections come from an address
of the kind's own, as many as fit in the server's limit for one; it opens one
again when the server has closed it. It runs at the lowest priority, and what it
does per second is bounded, so that the server and not the attack is measured.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import os
import pathlib
import resource
import select
import selectors
import socket
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from mupdated import PASSWORD, USER, literal  # noqa: E402

TICK_S = 0.02
OPENED_PER_TICK = 40

# Octets a second of each endless literal.
LITERAL_RATE = 10 << 20


def plain(password):
    message = base64.b64encode(f"\0{USER}\0{password}".encode())
    return b'A1 AUTHENTICATE "PLAIN" ' + literal(message) + b"\r\n"


LOGIN = plain(PASSWORD)


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class Attack:
    """What is done with each connection; number tells them apart."""

    address = None  # the first three octets of those that it comes from
    per_address = 1000
    logs_in = False

    def begin(self, link):
        """The connection stands and the server has spoken."""

    def tick(self, links):
        """A step in time."""

    def heard(self, link, octets):
        """The server said something later on."""


class Idle(Attack):
    address = "127.0.11"
    logs_in = True


class Hellos(Attack):
    """Half of them stop within the hello, half of them behind it."""

    address = "127.0.12"

    def __init__(self):
        self.hello = client_hello()

    def begin(self, link):
        link.send(b"S1 STARTTLS\r\n")

    def heard(self, link, octets):
        if b"S1 OK" in octets:
            link.send(self.hello if link.number % 2 else self.hello[:len(self.hello) // 2])


class Slow(Attack):
    """An octet a second, half of them before the login and half of them behind it."""

    address = "127.0.13"
    words = b'A1 FIND {1000+}\r\n' + b"x" * 1000

    def begin(self, link):
        if link.number % 2:
            link.send(LOGIN)

    def tick(self, links):
        now = time.monotonic()
        for link in links:
            if now - link.when >= 1:
                link.when = now
                link.send(self.words[link.at % len(self.words):][:1])
                link.at += 1


class Flood(Attack):
    """Wrong passwords over and over: half of them wait for the answer, half of them do not."""

    address = "127.0.14"
    per_address = 10

    def __init__(self):
        self.count = 0

    def attempt(self, link):
        self.count += 1
        if self.count % 4:
            link.send(plain(f"guess {self.count}"))
        else:
            link.send(b'A1 AUTHENTICATE "SCRAM-SHA-256" ' + literal(base64.b64encode(
                f"n,,n={USER},r=nonce{self.count}".encode())) + b"\r\n")

    def begin(self, link):
        self.attempt(link)
        link.when = time.monotonic()

    def heard(self, link, octets):
        if octets.startswith(b"A1 NO"):
            self.attempt(link)
        elif not octets.startswith(b"*"):
            # A challenge of SCRAM.
            link.send(base64.b64encode(b"c=biws,r=wrong,p=AAAA") + b"\r\n")

    def tick(self, links):
        now = time.monotonic()
        for link in links:
            if link.number % 2 and now - link.when > 0.5:
                link.close()


class Literal(Attack):
    address = "127.0.15"

    def __init__(self):
        self.octets = b"x" * int(LITERAL_RATE * TICK_S)

    def begin(self, link):
        if link.number % 2:
            link.send(LOGIN + b"A1 FIND {4294967295+}\r\n")
        else:
            link.send(b'A1 AUTHENTICATE "PLAIN" {4294967295+}\r\n')

    def tick(self, links):
        for link in links:
            link.send(self.octets)


ATTACKS = {attack.__name__.lower(): attack for attack in (Idle, Hellos, Slow, Flood, Literal)}


class Link:
    def __init__(self, number, attackers):
        self.number = number
        self.attackers = attackers
        self.when = time.monotonic()
        self.at = 0
        self.begun = False
        address = f"{attackers.attack.address}.{1 + number // attackers.attack.per_address}"
        self.socket = socket.socket()
        self.socket.setblocking(False)
        # The port is chosen at connect(), when the other end is known too.
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)
        self.socket.bind((address, 0))
        self.socket.connect_ex(("127.0.0.1", attackers.port))
        attackers.selector.register(self.socket, selectors.EVENT_READ, self)

    def send(self, octets):
        try:
            self.socket.send(octets)
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def receive(self):
        try:
            octets = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self.close()
        elif self.begun:
            self.attackers.attack.heard(self, octets)
        elif b"* OK MUPDATE" in octets:
            if self.attackers.attack.logs_in:
                self.send(LOGIN)
                self.begun = True
            else:
                self.begun = True
                self.attackers.attack.begin(self)
        elif b"BYE" in octets:
            self.close()

    def close(self):
        if self.socket.fileno() >= 0:
            self.attackers.selector.unregister(self.socket)
            self.socket.close()
            self.attackers.links.pop(self.number, None)
            self.attackers.missing.append(self.number)


class Attackers:
    def __init__(self, attack, port, count):
        self.attack = attack
        self.port = port
        self.links = {}
        self.missing = list(range(count))
        self.selector = selectors.DefaultSelector()

    def open_missing(self):
        wanted, self.missing = self.missing[:OPENED_PER_TICK], self.missing[OPENED_PER_TICK:]
        for number in wanted:
            self.links[number] = Link(number, self)

    def turn(self):
        end = time.monotonic() + TICK_S
        self.open_missing()
        while (left := end - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                key.data.receive()
        self.attack.tick(list(self.links.values()))

    def stand(self):
        return not self.missing and all(link.begun for link in self.links.values())


def main(kind, port, count):
    os.nice(19)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    attackers = Attackers(ATTACKS[kind](), int(port), int(count))
    said = False
    while not select.select([sys.stdin], [], [], 0)[0]:
        attackers.turn()
        if not said and attackers.stand():
            said = True
            print("ready", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
