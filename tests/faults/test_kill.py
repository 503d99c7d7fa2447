"""kill -9 under load: what was acknowledged is there, what was refused is not.

SPDX-License-Identifier: BSD-3-Clause
"""

import random
import threading
import time

from mupdated import Closed, command_octets, literal, row

ROUNDS = 10
WRITERS = 6
NAMES = 40
PIPELINED = 30
LOCATIONS = ["one.test!default", "two.test!default"]


class Expectation:
    """What one mailbox may be: one state, or several while a change is unanswered."""

    def __init__(self):
        self.states = [None]

    def after(self, command):
        """{answer: state} that the command may lead to, from each state it may be in."""
        verb, name, *strings = command
        ends = []
        for state in self.states:
            if verb == "RESERVE":
                if state is None:
                    ends.append(("OK", row("RESERVE", name, *strings)))
                else:
                    ends.append(("OK" if state[2] == strings[0].encode() else "NO", state))
            elif verb == "ACTIVATE":
                ends.append(("OK", row("MAILBOX", name, *strings)))
            elif verb == "DEACTIVATE":
                if state is not None and state[0] == "MAILBOX":
                    ends.append(("OK", row("RESERVE", name, *strings)))
                else:
                    ends.append(("NO", state))
            else:
                ends.append(("NO" if state is None else "OK", None))
        return ends

    def answered(self, command, word):
        states = [state for answer, state in self.after(command) if answer == word]
        assert states, (command, word, self.states)
        self.states = states

    def unanswered(self, command):
        self.states += [state for _, state in self.after(command)]


class Writer(threading.Thread):
    """Changes mailboxes of its own until the connection breaks."""

    def __init__(self, daemon, number, seed, expectations):
        super().__init__()
        self.client = daemon.client()
        self.chance = random.Random(f"{number}/{seed}")
        self.names = [f"user.{number}.{part:02}" for part in range(NAMES)]
        self.expectations = expectations
        self.acknowledged = 0
        self.failure = None

    def command(self):
        name = self.chance.choice(self.names)
        verb = self.chance.choice(["RESERVE", "ACTIVATE", "ACTIVATE", "DEACTIVATE", "DELETE"])
        if verb == "DELETE":
            return verb, name
        strings = [self.chance.choice(LOCATIONS)]
        if verb == "ACTIVATE":
            strings.append("anna\t" + "lrswipkxtecda"[:self.chance.randint(1, 13)] + "\t")
        return verb, name, *strings

    def run(self):
        try:
            self.write()
        except BaseException as failure:  # noqa: B902: the test shows it
            self.failure = failure

    def write(self):
        pending = []
        try:
            while True:
                commands = [self.command() for _ in range(PIPELINED)]
                pending = commands[:]
                self.client.send(b"".join(command_octets("A1", *command)
                                          for command in commands))
                for command in commands:
                    word = self.client.answer("A1")[1]
                    self.expectations[command[1]].answered(command, word)
                    pending.pop(0)
                    self.acknowledged += word == "OK"
        except (Closed, ConnectionError):
            for command in pending:
                self.expectations[command[1]].unanswered(command)
        self.client.close()


def found(client, names):
    """{name: row} of pipelined FINDs."""
    client.send(b"".join(b"F1 FIND " + literal(name) + b"\r\n" for name in names))
    return {name: next(iter(client.answer("F1")[0]), None) for name in names}


def test_ten_kills_under_load_lose_nothing_acknowledged(start):
    daemon = start(checkpoint_interval="200ms")
    expectations = {f"user.{number}.{part:02}": Expectation()
                    for number in range(WRITERS) for part in range(NAMES)}
    acknowledged = 0
    for turn in range(ROUNDS):
        follower = daemon.subscriber()
        writers = [Writer(daemon, number, turn, expectations) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        # At another moment each time, and never before there is something to lose.
        while sum(writer.acknowledged for writer in writers) < 300 * (1 + turn % 4):
            assert any(writer.is_alive() for writer in writers), writers[0].failure
            time.sleep(0.001)
        daemon.kill()
        for writer in writers:
            writer.join()
            assert writer.failure is None, writer.failure
        acknowledged += sum(writer.acknowledged for writer in writers)
        follower.close()

        daemon.check_database()
        daemon.start()
        with daemon.client() as client:
            table = found(client, expectations)
            for name, expectation in expectations.items():
                assert table[name] in expectation.states, (turn, name, expectation.states)
                expectation.states = [table[name]]
            there = sorted(one for one in table.values() if one is not None)
            assert sorted(client.list()) == there
        with daemon.client() as again:
            assert sorted(again.update()) == there
    assert acknowledged > 300 * ROUNDS
    daemon.stop()
    daemon.check_database()


def test_what_a_subscriber_saw_before_the_kill_is_there_afterwards(start):
    daemon = start()
    for turn in range(3):
        stream, client = daemon.subscriber(), daemon.client()
        assert stream.changes() == []
        client.send(b"".join(command_octets(f"A{number}", "ACTIVATE", f"user.{turn}.{number}",
                                            LOCATIONS[0], "x") for number in range(5000)))
        seen = [stream.change() for _ in range(200)]
        daemon.kill()
        try:
            while True:
                seen.append(stream.change())
        except (Closed, ConnectionError):
            stream.close()
        client.close()
        daemon.start()
        with daemon.client() as client:
            table = found(client, [one[1] for one in seen])
            assert list(table.values()) == seen


def test_a_kill_while_it_starts_or_ends_loses_nothing(start):
    daemon = start()
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number}", LOCATIONS[0], "x" * 1000)
                         for number in range(2000)])
        before = client.list()
    # The times only spread the moments; at each the same must hold.
    for delay in (0, 0.005, 0.02, 0.05, 0.1):
        daemon.process.terminate()
        time.sleep(delay)
        daemon.kill()
        daemon.start(wait=False)
        time.sleep(delay)
        daemon.kill()
        daemon.check_database()
        daemon.start()
    daemon.kill()
    daemon.check_database()
    daemon.start()
    with daemon.client() as client:
        assert client.list() == before


def test_the_disk_use_is_bounded(start):
    daemon = start(checkpoint_interval="100ms", log_changes=1000, subscriber_backlog=1000)
    directory = daemon.settings["database_directory"]

    def used():
        return sum(path.stat().st_blocks * 512 for path in directory.rglob("*")
                   if path.is_file()) >> 20

    with daemon.client() as client:
        for turn in range(40):
            commands = [("ACTIVATE", f"user.{number}", LOCATIONS[0], f"{turn}" + "x" * 10000)
                        for number in range(200)]
            assert set(client.set_many(commands)) == {"OK"}
    # 80 MB of rows went through, twice with the log of changes.
    daemon.restart()
    assert used() < 110, [(path.name, path.stat().st_size) for path in directory.rglob("*")]
