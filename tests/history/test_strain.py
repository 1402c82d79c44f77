"""Signs that more is wanted than is used, as cAdvisor and node-exporter tell them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from controlplane.prometheus import PrometheusServer, Series
from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.observe.hidden_history import hidden_history
from descheduler_profiling.build import build
from descheduler_profiling.history.serial import history_from_bytes, history_to_bytes
from history.fleet import DB, PODS, WEB, cadvisor, read
from history.world import DAY, gauge, times

Start = Callable[..., PrometheusServer]
AT = times(DAY)
KUBELET = {"job": "kubelet", "metrics_path": "/metrics/cadvisor"}


def counting(name: str, a_second: float, **labels: str) -> Series:
    return gauge(name, AT, a_second * (AT - AT[0]), **labels)


def limited(pod: str, share: float) -> list[Series]:
    """A container with a CFS quota, ten periods a second, of which a share stops it."""
    of = {"namespace": "shop", "pod": pod, "container": "main", "node": PODS["shop", pod][2], **KUBELET}
    return [
        counting("container_cpu_cfs_periods_total", 10.0, **of),
        counting("container_cpu_cfs_throttled_periods_total", 10.0 * share, **of),
    ]


def test_throttled_workloads_and_nodes_under_pressure_are_found_with_their_history(prometheus_server: Start) -> None:
    series = [
        *cadvisor(AT, **KUBELET),
        *limited("web-bbbb2", 0.05),
        *limited("web-bbbb4", 0.6),
        *limited("db-0", 0.1),
        *limited("db-1", 0.0),
        counting("node_pressure_cpu_waiting_seconds_total", 0.8, instance="n1", job="node-exporter"),
        counting("node_pressure_cpu_waiting_seconds_total", 0.95, instance="n2", job="node-exporter"),
        counting("container_pressure_memory_waiting_seconds_total", 0.7, id="/kubepods", node="n2", **KUBELET),
    ]
    found = read(prometheus_server(series)).histories
    assert found["cpu"].strain.throttled == {WEB: pytest.approx(0.6, rel=0.02)}
    assert found["cpu"].strain.pressed == {"n1": pytest.approx(0.8, rel=0.02)}, "of n2 it is one limit that stops a pod"
    assert found["memory"].strain.pressed == {"n2": pytest.approx(0.7, rel=0.02)}
    made = build(found["cpu"])
    assert made.profile(made.row(WEB)).why.endswith("throttled in 60% of periods: a lower bound")
    assert "throttled" not in made.profile(made.row(DB)).why
    assert history_from_bytes(history_to_bytes(found["cpu"])).strain == found["cpu"].strain
    _, hidden = hidden_history(found["cpu"], Anonymizer(b"k" * 32))
    assert set(hidden.strain.throttled) < set(hidden.keys)
    assert list(hidden.strain.pressed) != ["n1"]


def test_a_server_that_has_none_of_it_has_whole_histories(prometheus_server: Start) -> None:
    found = read(prometheus_server(cadvisor(AT, **KUBELET))).histories["cpu"]
    assert found.complete, found.problems
    assert not found.strain.throttled
    assert not found.strain.pressed
    assert np.isfinite(found.values[:, 2:]).all()
