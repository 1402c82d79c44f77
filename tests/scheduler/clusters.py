"""Small random clusters with every kind of constraint."""

from __future__ import annotations

from random import Random

from builders import GPU, amounts, cluster, node, pod
from descheduler.model.labels import Labels
from descheduler.model.nodes import Node, Taint
from descheduler.model.pods import (
    HostPort,
    NodeAffinity,
    Phase,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodSpec,
    SpreadConstraint,
    Toleration,
)
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.storage import Claim, Volume

ZONE, HOST, RACK = "topology.kubernetes.io/zone", "kubernetes.io/hostname", "rack"
NAMESPACES = {"default": {"team": "a"}, "other": {"team": "b"}}
APPS = ("web", "db", "job")
PARTS = ("size", "selector", "node affinity", "affinity", "anti-affinity", "spread", "ports")


def random_cluster(rng: Random, nodes: int = 6, pods: int = 12) -> ClusterSnapshot:
    """A cluster of up to so many nodes and pods; most pods have a place, whether or not the rules allow it."""
    named = [_node(rng, i) for i in range(rng.randint(1, nodes))]
    parts = {part for part in PARTS if rng.random() < 0.35}  # few at a time, or the first reasons hide the later ones
    specs = [_spec(rng, len(named), parts) for _ in range(rng.randint(1, 5))]
    claims = {("default", f"claim-{i}"): _claim(rng, i) for i in range(4)}
    volumes = {f"pv-{i}": _volume(rng, i) for i in range(4)}
    return cluster(
        nodes=named,
        pods=[_pod(rng, i, rng.choice(specs), named) for i in range(rng.randint(1, pods))],
        namespaces=NAMESPACES,
        claims=claims,
        volumes=volumes,
    )


def _node(rng: Random, i: int) -> Node:
    labels = {"disk": rng.choice(("ssd", "hdd")), "size": str(rng.randint(1, 5))}
    if rng.random() < 0.8:
        labels[RACK] = rng.choice("rs")
    taints = [Taint("dedicated", rng.choice("xy"), rng.choice(("NoSchedule", "NoExecute", "PreferNoSchedule")))]
    return node(
        f"n{i}",
        cpu=str(rng.randint(1, 4)),
        memory="4Gi",
        pods=rng.choice((4, 110)),
        gpu=rng.choice((0, 0, 2)),
        labels=labels,
        taints=taints if rng.random() < 0.2 else (),
        ready=rng.random() > 0.05,
        unschedulable=rng.random() < 0.07,
        zone=rng.choice(("", "a", "b", "c")),
    )


def _spec(rng: Random, nodes: int, parts: set[str]) -> PodSpec:
    def often(part: str) -> bool:
        return part in parts and rng.random() < 0.7

    small = amounts(cpu=rng.choice(("0", "10m")), memory=rng.choice(("0", "10Mi")), pods=1)
    large = amounts(
        cpu=rng.choice(("0", "100m", "1", "2")), memory=rng.choice(("0", "1Gi")), gpu=rng.choice((0, 0, 1)), pods=1
    )
    return PodSpec(
        requests=large if often("size") else small,
        node_selector=Labels({"disk": rng.choice(("ssd", "hdd"))} if often("selector") else {}),
        node_affinity=_node_affinity(rng, nodes) if often("node affinity") else NodeAffinity(),
        affinity=_pod_affinity(rng) if often("affinity") else PodAffinity(),
        anti_affinity=_pod_affinity(rng) if often("anti-affinity") else PodAffinity(),
        tolerations=tuple(_toleration(rng) for _ in range(rng.randint(0, 2))),
        spread=tuple(_spread(rng) for _ in range(rng.choice((1, 1, 2)))) if often("spread") else (),
        host_ports=tuple(_port(rng) for _ in range(rng.choice((1, 2)))) if often("ports") else (),
    )


def _pod(rng: Random, i: int, spec: PodSpec, nodes: list[Node]) -> Pod:
    bound = rng.random() < 0.8
    labels = {"app": rng.choice(APPS)}
    if rng.random() < 0.5:
        labels["version"] = rng.choice("12")
    return pod(
        f"p-{i}",
        of=spec,
        namespace=rng.choice(("default", "default", "other")),
        labels=labels,
        node=rng.choice(nodes).name if bound else "",
        phase=Phase.SUCCEEDED if bound and rng.random() < 0.05 else None,
        deleting=1.0 if bound and rng.random() < 0.1 else None,
        claims=tuple(f"claim-{i}" for i in rng.sample(range(5), rng.choice((1, 1, 2)))) if rng.random() < 0.2 else (),
    )


def _node_affinity(rng: Random, nodes: int) -> NodeAffinity:
    def requirement() -> Requirement:
        operator = rng.choice(list(Operator))
        if operator in (Operator.GT, Operator.LT):
            return Requirement("size", operator, (str(rng.randint(1, 5)),))
        key, values = rng.choice((("disk", ("ssd", "hdd")), (RACK, ("r", "s")), (ZONE, ("a", "b", "c"))))
        if operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
            return Requirement(key, operator)
        return Requirement(key, operator, tuple(rng.sample(values, rng.randint(1, len(values)))))

    def term() -> NodeSelectorTerm:
        fields: tuple[Requirement, ...] = ()
        if rng.random() < 0.2:
            operator = rng.choice((Operator.IN, Operator.NOT_IN))
            fields = (Requirement("metadata.name", operator, (f"n{rng.randint(0, nodes)}",)),)
        return NodeSelectorTerm(tuple(requirement() for _ in range(rng.randint(0, 2))), fields)

    required = tuple(term() for _ in range(rng.randint(0, 2))) if rng.random() < 0.8 else None
    preferred = tuple((rng.randint(1, 100), term()) for _ in range(rng.randint(0, 2)))
    return NodeAffinity(required, preferred)


def _selector(rng: Random) -> LabelSelector | None:
    kind = rng.random()
    if kind < 0.08:
        return None
    if kind < 0.16:
        return LabelSelector()
    if kind < 0.7:
        return LabelSelector.of({"app": rng.choice(APPS)})
    operator = rng.choice((Operator.IN, Operator.NOT_IN, Operator.EXISTS, Operator.DOES_NOT_EXIST))
    if operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
        return LabelSelector((Requirement("version", operator),))
    return LabelSelector((Requirement("app", operator, tuple(rng.sample(APPS, 2))),))


def _pod_affinity(rng: Random) -> PodAffinity:
    def term() -> PodAffinityTerm:
        return PodAffinityTerm(
            topology_key=rng.choice((ZONE, HOST, RACK)),
            selector=_selector(rng),
            namespaces=rng.choice(((), (), ("other",), ("default", "other"))),
            namespace_selector=rng.choice((None, None, LabelSelector(), LabelSelector.of({"team": "b"}))),
            match_label_keys=rng.choice(((), (), ("version",))),
            mismatch_label_keys=rng.choice(((), (), (), ("version",))),
        )

    return PodAffinity(
        required=tuple(term() for _ in range(rng.choice((0, 1, 1, 2)))),
        preferred=tuple((rng.randint(1, 100), term()) for _ in range(rng.choice((0, 0, 1, 2)))),
    )


def _spread(rng: Random) -> SpreadConstraint:
    return SpreadConstraint(
        max_skew=rng.choice((1, 1, 2)),
        topology_key=rng.choice((ZONE, ZONE, HOST, RACK)),
        when_unsatisfiable=rng.choice(("DoNotSchedule", "DoNotSchedule", "ScheduleAnyway")),
        selector=_selector(rng),
        min_domains=rng.choice((None, None, 2, 4)),
        node_affinity_policy=rng.choice(("Honor", "Ignore")),
        node_taints_policy=rng.choice(("Ignore", "Honor")),
        match_label_keys=rng.choice(((), (), ("version",))),
    )


def _toleration(rng: Random) -> Toleration:
    operator = rng.choice(("Equal", "Exists"))
    return Toleration(
        key=rng.choice(("dedicated", "node.kubernetes.io/unschedulable")) if operator == "Equal" else "dedicated",
        operator=operator,
        value=rng.choice(("x", "y", "")) if operator == "Equal" else "",
        effect=rng.choice(("", "NoSchedule", "NoExecute")),
    )


def _port(rng: Random) -> HostPort:
    return HostPort(rng.choice((80, 443)), rng.choice(("TCP", "UDP")), rng.choice(("0.0.0.0", "10.0.0.1", "10.0.0.2")))


def _claim(rng: Random, i: int) -> Claim:
    modes = rng.choice((("ReadWriteOnce",), ("ReadWriteOncePod",), ("ReadWriteMany",)))
    return Claim("default", f"claim-{i}", f"pv-{i}" if rng.random() < 0.9 else "", access_modes=modes)


def _volume(rng: Random, i: int) -> Volume:
    zone = rng.choice("abc")
    affinity = (NodeSelectorTerm((Requirement(ZONE, Operator.IN, (zone,)),)),)
    labels = Labels({ZONE: rng.choice("abc")} if rng.random() < 0.3 else {})
    return Volume(f"pv-{i}", affinity if rng.random() < 0.6 else None, labels=labels)


__all__ = ["GPU", "HOST", "RACK", "ZONE", "random_cluster"]
