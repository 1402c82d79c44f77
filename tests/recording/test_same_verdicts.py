"""A recording without names is judged as the cluster is: every verdict, filter by filter, on every pod."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from descheduler.cli.source import SourceOptions, read_policy, stored
from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.wire_objects import ClusterObjects, cluster_objects
from descheduler.model.reasons import Reason
from descheduler.observe import Observed, Source, observe
from descheduler.observe.hidden_history import hidden_history
from descheduler.observe.recorded import RecordedCluster, RecordedHistory
from descheduler.pipeline import outcome_of, plan, profile
from descheduler.planning.explain import explain
from descheduler.planning.planner import Outcome
from descheduler.policy import Policy, default_policy
from descheduler_profiling.series import History
from recording.clusters import RandomWire

CLUSTERS = 25


def seen(objects: ClusterObjects, policy: Policy, histories: Mapping[str, History] | None = None) -> Observed:
    return observe(Source(RecordedCluster(objects.snapshot()), RecordedHistory(histories or {})), policy)


def judged(observed: Observed, policy: Policy) -> Outcome:
    return outcome_of(observed, policy, profile(observed))


def checks(outcome: Outcome, key: str) -> list[tuple[str, bool | None, str]]:
    """What is said of one pod, with the number of nodes that the scheduler's rules leave."""
    found = explain(outcome, "pod", key).checks
    return [(c.name, c.passed, c.text.partition(" ")[0] if c.name == "place" else "") for c in found]


@pytest.mark.parametrize("seed", range(CLUSTERS))
def test_every_pod_of_a_random_cluster_gets_the_same_verdict(seed: int) -> None:
    policy, hidden = default_policy(), Anonymizer(seed.to_bytes(8, "big"))
    plain = cluster_objects(RandomWire(seed).objects(), taken_at=1_790_000_000.0)
    named, nameless = (judged(seen(one, policy), policy) for one in (plain, hidden.objects(plain)))
    for pod in named.view.snapshot.pods:
        key = f"{hidden.text(pod.namespace)}/{hidden.text(pod.name)}"
        assert checks(named, f"{pod.namespace}/{pod.name}") == checks(nameless, key), pod.key
    assert len(named.view.snapshot.problems) == len(nameless.view.snapshot.problems)


def test_the_random_clusters_know_many_verdicts() -> None:
    """A comparison of clusters in which all pods are free would prove nothing."""
    policy = default_policy()
    said: Counter[str] = Counter()
    for seed in range(CLUSTERS):
        outcome = judged(seen(cluster_objects(RandomWire(seed).objects(), taken_at=1_790_000_000.0), policy), policy)
        for pod in outcome.view.snapshot.pods:
            said.update(name for name, passed, _ in checks(outcome, pod.key) if passed is not None)
    reasons = {reason.value for reason in Reason} & said.keys()
    assert len(reasons) >= 12, said
    assert said["filters"] > 50


def test_the_plan_of_the_example_is_the_same_but_for_names() -> None:
    options = SourceOptions(example=True)
    policy = read_policy(None, options)
    objects, source = stored(options)
    assert isinstance(source.history, RecordedHistory)
    hidden = Anonymizer(b"key", keep=["gpu-packer"])  # a scheduler that the policy names
    histories = dict(hidden_history(history, hidden) for history in source.history.histories.values())
    named = plan(seen(objects, policy, source.history.histories), policy)
    nameless = plan(seen(hidden.objects(objects), policy, histories), policy)
    # Ties between equal nodes and equal replicas are broken by name, so one may stand for the other.
    assert [(a.strategy, len(a.pods)) for a in named.actions] == [(a.strategy, len(a.pods)) for a in nameless.actions]
    assert Counter(r.reason for r in named.refusals) == Counter(r.reason for r in nameless.refusals)
    assert [f.resource for f in named.findings] == [f.resource for f in nameless.findings]
    values = [f.value for f in nameless.findings]  # sums of the same in another order
    assert [f.value for f in named.findings] == pytest.approx(values, rel=1e-6)
