"""The help of the programs, their manual pages, and the completion for bash say the same.

What a program takes is read from its sources: the tables that getopt_long(3) is given.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import re
import subprocess

import pytest

from installing import run
from mupdated import CTL, DAEMON, ROOT

SOURCES = {path: path.read_text() for path in sorted((ROOT / "tools/mupdatectl").glob("*.c"))}
COMPLETION = ROOT / "etc/mupdatectl.bash"


def tables(text):
    """{name of a table of options: {"--long": its letter or ""}}"""
    found = {}
    for name, body in re.findall(r"struct option (\w+)\[\] = \{(.*?)\n\s*\};", text, re.DOTALL):
        rows = re.findall(r"\{([^{}]*)\}", body)
        assert re.fullmatch(r"(\s*\{[^{}]*\},)*\s*", body), f"{name} has more than rows"
        options = [re.match(r'"([a-z-]+)", (?:no|required|optional)_argument, NULL, '
                            r"(?:'(\w)'|\w+)$", row) for row in rows if not row.startswith("NULL")]
        found[name] = {f"--{option[1]}": f"-{option[2]}" if option[2] else ""
                       for option in options}
    return found


def commands():
    """{name of a command: its own options, as above}"""
    found = {}
    for path, text in SOURCES.items():
        for body in re.findall(r"^const struct ctl_command \w+ = \{(.*?)^\};", text,
                               re.DOTALL | re.MULTILINE):
            name = re.search(r'\.name = "([a-z-]+)"', body)[1]
            options = re.search(r"\.options = (\w+)", body)
            found[name] = tables(text)[options[1]] if options else {}
    declared = re.findall(r"extern const struct ctl_command ctl_(\w+)_command;",
                          (ROOT / "tools/mupdatectl/command.h").read_text())
    assert sorted(found) == sorted(name.replace("_", "-") for name in declared)
    return found


COMMANDS = commands()
SHARED = tables(SOURCES[ROOT / "tools/mupdatectl/options.c"])["shared_options"]


def words(options):
    return {word for pair in options.items() for word in pair if word}


def said_options(text):
    """The options that the lines of a help are about."""
    heads = re.findall(r"^ {2,6}(-.*?)(?:  .*)?$", text, re.MULTILINE)
    return {word for head in heads for word in re.findall(r"(?<!\S)--?[\w-]+", head)}


def test_the_help_has_each_command():
    text = run(CTL, "--help").partition("\nCommands:\n")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^  ([a-z-]+) ", text, re.MULTILINE)) == sorted(COMMANDS)
    assert max(map(len, text.splitlines())) <= 100


def test_the_help_has_each_option_of_all_commands():
    assert said_options(run(CTL, "--help")) == words(SHARED)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_each_of_its_options(name):
    text = run(CTL, name, "--help")
    own = text.partition("\nOptions of all commands")[0]
    # Of those of all commands it may say what they mean here.
    assert said_options(own) - words(SHARED) == words(COMMANDS[name])
    assert re.match(rf"Usage: mupdatectl \[OPTION \.\.\.\] {name}( |$)", own)
    assert said_options(text) == words(COMMANDS[name]) | words(SHARED)
    assert max(map(len, own.splitlines()[1:])) <= 100


# --- the manual ---


def page(name):
    return (ROOT / "man" / name).read_text()


def entries(name, kind):
    """{word: text} of the entries of a page's lists whose heads begin with this kind of word."""
    found = {}
    parts = re.split(rf"^\.It {kind} (\S+)", page(name), flags=re.MULTILINE)[1:]
    for word, text in zip(parts[::2], parts[1::2]):
        # Up to the next section; an entry of the same kind has cut it already.
        found[word] = found.get(word, "") + re.split(r"^\.Sh ", text, flags=re.MULTILINE)[0]
    return found


def test_the_manual_has_each_command_and_no_other():
    described = entries("mupdatectl.8", "Cm")
    assert set(described) == set(COMMANDS)
    synopsis = page("mupdatectl.8").partition(".Sh SYNOPSIS")[2].partition(".Sh ")[0]
    assert set(re.findall(r"^\.Cm (\S+)$", synopsis, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_manual_has_each_option_of_a_command(name):
    described = set(re.findall(r"\bFl -(\S+)", entries("mupdatectl.8", "Cm")[name]))
    missing = {option for option in COMMANDS[name] if option[2:] not in described}
    assert not missing, f"not under {name} in mupdatectl(8)"


def test_the_manual_has_each_option_of_all_commands():
    described = set(re.findall(r"^\.It .*\bFl -(\S+)", page("mupdatectl.8"), re.MULTILINE))
    assert {option[2:] for option in SHARED} - described == set()


def test_the_daemon_its_help_and_its_manual_have_the_same_options():
    options = tables((ROOT / "mupdated/main.c").read_text())["options"]
    assert said_options(run(DAEMON, "--help")) >= set(options)
    described = set(re.findall(r"^\.It .*\bFl -(\S+)", page("mupdated.8"), re.MULTILINE))
    assert described == {option[2:] for option in options}


# --- the completion ---


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """What bash offers for the last of these words, in a directory with a file and a directory."""
    place = tmp_path_factory.mktemp("place")
    (place / "file one").write_text("")
    (place / "folder").mkdir()

    def ask(*line):
        script = ('source "$1"; shift; COMP_WORDS=(mupdatectl "$@"); COMP_CWORD=$#; '
                  '_mupdatectl mupdatectl "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"; '
                  '[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "--norc", "-u", "-c", script, "bash", COMPLETION, *line],
                              cwd=place, capture_output=True, text=True, check=True,
                              env={**os.environ, "PATH": f"{CTL.parent}:{os.environ['PATH']}"})
        assert done.stderr == ""
        return done.stdout.splitlines()

    return ask


def test_every_command_is_offered(complete):
    assert sorted(complete("")) == sorted(COMMANDS)
    assert sorted(complete("--json", "-C", "find", "re")) == sorted(
        name for name in COMMANDS if name.startswith("re"))
    assert complete("--tls", "=", "try", "pin") == ["ping"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_offered(complete, name):
    assert set(complete(name, "-")) == words(COMMANDS[name]) | words(SHARED)


@pytest.mark.parametrize("line, offered", [
    (["-C", ""], ["file one", "folder"]),
    (["--config", "=", "fi"], ["file one"]),
    (["--config", "="], ["file one", "folder"]),
    (["--database", ""], ["folder"]),
    (["--socket", "fo"], ["folder"]),
    (["--tls", ""], ["require", "try", "never"]),
    (["find", "--tls", "r"], ["require"]),
    (["dump", "-o", ""], ["file one", "folder"]),
    (["dump", "--server", ""], []),
    (["dump", ""], []),
    (["load", "--dry-run", ""], ["file one", "folder"]),
    (["verify", "--against", "fi"], ["file one"]),
    (["export", "--format", "cyrus-t"], ["cyrus-text"]),
    (["restore", ""], ["folder"]),
    (["status", "--watch", "--ch"], ["--check"]),
    (["find", ""], []),
    (["--timeout", ""], []),
    (["no-such-command", ""], []),
    (["no-such-command", "-"], []),
])
def test_what_is_offered_fits(complete, line, offered):
    assert sorted(complete(*line)) == sorted(offered)


def test_a_shell_without_the_program_offers_nothing(complete, monkeypatch):
    monkeypatch.setattr(os, "environ", {"PATH": "/usr/bin:/bin"})
    monkeypatch.setitem(globals(), "CTL", ROOT / "nowhere" / "mupdatectl")
    assert complete("") == []
