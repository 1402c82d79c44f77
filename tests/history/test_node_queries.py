"""A query in the arguments of LowNodeUtilization, asked of a real Prometheus, and the plan that comes of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import pytest

from builders import cluster, node, pod
from controlplane.prometheus import PrometheusServer, Series
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.history import HistoryReader
from descheduler.observe.signals import relied_on, wanted_signals
from descheduler.planning import Outcome, decide, survey
from descheduler.planning.settings import chosen, input_of, settings_of
from descheduler.policy import Policy, load_policy
from descheduler_profiling.build import build
from history.world import gauge, times

Start = Callable[..., PrometheusServer]
HOURS = 3 * 3600
POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
history: {window: 3h, url: "%s"}
acting: {landing: steered}
protections: {minPodAge: 0s}
strategies:
  - LowNodeUtilization:
      thresholds: {MetricResource: 20}
      targetThresholds: {MetricResource: 50}
      metricsUtilization:
        source: Prometheus
        prometheus: {query: "max by (instance) (node_busy{job='node'})"}
"""


@pytest.fixture
def now() -> int:
    """A server whose clock is another is not relied on."""
    return int(time.time())


def seen(now: int) -> ClusterSnapshot:
    pods = [pod(f"web-{i}", cpu="10m", node="a", created=now - 86400) for i in range(4)]
    return cluster([node(name, cpu="10") for name in "abc"], pods, taken_at=float(now))


def busy(last: int, **values: float) -> Sequence[Series]:
    """What exporters say of nodes, which were idle until an hour before the last of it."""
    at = times(HOURS, end=last)
    return [
        gauge("node_busy", at, (at > last - 3600) * value, instance=name, job="node") for name, value in values.items()
    ]


def planned(server: PrometheusServer, now: int) -> tuple[Policy, Outcome]:
    snapshot, policy = seen(now), load_policy(POLICY % server.url)
    reader = HistoryReader(None, None, lambda: float(now), random.Random(1), lambda: None)
    histories = reader.read(policy, snapshot, None)
    reader.close()
    profiles = {name: build(history) for name, history in histories.items()}
    given = input_of(policy, snapshot, profiles, float(now), histories=histories)
    return policy, decide(survey(given, settings_of(policy, snapshot)), chosen(policy))


def test_its_newest_answer_counts_and_a_node_without_one_is_left_out(prometheus_server: Start, now: int) -> None:
    policy, outcome = planned(prometheus_server(busy(now, a=0.83, b=0.1)), now)
    (name,) = relied_on(policy) - {"cpu", "memory"}
    assert name in wanted_signals(policy, seen(now))
    snapshot = outcome.view.snapshot
    (moved,) = [proof for one in outcome.accepted for proof in one.proofs]
    assert snapshot.nodes[moved.node].name == "b"
    (finding,) = outcome.findings.values()
    assert finding.value == pytest.approx(0.83, rel=1e-3)
    assert not [problem for problem in outcome.problems if name in problem.text]


def test_an_answer_that_is_too_old_is_none(prometheus_server: Start, now: int) -> None:
    policy, outcome = planned(prometheus_server(busy(now - 3600, a=0.83, b=0.1)), now)
    assert not outcome.accepted
    assert {one.blocked.reason for one in outcome.observed.values()} == {Reason.DATA_MISSING}
    (name,) = relied_on(policy) - {"cpu", "memory"}
    assert [problem for problem in outcome.problems if name in problem.text]
