"""An IMAP client that shows exactly what a server answered.

SPDX-License-Identifier: BSD-3-Clause
"""
import base64
import re
import socket


class ImapNo(Exception):
    """A command was answered with NO or BAD."""


def quote(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


class Imap:
    """A connection, logged in as user with the rights of authenticated."""

    def __init__(self, host, user, password, authenticated=None, port=143, timeout=60):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.input = self.sock.makefile('rb')
        self.user = user
        self.tags = 0
        greeting = self._response()
        if not greeting.startswith(b'* OK'):
            raise ConnectionError('greeting: %r' % greeting)
        login = '\0'.join((user, authenticated or user, password)).encode()
        self.ok('AUTHENTICATE PLAIN ' + base64.b64encode(login).decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.input.close()
        self.sock.close()

    def _response(self):
        parts = []
        while True:
            line = self.input.readline()
            if not line.endswith(b'\n'):
                raise ConnectionError('the server closed the connection')
            parts.append(line)
            literal = re.search(rb'\{(\d+)\}\r?\n$', line)
            if not literal:
                return b''.join(parts).rstrip(b'\r\n')
            parts.append(self.input.read(int(literal.group(1))))

    def command(self, line):
        """Send a command; return (final answer, untagged responses)."""
        self.tags += 1
        tag = 'A%d' % self.tags
        self.sock.sendall((tag + ' ' + line + '\r\n').encode('latin-1'))
        untagged = []
        while True:
            response = self._response()
            if response.startswith(tag.encode() + b' '):
                return response[len(tag) + 1:].decode('latin-1'), untagged
            untagged.append(response.decode('latin-1'))

    def ok(self, line):
        """Send a command that must succeed; return its untagged responses."""
        answer, untagged = self.command(line)
        if not answer.startswith('OK'):
            raise ImapNo('%s: %s' % (line.split(' ')[0], answer))
        return untagged

    def create(self, name, server=None):
        self.ok('CREATE %s%s' % (quote(name), ' ' + server if server else ''))

    def delete(self, name):
        # An administrator may always change an ACL, but must be in it to delete.
        self.setacl(name, self.user, 'lrswipkxtecda')
        self.ok('DELETE %s' % quote(name))

    def rename(self, old, new, server=None):
        self.ok('RENAME %s %s%s' % (quote(old), quote(new), ' ' + server if server else ''))

    def setacl(self, name, identifier, rights):
        self.ok('SETACL %s %s %s' % (quote(name), identifier, rights))

    def deleteacl(self, name, identifier):
        self.ok('DELETEACL %s %s' % (quote(name), identifier))

    def names(self, pattern):
        """The set of names that LIST shows."""
        found = set()
        for line in self.ok('LIST "" %s' % quote(pattern)):
            match = re.match(r'\* LIST \(([^)]*)\) (?:"."|NIL) (.*)$', line, re.S)
            if match and '\\NonExistent' not in match.group(1):
                name = match.group(2)
                if name.startswith('"'):
                    name = re.sub(r'\\(.)', r'\1', name[1:-1])
                found.add(name)
        return found

    def texts(self, mailbox):
        """The bodies of all messages of a mailbox, stripped, in its order."""
        self.ok('SELECT %s' % quote(mailbox))
        found = []
        for line in self.ok('UID FETCH 1:* (BODY.PEEK[TEXT])'):
            match = re.search(r'\{(\d+)\}\r\n', line)
            found.append(line[match.end():match.end() + int(match.group(1))].strip())
        self.ok('UNSELECT')
        return found
