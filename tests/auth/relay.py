"""Hands a connection on and keeps what goes over it.

SPDX-License-Identifier: BSD-3-Clause
"""
import contextlib
import socket
import threading


class Relay:
    """Stands in front of a server; seen holds the octets of both directions."""

    def __init__(self, listen, server):
        self.listener = socket.create_server(listen)
        self.port = self.listener.getsockname()[1]
        self.server = server
        self.seen = b''
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._accept)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.server)
                for pair in ((client, server), (server, client)):
                    thread = threading.Thread(target=self._copy, args=pair)
                    self.threads.append(thread)
                    thread.start()

    def _copy(self, source, target):
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                with self.lock:
                    self.seen += octets
                target.sendall(octets)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
