"""The progress bar of the tool: on a terminal, and nowhere else.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import pty
import re
import subprocess

from dumps import compose, nasty_rows


def test_on_a_terminal_long_work_shows_a_bar_and_takes_it_away(table, tmp_path):
    path = tmp_path / "a.mupdate"
    count = 400
    while True:
        path.write_bytes(compose((b"A", b"user.%06d" % number, b"one!p", b"x" * 60000, 1 + number,
                                  1, b"m") for number in range(count)))
        ours, theirs = pty.openpty()
        with subprocess.Popen(table.command("load", path), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=theirs) as process:
            os.close(theirs)
            shown = b""
            try:
                while more := os.read(ours, 65536):
                    shown += more
            except OSError:
                pass
            assert process.wait() == 0
        os.close(ours)
        if shown:
            break
        # So quick that there was nothing to show.
        count *= 4
    assert re.search(rb"\r(checking|loading) \[#* *\] +\d+ %  [\d.]+ MB/s  \d+:\d\d left", shown)
    assert shown.endswith(b"\r\x1b[K")


def test_without_a_terminal_there_is_none(table, tmp_path):
    path = tmp_path / "a.mupdate"
    path.write_bytes(compose(nasty_rows(1000)))
    assert table.ctl("load", path).stderr == b""
