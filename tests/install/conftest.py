"""SPDX-License-Identifier: BSD-3-Clause"""

import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from fixtures import *  # noqa: E402,F401,F403
from installing import make_install  # noqa: E402
from mupdated import BUILD  # noqa: E402


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """A build of its own, for PREFIX=/usr, with the usual one's objects: that has another prefix."""
    place = tmp_path_factory.mktemp("build")
    for name in ("libmupdate", "mupdated", "tools", "flags", "place"):
        old, new = BUILD / "obj" / name, place / "obj" / name
        if old.is_dir():
            shutil.copytree(old, new)
        elif old.exists():
            new.parent.mkdir(exist_ok=True)
            shutil.copy2(old, new)
    return place


@pytest.fixture(scope="session")
def installed(tmp_path_factory, build):
    place = tmp_path_factory.mktemp("place")
    make_install(build, place)
    return place
