"""docs/metrics.md names every metric with its labels and what it tells; what else documents use of them exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry

from descheduler.controller.metrics import Metrics
from descheduler.publish.published import Published

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "metrics.md"
COMPONENTS = ROOT / "manifests" / "components"


def registry() -> CollectorRegistry:
    """All that a controller registers."""
    metrics = Metrics()
    Published(metrics.registry, lambda: None)
    return metrics.registry


def families() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """(name as it is exposed, type, labels, what it tells) of each."""
    for collector in registry()._collector_to_names:
        own: tuple[str, ...] | None = getattr(collector, "_labelnames", None)
        for family in collector.collect():
            labels: Any = own if own is not None else getattr(family, "_labelnames", ())
            if family.name.startswith("descheduler_"):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                yield name, family.type, tuple(labels), family.documentation


def rows() -> list[str]:
    return [f"| `{name}` | {kind} | {', '.join(labels)} | {text} |" for name, kind, labels, text in sorted(families())]


def test_every_metric_is_documented_as_it_is() -> None:
    documented = [line for line in PAGE.read_text().splitlines() if line.startswith("| `descheduler_")]
    assert documented == rows(), "docs/metrics.md should have these rows:\n" + "\n".join(rows())


def exposed() -> set[str]:
    """Names that a query may have."""
    parts = {"histogram": ("_bucket", "_count", "_sum")}
    return {name + part for name, kind, _, _ in families() for part in parts.get(kind, ("",))}


def test_what_pages_alerts_and_the_dashboard_name_exists() -> None:
    rules = yaml.safe_load((COMPONENTS / "monitoring" / "prometheus-rule.yaml").read_text())
    alerts = " ".join(rule["expr"] for rule in rules["spec"]["groups"][0]["rules"])
    dashboard = json.loads((COMPONENTS / "dashboard" / "dashboard.json").read_text())
    queries = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ()))
    for text in (alerts, queries):
        named = set(re.findall(r"descheduler_\w+", text))
        assert named
        assert named <= exposed()
    labels = {name: set(found) for name, _, found, _ in families()}
    watched = re.findall(r"`(descheduler_\w+)(?:\{([\w,]+)\})?`", (ROOT / "docs" / "operations.md").read_text())
    for name, given in watched:
        assert name in labels, name
        assert set(filter(None, given.split(","))) <= labels[name], name
