"""SPDX-License-Identifier: BSD-3-Clause"""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from host import Host, NoHost, control_groups  # noqa: E402
from mupdated import ROOT  # noqa: E402


@pytest.fixture(scope="session")
def packages():
    """{name: file} of what "make deb" has built."""
    found = {path.name.partition("_")[0]: path for path in (ROOT / "build/deb").glob("*.deb")}
    assert found, "run make deb first"
    return found


def make_host(place, systemd=False):
    """One, where root may: not in every container."""
    try:
        return Host(place, systemd)
    except NoHost as why:
        pytest.skip(f"no host of its own can be made here, so the packages are not tried: {why}")


@pytest.fixture
def host(tmp_path):
    """A host like this one, on which packages can be installed; nothing of it stays."""
    if os.geteuid() != 0:
        pytest.skip("not root: nothing can be installed, so the packages are not tried")
    made = make_host(tmp_path / "host")
    yield made
    made.end()


@pytest.fixture
def booted(tmp_path):
    """The same with a real systemd."""
    if os.geteuid() != 0 or not control_groups():
        pytest.skip("not root, or no tree of control groups (cgroup2) is mounted: systemd is not "
                    "tried")
    made = make_host(tmp_path / "host", systemd=True)
    yield made
    made.end()
