"""What the HTTP server answers, whom it keeps waiting, and what that costs others.

SPDX-License-Identifier: BSD-3-Clause
"""

import http.client
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import mupdated
from dumps import compose, nasty_rows
from fixtures import fill_up
from metrics import TEXT_TYPE, Scrape, ask
from mupdated import wait_for
from sandbox import Traced, needs_tracing

HERE = "one.test!p"

SCOPE = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")
needs_attaching = pytest.mark.skipif(
    os.geteuid() != 0 and SCOPE.exists() and SCOPE.read_text(encoding="ascii") != "0\n",
    reason="only root may attach a tracer to a process here")


def _answer(port, path):
    """None while nobody answers."""
    try:
        return ask(port, path)
    except (OSError, http.client.HTTPException):
        return None


@pytest.mark.parametrize("path, kind", [
    ("/metrics", TEXT_TYPE), ("/metrics?name=x", TEXT_TYPE),
    ("/healthz", "text/plain; charset=utf-8"), ("/readyz", "text/plain; charset=utf-8")])
def test_each_path_has_its_type_and_a_length_for_get_and_head(watched, path, kind):
    daemon = watched()
    got, head = ask(daemon.metrics, path), ask(daemon.metrics, path, "HEAD")
    assert got.status == head.status == 200
    assert got.headers["Content-Type"] == head.headers["Content-Type"] == kind
    assert int(got.headers["Content-Length"]) == len(got.body.encode()) > 0
    assert head.body == "" and int(head.headers["Content-Length"]) > 0
    assert got.headers["Cache-Control"] == "no-store"


def test_other_paths_and_methods_are_refused(watched):
    daemon = watched()
    for path in ("/", "/metrics/", "/metric", "//metrics", "/healthz/../metrics", "*"):
        assert ask(daemon.metrics, path).status == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
        for path in ("/metrics", "/healthz", "/readyz"):
            refused = ask(daemon.metrics, path, method)
            assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD"), method


def test_what_is_no_http_ends_its_connection_only(watched):
    daemon = watched()
    for octets in (b"N0 NOOP\r\n\r\n", b"\0" * 1000, b"GET /metrics\r\n" * 2000 + b"\r\n",
                   b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n",
                   b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500):
        with socket.create_connection(("127.0.0.1", daemon.metrics)) as client:
            try:
                client.sendall(octets)
            except ConnectionError:
                pass
    assert ask(daemon.metrics, "/healthz").status == 200
    with daemon.client() as client:
        client.ok("ACTIVATE", "user.a", HERE, "x")


def test_a_port_alone_is_one_of_this_host(watched):
    daemon = watched()
    daemon.wait_for_log(rf"listening: metrics=127\.0\.0\.1:{daemon.metrics}$")
    with pytest.raises(ConnectionRefusedError):
        ask(daemon.metrics, "/healthz", address="127.0.0.2")
    assert "nobody is asked who he is" not in daemon.log()


@pytest.mark.parametrize("value", ["none", None])
def test_there_is_none_unless_it_is_asked_for(watched, value):
    daemon = watched(metrics_listen=value)
    assert "metrics" not in daemon.log()
    with pytest.raises(ConnectionRefusedError):
        ask(daemon.metrics, "/healthz")


def test_another_address_is_told_of(watched):
    port = mupdated.free_port()
    daemon = watched(metrics_listen=f"0.0.0.0:{port}")
    assert f"metrics_listen: other hosts can ask at 0.0.0.0:{port}" in daemon.log()
    assert ask(port, "/readyz", address="127.0.0.2").status == 200


def test_mail_goes_on_when_the_address_is_taken(watched):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        daemon = watched(metrics_listen=str(port))
        daemon.wait_for_log(f"error: no metrics: 127.0.0.1:{port}: Address already in use; "
                            "correct the key metrics_listen")
        with daemon.client() as client:
            client.ok("ACTIVATE", "user.a", HERE, "x")


def test_a_reload_leaves_it_as_it_is(watched):
    daemon = watched()
    port = mupdated.free_port()
    said = daemon.reload(metrics_listen=str(port))
    assert "key=metrics_listen changed; this takes effect at the next start only" in said
    assert ask(daemon.metrics, "/metrics").status == 200
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/metrics")


# --- well and ready ---

def test_an_unconfirmed_table_is_well_but_not_ready(daemons):
    daemon = daemons.make(metrics_listen=f"127.0.0.1:{mupdated.free_port()}")
    port = int(daemon.settings["metrics_listen"].split(":")[1])
    path = daemon.directory / "a.mupdate"
    path.write_bytes(compose(nasty_rows(20)))
    daemon.ctl("load", path)
    daemon.start()
    ready = ask(port, "/readyz")
    assert (ready.status, ready.body) == (
        503, "the table is not confirmed: see mupdatectl confirm\n")
    assert ask(port, "/healthz").status == 200
    daemon.ctl("confirm")
    assert (ask(port, "/readyz").status, ask(port, "/readyz").body) == (200, "ready\n")


def test_a_full_disk_is_not_ready_until_there_is_room(daemons, small_disk):
    prefix, place, here = small_disk
    port = mupdated.free_port()
    daemon = daemons.make(prefix=prefix, database_directory=place / "database",
                          metrics_listen=str(port))
    daemon.configure(control_socket=str(daemon.directory / "control"))
    daemon.start()
    assert ask(port, "/readyz").status == 200
    fill_up(here / "filler")
    ready = ask(port, "/readyz")
    assert ready.status == 503 and ready.body.startswith("the disk is full: "), ready.body
    assert ask(port, "/healthz").status == 200
    with daemon.client() as client:
        assert client.set("ACTIVATE", "user.a", HERE, "x" * 60000)[0] == "NO"
        (here / "filler").unlink()
        assert ask(port, "/readyz").body == "changes are being refused, see the log\n"
        client.ok("ACTIVATE", "user.a", HERE, "x")
    assert ask(port, "/readyz").status == 200


@needs_tracing
def test_while_it_starts_it_is_well_but_not_ready(daemons, tmp_path):
    port = mupdated.free_port()
    daemon = Traced.make(daemons, tmp_path / "trace", metrics_listen=str(port))
    # The lock of the table is slow to be had.
    daemon.prefix += ["-e", "trace=flock", "-e", "inject=flock:delay_enter=3000000"]
    daemon.start(wait=False)
    health = wait_for(lambda: _answer(port, "/healthz"), "an answer")
    said = {path: ask(port, path) for path in ("/readyz", "/metrics")}
    for answer in (health, *said.values()):
        assert answer.body == "starting: the table is being read\n"
    assert (health.status, said["/readyz"].status, said["/metrics"].status) == (200, 503, 503)
    wait_for(lambda: _answer(port, "/readyz").status == 200, "the table")
    assert ask(port, "/metrics").status == 200


@needs_tracing
@needs_attaching
def test_a_disk_that_does_not_answer_is_seen(watched, tmp_path):
    """strace holds up what the writer's thread asks of the disk."""
    daemon = watched()
    trace = subprocess.Popen(
        ["strace", "-q", "-f", "-p", str(daemon.process.pid), "-o", tmp_path / "trace", "-e",
         "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:delay_enter=3000000"],
        stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: "TracerPid:\t0\n" not in
                 open(f"/proc/{daemon.process.pid}/status", encoding="ascii").read(), "strace")
        with daemon.client() as client:
            client.send(mupdated.command_octets("A1", "ACTIVATE", "user.a", HERE, "x"))
            wait_for(lambda: Scrape(daemon.metrics)("batch_running_seconds") > 0.2, "a wait")
            scrape = Scrape(daemon.metrics)
            assert scrape("changes_pending") == 1 and scrape("table_sequence") == 0
            assert client.answer("A1")[1] == "OK"
            assert Scrape(daemon.metrics)("batch_running_seconds") == 0
    finally:
        trace.terminate()
        trace.wait()


def test_while_it_stops_it_is_well_but_not_ready(watched):
    daemon = watched()
    # A subscriber that takes nothing is waited for, up to two seconds.
    with daemon.client(receive_bytes=4096) as idle, daemon.client() as client:
        for number in range(60):
            client.ok("ACTIVATE", f"user.{number}", HERE, "x" * 60000)
        idle.send("U1 UPDATE\r\n")
        wait_for(lambda: daemon.log().count("subscriber: "), "the subscriber")
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log("notice: stopping: ")
        ready = ask(daemon.metrics, "/readyz")
        assert (ready.status, ready.body) == (503, "stopping\n")
        assert ask(daemon.metrics, "/healthz").status == 200
        assert ask(daemon.metrics, "/metrics").status == 200
    assert daemon.wait() == 0
    with pytest.raises(ConnectionRefusedError):
        ask(daemon.metrics, "/healthz")


@needs_tracing
@needs_attaching
def test_a_loop_that_hangs_is_told_of(watched, tmp_path):
    """strace holds up the thread of the loop, and no other."""
    daemon = watched()
    trace = subprocess.Popen(
        ["strace", "-q", "-p", str(daemon.process.pid), "-o", tmp_path / "trace",
         "-e", "trace=epoll_wait,epoll_pwait", "-e",
         "inject=epoll_wait,epoll_pwait:delay_exit=8000000"],
        stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: "TracerPid:\t0\n" not in
                 open(f"/proc/{daemon.process.pid}/status", encoding="ascii").read(), "strace")
        for path in ("/healthz", "/readyz", "/metrics"):
            answer = ask(daemon.metrics, path)
            assert answer.status == 503, answer.body
            assert answer.body.startswith("the event loop has not answered for "), answer.body
    finally:
        trace.terminate()
        trace.wait()
    wait_for(lambda: ask(daemon.metrics, "/healthz").status == 200, "the loop to go on")


# --- clients that misbehave ---

def test_clients_that_say_nothing_are_few_and_cost_the_mail_side_nothing(watched):
    daemon = watched()
    silent = [socket.create_connection(("127.0.0.1", daemon.metrics)) for _ in range(30)]
    try:
        for client in silent[:4]:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ")
        with daemon.client() as client:
            for number in range(100):
                client.ok("ACTIVATE", f"user.{number}", HERE, "x")
        # From another address there is room: those of one are no more than half.
        with socket.create_connection(("127.0.0.1", daemon.metrics),
                                      source_address=("127.0.0.5", 0)) as other:
            other.settimeout(mupdated.PATIENCE_S)
            other.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert other.recv(65536).startswith(b"HTTP/1.")
        files = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        assert files < 64
    finally:
        for client in silent:
            client.close()
    wait_for(lambda: _answer(daemon.metrics, "/healthz"), "room for others")




def test_one_that_does_not_read_delays_no_other(watched):
    daemon = watched()
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number}", f"{number:0200}.test!p", "x")
                         for number in range(300)])
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect(("127.0.0.1", daemon.metrics))
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(3):
            assert ask(daemon.metrics, "/metrics").status == 200
        slow.settimeout(mupdated.PATIENCE_S)
        assert slow.recv(20).startswith(b"HTTP/1.1 200")


def test_who_asks_without_an_end_gets_a_twentieth_of_the_loop(watched):
    """Of the processor's time, roughly: the server's thread and the loop's work share it."""
    daemon = watched()
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number}", f"{number}.test!p", "x")
                         for number in range(2000)])
    pid = daemon.process.pid

    def loop_ticks():
        with open(f"/proc/{pid}/task/{pid}/stat", encoding="ascii") as file:
            words = file.read().rpartition(")")[2].split()
        return int(words[11]) + int(words[12])

    wait_for(lambda: _still(loop_ticks), "the loop to have nothing to do")
    before, began, asked = loop_ticks(), time.monotonic(), 0
    while time.monotonic() - began < 2:
        assert ask(daemon.metrics, "/metrics").status == 200
        asked += 1
    used = (loop_ticks() - before) / os.sysconf("SC_CLK_TCK")
    share = used / (time.monotonic() - began)
    mupdated_share = 0.15 if not mupdated.SANITIZED else 1
    assert share < mupdated_share, (share, asked)


def _still(ticks):
    before = ticks()
    time.sleep(0.1)
    return ticks() == before


def test_descriptors_are_kept_aside_for_it(daemons):
    """What the process says that it needs grows by them."""
    def needed(**settings):
        daemon = daemons.make(prefix=["prlimit", "--nofile=100:100"], **settings)
        daemon.start()
        return int(daemon.wait_for_log(r"descriptors: limit=100 .* needs (\d+)")[1])

    assert needed(metrics_listen=str(mupdated.free_port())) == needed() + 21
