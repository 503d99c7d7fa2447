"""A running mupdated and raw clients of it, for the tests.

SPDX-License-Identifier: BSD-3-Clause
"""

import base64
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import zlib

import control

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
DAEMON = BUILD / "mupdated"
CTL = BUILD / "mupdatectl"
USER = "murder"
PASSWORD = "Murder Pw \u00e9"
USERS = {USER: PASSWORD, "keeper": "Keeper Pw", "guest": "guest"}

# Long enough for a sanitizer build on a busy machine; nothing waits so long
# unless it fails.
PATIENCE_S = 60

# A sanitizer keeps freed memory for a while and shadows all of it.
SANITIZED = (any(mark in DAEMON.read_bytes() for mark in (b"__asan_init", b"__tsan_init"))
             if DAEMON.exists() else False)


def wait_for(condition, what, seconds=PATIENCE_S):
    """Return the first true value of condition()."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.01)


def free_port(address="127.0.0.1"):
    """A port on which nobody listens, and which the kernel gives to no client meanwhile.

    Tests that run side by side have a share each: none takes what another is about to use.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first_of_kernel = int(file.read().split()[0])
    first = max(1024, first_of_kernel - 12000)
    share = (first_of_kernel - first) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first += share * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        port = random.randrange(first, first + share)
        with socket.socket(family) as one:
            try:
                one.bind((address, port))
                return port
            except OSError:
                pass


_sasldbs = {}


def make_sasldb(path, realm, users):
    """users: {name: password}"""
    key = (realm, *users.items())
    if key not in _sasldbs:
        with tempfile.TemporaryDirectory() as directory:
            made = pathlib.Path(directory) / "sasldb2"
            for user, password in users.items():
                subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-f", made, "-u", realm,
                                user], input=password.encode(), check=True)
            _sasldbs[key] = made.read_bytes()
    pathlib.Path(path).write_bytes(_sasldbs[key])


def make_certificate(directory, name="mupdate.test"):
    """Make a self-signed certificate; return the paths of (certificate, key)."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                    f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Daemon:
    """One mupdated with a directory of its own. Settings replace the defaults; None drops one.

    prefix: words of a command in front of the daemon's own.
    """

    def __init__(self, directory, prefix=(), **settings):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.prefix = list(prefix)
        self.environment = {}
        self.pass_fds = ()
        self.port = free_port()
        self.process = None
        self.log_from = 0
        self.log_path = self.directory / "log"
        self.config_path = self.directory / "mupdated.conf"
        self.settings = {
            "servername": "mupdate.test",
            "listen": f"127.0.0.1:{self.port}",
            "database_directory": self.directory / "database",
            "admins": USER,
            "allowplaintext": "yes",
            "failedloginpause": "0",
            "authentication_timeout": f"{PATIENCE_S}s",
            "log_level": "debug",
            "sasl_pwcheck_method": "auxprop",
            "sasl_auxprop_plugin": "sasldb",
            "sasl_sasldb_path": self.directory / "sasldb2",
            "sasl_mech_list": "PLAIN SCRAM-SHA-256",
            # Its directory is this user's, and only root may look into a sealed process.
            **({"user": "root"} if os.geteuid() == 0 else {"coredumps": "yes"}),
        }
        self.configure(**settings)
        if not (self.directory / "sasldb2").exists():
            make_sasldb(self.directory / "sasldb2", "mupdate.test", USERS)

    def configure(self, **settings):
        self.settings.update(settings)
        lines = [f"{key}: {value}" for key, value in self.settings.items() if value is not None]
        self.config_path.write_text("\n".join(lines) + "\n")

    def start(self, wait=True):
        assert self.process is None
        self.log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, DAEMON, "-C", self.config_path],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.environment},
                                            pass_fds=self.pass_fds)
        if wait:
            wait_for(self._ready_or_dead, "mupdated to be ready")
            if self.process.poll() is not None:
                code = self.wait()
                raise AssertionError(f"exit code {code}\n{self.log()}")
        return self

    def _ready_or_dead(self):
        return self.process.poll() is not None or "notice: ready: " in self.log_since_start()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_since_start(self):
        return self.log_path.read_bytes()[self.log_from:].decode(errors="replace")

    def wait_for_log(self, pattern):
        """Wait for a line of the log; return the match of the pattern, a regular expression."""
        return wait_for(lambda: re.search(pattern, self.log_since_start(), re.MULTILINE),
                        f"the log to say {pattern}")

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, **settings):
        """Change settings and have the daemon read them; return what it logs about it."""
        self.configure(**settings)
        before = len(self.log())
        self.signal(signal.SIGHUP)
        wait_for(lambda: re.search(r"reload: (done|the configuration stays)", self.log()[before:]),
                 "the reload")
        return self.log()[before:]

    def wait(self):
        """Wait for the end; return the exit code."""
        code = self.process.wait(timeout=PATIENCE_S)
        self.process = None
        return code

    def stop(self):
        """End it in good order."""
        if self.process is None:
            return
        self.signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"exit code {code}\n{self.log()[-4000:]}"

    def kill(self):
        self.signal(signal.SIGKILL)
        self.wait()

    def restart(self):
        self.stop()
        return self.start()

    def run(self, *arguments, timeout=PATIENCE_S):
        """Run mupdated with this configuration and arguments; return the finished process."""
        return subprocess.run([*self.prefix, DAEMON, "-C", self.config_path, *arguments],
                              capture_output=True, text=True, timeout=timeout, check=False,
                              env={**os.environ, **self.environment}, pass_fds=self.pass_fds)

    def ctl(self, *arguments, status=0, **options):
        """Run mupdatectl on this database; return the finished process, which ended so."""
        options.setdefault("timeout", PATIENCE_S)
        done = subprocess.run([*self.prefix, CTL, "-C", self.config_path, *arguments],
                              capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, **self.environment}, **options)
        assert status is None or done.returncode == status, (arguments, done)
        return done

    def check_database(self):
        """Return the verdict of mupdated --check-database, which must be good."""
        done = self.run("--check-database")
        assert done.returncode == 0 and "check: good" in done.stderr, done.stderr
        return done.stderr

    def rss_mb(self):
        """Memory in use, in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def sequence(self):
        """The number of the table's last change, as an UPDATE logs it."""
        before = len(self.log())
        with self.client() as client:
            client.update("nobody")
        found = wait_for(lambda: re.search(r"subscriber: .*sequence=(\d+)", self.log()[before:]),
                         "the subscriber's log line")
        return int(found[1])

    def connect(self, **options):
        return Client(("127.0.0.1", self.port), **options)

    def client(self, **options):
        """A client that is logged in."""
        client = self.connect(**options)
        client.login()
        return client

    def control(self):
        """A client of the control socket."""
        return control.Control(self.settings.get("control_socket") or
                               self.settings["database_directory"] / "control")

    def subscriber(self, *servers, **options):
        """A client that is logged in and streams."""
        client = self.client(**options)
        client.update(*servers)
        return client


class Daemons:
    """Daemons below one directory, which all end with it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.all = []

    def make(self, **settings):
        """One that is not started yet."""
        self.all.append(Daemon(self.directory / f"master{len(self.all)}", **settings))
        return self.all[-1]

    def start(self, **settings):
        return self.make(**settings).start()

    def end(self):
        failures = []
        for daemon in self.all:
            try:
                daemon.stop()
            except AssertionError as failure:
                failures.append(str(failure))
            # Databases are large, and pytest keeps the directories of three runs.
            shutil.rmtree(daemon.settings["database_directory"], ignore_errors=True)
        assert not failures, failures


def limits_rss(daemon, before_mb, more_mb):
    """Assert that the daemon's memory has grown by no more than more_mb."""
    allowed = before_mb + more_mb + (512 if SANITIZED else 0)
    assert daemon.rss_mb() < allowed, (before_mb, daemon.rss_mb())


def literal(octets):
    octets = octets.encode() if isinstance(octets, str) else octets
    return b"{%d+}\r\n" % len(octets) + octets


def command_octets(tag, verb, *strings):
    """A whole command, its strings as literals."""
    return (f"{tag} {verb}".encode() + b"".join(b" " + literal(string) for string in strings)
            + b"\r\n")


def row(word, *strings):
    """A row as Client gives it."""
    return (word, *(s.encode() if isinstance(s, str) else s for s in strings))


class Closed(Exception):
    """The server ended the connection."""


class Client:
    """A raw client: it sends what it is told and reads lines, rows and replies."""

    def __init__(self, address, banner=True, timeout=PATIENCE_S, receive_bytes=None, source=None):
        """receive_bytes: size of the kernel's buffer; small for a client that does not read.

        source: the address to come from.
        """
        if isinstance(address, (str, os.PathLike)):
            family, address = socket.AF_UNIX, str(address)
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(timeout)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(address)
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.inflate = self.deflate = None
        self.buffer = bytearray()
        self.tags = 0
        self.capabilities = self.banner() if banner else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- bytes ---

    def send(self, octets):
        octets = octets.encode() if isinstance(octets, str) else octets
        if self.deflate:
            octets = self.deflate.compress(octets) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(octets)

    def _more(self):
        octets = self.socket.recv(65536)
        if not octets:
            raise Closed(bytes(self.buffer))
        self.buffer += self.inflate.decompress(octets) if self.inflate else octets

    def read(self, count):
        while len(self.buffer) < count:
            self._more()
        octets = bytes(self.buffer[:count])
        del self.buffer[:count]
        return octets

    def read_to_end(self):
        """All that comes before the server closes."""
        try:
            while True:
                self._more()
        except (Closed, ConnectionResetError, ssl.SSLEOFError):
            return self.read(len(self.buffer))

    def line(self):
        """The next line, without its CR LF."""
        while (end := self.buffer.find(b"\r\n")) < 0:
            self._more()
        return self.read(end + 2)[:-2]

    def at_end(self):
        """The server closes without another byte."""
        return self.read_to_end() == b""

    def has_nothing(self):
        """No byte is there to be read at this moment."""
        self.socket.setblocking(False)
        try:
            self._more()
        except (BlockingIOError, ssl.SSLWantReadError):
            return not self.buffer
        finally:
            self.socket.settimeout(PATIENCE_S)
        return False

    def end_sending(self):
        """Close this half of the connection; the server may have closed both already."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        """Cut the connection off with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # --- layers ---

    def start_tls(self, context=None):
        """Handshake; STARTTLS was answered. The re-issued banner becomes capabilities."""
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        assert not self.buffer
        self.socket = context.wrap_socket(self.socket, server_hostname="mupdate.test")
        self.capabilities = self.banner()

    def starttls(self, context=None):
        _, word, text = self.command("STARTTLS")
        assert word == "OK", text
        self.start_tls(context)

    def compress(self):
        _, word, text = self.command('COMPRESS "DEFLATE"')
        assert word == "OK", text
        self.inflate = zlib.decompressobj(-15)
        self.deflate = zlib.compressobj(wbits=-15)

    # --- responses ---

    def banner(self):
        lines = []
        while True:
            lines.append(self.line())
            if lines[-1].startswith(b"* OK"):
                return lines

    def response(self):
        """The next response: (tag, word, [strings]); strings may be quoted or literals."""
        line = self.line()
        tag, _, rest = line.partition(b" ")
        word, _, rest = rest.partition(b" ")
        strings = []
        while rest:
            if rest.startswith(b'"'):
                text, at = b"", 1
                while rest[at:at + 1] != b'"':
                    at += rest[at:at + 1] == b"\\"
                    text += rest[at:at + 1]
                    at += 1
                    assert at < len(rest), line
                strings.append(text)
                rest = rest[at + 1:]
            else:
                assert rest.startswith(b"{") and rest.endswith(b"+}"), line
                strings.append(self.read(int(rest[1:-2])))
                rest = self.line()
            assert rest == b"" or rest.startswith(b" "), line
            rest = rest[1:]
        return tag.decode(), word.decode(), strings

    def tag(self):
        self.tags += 1
        return f"T{self.tags}"

    def command(self, octets):
        """Send a command under a new tag; return (rows, word, text) of its answer."""
        tag = self.tag()
        self.send(tag.encode() + b" " + (octets.encode() if isinstance(octets, str) else octets)
                  + b"\r\n")
        return self.answer(tag)

    def answer(self, tag):
        rows = []
        while True:
            got, word, strings = self.response()
            assert got == tag, (got, tag, word, strings)
            if word in ("OK", "NO", "BAD", "BYE"):
                assert len(strings) == 1
                return rows, word, strings[0].decode()
            rows.append((word, *strings))

    # --- commands ---

    def login(self, user=USER, password=PASSWORD):
        message = base64.b64encode(f"\0{user}\0{password}".encode())
        answer = self.command(b'AUTHENTICATE "PLAIN" ' + literal(message))
        assert answer[1] == "OK", answer

    def noop(self):
        answer = self.command("NOOP")
        assert answer[:2] == ([], "OK"), answer

    def set(self, verb, *strings):
        """(word, text) of RESERVE, ACTIVATE, DEACTIVATE or DELETE."""
        tag = self.tag()
        self.send(command_octets(tag, verb, *strings))
        rows, word, text = self.answer(tag)
        assert rows == []
        return word, text

    def ok(self, verb, *strings):
        word, text = self.set(verb, *strings)
        assert word == "OK", (verb, strings, word, text)

    def set_many(self, commands):
        """Pipeline (verb, strings...) of any number; return the words of the answers."""
        words = []
        pending = []
        for command in commands:
            pending.append(command)
            if len(pending) == 500:
                words += self._pipelined(pending)
                pending = []
        return words + self._pipelined(pending)

    def _pipelined(self, commands):
        tags = [self.tag() for _ in commands]
        self.send(b"".join(command_octets(tag, *command) for tag, command in zip(tags, commands)))
        return [self.answer(tag)[1] for tag in tags]

    def find(self, name):
        """The row, or None."""
        rows, word, text = self.command(b"FIND " + literal(name))
        assert word == "OK" and len(rows) <= 1, (rows, word, text)
        return rows[0] if rows else None

    def list(self, prefix=None):
        rows, word, text = self.command(b"LIST" + (b" " + literal(prefix) if prefix else b""))
        assert word == "OK", text
        return rows

    # --- the stream ---

    def start_update(self, *servers):
        """Ask for a stream under the tag U1 and read nothing."""
        self.send(command_octets("U1", "UPDATE", *servers))

    def update(self, *servers):
        """Start a stream under the tag U1; return the dump."""
        self.start_update(*servers)
        return self.dump()

    def dump(self):
        rows, word, text = self.answer("U1")
        assert word == "OK", text
        return rows

    def change(self):
        """The next change of the stream."""
        tag, word, strings = self.response()
        assert tag == "U1" and word in ("MAILBOX", "RESERVE", "DELETE"), (tag, word, strings)
        return (word, *strings)

    def changes(self):
        """All changes up to the OK of a NOOP that is sent now."""
        tag = self.tag()
        self.send(f"{tag} NOOP\r\n")
        changes = []
        while True:
            got, word, strings = self.response()
            if got == tag:
                assert word == "OK", (word, strings)
                return changes
            assert got == "U1", (got, word, strings)
            changes.append((word, *strings))
