"""Running commands, and "make install" among them.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import subprocess

from mupdated import ROOT


def run(*command, **options):
    """Return what a command that must succeed says."""
    options.setdefault("env", {name: value for name, value in os.environ.items()
                               if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD")})
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def make(target, build, place, *more):
    run("make", "-C", ROOT, "-j2", f"BUILD={build}", "PREFIX=/usr", f"DESTDIR={place}", *more,
        target)


def make_install(build, place, *more):
    make("install", build, place, *more)
