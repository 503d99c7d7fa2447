"""A client of the control socket.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import socket

import mupdated


class Refused(Exception):
    """The daemon said no; code and text as it gave them."""

    def __init__(self, answer):
        super().__init__(f"{answer['code']}: {answer['text']}")
        self.code = answer["code"]


class Control:
    """One connection. Requests get numbers of their own."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(mupdated.PATIENCE_S)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, do, **members):
        self.number += 1
        request = {"v": 1, "id": self.number, "do": do, **members}
        self.socket.sendall(json.dumps(request).encode() + b"\n")

    def line(self):
        """The next line; None at the end."""
        line = self.file.readline()
        return json.loads(line) if line else None

    def answers(self):
        """The lines of the answer that is due, each an object."""
        while True:
            answer = self.line()
            assert answer is not None, "the daemon hung up"
            assert answer["id"] == self.number, answer
            if not answer["ok"]:
                raise Refused(answer)
            yield answer
            if not answer.get("more"):
                return

    def ask(self, do, **members):
        """All lines of an answer."""
        self.send(do, **members)
        return list(self.answers())

    def status(self):
        return self.ask("status")[0]["status"]

    def all(self, do, **members):
        """The items of an answer that is a list, such as "connections"."""
        return [item for answer in self.ask(do, **members) for item in answer[do]]
