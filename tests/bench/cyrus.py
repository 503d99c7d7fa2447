# SPDX-License-Identifier: BSD-3-Clause
"""Cyrus's own master list: mupdate -m below Cyrus's master process."""

import os
import pathlib
import shutil
import subprocess

import servers

BIN = pathlib.Path("/usr/lib/cyrus/bin")

# What tools/mupdate-bench/row.c makes of a row number.
FOLDERS = ("", ".Sent", ".Drafts", ".Trash", ".Archive.2026")


def record(number):
    """A row as Cyrus 3.6 keeps it: a dot in the name is the octet 0x1F."""
    user, folder = divmod(number, len(FOLDERS))
    name = f"user.bench{user:08}{FOLDERS[folder]}".replace(".", "\x1f")
    location = f"P default S backend{user % 4 + 1}.bench.test"
    acl = f"A %(bench{user:08} lrswipkxtecdan)"
    return f"N{name}\t%(T er {location} M 1700000000 {acl})\n".encode()


def children_of(parent):
    """(pid, name) of the processes that a process has started."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text(errors="replace").partition("(")[2].rpartition(")")
        except OSError:
            continue  # it has ended since
        if int(rest.split()[1]) == parent:
            yield int(path.parent.name), name


class Cyrus(servers.Server):
    """Cyrus with a table of its own."""

    name = "Cyrus"

    # Room for the clients of the comparison, as far as the program goes.
    SETTINGS = (
        "mupdate_connections_max: 20000\n"
        "mupdate_workers_start: 32\n"
        "mupdate_workers_minspare: 16\n"
        "mupdate_workers_maxspare: 128\n"
        "mupdate_workers_max: 1100\n"
    )

    @staticmethod
    def missing():
        if not (BIN / "mupdate").exists():
            return "Cyrus's mupdate is not installed: apt-get install cyrus-murder"
        if os.geteuid() != 0:
            return "Cyrus's master process must be started by root"
        return None

    @staticmethod
    def version():
        query = ["dpkg-query", "-W", "-f", "${Version}", "cyrus-murder"]
        result = subprocess.run(query, capture_output=True, text=True, check=False)
        return result.stdout.strip() or "unknown"

    def configure(self):
        for name in ("db", "proc", "socket", "ptclient", "log", "msg"):
            (self.directory / "conf" / name).mkdir(parents=True)
        (self.directory / "imapd.conf").write_text(
            servers.common_settings(self.directory)
            + self.SETTINGS
            + f"configdirectory: {self.directory}/conf\n"
            f"partition-default: {self.directory}/conf\n"
            f"idlesocket: {self.directory}/conf/socket/idle\n"
        )
        self.repair_at_start(True)

    def repair_at_start(self, whether):
        """The cyrus.conf that comes with Cyrus has ctl_cyrusdb -r in it."""
        repair = f'  recover cmd="ctl_cyrusdb -C {self.directory}/imapd.conf -r"\n'
        command = f"mupdate -C {self.directory}/imapd.conf -m"
        (self.directory / "cyrus.conf").write_text(
            f"START {{\n{repair if whether else ''}}}\nSERVICES {{\n"
            f'  mupdate cmd="{command}" listen="127.0.0.1:{self.port}" prefork=1\n'
            "}\nEVENTS {\n}\n"
        )

    def make_table(self, rows, tool):
        """Fill its database file with Cyrus's own converter: over the wire it takes minutes."""
        del tool
        self.configure()
        self.give_away()
        self.start()
        self.empty_bytes = self.resident_bytes()
        self.stop()
        self.load(rows)
        self.rows = rows
        self.start()

    def launch(self):
        self.give_away()
        self.spawn(
            [
                BIN / "master",
                "-D",
                "-C",
                self.directory / "imapd.conf",
                "-M",
                self.directory / "cyrus.conf",
                "-p",
                self.directory / "master.pid",
            ]
        )

    def pid(self):
        for pid, name in children_of(self.process.pid):
            if name == "mupdate":
                return pid
        raise servers.ServerError("Cyrus's mupdate has ended")

    def give_away(self):
        """Cyrus's programs, the converter too, become the user cyrus first of all."""
        for path in [self.directory, *self.directory.rglob("*")]:
            shutil.chown(path, "cyrus", "mail")

    def load(self, rows):
        flat = self.directory / "rows.flat"
        with open(flat, "wb") as out:
            out.writelines(sorted(map(record, range(rows))))
        self.give_away()
        database = self.directory / "conf" / "mailboxes.db"
        database.unlink(missing_ok=True)
        convert = [BIN / "cvt_cyrusdb", "-C", self.directory / "imapd.conf"]
        convert += [flat, "flat", database, "twoskip"]
        result = subprocess.run(convert, capture_output=True, text=True, check=False)
        if result.returncode != 0 or "DBERROR" in result.stdout:
            raise servers.ServerError(f"cvt_cyrusdb: {result.stdout}{result.stderr}")
        flat.unlink()
