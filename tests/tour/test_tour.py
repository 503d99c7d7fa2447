"""The tour of the README shows what is.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import pathlib
import subprocess

PLAY = pathlib.Path(__file__).resolve().parent / "play"


def test_the_tour_of_the_readme_shows_what_is():
    done = subprocess.run([PLAY, os.environ["BUILD"]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
