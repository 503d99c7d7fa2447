# SPDX-License-Identifier: BSD-3-Clause
"""The rate of the bare store: what the program measures, and what it refuses."""

import json
import os
import pathlib
import subprocess

import pytest

import machine

PROGRAM = pathlib.Path(os.environ.get("BUILD", "build")).resolve() / "bench-store-rate"
EX_USAGE, EX_CANTCREAT = 64, 73


def run(*words):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True,
                          timeout=60, check=False)


def test_each_size_of_transaction_gets_its_rates(tmp_path):
    result = run(tmp_path / "store", 1000, 0.05, 1, 7, 256)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    got = json.loads(result.stdout)
    assert got["rows"] == 1000
    assert [batch["changes"] for batch in got["batches"]] == [1, 7, 256]
    assert all(batch[key] > 0 for batch in got["batches"] for key in ("create_per_s", "acl_per_s"))


def test_the_comparison_takes_the_rates_and_leaves_nothing(tmp_path):
    values = machine.bare_store(PROGRAM, tmp_path, 100, 0.02)
    assert set(values) == {f"store_{kind}_{changes}_per_s" for kind in ("create", "acl")
                           for changes in machine.STORE_BATCHES}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [
    (), (10, 1), (0, 1, 8), (10, -1, 8), (10, 1, 0), (10, 1, 4097), (10, 1, "x"),
], ids=str)
def test_a_wrong_command_line_is_a_usage_error(tmp_path, words):
    assert run(tmp_path / "store", *words).returncode == EX_USAGE


def test_a_table_that_is_there_already_is_not_written_into(tmp_path):
    assert run(tmp_path / "store", 10, 0, 1).returncode == 0
    assert run(tmp_path / "store", 10, 0, 1).returncode != 0


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    result = run(tmp_path / "not" / "there", 10, 0, 1)
    assert result.returncode == EX_CANTCREAT
    assert "open" in result.stderr
    with pytest.raises(machine.MachineError, match="open"):
        machine.bare_store(PROGRAM, tmp_path / "missing", 10, 0)
