"""One Murder for the whole run; a failed test shows what the servers logged meanwhile.

SPDX-License-Identifier: BSD-3-Clause
"""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))

from measured import pytest_terminal_summary, report  # noqa: E402,F401
from rig import Rig  # noqa: E402

LOG_LINES = 100
# What is logged by the hundred and never explains a failure.
NOISE = ('skiplist: ', 'twoskip: ', 'USAGE ', 'counts: ', 'graceful shutdown',
         'murder PLAIN User logged in', 'reason="session closed"',
         'notice: login: ', 'the client ended the connection')


@pytest.fixture(scope='session')
def rig(request):
    murder = Rig(os.environ['MURDER_DIR'])
    request.config.murder = murder
    try:
        murder.start()
        yield murder
    finally:
        murder.stop()


@pytest.fixture(autouse=True)
def whole(rig):
    yield
    rig.mend()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    murder = getattr(item.config, 'murder', None)
    item.log_start = murder.syslog.position() if murder else 0
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    murder = getattr(item.config, 'murder', None)
    if call.excinfo is None or murder is None:
        return
    result = outcome.get_result()
    for title, text in (('what Cyrus logged', murder.syslog.since(item.log_start)),
                        ('what the master logged', murder.master.log_text())):
        lines = [line for line in text.splitlines() if not any(word in line for word in NOISE)]
        result.sections.append((title, '\n'.join(lines[-LOG_LINES:])))


def pytest_unconfigure(config):
    reporter = config.pluginmanager.get_plugin('terminalreporter')
    if reporter:
        failed = sum(len(reporter.stats.get(kind, ())) for kind in ('failed', 'error'))
        print('\n%d passed, %d failed' % (len(reporter.stats.get('passed', ())), failed))
