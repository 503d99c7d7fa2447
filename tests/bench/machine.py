# SPDX-License-Identifier: BSD-3-Clause
"""The machine that all is measured on, and its own limits just now."""

import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess

# Changes in a transaction of the bare store. 20 is what 64 clients that wait for
# their OK bring together on 2 processors, on average (perf stat -e
# syscalls:sys_enter_fdatasync beside their changes); 64 is the most that they could.
STORE_BATCHES = (1, 8, 20, 64, 256)
FEW_BATCHES = (1, 20, 64)


class MachineError(Exception):
    """A limit of the machine that cannot be measured."""


def filesystem_of(directory):
    query = ["findmnt", "-n", "-o", "FSTYPE", "-T", str(directory)]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()


def description(directory):
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "kernel": platform.release(),
        "directory": str(directory),
        "filesystem": filesystem_of(directory),
    }


def bare_store(program, directory, rows, seconds, batches=STORE_BATCHES):
    """Durable changes per second by the size of the transaction, without a server."""
    place = directory / "store"
    command = [program, place, rows, seconds, *batches]
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            check=False)
    shutil.rmtree(place, ignore_errors=True)
    if result.returncode != 0:
        raise MachineError(f"{program}: {result.stderr.strip()}")
    values = {}
    for batch in json.loads(result.stdout)["batches"]:
        values[f"store_create_{batch['changes']}_per_s"] = batch["create_per_s"]
        values[f"store_acl_{batch['changes']}_per_s"] = batch["acl_per_s"]
    return values


def limits(tool, store_program, directory, rows, short):
    """One sample of everything that no server can exceed."""
    seconds = 0.3 if short else 0.5
    loopback = tool.run(None, "loopback", seconds=seconds)
    disk = tool.run(None, "fsync", seconds=seconds, directory=directory)
    memory = tool.run(None, "memcpy", seconds=seconds)
    return {
        "fdatasync_per_s": disk["ops_per_s"],
        "fdatasync_p50_us": disk["p50_us"],
        "overwrite_per_s": disk["overwrite_per_s"],
        "overwrite_p50_us": disk["overwrite_p50_us"],
        "loopback_round_trips_per_s": loopback["ops_per_s"],
        "loopback_round_trip_p50_us": loopback["p50_us"],
        "loopback_bytes_per_s": loopback["bytes_per_s"],
        "memory_copy_bytes_per_s": memory["bytes_per_s"],
        **bare_store(store_program, directory, rows, seconds,
                     FEW_BATCHES if short else STORE_BATCHES),
    }


def median_of(samples):
    """The median and half the spread of each limit of several samples, or of none."""
    keys = samples[0] if samples else ()
    values = {key: [sample[key] for sample in samples] for key in keys}
    return ({key: statistics.median(many) for key, many in values.items()},
            {key: (max(many) - min(many)) / 2 / statistics.median(many)
             for key, many in values.items()})
