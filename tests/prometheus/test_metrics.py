"""The metrics as such: their names and types, the manual, the alerts and the dashboard.

SPDX-License-Identifier: BSD-3-Clause
"""

import json
import pathlib
import re
import subprocess

import pytest

import mupdated
from metrics import Scrape, ask

ROOT = mupdated.ROOT
MANUAL = ROOT / "man/mupdate-metrics.7"
ALERTS = ROOT / "etc/mupdated.alerts.yml"
DASHBOARD = ROOT / "etc/mupdated-dashboard.json"
NAME = re.compile(r"\bmupdated_[a-z_]+")
HERE = "one.test!p"


def promtool(*arguments, **options):
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False,
                          timeout=mupdated.PATIENCE_S, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, certificate):
    """One that has done a little of everything, so that each metric has a value."""
    daemons = mupdated.Daemons(tmp_path_factory.mktemp("metrics"))
    port = mupdated.free_port()
    daemon = daemons.make(metrics_listen=str(port), checkpoint_interval="100ms", **certificate)
    daemon.metrics = port
    daemon.start()
    with daemon.subscriber(), daemon.client() as client:
        client.ok("ACTIVATE", "user.a", b'q"u\\o\xff\n!p'.replace(b"\n", b"\t"), "x")
        client.ok("ACTIVATE", "user.b", "other!p", "x")
        daemon.ctl("backup", daemon.directory / "backup")
        mupdated.wait_for(lambda: Scrape(port)("checkpoint_time_seconds"), "a checkpoint")
        yield daemon
    daemons.end()


@pytest.fixture(scope="module")
def scrape(daemon):
    return Scrape(daemon.metrics)


def test_promtool_finds_nothing_to_say(scrape):
    assert promtool("check", "metrics", input=scrape.text) == ""


def test_each_metric_has_its_help_its_type_and_a_value(scrape):
    assert set(scrape.types) == set(scrape.helps) and len(scrape.types) > 40
    values = {re.sub(r"_(bucket|sum|count)$", "", name)
              if re.sub(r"_(bucket|sum|count)$", "", name) in scrape.types else name
              for name, _ in scrape.samples}
    assert values == set(scrape.types)


def test_names_end_in_their_unit_and_those_of_counters_in_total(scrape):
    for name, kind in scrape.types.items():
        assert name.startswith("mupdated_")
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|us|milliseconds|kb|mb|megabytes|percent|minutes)(_|$)", name)


def test_no_label_is_of_a_mailbox_a_user_or_an_address(scrape):
    assert {label for name in scrape.types for label in scrape.labels(name)} == {
        "activity", "command", "history", "mechanism", "reason", "result", "server", "state",
        "version"}
    for secret in ("user.a", mupdated.USER, "127.0.0.1", mupdated.PASSWORD):
        assert secret not in scrape.text


def test_a_name_of_any_octets_is_a_label(scrape):
    assert scrape("server_rows", server=r'q\"u\\o\\xff\\x09', state="active") == 1


def test_more_servers_than_200_are_others(daemon):
    with daemon.client() as client:
        client.set_many([("ACTIVATE", f"user.{server}.{number}", f"backend{server:03}!p", "x")
                         for server in range(210) for number in range(2)])
        client.ok("ACTIVATE", "user.long", "l" * 300 + "!p", "x")
        client.ok("RESERVE", "user.none", "other!q")
        try:
            scrape = Scrape(daemon.metrics)
            rows = scrape.all("server_rows")
            assert len(rows) == 2 * 201
            assert rows["backend000", "active"] == rows["backend199", "active"] == 2
            assert ("backend200", "active") not in rows
            # 10 servers of two, the one that is called so, the strange one and the long one
            assert rows["other", "active"] == 10 * 2 + 3
            assert rows["other", "reserved"] == 1
            assert sum(rows.values()) == sum(scrape.all("table_rows").values()) == 424
            assert promtool("check", "metrics", input=scrape.text) == ""
        finally:
            client.set_many([("DELETE", f"user.{server}.{number}")
                             for server in range(210) for number in range(2)])
            client.set_many([("DELETE", "user.long"), ("DELETE", "user.none")])


# --- what names them ---

def manual_table():
    """{name: (type, labels)} as the manual has it."""
    text = MANUAL.read_text(encoding="utf-8").partition("\n.Sh METRICS\n")[2].partition("\n.Sh ")[0]
    found = re.findall(r"^\.It Li (\S+) No (\w+)(?: by (.*))?$", text, re.MULTILINE)
    assert len(found) == len({name for name, _, _ in found})
    return {name: (kind, set(labels.split(" , ")) - {""}) for name, kind, labels in found}


def test_the_manual_has_exactly_the_metrics_that_there_are(scrape):
    assert manual_table() == {name: (kind, scrape.labels(name))
                              for name, kind in scrape.types.items()}


def test_the_manual_has_the_values_of_labels(scrape):
    manual = MANUAL.read_text(encoding="utf-8")
    for label in ("activity", "command", "reason", "result", "state"):
        for name in scrape.types:
            for (one, labels) in scrape.samples:
                value = dict(labels).get(label)
                if one != name or not value or name == "mupdated_commands_total":
                    continue
                assert re.search(rf"\b{value}\b", manual), (name, value)


def test_the_manual_has_each_line_of_healthz_and_readyz():
    source = "".join((ROOT / f"mupdated/metrics/{name}.c").read_text(encoding="utf-8")
                     for name in ("metrics", "verdict"))
    manual = MANUAL.read_text(encoding="utf-8")
    lines = re.findall(r'\bverdict_say\(body, [^"]*?"([^"]+)"', source)
    assert len(lines) > 8
    for line in lines:
        text = re.sub(r"%[.0-9]*\w", "N", re.sub(r'%"?$', "N", line))
        assert text.partition("N")[0].strip() in manual, line


def names_in(text):
    return {re.sub(r"_(bucket|sum|count)$", "", name)
            if re.search(r"duration_seconds_(bucket|sum|count)$", name) else name
            for name in NAME.findall(text)}


def alerts():
    return re.findall(r"^ *- alert: (\w+)$", ALERTS.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_alerts_are_good_rules_on_metrics_that_there_are(scrape):
    assert f"{len(alerts())} rules found" in promtool("check", "rules", ALERTS)
    assert names_in(ALERTS.read_text(encoding="utf-8")) <= set(scrape.types)


def test_the_alerts_fire_when_they_should_and_not_otherwise():
    said = promtool("test", "rules", pathlib.Path(__file__).with_name("alerts_test.yml"))
    assert "SUCCESS" in said and "FAILED" not in said


def test_each_alert_is_tested_and_the_manual_says_what_to_do():
    tested = pathlib.Path(__file__).with_name("alerts_test.yml").read_text(encoding="utf-8")
    manual = MANUAL.read_text(encoding="utf-8").partition("\n.Sh ALERTS\n")[2]
    for name in alerts():
        assert f"alertname: {name}\n" in tested, name
        assert re.search(rf"^\.It .*\b{name}\b", manual, re.MULTILINE), name


def panels():
    return [panel for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
            if panel["type"] != "row"]


def test_the_dashboard_shows_every_metric(scrape):
    """What it asks for is there, and what is there it asks for."""
    asked = names_in(json.dumps([panel["targets"] for panel in panels()]))
    assert asked == set(scrape.types)


def test_the_panels_of_the_dashboard_are_whole_and_do_not_overlap():
    taken, ids = set(), set()
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        assert panel["id"] not in ids and panel["title"]
        ids.add(panel["id"])
        at = panel["gridPos"]
        places = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                  for y in range(at["y"], at["y"] + at["h"])}
        assert not places & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= places
    assert len(panels()) > 20
    for panel in panels():
        assert panel["targets"] and all(target["expr"] for target in panel["targets"])


def test_every_expression_of_the_dashboard_is_promql(tmp_path):
    """promtool reads them as rules, with something in the place of Grafana's variables."""
    rules = []
    for number, expression in enumerate(target["expr"] for panel in panels()
                                        for target in panel["targets"]):
        expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*")
        expression = expression.replace("$job", ".*")
        assert "$" not in expression
        rules.append({"record": f"panel:{number}", "expr": expression})
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


def test_a_backup_is_known_when_it_was_made(daemon, scrape):
    status = json.loads(daemon.ctl("status", "--json").stdout)
    assert scrape("backup_time_seconds") == pytest.approx(status["backup_time_us"] / 1e6, abs=1e-3)
    daemon.wait_for_log("notice: saved: by=root|notice: saved: by=uid=")
    assert "; last backup " in daemon.ctl("status").stdout.decode()


def test_the_certificate_expires_when_it_says(daemon, scrape):
    said = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in",
                           daemon.settings["tls_server_cert"]], capture_output=True, text=True,
                          check=True).stdout
    end = subprocess.run(["date", "-u", "-d", said.strip().partition("=")[2], "+%s"],
                         capture_output=True, text=True, check=True).stdout
    assert abs(scrape("certificate_expiry_time_seconds") - int(end)) <= 2


def test_answers_do_not_differ_by_who_asks(daemon):
    assert ask(daemon.metrics, "/metrics").headers.keys() == \
        ask(daemon.metrics, "/metrics", "HEAD").headers.keys()
