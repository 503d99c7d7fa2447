"""A MUPDATE client on a bare socket, for looking at the master's own table.

SPDX-License-Identifier: BSD-3-Clause
"""
import base64
import re
import socket
import ssl

TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^ \r\n]+)')


class Refused(Exception):
    """The master answered NO or BAD."""


class Row(tuple):
    """(state, location, acl) of one mailbox; acl is None for a reservation."""
    __slots__ = ()


class Mupdate:
    def __init__(self, host, user, password, port=3905, tls=False, timeout=30):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.input = self.sock.makefile('rb')
        self.tags = 0
        self.banner = self._read_banner()
        if tls:
            self._ask(b'STARTTLS')
            # The certificate is one that the test made for itself.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.input.close()
            self.sock = context.wrap_socket(self.sock)
            self.input = self.sock.makefile('rb')
            self._read_banner()
        login = b'\0'.join((b'', user.encode(), password.encode()))
        self._ask(b'AUTHENTICATE "PLAIN"', base64.b64encode(login))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.input.close()
        self.sock.close()

    def _read_banner(self):
        banner = []
        while not banner or banner[-1][:2] != [b'*', b'OK']:
            banner.append(self._tokens())
        return banner

    def mechanisms(self):
        """What the master offered before any TLS."""
        return [word.decode() for line in self.banner if line[1] == b'AUTH' for word in line[2:]]

    def _tokens(self):
        """One response as a list of its tokens, literals resolved."""
        tokens = []
        while True:
            line = self.input.readline()
            if not line.endswith(b'\n'):
                raise ConnectionError('the master closed the connection')
            line = line.rstrip(b'\r\n')
            literal = re.search(rb'\{(\d+)\+?\}$', line)
            for match in TOKEN.finditer(line[:literal.start()] if literal else line):
                quoted, atom = match.groups()
                tokens.append(atom if quoted is None else re.sub(rb'\\(.)', rb'\1', quoted))
            if not literal:
                return tokens
            tokens.append(self.input.read(int(literal.group(1))))

    def _ask(self, command, *strings):
        """Send a command; return its rows as lists of tokens, without the tag."""
        self.tags += 1
        tag = b'T%d' % self.tags
        parts = [tag + b' ' + command]
        parts += [b'{%d+}\r\n%s' % (len(string), string) for string in strings]
        self.sock.sendall(b' '.join(parts) + b'\r\n')
        rows = []
        while True:
            reply = self._tokens()
            if reply[0] != tag:
                raise ConnectionError('unexpected response %r' % reply)
            if reply[1] == b'OK':
                return rows
            if reply[1] in (b'NO', b'BAD', b'BYE'):
                raise Refused(b' '.join(reply[1:]).decode(errors='replace'))
            rows.append(reply[1:])

    @staticmethod
    def _row(reply):
        """('ACTIVE'|'RESERVED', location, acl) from MAILBOX and RESERVE rows."""
        if reply[0] == b'MAILBOX':
            return Row(('ACTIVE', reply[2].decode('latin-1'), reply[3].decode('latin-1')))
        return Row(('RESERVED', reply[2].decode('latin-1'), None))

    def find(self, name):
        """The row of a mailbox, or None."""
        rows = self._ask(b'FIND', name.encode('latin-1'))
        return self._row(rows[0]) if rows else None

    def list(self, prefix=None):
        """All rows, by mailbox name."""
        strings = [] if prefix is None else [prefix.encode('latin-1')]
        return {row[1].decode('latin-1'): self._row(row) for row in self._ask(b'LIST', *strings)}

    def reserve(self, name, location):
        self._ask(b'RESERVE', name.encode('latin-1'), location.encode('latin-1'))

    def activate(self, name, location, acl):
        self._ask(b'ACTIVATE', *(text.encode('latin-1') for text in (name, location, acl)))

    def delete(self, name):
        self._ask(b'DELETE', name.encode('latin-1'))
