"""What keeps a fault in an installed program or library from being misused.

SPDX-License-Identifier: BSD-3-Clause
"""

import re

import pytest

from installing import make_install, run

PROGRAMS = ("usr/sbin/mupdated", "usr/sbin/mupdatectl", "usr/bin/mupdate-bench")
LIBRARIES = ("usr/lib/libmupdate-server.so", "usr/lib/libmupdate-client.so")
ALL = PROGRAMS + LIBRARIES


def dynamic(installed, name):
    return run("readelf", "--dynamic", "--wide", installed / name)


def imports(file):
    """The names of the functions that are looked for in other libraries."""
    return {line.split()[-1].split("@")[0]
            for line in run("nm", "--dynamic", "--undefined-only", file).splitlines()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_loaded_to_a_place_that_nobody_knows(installed, name):
    assert re.search(r"Type:\s+DYN ", run("readelf", "--file-header", installed / name))
    assert re.search(r"\(FLAGS_1\).*\bPIE\b", dynamic(installed, name))


@pytest.mark.parametrize("name", ALL)
def test_tables_of_functions_are_read_only_once_they_are_bound(installed, name):
    assert re.search(r"^\s+GNU_RELRO\s", run("readelf", "--program-headers", "--wide",
                                             installed / name), re.MULTILINE)
    assert re.search(r"\(FLAGS\).*\bBIND_NOW\b|\(FLAGS_1\).*\bNOW\b", dynamic(installed, name))


@pytest.mark.parametrize("name", ALL)
def test_no_memory_is_writable_and_executable(installed, name):
    headers = run("readelf", "--program-headers", "--wide", installed / name)
    flags = dict(re.findall(r"^\s+(GNU_STACK|LOAD)\s+(?:0x\w+\s+){5}([RWE ]{3})", headers,
                            re.MULTILINE))
    assert flags["GNU_STACK"].strip() == "RW"
    assert "WE" not in headers and not re.search(r"LOAD.*\bRWE\b", headers)


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_relocated_in_code_and_no_path_is_searched(installed, name):
    assert not re.search(r"TEXTREL|RPATH|RUNPATH", dynamic(installed, name))


@pytest.mark.parametrize("name", ALL)
def test_stacks_are_guarded(installed, name):
    assert "__stack_chk_fail" in imports(installed / name)


@pytest.mark.parametrize("name", ALL)
def test_copies_are_checked_where_the_size_is_known(installed, name):
    assert [function for function in imports(installed / name) if function.endswith("_chk")]


@pytest.mark.parametrize("name", ALL)
def test_functions_begin_with_a_mark_for_processors_that_check_jumps(installed, name):
    """The C library's start files of Debian 12 have none, so the program's note does not say so."""
    if "X86-64" not in run("readelf", "--file-header", installed / name):
        pytest.skip("-fcf-protection is for x86")
    endbr64 = b"\xf3\x0f\x1e\xfa"
    assert (installed / name).read_bytes().count(endbr64) > 30


def test_a_packagers_flags_come_on_top(tmp_path):
    """As dpkg-buildflags of Debian gives them, which fortifies at its own level."""
    make_install(tmp_path / "build", tmp_path / "place",
                 "CPPFLAGS=-Wdate-time -D_FORTIFY_SOURCE=2",
                 "CFLAGS=-g -O2 -fstack-protector-strong -Wformat -Werror=format-security",
                 "LDFLAGS=-Wl,-z,relro")
    for name in PROGRAMS:
        assert {"__stack_chk_fail", "__snprintf_chk"} <= imports(tmp_path / "place" / name)


def test_a_build_for_a_debugger_is_not_fortified(tmp_path):
    """_FORTIFY_SOURCE without optimization is a warning of the C library's headers."""
    make_install(tmp_path / "build", tmp_path / "place", "CFLAGS=-O0 -g")
    assert "__snprintf_chk" not in imports(tmp_path / "place" / PROGRAMS[0])
