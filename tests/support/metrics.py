"""The metrics of a running mupdated, as text and as figures.

SPDX-License-Identifier: BSD-3-Clause
"""

import http.client
import re

import mupdated

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)')
_LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


class Answer:
    """Of an HTTP server, read to its end."""

    def __init__(self, response):
        self.status = response.status
        self.headers = dict(response.headers)
        self.body = response.read().decode()


def ask(port, path, method="GET", address="127.0.0.1", timeout=mupdated.PATIENCE_S):
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request(method, path)
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Scrape:
    """One answer to GET /metrics."""

    def __init__(self, port):
        answer = ask(port, "/metrics")
        assert answer.status == 200, answer.body
        self.text = answer.body
        self.types, self.helps, self.samples = {}, {}, {}
        for line in self.text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, line
                self.types[name] = kind
            elif line.startswith("# HELP "):
                _, _, name, text = line.split(" ", 3)
                self.helps[name] = text
            else:
                name, labels, value = _SAMPLE.fullmatch(line).groups()
                key = (name, tuple(sorted(_LABEL.findall(labels or ""))))
                assert key not in self.samples, line
                self.samples[key] = float(value)

    def __call__(self, name, **labels):
        """The value of mupdated_NAME with exactly these labels; None when there is no line."""
        return self.samples.get((f"mupdated_{name}", tuple(sorted(labels.items()))))

    def all(self, name):
        """{labels' values, in the order of labels' names: value} of mupdated_NAME."""
        return {tuple(value for _, value in labels): number
                for (one, labels), number in self.samples.items() if one == f"mupdated_{name}"}

    def labels(self, name):
        """The labels that a metric, a whole name, has; of a histogram without "le"."""
        return {label for (one, labels) in self.samples for label, _ in labels
                if one == name or self.types.get(name) == "histogram" and one.startswith(name)
                } - {"le"}
