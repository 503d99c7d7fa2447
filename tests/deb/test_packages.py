"""What "make deb" has built.

SPDX-License-Identifier: BSD-3-Clause
"""

import re
import subprocess

import pytest

from mupdated import DAEMON, ROOT

NAMES = ("mupdated", "mupdate-tools", "libmupdate-client1", "libmupdate-server1", "libmupdate-dev")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def field(package, name):
    return run("dpkg-deb", "--field", package, name).strip()


def contents(package):
    """{path: its mode, owner and size}"""
    lines = run("dpkg-deb", "--contents", package).splitlines()
    return {line.split(None, 5)[5].partition(" -> ")[0][1:]: line.split()[:3] for line in lines}


def test_all_packages_are_there_and_have_the_programs_version(packages):
    version = run(DAEMON, "--version").split()[1]
    debug = {f"{name}-dbgsym" for name in NAMES if not name.endswith("-dev")}
    assert set(packages) == set(NAMES) | debug
    assert {field(package, "Version") for package in packages.values()} == {version}


def test_what_they_are_built_with_is_what_a_build_needs():
    makefile = re.search(r"^RUN_PACKAGES := (.*?[^\\])$", (ROOT / "Makefile").read_text(),
                         re.MULTILINE | re.DOTALL)[1]
    needed = {word for word in makefile.split() if word.endswith("-dev")}
    control = (ROOT / "debian/control").read_text()
    given = re.search(r"^Build-Depends:\n(.*?)\n\n", control, re.MULTILINE | re.DOTALL)[1]
    assert needed == {word for word in re.findall(r"^ ([a-z0-9.+-]+-dev)(?:,|$)", given,
                                                  re.MULTILINE)}


def test_each_manual_page_is_in_the_package_of_its_program(packages):
    pages = {}
    for name in NAMES:
        for path in contents(packages[name]):
            if found := re.fullmatch(r"/usr/share/man/man\d/(.*)\.gz", path):
                pages[found[1]] = name
    of_tools = {"mupdatectl.8", "mupdate-bench.1", "mupdate-dump.5"}
    assert pages == {path.name: "mupdate-tools" if path.name in of_tools else "mupdated"
                     for path in (ROOT / "man").iterdir()}


def test_libraries_of_two_architectures_can_be_installed_together(packages):
    for name in NAMES:
        if name.startswith("lib"):
            assert field(packages[name], "Multi-Arch") == "same"
            for path in contents(packages[name]):
                assert not re.match(r"/usr/lib/[^/]*mupdate", path), path


def test_the_configuration_is_the_operators_and_nobody_else_may_read_it(packages):
    conffiles = run("dpkg-deb", "--info", packages["mupdated"], "conffiles")
    assert conffiles == "/etc/mupdated.conf\n"
    assert contents(packages["mupdated"])["/etc/mupdated.conf"][0] == "-rw-r-----"


def test_everything_belongs_to_root_and_nothing_was_built_by_the_clock(packages):
    dated = run("dpkg-parsechangelog", "-l", ROOT / "debian/changelog", "-S", "Timestamp").strip()
    for package in packages.values():
        assert {owner for _, owner, _ in contents(package).values()} == {"root/root"}
        listed = subprocess.run(["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | TZ=UTC tar -tv '
                                 '--full-time', "sh", package], capture_output=True, text=True,
                                check=True).stdout
        limit = run("date", "-u", "-d", f"@{dated}", "+%Y-%m-%d %H:%M:%S").strip()
        assert max(re.findall(r" (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ", listed)) <= limit


def test_no_file_tells_where_it_was_built(packages, tmp_path):
    for name, package in packages.items():
        subprocess.run(["dpkg-deb", "--extract", package, tmp_path / name], check=True)
        for path in (tmp_path / name).rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert str(ROOT).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("library", ("client", "server"))
def test_a_program_that_uses_a_library_depends_on_its_first_version(packages, library):
    """Of those with this interface: a build with a later one runs with the first."""
    symbols = run("dpkg-deb", "--info", packages[f"libmupdate-{library}1"], "symbols")
    assert symbols.startswith(f"libmupdate-{library}.so.1 libmupdate-{library}1 #MINVER#\n")
    versions = set(re.findall(r"^ \S+@LIBMUPDATE_\w+ (\S+)$", symbols, re.MULTILINE))
    assert versions == {"0.1.0"}


def test_lintian_finds_nothing():
    changes, = (ROOT / "build/deb").glob("*_*.changes")
    done = subprocess.run(["lintian", "--fail-on", "error,warning", "--allow-root", changes],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done
