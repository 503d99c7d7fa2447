"""SPDX-License-Identifier: BSD-3-Clause"""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from fixtures import *  # noqa: E402,F401,F403
from installing import make_install  # noqa: E402


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """A build for PREFIX=/usr, of its own: the usual one is for another prefix."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="session")
def installed(tmp_path_factory, build):
    place = tmp_path_factory.mktemp("place")
    make_install(build, place)
    return place
