"""Somebody in between: two sessions of TLS, and all that goes by is read and passed on.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import contextlib
import re
import socket
import ssl
import threading


class Interceptor:
    """Listens with TLS from the first byte; change gets what the server says, and may alter it."""

    def __init__(self, address, certificate, server, change=lambda octets: octets):
        self.change = change
        self.server = server
        self.heard = b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        self.listening = socket.create_server(address)
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Wakes accept(), other than close() alone.
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()

    def scram(self):
        """The first message of the client's SCRAM: which channel binding it asks for."""
        found = re.search(rb'AUTHENTICATE "SCRAM-[^"]*" (?:"([^"]*)"|\{\d+\+?\}\r\n(\S*)\r\n)',
                          self.heard)
        return base64.b64decode(found[1] or found[2]).decode()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        outer = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        outer.check_hostname = False
        outer.verify_mode = ssl.CERT_NONE
        with contextlib.suppress(OSError, ValueError), \
                self.context.wrap_socket(client, server_side=True) as inside, \
                outer.wrap_socket(socket.create_connection(self.server)) as outside:
            back = threading.Thread(target=self._relay, args=(outside, inside, self.change),
                                    daemon=True)
            back.start()
            self._relay(inside, outside, self._listen)
            back.join()

    def _listen(self, octets):
        self.heard += octets
        return octets

    @staticmethod
    def _relay(source, target, change):
        with contextlib.suppress(OSError, ValueError):
            while octets := source.recv(65536):
                target.sendall(change(octets))
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
