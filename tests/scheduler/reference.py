"""The scheduler's filters once more: slowly, one node and one pod at a time, to compare the fast ones with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from descheduler.model.labels import Labels
from descheduler.model.nodes import Node, Taint
from descheduler.model.pods import Pod, PodAffinityTerm, PodSpec, SpreadConstraint, Toleration
from descheduler.model.selectors import LabelSelector, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import Predicate

ZONES = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class Reference:
    """Where pods are (`where`: pod position to node position), and what the scheduler would say of one more."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self.snapshot = snapshot
        self.nodes = snapshot.nodes
        self.pods = snapshot.pods
        self.where = {
            i: snapshot.node_index[p.node]
            for i, p in enumerate(self.pods)
            if p.node in snapshot.node_index and not p.terminal
        }

    def verdicts(self, pod: int) -> list[Predicate]:
        """The verdict of every node on the pod, as if it were nowhere."""
        others = {p: n for p, n in self.where.items() if p != pod}
        return [self._verdict(self.pods[pod], i, others) for i in range(len(self.nodes))]

    def _verdict(self, pod: Pod, at: int, others: dict[int, int]) -> Predicate:
        node = self.nodes[at]
        here = [self.pods[p] for p, n in others.items() if n == at]
        everyone = [(self.pods[p], self.nodes[n]) for p, n in others.items()]
        return (
            _of_the_node(pod.spec, node)
            or (Predicate.PORTS if _port_taken(pod, here) else Predicate.OK)
            or (Predicate.OK if _enough(pod, node, here) else Predicate.RESOURCES)
            or self._volumes(pod, node, [p for p, _ in everyone])
            or self._spread(pod, node, everyone)
            or self._affinity(pod, node, everyone)
            or self._anti(pod, node, everyone)
            or self._anti_of_others(pod, node, everyone)
        )

    def _volumes(self, pod: Pod, node: Node, others: list[Pod]) -> Predicate:
        claims = [self.snapshot.claims.get((pod.namespace, c)) for c in pod.claims]
        for name, claim in zip(pod.claims, claims, strict=True):
            used = any(o.namespace == pod.namespace and name in o.claims for o in others)
            if claim is not None and "ReadWriteOncePod" in claim.access_modes and used:
                return Predicate.VOLUME_IN_USE
        if any(c is None or not c.volume for c in claims):
            return Predicate.VOLUME_CLAIM
        for claim in claims:
            assert claim is not None
            volume = self.snapshot.volumes[claim.volume]
            if volume.affinity is not None and not any(t.matches(node.labels, "") for t in volume.affinity):
                return Predicate.VOLUME
        for claim in claims:
            assert claim is not None
            labels = self.snapshot.volumes[claim.volume].labels
            for key in ZONES:
                if key in labels and any(z in node.labels for z in ZONES) and node.labels.get(key) != labels[key]:
                    return Predicate.VOLUME_ZONE
        return Predicate.OK

    def _spread(self, pod: Pod, node: Node, everyone: list[tuple[Pod, Node]]) -> Predicate:
        hard = [c for c in pod.spec.spread if c.when_unsatisfiable == "DoNotSchedule"]
        keys = [c.topology_key for c in hard]
        for c in hard:
            if c.topology_key not in node.labels:
                return Predicate.SPREAD_LABEL
            selector = _with_keys(c.selector, c.match_label_keys, pod.labels)
            count: dict[str, int] = {}
            for other in self.nodes:
                if all(k in other.labels for k in keys) and _counts(pod.spec, c, other):
                    count.setdefault(other.labels[c.topology_key], 0)
            for p, n in everyone:
                countable = all(k in n.labels for k in keys) and _counts(pod.spec, c, n)
                alike = p.namespace == pod.namespace and p.deleting is None and bool(selector and selector.requirements)
                if countable and alike and selector is not None and selector.matches(p.labels):
                    count[n.labels[c.topology_key]] += 1
            least = min(count.values(), default=0) if len(count) >= (c.min_domains or 1) else 0
            mine = 1 if selector is not None and selector.matches(pod.labels) else 0
            if count.get(node.labels[c.topology_key], 0) + mine - least > c.max_skew:
                return Predicate.SPREAD
        return Predicate.OK

    def _affinity(self, pod: Pod, node: Node, everyone: list[tuple[Pod, Node]]) -> Predicate:
        terms = pod.spec.affinity.required
        if not terms:
            return Predicate.OK
        if any(t.topology_key not in node.labels for t in terms):
            return Predicate.AFFINITY
        friends = [(p, n) for p, n in everyone if all(self._matches(t, pod, p) for t in terms)]
        if all(any(_together(t.topology_key, n, node) for _, n in friends) for t in terms):
            return Predicate.OK
        anywhere = any(t.topology_key in n.labels for t in terms for _, n in friends)
        first = not anywhere and all(self._matches(t, pod, pod) for t in terms)
        return Predicate.OK if first else Predicate.AFFINITY

    def _anti(self, pod: Pod, node: Node, everyone: list[tuple[Pod, Node]]) -> Predicate:
        for term in pod.spec.anti_affinity.required:
            for other, there in everyone:
                if _together(term.topology_key, there, node) and self._matches(term, pod, other):
                    return Predicate.ANTI_AFFINITY
        return Predicate.OK

    def _anti_of_others(self, pod: Pod, node: Node, everyone: list[tuple[Pod, Node]]) -> Predicate:
        for other, there in everyone:
            for term in other.spec.anti_affinity.required:
                if _together(term.topology_key, there, node) and self._matches(term, other, pod):
                    return Predicate.ANTI_AFFINITY_OF_OTHERS
        return Predicate.OK

    def _matches(self, term: PodAffinityTerm, carrier: Pod, target: Pod) -> bool:
        selector = _with_keys(term.selector, term.match_label_keys, carrier.labels)
        if selector is None or not selector.matches(target.labels):
            return False
        for key in term.mismatch_label_keys:
            if key in carrier.labels and target.labels.get(key) == carrier.labels[key]:
                return False
        if term.namespace_selector is not None:
            labels = self.snapshot.namespaces.get(target.namespace, Labels())
            return target.namespace in term.namespaces or term.namespace_selector.matches(labels)
        return target.namespace in (term.namespaces or (carrier.namespace,))


def _of_the_node(spec: PodSpec, node: Node) -> Predicate:
    cordon = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
    if node.unschedulable and not _tolerated(cordon, spec.tolerations):
        return Predicate.UNSCHEDULABLE
    if not node.ready:
        return Predicate.NOT_READY
    if node.virtual:
        return Predicate.VIRTUAL
    if _untolerated(spec, node):
        return Predicate.TAINT
    return Predicate.OK if _wanted(spec, node) else Predicate.NODE_AFFINITY


def _untolerated(spec: PodSpec, node: Node) -> bool:
    return any(t.effect in ("NoSchedule", "NoExecute") and not _tolerated(t, spec.tolerations) for t in node.taints)


def _tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return any(
        t.effect in ("", taint.effect)
        and t.key in ("", taint.key)
        and (t.operator == "Exists" or (t.operator == "Equal" and t.value == taint.value))
        for t in tolerations
    )


def _wanted(spec: PodSpec, node: Node) -> bool:
    required = spec.node_affinity.required
    chosen = all(node.labels.get(k) == v for k, v in spec.node_selector.items())
    return chosen and (required is None or any(t.matches(node.labels, node.name) for t in required))


def _counts(spec: PodSpec, constraint: SpreadConstraint, node: Node) -> bool:
    return (constraint.node_affinity_policy == "Ignore" or _wanted(spec, node)) and (
        constraint.node_taints_policy == "Ignore" or not _untolerated(spec, node)
    )


def _port_taken(pod: Pod, here: list[Pod]) -> bool:
    for mine in pod.spec.host_ports:
        for other in (port for p in here for port in p.spec.host_ports):
            same = (mine.port, mine.protocol) == (other.port, other.protocol)
            if same and (mine.ip == other.ip or "0.0.0.0" in (mine.ip, other.ip)):
                return True
    return False


def _enough(pod: Pod, node: Node, here: list[Pod]) -> bool:
    for name, wanted in _positive(pod):
        used = sum(amount for other in here for n, amount in other.spec.requests if n == name)
        if wanted > dict(node.allocatable).get(name, 0) - used:
            return False
    return True


def _positive(pod: Pod) -> Iterator[tuple[str, int]]:
    return ((name, amount) for name, amount in pod.spec.requests if amount > 0)


def _together(key: str, a: Node, b: Node) -> bool:
    return key in a.labels and key in b.labels and a.labels[key] == b.labels[key]


def _with_keys(selector: LabelSelector | None, keys: Iterable[str], labels: Labels) -> LabelSelector | None:
    if selector is None:
        return None
    more = tuple(Requirement(k, Operator.IN, (labels[k],)) for k in keys if k in labels)
    return LabelSelector(selector.requirements + more)
