"""Dashboard and alerts on a real Prometheus: each query has an answer, and each alert fires when it should alone."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from charts.helm_program import CHART
from controlplane.prometheus import PrometheusServer, find_programs
from descheduler.controller.listener import WebServer
from descheduler.controller.metrics import Metrics
from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.controller.web import create_app

ROOT = CHART.parents[1]
LABELS = {"namespace": "descheduler", "pod": "descheduler-0"}
RULES: list[dict[str, Any]] = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]
PANELS = json.loads((CHART / "files" / "dashboard.json").read_text())["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]


def everything_happens(metrics: Metrics) -> None:
    """Something in each metric, as after a while in which everything has happened."""
    for metric in vars(metrics).values():
        labelled = metric.labels(*["x"] * len(metric._labelnames)) if getattr(metric, "_labelnames", ()) else metric
        if isinstance(labelled, Counter):
            labelled.inc()
        elif isinstance(labelled, Histogram):
            labelled.observe(1.0)
        elif isinstance(labelled, Gauge):
            labelled.set(1.0)


@pytest.fixture(scope="module")
def scraped(prometheus_server: Callable[..., PrometheusServer]) -> Iterator[PrometheusServer]:
    """A Prometheus that scrapes the pages of a controller, in which things go on."""
    metrics, status = Metrics(), Status(time.monotonic)
    web = WebServer(create_app(status, Reports(), metrics, lambda plan: plan.id), "127.0.0.1", 0)
    web.start()
    targets = [{"targets": [f"127.0.0.1:{web.port}"], "labels": LABELS}]
    scrape = {"job_name": "descheduler", "scrape_interval": "1s", "static_configs": targets}
    server = prometheus_server(scrapes=[scrape])
    until = time.monotonic() + 30
    while len(answer(server, "descheduler_cycles_total[1m]", values=True)) < 3 and time.monotonic() < until:
        everything_happens(metrics)
        time.sleep(0.5)
    yield server
    web.stop()


def answer(server: PrometheusServer, query: str, *, values: bool = False) -> list[Any]:
    """The series of the answer; with `values` the samples of the first."""
    url = f"{server.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as found:
        result: list[Any] = json.load(found)["data"]["result"]
    return (result[0]["values"] if result else []) if values else result


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_of_the_dashboard_has_an_answer(scraped: PrometheusServer, query: str) -> None:
    found = answer(scraped, query.replace("$namespace", ".*"))
    assert found
    assert all(series["value"][1] not in ("NaN", "+Inf") for series in found)


def test_another_namespace_has_none(scraped: PrometheusServer) -> None:
    """The twin: what is chosen at the top of the dashboard counts in every panel."""
    assert not [query for query in QUERIES if answer(scraped, query.replace("$namespace", "another"))]


HEALTHY = {
    "descheduler_build_info": "1x120",
    "descheduler_last_cycle_timestamp_seconds": "0+60x120",
    "descheduler_interval_seconds": "300x120",
    "descheduler_leader": "1x120",
    "descheduler_policy_reload_success": "1x120",
    "descheduler_certificate_reload_success": "1x120",
    'descheduler_cache_synced{kind="pods"}': "1x120",
    "descheduler_history_store_success": "1x120",
    "descheduler_loop_errors_total": "0x120",
    "descheduler_plan_problems": "0x120",
    "descheduler_pending_after_eviction": "0x120",
    "descheduler_circuit_open": "0x120",
}
"""Series of a controller with which all is well, a sample a minute, as promtool has them."""
WRONG = {
    "DeschedulerStandsStill": ("descheduler_last_cycle_timestamp_seconds", "0x120"),
    "DeschedulerHasNoLeader": ("descheduler_leader", "0x120"),
    "DeschedulerPaused": ('descheduler_paused{reason="NotSynced"}', "1x120"),
    "DeschedulerPolicyRejected": ("descheduler_policy_reload_success", "0x120"),
    "DeschedulerCertificateRejected": ("descheduler_certificate_reload_success", "0x120"),
    "DeschedulerKindUnread": ('descheduler_cache_synced{kind="pods"}', "0x120"),
    "DeschedulerHistoryNotKept": ("descheduler_history_store_success", "0x120"),
    "DeschedulerCyclesFail": ("descheduler_loop_errors_total", "0x100 1x20"),
    "DeschedulerPlanHasProblems": ("descheduler_plan_problems", "2x120"),
    "DeschedulerReplacementsLate": ("descheduler_pending_after_eviction", "3x120"),
    "DeschedulerCircuitOpen": ("descheduler_circuit_open", "1x120"),
    "DeschedulerStrategyMisses": ('descheduler_strategy_paused{strategy="HotNodes",pool=""}', "1x120"),
}
"""For each alert the one series that makes it fire."""


def firing(series: dict[str, str], folder: Path) -> set[str]:
    """The alerts that fire after two hours, by promtool; it says what it got where nothing was expected."""
    (folder / "rules.yaml").write_text((CHART / "files" / "alerts.yaml").read_text())
    asked = [{"eval_time": "115m", "alertname": rule["alert"], "exp_alerts": []} for rule in RULES]
    inputs = [{"series": _of_pod(name), "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": inputs, "alert_rule_test": asked}
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(whole))
    words = [find_programs()[1], "test", "rules", str(folder / "test.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=folder)
    return set(re.findall(r'Labels:\{alertname="(\w+)"', done.stdout + done.stderr))


def _of_pod(series: str) -> str:
    name, _, rest = series.partition("{")
    labels = ",".join(f'{key}="{value}"' for key, value in {**LABELS, "job": "descheduler"}.items())
    return f"{name}{{{labels}{',' if rest else ''}{rest or '}'}"


@pytest.mark.parametrize("alert", WRONG)
def test_each_alert_fires_when_it_should_alone(prometheus_server: object, tmp_path: Path, alert: str) -> None:
    name, values = WRONG[alert]
    assert firing(HEALTHY | {name: values}, tmp_path) == {alert}


def test_nothing_fires_where_all_is_well_and_absence_where_nothing_is(
    prometheus_server: object, tmp_path: Path
) -> None:
    assert firing(HEALTHY, tmp_path) == set()
    assert firing({"up": "0x120"}, tmp_path) == {"DeschedulerAbsent"}
    assert {rule["alert"] for rule in RULES} == {*WRONG, "DeschedulerAbsent"}


def test_each_alert_has_its_section_of_the_runbooks() -> None:
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert sections == [rule["alert"] for rule in RULES]
    for rule in RULES:
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks.md#{rule['alert'].lower()}")
