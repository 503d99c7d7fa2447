"""A host like this one, in namespaces of its own: what is changed there is gone at its end.

Its file system is this one's with a layer in memory on top; it has processes, loopback and
/run of its own, and no service runs.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import pathlib
import re
import shutil
import subprocess

from mupdated import PATIENCE_S

SET_UP = """
set -e
place=$1
mount --make-rprivate /
mount -t tmpfs -o size=1g,mode=755 none "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay "$place/root" \
    -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work"
cd "$place/root"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=1777 none tmp
# It indexes all manual pages at each change of a package.
rm -f var/lib/man-db/auto-update
/usr/bin/python3 -c "import sys; sys.path.insert(0, '$2'); import namespaces; \
namespaces.loopback_up()"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c 'cd / && echo ready && exec sleep 1000000'
"""
SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"


def child_of(process):
    """The process that one of ours has started."""
    return int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
               .read_text(encoding="ascii").split()[0])


class Host:
    def __init__(self, place):
        place.mkdir()
        # unshare(1) ends for nothing but SIGKILL, and then its child, and all below it, with it.
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child",
             "sh", "-c", SET_UP, "sh", place, SUPPORT],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n", self.holder.stderr.read()
        self.first = child_of(self.holder)
        self.layer = pathlib.Path(f"/proc/{self.holder.pid}/root{place}/upper")

    def end(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()

    def command(self, *words):
        """What runs such a command there."""
        return ["nsenter", f"--target={self.first}", "--mount", "--pid", "--net", "--ipc", "--uts",
                "--root", "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                "DEBIAN_FRONTEND=noninteractive", *map(str, words)]

    def run(self, *words, status=0, **options):
        """Run a command there; return what it says, on both outputs."""
        options.setdefault("timeout", PATIENCE_S)
        done = subprocess.run(self.command(*words), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, **options)
        assert done.returncode == status, (words, done.returncode, done.stdout)
        return done.stdout

    def shell(self, script, **options):
        return self.run("sh", "-ec", script, **options)

    def path(self, name):
        """A file of that host, seen from here."""
        return pathlib.Path(f"/proc/{self.first}/root") / str(name).lstrip("/")

    def install(self, *files):
        """Install packages by their files; those that they need must be there."""
        for file in files:
            shutil.copy(file, self.path("/tmp"))
        return self.run("dpkg", "--force-unsafe-io", "--install", *(f"/tmp/{file.name}" for file in files))

    def new_files(self):
        """What is there and was not at the beginning, but for /run and /tmp."""
        changed = ("/" + str(path.relative_to(self.layer)) for path in self.layer.rglob("*"))
        return {name for name in changed
                if os.path.lexists(self.path(name)) and not os.path.lexists(name)}

    def start_as_the_unit_says(self, unit="/lib/systemd/system/mupdated.service"):
        """As systemd would, but for the sandbox. The process, with its log as its output."""
        text = self.path(unit).read_text()

        def setting(name):
            return re.search(rf"^{name}=(.*)$", text, re.MULTILINE)[1]

        for kind, where in (("State", "/var/lib"), ("Runtime", "/run")):
            self.run("install", "-d", "-o", setting("User"), "-g", setting("Group"), "-m",
                     setting(f"{kind}DirectoryMode"), f"{where}/{setting(f'{kind}Directory')}")
        return subprocess.Popen(
            self.command("setpriv", f"--reuid={setting('User')}", f"--regid={setting('Group')}",
                         "--init-groups", "--no-new-privs", "--inh-caps=-all", "sh", "-c",
                         f"umask {setting('UMask')}; exec {setting('ExecStart')}"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
