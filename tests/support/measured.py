"""What a test measured, shown at the end of its run also when all is well.

Each line begins with "measured: ", by which tests/run finds it.

SPDX-License-Identifier: BSD-3-Clause
"""

import pytest

_lines = []


@pytest.fixture
def report():
    """Call it with text, a line or several, that the end of the run shall show."""
    return lambda text: _lines.extend(text.splitlines())


def pytest_terminal_summary(terminalreporter):
    # Each suite's conftest.py brings this along.
    for line in _lines:
        terminalreporter.line(f"measured: {line}")
    _lines.clear()
