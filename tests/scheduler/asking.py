"""Short questions to a prepared cluster, for tests."""

from __future__ import annotations

from collections.abc import Mapping

from builders import cluster, pod
from descheduler.model.nodes import Node
from descheduler.model.pods import Pod, PodAffinity, PodAffinityTerm, PodSpec, SpreadConstraint
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import Predicate, prepare

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def at(snapshot: ClusterSnapshot, name: str, namespace: str = "default") -> int:
    return snapshot.pod_index[namespace, name]


def verdicts(snapshot: ClusterSnapshot, name: str = "p") -> dict[str, Predicate]:
    """By node name, the verdict on the pod."""
    codes = prepare(snapshot).what_if().verdicts(at(snapshot, name))
    return {n.name: Predicate(c) for n, c in zip(snapshot.nodes, codes.tolist(), strict=True)}


def ask(nodes: list[Node], of: PodSpec, *others: Pod, labels: Mapping[str, str] | None = None) -> dict[str, Predicate]:
    """The verdicts on a pending pod `p` of the spec, besides other pods."""
    return verdicts(cluster(nodes, [pod("p", of=of, labels=labels), *others]))


def term(key: str, labels: Mapping[str, str], **rest: object) -> PodAffinityTerm:
    return PodAffinityTerm(key, LabelSelector.of(labels), **rest)  # type: ignore[arg-type]


def together(*terms: PodAffinityTerm) -> PodAffinity:
    return PodAffinity(required=terms)


def spread(labels: Mapping[str, str], key: str = ZONE, skew: int = 1, **rest: object) -> SpreadConstraint:
    return SpreadConstraint(skew, key, "DoNotSchedule", LabelSelector.of(labels), **rest)  # type: ignore[arg-type]
