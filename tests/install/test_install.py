"""What "make install" puts where, and that a program can be built and run with it.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import pathlib
import re

import pytest

from installing import make, make_install, run
from mupdated import PASSWORD, ROOT, USER

LIBRARIES = ("server", "client")


def test_all_files_are_there(installed):
    headers = [path.name for path in (ROOT / "libmupdate/include/mupdate").glob("*.h")]
    manuals = [path.name for path in (ROOT / "man").iterdir()]
    assert len(headers) >= 4 and len(manuals) >= 4
    expected = [
        "etc/mupdated.conf", "usr/lib/systemd/system/mupdated.service",
        "usr/lib/systemd/system/mupdated.socket", "usr/lib/sysusers.d/mupdated.conf",
        "usr/lib/tmpfiles.d/mupdated.conf", "usr/sbin/mupdated", "usr/sbin/mupdatectl",
        "usr/bin/mupdate-bench", "usr/share/bash-completion/completions/mupdatectl",
        *(f"usr/share/doc/mupdated/examples/{name}"
          for name in ("mupdated.conf", "mupdated.alerts.yml", "mupdated-dashboard.json")),
        *(f"usr/include/mupdate/{name}" for name in headers),
        *(f"usr/share/man/man{name[-1]}/{name}" for name in manuals),
        *(f"usr/lib/libmupdate-{library}.so{end}" for library in LIBRARIES for end in ("", ".1")),
        *(f"usr/lib/pkgconfig/libmupdate-{library}.pc" for library in LIBRARIES),
    ]
    assert [path for path in expected if not (installed / path).exists()] == []


def test_all_of_etc_is_somewhere(installed):
    places = [path.read_bytes() for path in installed.rglob("*") if path.is_file()]
    assert [path.name for path in (ROOT / "etc").iterdir()
            if path.is_file() and path.read_bytes() not in places] == []


def test_uninstall_leaves_the_configuration_and_nothing_else(build, tmp_path):
    make_install(build, tmp_path)
    make("uninstall", build, tmp_path)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == [
        tmp_path / "etc/mupdated.conf"]


def test_nothing_installed_knows_the_destdir(installed):
    for path in installed.rglob("*"):
        assert not path.is_file() or str(installed).encode() not in path.read_bytes(), path
    for path in (installed / "usr/lib/pkgconfig").iterdir():
        assert "prefix=/usr\n" in path.read_text()


def test_nobody_else_may_read_the_configuration(installed):
    assert (installed / "etc/mupdated.conf").stat().st_mode & 0o007 == 0


def test_an_installed_configuration_is_not_overwritten(build, installed):
    file = installed / "etc/mupdated.conf"
    before = file.read_text()
    try:
        file.write_text("servername: kept.test\n")
        make_install(build, installed)
        assert file.read_text() == "servername: kept.test\n"
    finally:
        file.write_text(before)


def test_the_installed_configuration_is_accepted(installed, tmp_path):
    file = tmp_path / "mupdated.conf"
    # Not every system has the account that it is for.
    file.write_text((installed / "etc/mupdated.conf").read_text() + "user: root\n")
    said = run(installed / "usr/sbin/mupdated", "-C", file, "--check-config")
    assert said.endswith("mupdated.conf: good\n")


def test_the_programs_look_for_their_configuration_in_etc(installed):
    assert "(default: /etc/mupdated.conf)" in run(installed / "usr/sbin/mupdated", "--help")


# --- the libraries ---

DECLARED_IN = {"server": ["server.h"], "client": ["client.h", "connect.h"]}


def declared(installed, library):
    """The functions that the public headers of a library declare."""
    names = set()
    for header in DECLARED_IN[library]:
        text = (installed / "usr/include/mupdate" / header).read_text()
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        names.update(re.findall(r"\b(mupdate_\w+)\s*\([^)]*\)\s*;", text))
    assert len(names) > 10
    return names


@pytest.mark.parametrize("library", LIBRARIES)
def test_exactly_the_functions_of_the_public_headers_are_exported(installed, library):
    said = run("nm", "-D", "--defined-only", installed / f"usr/lib/libmupdate-{library}.so")
    exported = {name.split("@")[0] for _, kind, name in map(str.split, said.splitlines())
                if kind != "A"}
    assert exported == declared(installed, library)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_soname_is_apart_from_the_programs_version(installed, library):
    file = installed / f"usr/lib/libmupdate-{library}.so"
    soname = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", file))[1]
    assert soname == f"libmupdate-{library}.so.1"
    assert (file.parent / soname).resolve() == file.resolve()
    assert re.fullmatch(rf"libmupdate-{library}\.so\.\d+\.\d+\.\d+", file.resolve().name)


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_function_is_bound_to_a_version(installed, library):
    said = run("nm", "-D", "--defined-only", installed / f"usr/lib/libmupdate-{library}.so")
    for line in said.splitlines():
        assert line.split()[1] == "A" or f"@@LIBMUPDATE_{library.upper()}_1" in line


SERVER_PROGRAM = r"""
#include <mupdate/server.h>
#include <stdio.h>

int main(void)
{
    struct mupdate_server *server = mupdate_server_new(NULL);
    const char *const mechanisms[] = {"PLAIN"};
    const struct mupdate_server_banner banner = {
        .mechanisms = mechanisms, .mechanism_count = 1, .hostname = "example.org",
        .implementation = "tiny", .version = "1", .role = "(master)",
    };
    struct mupdate_server_event event;
    const uint8_t *output;
    size_t len;

    mupdate_server_banner(server, &banner);
    mupdate_server_input(server, "Q1 LOGOUT\r\n", 11);
    while (mupdate_server_next(server, &event) == MUPDATE_SERVER_EVENT)
        if (event.type != MUPDATE_SERVER_LOGOUT)
            return 1;
    len = mupdate_server_output(server, &output);
    fwrite(output, 1, len, stdout);
    mupdate_server_free(server);
    return 0;
}
"""

CLIENT_PROGRAM = r"""
#include <mupdate/connect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *password(void *context)
{
    return strdup(context);
}

int main(int argc, char **argv)
{
    struct mupdate_connect_options options = {
        .host = argv[1], .port = argv[2], .user = argv[3], .password = password, .context = argv[4],
        .tls = MUPDATE_TLS_NEVER,
    };
    struct mupdate_connect_error error;
    struct mupdate_connection *connection = mupdate_connect(&options, &error);
    struct mupdate_client_event event;

    if (argc != 5 || !connection)
        return fprintf(stderr, "%s\n", error.text), 1;
    mupdate_client_find(mupdate_connection_client(connection),
                        (struct mupdate_text){"user.anna", 9});
    while (mupdate_connection_next(connection, &event, -1, &error) == 1) {
        if (event.type == MUPDATE_CLIENT_DONE)
            break;
        if (event.type == MUPDATE_CLIENT_ROW)
            printf("%.*s at %.*s\n", (int)event.row.name.len, event.row.name.data,
                   (int)event.row.location.len, event.row.location.data);
    }
    mupdate_connection_close(connection);
    return 0;
}
"""


def compiled(installed, directory, library, source):
    """Compile with what pkg-config says, and with nothing of the source tree."""
    (directory / "program.c").write_text(source)
    environment = {**os.environ, "PKG_CONFIG_PATH": str(installed / "usr/lib/pkgconfig"),
                   "PKG_CONFIG_SYSROOT_DIR": str(installed)}
    flags = run("pkg-config", "--cflags", "--libs", f"libmupdate-{library}",
                env=environment).split()
    run("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", directory / "program.c", "-o",
        directory / "program", *flags)
    return directory / "program"


def with_libraries(installed):
    return {**os.environ, "LD_LIBRARY_PATH": str(installed / "usr/lib")}


def test_a_program_with_the_server_library_works(installed, tmp_path):
    program = compiled(installed, tmp_path, "server", SERVER_PROGRAM)
    said = run(program, env=with_libraries(installed))
    assert said == ('* AUTH "PLAIN"\n* PARTIAL-UPDATE\n'
                    '* OK MUPDATE "example.org" "tiny" "1" "(master)"\n'
                    'Q1 BYE "logged out"\n')


def test_a_program_with_the_client_library_works(installed, tmp_path, start):
    program = compiled(installed, tmp_path, "client", CLIENT_PROGRAM)
    daemon = start()
    with daemon.client() as client:
        client.ok("RESERVE", "user.anna", "one.test!default")
    said = run(program, "127.0.0.1", str(daemon.port), USER, PASSWORD,
               env=with_libraries(installed))
    assert said == "user.anna at one.test!default\n"


@pytest.mark.parametrize("header", sorted(
    path.name for path in (ROOT / "libmupdate/include/mupdate").glob("*.h")))
def test_each_public_header_stands_alone(installed, tmp_path, header):
    source = tmp_path / "header.c"
    source.write_text(f"#include <mupdate/{header}>\nint main(void) {{ return 0; }}\n")
    run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only",
        f"-I{installed}/usr/include", source)


# --- manual pages ---


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "man").iterdir()))
def test_manual_pages_have_no_warnings(page):
    assert run("mandoc", "-Tlint", "-W", "warning", ROOT / "man" / page) == ""


def test_every_key_of_the_sample_configuration_is_in_the_manual():
    manual = (ROOT / "man/mupdated.conf.5").read_text()
    sample = (ROOT / "etc/mupdated.conf").read_text()
    keys = set(re.findall(r"^#([a-z_]+): ", sample, re.MULTILINE))
    assert len(keys) > 30
    for key in keys:
        assert f".It Ic {key} :" in manual or key.startswith(("sasl_", "group_")), key
