"""Every fuzz harness stands its seeds, and what once broke something.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import pathlib
import shlex
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = pathlib.Path(os.environ.get("BUILD", HERE.parent.parent / "build")) / "fuzz"
NAMES = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.c"))


def replay(name, *paths):
    """Run a harness over files and folders; how many inputs it says they were."""
    command = shlex.split(os.environ.get("VALGRIND", "")) + [PROGRAMS / name, *paths]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=600, check=False)
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, output
    return int(output.splitlines()[-1].split()[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_harness_stands_its_seeds(name):
    seeds = HERE / "corpus" / name
    assert replay(name, seeds) == len(list(seeds.iterdir())) > 10


@pytest.mark.parametrize("found", sorted((HERE / "regressions").glob("*/")),
                         ids=lambda path: path.name)
def test_what_was_found_once_stays_mended(found):
    assert replay(found.name, found) == len(list(found.iterdir())) > 0


def test_no_folder_is_without_its_harness():
    folders = {path.name for kind in ("corpus", "regressions")
               for path in (HERE / kind).glob("*/")}
    assert folders == set(NAMES)


def test_a_harness_says_which_input_is_not_there(tmp_path):
    done = subprocess.run([PROGRAMS / NAMES[0], tmp_path / "none"], capture_output=True, text=True,
                          check=False)
    assert done.returncode != 0 and "none" in done.stderr
