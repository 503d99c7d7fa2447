"""Options, the configuration's mistakes, and exit codes.

SPDX-License-Identifier: BSD-3-Clause
"""

import re
import subprocess

import pytest

from authority import Authority
from mupdated import DAEMON, PATIENCE_S, ROOT

EX_USAGE, EX_NOINPUT, EX_UNAVAILABLE, EX_CONFIG = 64, 66, 69, 78


def run(*arguments):
    return subprocess.run([DAEMON, *arguments], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)


def test_version_and_help_go_to_standard_output():
    assert re.fullmatch(r"mupdated \d+\.\d+\.\d+\n", run("--version").stdout)
    for option in ("-h", "--help"):
        done = run(option)
        assert done.returncode == 0 and done.stdout.startswith("usage: mupdated ")


@pytest.mark.parametrize("arguments", [["--nonsense"], ["-x"], ["-C"], ["argument"]])
def test_wrong_options_exit_with_ex_usage(arguments):
    done = run(*arguments)
    assert done.returncode == EX_USAGE and "usage: mupdated " in done.stderr


def test_check_config_says_good_and_starts_nothing(daemons):
    daemon = daemons.make()
    done = daemon.run("--check-config")
    assert (done.returncode, done.stdout) == (0, f"{daemon.config_path}: good\n")
    assert not daemon.settings["database_directory"].exists()


def test_the_sample_configuration_is_good(tmp_path):
    file = tmp_path / "mupdated.conf"
    # Not every system has the account that it is for.
    file.write_text((ROOT / "etc/mupdated.conf").read_text() + "user: root\n")
    done = run("-C", file, "--check-config")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What the keys of TLS can name, good and bad."""
    directory = tmp_path_factory.mktemp("files")
    authority = Authority(directory / "ca")
    cert, key = authority.issue("/CN=mupdate.test")
    text = directory / "text"
    text.write_text("no certificate\n")
    return {"cert": cert, "key": key, "other_key": authority.issue("/CN=other.test")[1],
            "ca": authority.certificate, "crl": authority.crl(), "text": text,
            "none": directory / "none"}


GOOD_TLS = {"tls_server_cert": "cert", "tls_server_key": "key", "tls_client_ca_file": "ca",
            "tls_crl_file": "crl"}


def with_files(daemons, files, **named):
    return daemons.make(**{key: files[name] for key, name in {**GOOD_TLS, **named}.items()})


def test_check_config_reads_the_files_of_tls(daemons, files):
    done = with_files(daemons, files).run("--check-config")
    assert done.returncode == 0 and done.stdout.endswith(": good\n"), done.stderr


@pytest.mark.parametrize("key, name, message", [
    ("tls_server_cert", "none", "certificate file .*/none: "),
    ("tls_server_cert", "text", "certificate file .*/text: "),
    ("tls_server_key", "none", "key file .*/none: "),
    ("tls_server_key", "other_key", "key file .*: .*mismatch"),
    ("tls_client_ca_file", "none", "CA file .*/none: "),
    ("tls_client_ca_file", "text", "CA file .*/text: "),
    ("tls_crl_file", "none", "CRL file .*/none: "),
    ("tls_crl_file", "text", "CRL file .*/text: "),
])
def test_check_config_says_of_files_of_tls_what_a_start_says(daemons, files, key, name, message):
    daemon = with_files(daemons, files, **{key: name})
    checked, started = daemon.run("--check-config"), daemon.run()
    assert checked.returncode == started.returncode == EX_CONFIG
    said = re.search(f"error: TLS cannot be set up: {message}.*", checked.stderr)
    assert said and said[0] in started.stderr and not checked.stdout


def test_check_config_looks_for_the_account_that_a_start_needs(daemons):
    daemon = daemons.make(user="no-such-account")
    checked, started = daemon.run("--check-config"), daemon.run()
    assert checked.returncode == started.returncode == EX_CONFIG
    said = "error: user: there is no account no-such-account on this system"
    assert said in checked.stderr and said in started.stderr and not checked.stdout


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    done = run("-C", tmp_path / "none.conf")
    assert done.returncode == EX_CONFIG and f"{tmp_path}/none.conf: cannot be read" in done.stderr


# Lines of a file, and what the message names behind "FILE:1: ".
WRONG = {
    "list_order: alphabetic": ["list_order: 'alphabetic'", "cyrus36", "octet"],
    "location_conflict: maybe": ["location_conflict: 'maybe'", "accept", "deny"],
    "heal_resync: perhaps": ["heal_resync: 'perhaps'", "yes", "no"],
    "limit_name: 10": ["limit_name: '10'", "1K"],
    "limit_acl: 1K": ["limit_acl: '1K'", "64K"],
    "idle_timeout: 5m": ["idle_timeout: '5m'", "15m"],
    "login_timeout: never": ["login_timeout: 'never'"],
    "mupdate_port: 70000": ["mupdate_port: '70000'", "65535"],
    "listen: 127.0.0.1:port": ["listen: '127.0.0.1:port'"],
    "database_directory: relative": ["database_directory: 'relative'"],
    "admin: murder": ['"admins"'],
    "servername": ["not a setting", "key: value"],
    "servername:": ["servername", "no value"],
    "log_level: loud": ["log_level: 'loud'", "debug"],
    "subscriber_backlog: 5": ["subscriber_backlog: '5'", "100"],
}


@pytest.mark.parametrize("line", WRONG)
@pytest.mark.parametrize("check", [True, False])
def test_a_wrong_value_names_file_line_key_and_what_is_allowed(tmp_path, line, check):
    file = tmp_path / "wrong.conf"
    file.write_text(f"# a comment\n{line}\n")
    done = run("-C", file, *(["--check-config"] if check else []))
    assert done.returncode == EX_CONFIG
    error = [one for one in done.stderr.splitlines() if "error: " in one]
    assert len(error) == 1 and f"{file}:2: " in error[0], done.stderr
    for part in WRONG[line]:
        assert part in error[0]


def test_keys_of_cyrus_without_a_meaning_get_one_notice_each(daemons):
    daemon = daemons.make(partition_default=None)
    with open(daemon.config_path, "a", encoding="ascii") as file:
        file.write("defaultpartition: default\npartition-default: /var/spool/cyrus/mail\n")
    daemon.start()
    log = daemon.log()
    for key in ("defaultpartition", "partition-default"):
        assert log.count(f"{key}: has no effect") == 1
    with daemon.client() as client:
        client.noop()


@pytest.mark.parametrize("settings", [
    {"tls_server_cert": "/nonexistent/cert.pem"},
    {"tls_server_cert": "/etc/hostname"},
])
def test_a_certificate_that_cannot_be_used_is_named(daemons, settings):
    done = daemons.make(**settings).run()
    assert done.returncode == EX_CONFIG
    assert "TLS cannot be set up: " in done.stderr and settings["tls_server_cert"] in done.stderr


def test_check_database_without_one_exits_with_ex_noinput(daemons):
    assert daemons.make().run("--check-database").returncode == EX_NOINPUT


def test_check_database_beside_a_running_master_is_refused(master):
    done = master.run("--check-database")
    assert done.returncode == EX_UNAVAILABLE
    with master.client() as client:
        client.noop()


def test_check_database_is_good_after_an_orderly_end(start):
    daemon = start()
    with daemon.client() as client:
        client.set_many([("RESERVE", f"user.{number}", "a!b") for number in range(50)])
        client.set_many([("DELETE", f"user.{number}") for number in range(10)])
    daemon.stop()
    assert "check: good rows=40 changes=60" in daemon.check_database()
