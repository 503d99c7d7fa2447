"""A real Prometheus scrapes a real master, and judges it by the alerts that come with it.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest

import mupdated
from mupdated import wait_for

HERE = "one.test!p"


class Prometheus:
    """One with a directory and a port of its own, which looks each second."""

    def __init__(self, directory, target):
        self.port = mupdated.free_port()
        self.log_path = directory / "log"
        alerts = directory / "alerts.yml"
        shutil.copy(mupdated.ROOT / "etc/mupdated.alerts.yml", alerts)
        config = directory / "prometheus.yml"
        config.write_text(json.dumps({  # JSON is YAML
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(alerts)],
            "scrape_configs": [{"job_name": "mupdated", "static_configs": [
                {"targets": [f"127.0.0.1:{target}"]}]}]}))
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log,
                stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, path, **parameters):
        """The data of an answer of its HTTP API; None while it does not answer."""
        assert self.process.poll() is None, self.log_path.read_text()
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=mupdated.PATIENCE_S) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def value(self, query):
        """Of a query with one result; None while there is none."""
        data = self.ask("query", query=query)
        if not data or not data["result"]:
            return None
        one, = data["result"]
        return float(one["value"][1])

    def alerts(self):
        """{name: state} of those that are pending or firing."""
        return {one["labels"]["alertname"]: one["state"]
                for one in (self.ask("alerts") or {"alerts": []})["alerts"]}


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="package prometheus")
def test_prometheus_follows_the_table_and_its_alerts_tell_what_is_wrong(watched, tmp_path):
    daemon = watched(stale_reservations_after="100ms")
    with Prometheus(tmp_path, daemon.metrics) as prometheus, daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{number}", HERE, "x") for number in range(40)])
        client.ok("RESERVE", "user.r", HERE)
        for number in range(5):
            client.find(f"user.{number}")
        wait_for(lambda: prometheus.value('mupdated_table_rows{state="active"}') == 40, "40 rows")
        wait_for(lambda: prometheus.value("mupdated_reservations_stale") == 1, "a stale one")
        assert prometheus.value('up{job="mupdated"}') == 1
        assert prometheus.value('mupdated_commands_total{command="find"}') == 5
        assert prometheus.value("mupdated_commit_duration_seconds_count") == \
            prometheus.value('mupdated_commit_duration_seconds_bucket{le="+Inf"}') > 0

        target, = prometheus.ask("targets")["activeTargets"]
        assert target["health"] == "up" and target["lastError"] == ""
        metadata = prometheus.ask("metadata")
        assert metadata["mupdated_commit_duration_seconds"][0]["type"] == "histogram"
        assert metadata["mupdated_logins_total"][0]["type"] == "counter"
        groups = prometheus.ask("rules")["groups"]
        assert all(rule["health"] in ("ok", "unknown") and not rule.get("lastError")
                   for group in groups for rule in group["rules"]), groups

        wait_for(lambda: "MupdatedStaleReservations" in prometheus.alerts(), "the alert")
        assert set(prometheus.alerts()) <= {"MupdatedStaleReservations", "MupdatedSubscriberGone"}
        daemon.stop()
        wait_for(lambda: "MupdatedDown" in prometheus.alerts(), "the alert of its end")
