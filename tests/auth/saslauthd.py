"""A real saslauthd with what it asks, and scripted ones that misbehave.

SPDX-License-Identifier: BSD-3-Clause
"""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import threading

from mupdated import PATIENCE_S, free_port, wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
MS_BIND = 4096
DOMAIN = "dc=murder,dc=test"
PEOPLE = "ou=people," + DOMAIN


class Saslauthd:
    """One saslauthd, in a process group of its own, with its socket in the directory."""

    def __init__(self, directory, mechanism, *options, workers=5):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.path = self.directory / "mux"
        self.log_path = self.directory / "log"
        self.arguments = ["/usr/sbin/saslauthd", "-d", "-a", mechanism, "-m", self.directory,
                          "-n", str(workers), *options]
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        wait_for(self._answers, "saslauthd to answer")
        return self

    def _answers(self):
        assert self.process.poll() is None, self.log()
        with socket.socket(socket.AF_UNIX) as link:
            try:
                link.connect(str(self.path))
            except OSError:
                return False
            link.settimeout(PATIENCE_S)
            link.sendall(b"".join(struct.pack(">H", len(text)) + text
                                  for text in (b"nobody", b"x", b"imap", b"")))
            return len(link.recv(2)) == 2

    def log(self):
        return self.log_path.read_text(errors="replace")

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        """Its processes wait for each other at a SIGTERM, at times without an end."""
        self.signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self.process = None

    def stop(self):
        if self.process:
            self.kill()


class Scripted:
    """Listens like saslauthd; each question is answered with these octets.

    b"" is a close without a word; None is silence.
    """

    def __init__(self, directory):
        self.path = pathlib.Path(directory) / "mux"
        self.answer = b"\0\2OK"
        self.questions = []
        self.silent = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen(512)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                link = self.socket.accept()[0]
            except OSError:
                return
            self.questions.append([self._text(link) for _ in range(4)])
            if self.answer is None:
                self.silent.append(link)
                continue
            with link:
                link.sendall(self.answer)

    @staticmethod
    def _text(link):
        size = struct.unpack(">H", link.recv(2, socket.MSG_WAITALL))[0]
        return link.recv(size, socket.MSG_WAITALL).decode() if size else ""

    def answer_the_silent(self):
        while self.silent:
            with self.silent.pop() as link:
                link.sendall(b"\0\2OK")

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()
        while self.silent:
            self.silent.pop().close()


class Accounts:
    """Accounts of this machine and the PAM service mupdate, in the suite's namespace only."""

    SERVICE = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.mounted = []
        self.files = {name: pathlib.Path("/etc", name).read_text(encoding="utf-8")
                      for name in ("passwd", "shadow")}
        self.number = 20000

    def add(self, user, password, locked=False, expired=False):
        digest = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password.encode(),
                                check=True, capture_output=True).stdout.decode().strip()
        self.number += 1
        self.files["passwd"] += f"{user}:x:{self.number}:65534::/nonexistent:/bin/false\n"
        self.files["shadow"] += (f"{user}:{'!' if locked else ''}{digest}:19000:0:99999:7::"
                                 f"{'1' if expired else ''}:\n")

    def mount(self):
        self.files["pam.d/mupdate"] = self.SERVICE
        for name, text in self.files.items():
            path = self.directory / name.replace("/", "-")
            path.write_text(text, encoding="utf-8")
            path.chmod(0o640 if name == "shadow" else 0o644)
            target = os.path.join("/etc", name)
            if LIBC.mount(str(path).encode(), target.encode(), None, MS_BIND, None) != 0:
                raise OSError(ctypes.get_errno(), "mount", target)
            self.mounted.append(target)

    def unmount(self):
        while self.mounted:
            LIBC.umount2(self.mounted.pop().encode(), 2)


SLAPD_CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {directory}/slapd.pid
database mdb
suffix "{domain}"
directory {directory}/data
rootdn "cn=root,{domain}"
rootpw RootPw
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,{domain}" read by * none
"""

LDAP_CONF = """
ldap_servers: {url}
ldap_search_base: {people}
ldap_bind_dn: cn=reader,{domain}
ldap_bind_pw: ReaderPw
ldap_filter: (&(uid=%U)(memberOf=cn=murder,{domain}))
ldap_timeout: 2
ldap_time_limit: 2
"""


class Slapd:
    """A real OpenLDAP with people, and a group for those who may use the Murder."""

    def __init__(self, directory, people, group):
        self.directory = pathlib.Path(directory)
        (self.directory / "data").mkdir(parents=True)
        self.url = f"ldap://127.0.0.1:{free_port()}"
        self.process = None
        self.conf = self.directory / "slapd.conf"
        self.conf.write_text(SLAPD_CONF.format(directory=self.directory, domain=DOMAIN))
        self.options = self.directory / "saslauthd.conf"
        self.options.write_text(LDAP_CONF.format(url=self.url, people=PEOPLE, domain=DOMAIN))
        self.start()
        self._add(people, group)

    def _add(self, people, group):
        def entry(name, *lines):
            return "\n".join([f"dn: {name}", *lines, "", ""])

        text = entry(DOMAIN, "objectClass: dcObject", "objectClass: organization", "o: murder",
                     "dc: murder")
        text += entry(PEOPLE, "objectClass: organizationalUnit", "ou: people")
        text += entry(f"cn=reader,{DOMAIN}", "objectClass: organizationalRole",
                      "objectClass: simpleSecurityObject", "cn: reader", "userPassword: ReaderPw")
        for user, password in people.items():
            text += entry(f"uid={user},{PEOPLE}", "objectClass: inetOrgPerson", f"uid: {user}",
                          f"cn: {user}", f"sn: {user}", f"userPassword: {password}")
        text += entry(f"cn=murder,{DOMAIN}", "objectClass: groupOfNames", "cn: murder",
                      *(f"member: uid={user},{PEOPLE}" for user in group))
        subprocess.run(["ldapadd", "-x", "-H", self.url, "-D", f"cn=root,{DOMAIN}", "-w",
                        "RootPw"], input=text, text=True, check=True, capture_output=True)

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("slapd", path="/usr/sbin:/usr/local/sbin"), "-d", "0", "-f",
                 self.conf, "-h", self.url], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self._answers, "slapd to answer")

    def _answers(self):
        assert self.process.poll() is None, (self.directory / "log").read_text()
        return subprocess.run(["ldapwhoami", "-x", "-H", self.url, "-D", f"cn=root,{DOMAIN}",
                               "-w", "RootPw"], capture_output=True, check=False).returncode == 0

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process:
            self.signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(PATIENCE_S)
            self.process = None
