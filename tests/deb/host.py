"""A host like this one, in namespaces of its own: what is changed there is gone at its end.

Its file system is this one's with a layer in memory on top; it has processes, loopback, /dev
and /run of its own. Its first process is one that sleeps, or systemd, which then starts
nothing of this host's services.

SPDX-License-Identifier: BSD-3-Clause
"""

import os
import pathlib
import re
import shutil
import subprocess

from mupdated import PATIENCE_S, wait_for

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"

SET_UP = """
set -e
place=$1 support=$2
mount --make-rprivate /
mount -t tmpfs -o size=1g,mode=755 none "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay "$place/root" \
    -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work"
cd "$place/root"
mount -t proc proc proc
mount -t tmpfs -o mode=755 none dev
for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=1777 none tmp
mkdir run/layer
mount --bind "$place/upper" run/layer
# It indexes all manual pages at each change of a package.
rm -f var/lib/man-db/auto-update
# Of this host's services none is started there, and none of its disks mounted.
rm -rf etc/systemd/system/*.wants etc/fstab usr/sbin/policy-rc.d
/usr/bin/python3 -c "import sys; sys.path.insert(0, '$support'); import namespaces; \
namespaces.loopback_up()"
# What is the kernel's own, and so this host's, can only be read.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
"""

# A chroot would do for packages, but systemd's sandboxes need a root of a file system.
ENTER = """
pivot_root . mnt
umount -l /mnt
cd /
exec </dev/null
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-sys_time,-sys_module,-sys_boot,-sys_rawio,-syslog \
"""
SLEEP = ENTER + "    sh -c 'echo ready && exec sleep 1000000'\n"
SYSTEMD = """
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
""" + ENTER + """    sh -c 'echo ready && exec /lib/systemd/systemd --unit=basic.target \
    --log-target=journal --show-status=0'
"""


def child_of(process):
    """The process that one of ours has started."""
    return int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
               .read_text(encoding="ascii").split()[0])


def control_groups():
    """Where the kernel's one tree of control groups is, which systemd can use; or None."""
    mounts = pathlib.Path("/proc/self/mounts").read_text(encoding="ascii")
    found = re.search(r"^\S+ (\S+) cgroup2 rw", mounts, re.MULTILINE)
    return pathlib.Path(found[1]) if found else None


class NoHost(Exception):
    """This system does not let us make one; its text says what it said."""


class Host:
    def __init__(self, place, systemd=False):
        place.mkdir()
        self.group = None
        into_group = ""
        if systemd:
            group = control_groups() / f"mupdated-test-{os.getpid()}"
            try:
                group.mkdir()
            except OSError as error:
                raise NoHost(str(error)) from error
            self.group = group
            into_group = f"echo $$ >{self.group}/cgroup.procs; "
        # unshare(1) ends for nothing but SIGKILL, and then its child, and all below it, with it.
        self.holder = subprocess.Popen(
            ["sh", "-c", into_group + 'exec unshare --mount --pid --net --ipc --uts --cgroup '
             '--fork --kill-child sh -c "$0" sh "$@"', SET_UP + (SYSTEMD if systemd else SLEEP),
             place, SUPPORT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            said = self.holder.stderr.read()
            self.end()
            raise NoHost(said.strip())
        self.first = child_of(self.holder)
        if systemd:
            wait_for(lambda: self.path("/run/systemd/private").exists(), "systemd")
            self.run("systemctl", "is-system-running", "--wait")

    def end(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()
        if self.group:
            wait_for(self._groups_are_gone, "the control groups to be empty")

    def _groups_are_gone(self):
        for folder, _, _ in os.walk(self.group, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                return False
        return True

    def command(self, *words):
        """What runs such a command there."""
        return ["nsenter", f"--target={self.first}", "--mount", "--pid", "--net", "--ipc", "--uts",
                "--cgroup", "--root", "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", *map(str, words)]

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
        return self.run("dpkg", "--force-unsafe-io", "--install",
                        *(f"/tmp/{file.name}" for file in files))

    def new_files(self):
        """What is there and was not at the beginning, but for /run, /tmp and /dev."""
        layer = self.path("/run/layer")
        changed = ("/" + str(path.relative_to(layer)) for path in layer.rglob("*"))
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
