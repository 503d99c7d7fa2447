# SPDX-License-Identifier: BSD-3-Clause
"""A client of one question at a time: is the server there, when comes the first octet?

Rates are the load generator's; this one is for single moments.
"""

import base64
import socket

TIMEOUT_SECONDS = 30


class ClientError(Exception):
    """The server answered something else than OK, or hung up."""


class Client:
    """A connection that is logged in; a context manager."""

    def __init__(self, port, user, password):
        self.link = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        try:
            self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.reader = self.link.makefile("rb")
            while not self.line().startswith(b"* OK MUPDATE"):
                pass
            plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
            self.ask("A01", f'AUTHENTICATE "PLAIN" "{plain}"')
        except BaseException:
            self.link.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.link.close()

    def line(self):
        line = self.reader.readline()
        if not line.endswith(b"\n"):
            raise ClientError("the server hung up")
        if line.startswith(b"* BYE"):
            raise ClientError(line.decode(errors="replace").strip())
        return line

    def ask(self, tag, command):
        """Send a command and read up to its OK; the octets before that."""
        self.link.sendall(f"{tag} {command}\r\n".encode())
        start = tag.encode() + b" "
        answer = b""
        while True:
            line = self.line()
            if line.startswith(start + b"OK"):
                return answer
            if line.startswith((start + b"NO", start + b"BAD")):
                raise ClientError(line.decode(errors="replace").strip())
            answer += line

    def find(self, name):
        """Whether there is such a row."""
        return name.encode() in self.ask("X0", f'FIND "{name}"')

    def begin_dump(self):
        """Ask for all rows and wait for the first octet of the answer."""
        self.link.sendall(b"U01 UPDATE\r\n")
        if not self.reader.peek(1):
            raise ClientError("the server hung up")
