"""Collects what every process logs to /dev/log, so that a failure can show it.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import re
import socket
import threading


class Syslogd:
    def __init__(self, path):
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if os.path.exists('/dev/log'):
            os.unlink('/dev/log')
        self.sock.bind('/dev/log')
        os.chmod('/dev/log', 0o666)
        self.file = open(path, 'w', encoding='utf-8', errors='replace')
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        while True:
            message = self.sock.recv(65536).decode(errors='replace').rstrip('\n\0')
            self.file.write(re.sub(r'^<\d+>', '', message) + '\n')
            self.file.flush()

    def position(self):
        return os.path.getsize(self.path)

    def since(self, position):
        with open(self.path, encoding='utf-8', errors='replace') as file:
            file.seek(position)
            return file.read()
