"""Runs a suite in namespaces of its own, so that the well-known ports, host names and
accounts are free and nothing is left.

SPDX-License-Identifier: BSD-3-Clause
"""
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DAEMON = os.path.join(os.path.dirname(TESTS), 'build', 'mupdated')
DEVICES = ('null', 'zero', 'full', 'random', 'urandom')
HOSTS = '''127.0.0.1 localhost
127.0.0.10 mupdate.murder.test mupdate
127.0.0.11 backend1.murder.test backend1
127.0.0.12 backend2.murder.test backend2
127.0.0.21 frontend1.murder.test frontend1
127.0.0.22 frontend2.murder.test frontend2
'''
SERVICES = '''imap 143/tcp
imap2 143/tcp
pop3 110/tcp
lmtp 24/tcp
mupdate 3905/tcp
'''
NSSWITCH = 'passwd: files\ngroup: files\nhosts: files\nservices: files\n'
LIBC = ctypes.CDLL(None, use_errno=True)
MS_BIND = 4096
MS_REC = 16384
PR_SET_PDEATHSIG = 1


def mount(source, target, kind=None, flags=0, data=None):
    def text(value):
        return None if value is None else value.encode()
    if LIBC.mount(text(source), text(target), text(kind), flags, text(data)) != 0:
        error = ctypes.get_errno()
        sys.exit('cannot mount %s on %s: %s' % (source, target, os.strerror(error)))


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        # SIOCSIFFLAGS with IFF_UP | IFF_LOOPBACK | IFF_RUNNING
        fcntl.ioctl(sock, 0x8914, struct.pack('16sh14x', b'lo', 0x1 | 0x8 | 0x40))


def private_dev(base):
    """A /dev whose only extra is room for the /dev/log that the tests listen on."""
    dev = os.path.join(base, 'dev')
    os.mkdir(dev)
    mount('tmpfs', dev, 'tmpfs', 0, 'mode=755')
    for name in DEVICES:
        open(os.path.join(dev, name), 'w').close()
        mount('/dev/' + name, os.path.join(dev, name), None, MS_BIND)
    os.mkdir(os.path.join(dev, 'shm'))
    mount('tmpfs', os.path.join(dev, 'shm'), 'tmpfs', 0, 'mode=1777')
    for name, target in (('fd', ''), ('stdin', '/0'), ('stdout', '/1'), ('stderr', '/2')):
        os.symlink('/proc/self/fd' + target, os.path.join(dev, name))
    mount(dev, '/dev', None, MS_BIND | MS_REC)


def private_etc(base):
    for name, text in (('hosts', HOSTS), ('services', SERVICES), ('nsswitch.conf', NSSWITCH)):
        path = os.path.join(base, name)
        with open(path, 'w') as file:
            file.write(text)
        os.chmod(path, 0o644)
        mount(path, '/etc/' + name, None, MS_BIND)


def inside(here, base, arguments):
    """As process 1 of the namespaces: set them up, run pytest, reap orphans."""
    # In memory: a test run writes much that need not outlive it, and what a
    # killed process wrote stays as it would on a disk.
    mount('tmpfs', base, 'tmpfs', 0, 'mode=711')
    loopback_up()
    private_etc(base)
    private_dev(base)
    os.environ.update(MURDER_DIR=base, PYTHONDONTWRITEBYTECODE='1', LC_ALL='C.UTF-8')
    for name in ('CYRUS_USER', 'CYRUS_PREFIX', 'PYTEST_ADDOPTS'):
        os.environ.pop(name, None)
    pytest = subprocess.Popen(['/usr/bin/python3', '-m', 'pytest', '-p', 'no:cacheprovider',
                               '--rootdir', here, '-c', os.path.join(here, 'pytest.ini')]
                              + arguments)
    status = 1
    while True:
        pid, result = os.wait()
        if pid == pytest.pid:
            status = os.waitstatus_to_exitcode(result)
            break
    if os.environ.get('MURDER_KEEP'):
        keep(base, os.environ['MURDER_KEEP'])
    return status if status >= 0 else 1


def keep(base, target):
    for folder, _, files in os.walk(base):
        for name in files:
            if name.endswith(('.conf', '.log')):
                goal = os.path.join(target, os.path.relpath(folder, base))
                os.makedirs(goal, exist_ok=True)
                shutil.copy(os.path.join(folder, name), goal)


def outside(here, arguments):
    for path in ('/usr/lib/cyrus/bin/master', '/usr/lib/cyrus/bin/imapd',
                 '/usr/lib/cyrus/bin/pop3d', '/usr/lib/cyrus/bin/mupdate'):
        if not os.access(path, os.X_OK):
            sys.exit('%s is missing: install cyrus-common cyrus-imapd cyrus-pop3d '
                     'cyrus-murder cyrus-clients' % path)
    if os.environ.get('MASTER', 'mupdated') == 'mupdated':
        daemon = os.path.abspath(os.environ.get('MUPDATED', DAEMON))
        if not os.access(daemon, os.X_OK):
            sys.exit('%s is missing: build it first, or set MUPDATED' % daemon)
        os.environ['MUPDATED'] = daemon
    unshare = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
    if os.geteuid() != 0:
        unshare[1:1] = ['--user', '--map-current-user', '--keep-caps']
    probe = subprocess.run(unshare + ['true'], capture_output=True, text=True)
    if probe.returncode != 0:
        sys.exit('this machine does not let %s make namespaces (%s): run as root, or '
                 'allow unprivileged user namespaces' %
                 ('root' if os.geteuid() == 0 else 'this user', probe.stderr.strip()))
    if os.environ.get('MURDER_KEEP'):
        os.environ['MURDER_KEEP'] = os.path.abspath(os.environ['MURDER_KEEP'])
    arguments = [os.path.abspath(word) if os.path.exists(word.split('::')[0]) else word
                 for word in arguments]
    # Where pytest looks for tests if no argument names any.
    os.chdir(here)
    base = tempfile.mkdtemp(prefix='murder.')
    # However this process ends, unshare ends, and with it everything in the namespaces.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with subprocess.Popen(unshare + [sys.executable, os.path.join(here, 'run'), '--inside', base] + arguments,
                              preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                              ) as process:
            try:
                return process.wait()
            except BaseException:
                process.kill()
                raise
    except KeyboardInterrupt:
        return 130
    finally:
        os.rmdir(base)


def main(script):
    """Run the suite in the folder of script, which calls this; never returns."""
    here = os.path.dirname(os.path.abspath(script))
    if sys.argv[1:2] == ['--inside']:
        sys.exit(inside(here, sys.argv[2], sys.argv[3:]))
    sys.exit(outside(here, sys.argv[1:]))
