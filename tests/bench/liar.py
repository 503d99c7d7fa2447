# SPDX-License-Identifier: BSD-3-Clause
"""A small MUPDATE server that keeps rows, and tells a lie where a test wants one.

A lie is a function of (command words, honest answer) that returns what is sent
instead; None closes the connection.
"""

import socket
import ssl
import threading

BANNER = b'* AUTH "PLAIN"\r\n* OK MUPDATE "localhost" "liar" "0" "(master)"\r\n'


def literal(octets):
    return b"{%d+}\r\n%s" % (len(octets), octets)


def quoted(octets):
    return b'"%s"' % octets


def row(tag, name, location, acl, form=literal):
    return tag + b" MAILBOX " + b" ".join(map(form, (name, location, acl))) + b"\r\n"


def done(tag):
    return tag + b' OK "done"\r\n'


class Liar:
    """Listens on a free loopback port; one thread a connection; a context manager."""

    def __init__(self, lie=None, banner=BANNER, form=literal, drip=False, port=0,
                 certificate=None):
        self.lie = lie or (lambda words, honest: honest)
        self.banner = banner
        self.form = form
        self.drip = drip  # answers leave an octet at a time
        self.tls = None  # begun after STARTTLS, with (certificate, key)
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
        self.turns_away = 0  # so many of the next connections
        self.rows = {}
        self.heard = []  # every command but AUTHENTICATE, as it came
        self.streams = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.links = []

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # ends accept(), which holds the port
        self.listener.close()
        for link in self.links:
            link.close()

    def accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.links.append(link)
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        try:
            with self.lock:
                away = self.turns_away > 0
                self.turns_away -= away
            if away:
                with link:
                    link.sendall(b'* BYE "not you"\r\n')
                return
            self.talk(link)
        except OSError:
            pass

    def talk(self, link):
        with link:
            with link.makefile("rb") as reader:
                link.sendall(self.banner)
                verb = None
                while verb not in (b"", b"LOGOUT") and not (verb == b"STARTTLS" and self.tls):
                    verb = self.serve_one(link, reader)
            if verb == b"STARTTLS":
                self.talk(self.tls.wrap_socket(link, server_side=True))

    def serve_one(self, link, reader):
        """The verb of a command that was answered, or nothing at the end."""
        raw, words = self.read_command(reader)
        if not words:
            return b""
        if words[1] != b"AUTHENTICATE":
            self.heard.append(raw)
        with self.lock:
            said = self.lie(words, self.answer(link, words))
            if said is None:
                link.shutdown(socket.SHUT_RDWR)
                return b""
            for piece in [said[i:i + 1] for i in range(len(said))] if self.drip else [said]:
                link.sendall(piece)
            if words[1] == b"UPDATE":
                self.streams.append(link)
        return words[1]

    @staticmethod
    def read_command(reader):
        """The octets of a command and its words; no words at the end of the input."""
        raw = b""
        words = []
        while True:
            line = reader.readline()
            raw += line
            if not line.endswith(b"\r\n"):
                return raw, []
            parts = line.split()
            if parts and parts[-1].endswith(b"+}"):
                octets = reader.read(int(parts.pop()[1:-2]))
                raw += octets
                words += [part.strip(b'"') for part in parts] + [octets]
            else:
                return raw, words + [part.strip(b'"') for part in parts]

    def answer(self, link, words):
        tag, verb, *arguments = words
        said = b""
        if verb == b"ACTIVATE":
            self.rows[arguments[0]] = (arguments[1], arguments[2])
            for stream in self.streams:
                if stream is not link:
                    change = row(b"X1", *arguments, form=self.form)
                    try:
                        stream.sendall(self.lie([b"X1", b"STREAM"], change))
                    except OSError:
                        pass  # a subscriber that has gone
        elif verb == b"FIND" and arguments[0] in self.rows:
            said = row(tag, arguments[0], *self.rows[arguments[0]], form=self.form)
        elif verb in (b"LIST", b"UPDATE"):
            said = b"".join(row(tag, name, *rest, form=self.form)
                            for name, rest in sorted(self.rows.items()))
        elif verb == b"DELETE":
            self.rows.pop(arguments[0], None)
        return said + done(tag)
