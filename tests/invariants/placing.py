"""May a pod be on a node? The scheduler's hard rules, one pod and one node at a time, from the objects alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from descheduler.model.nodes import Node, Taint
from descheduler.model.pods import GpuRequest, Pod, PodAffinityTerm, SpreadConstraint, Toleration
from descheduler.model.selectors import LabelSelector, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey

ZONES = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


class Places:
    """Which node each pod is on (by position), while pods move; elsewhere it is what its template says."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self.snapshot = snapshot
        self.nodes = {n.name: n for n in snapshot.nodes}
        self.first = {i: p.node for i, p in enumerate(snapshot.pods) if p.node in self.nodes and not p.terminal}
        self.where = dict(self.first)
        self.terminating: dict[int, str] = {}  # pods that are evicted, and still on their old nodes beside the new one
        self.renewed: set[int] = set()  # pods that are made again where they were
        self.made = [as_made(snapshot, pod) for pod in snapshot.pods]

    def pod(self, p: int, name: str) -> Pod:
        """The pod as it is, or will be, on a node."""
        return self.snapshot.pods[p] if self.first.get(p) == name and p not in self.renewed else self.made[p]

    def on(self, name: str) -> list[int]:
        return [p for places in (self.where, self.terminating) for p, node in places.items() if node == name]

    def overfull(self, name: str) -> str:
        """What the node holds more of than it has; empty when nothing."""
        node = self.nodes[name]
        has = dict(node.allocatable)
        asked: dict[str, int] = {}
        for p in self.on(name):
            for resource, amount in self.pod(p, name).spec.requests:
                asked[resource] = asked.get(resource, 0) + amount
        over = [f"{r}: {a} of {has.get(r, 0)}" for r, a in sorted(asked.items()) if a > has.get(r, 0)]
        if not over and not self._devices_suffice(node):
            over = ["GPU devices"]
        return ", ".join(over)

    def short(self, name: str, asking: int, more: list[Pod]) -> list[str]:
        """Which of the resources that the pod asks for the node has too little of for all who are there, and more."""
        has = dict(self.nodes[name].allocatable)
        every = [self.pod(p, name) for p in self.on(name)] + more
        asked = {resource: sum(dict(one.spec.requests).get(resource, 0) for one in every) for resource in has}
        return [
            r for r, amount in self.pod(asking, name).spec.requests if amount and asked.get(r, amount) > has.get(r, 0)
        ]

    def _devices_suffice(self, node: Node) -> bool:
        """Whether there is any way to give every pod its devices; those that a pod is known to hold are its own."""
        gpus = node.gpus
        if gpus is not None and gpus.replicas > 1 and not gpus.steerable:
            return True  # nobody keeps account of who is on which
        devices = dict.fromkeys(range(gpus.count if gpus else 0), 1000)
        if gpus is not None and gpus.devices:
            devices = {d.index: 1000 for d in gpus.devices if d.healthy and not d.mig}
        anywhere: list[tuple[int, int]] = []
        for p in self.on(node.name):
            pod = self.pod(p, node.name)
            if pod.spec.gpu is None:
                continue
            part = _part(pod.spec.gpu, node)
            if pod.gpu_indices and self.first.get(p) == node.name:
                shares = {s.index: s.milli for s in pod.gpu_shares}
                for device in pod.gpu_indices:
                    if device in devices:
                        devices[device] -= shares.get(device, part)
                    elif gpus is None or not gpus.devices:
                        anywhere.append((1, part))
            else:
                anywhere.append((pod.spec.gpu.count, part))
        if any(d < 0 for d in devices.values()):
            return False
        whole = sum(count for count, milli in anywhere if milli >= 1000)
        parts = sorted((milli for count, milli in anywhere if milli < 1000 for _ in range(count)), reverse=True)
        return _pack(list(devices.values()), parts, whole)

    def why_not(self, pod: Pod, name: str) -> str:
        """The first rule by which the scheduler would not put the pod, which is nowhere, on the node; empty: none."""
        node = self.nodes[name]
        others = [(self.pod(p, n), self.nodes[n]) for p, n in self.where.items()]
        return (
            _node_refuses(pod, node)
            or _ports(pod, [p for p, n in others if n is node])
            or self._volumes(pod, node, [p for p, _ in others])
            or self._spread(pod, node, others)
            or self._affinity(pod, node, others)
            or self._apart(pod, node, others)
            or ("resource claims are not modelled" if pod.spec.resource_claims else "")
        )

    def _volumes(self, pod: Pod, node: Node, others: list[Pod]) -> str:
        for name in pod.claims:
            claim = self.snapshot.claims.get((pod.namespace, name))
            if claim is None or claim.volume not in self.snapshot.volumes:
                return f"claim {name} has no volume"
            shared = any(o.namespace == pod.namespace and name in o.claims for o in others)
            if shared and "ReadWriteOncePod" in claim.access_modes:
                return f"claim {name} is in use"
            volume = self.snapshot.volumes[claim.volume]
            if volume.affinity is not None and not any(t.matches(node.labels, node.name) for t in volume.affinity):
                return f"volume {volume.name} is not reachable"
            zoned = any(z in node.labels for z in ZONES)
            for zone in ZONES:
                if zoned and zone in volume.labels and node.labels.get(zone) != volume.labels[zone]:
                    return f"volume {volume.name} is in another zone"
        return ""

    def _spread(self, pod: Pod, node: Node, others: list[tuple[Pod, Node]]) -> str:
        hard = [c for c in pod.spec.spread if c.when_unsatisfiable == "DoNotSchedule"]
        for c in hard:
            key = c.topology_key
            if key not in node.labels:
                return f"spread: no label {key}"
            selector = _and_keys(c.selector, c.match_label_keys, pod)
            counted = [
                n for n in self.snapshot.nodes if all(k.topology_key in n.labels for k in hard) and _counts(pod, c, n)
            ]
            pods: dict[str, int] = {n.labels[key]: 0 for n in counted}
            for other, there in others:
                alike = other.namespace == pod.namespace and other.deleting is None
                if alike and there in counted and selector and selector.requirements and selector.matches(other.labels):
                    pods[there.labels[key]] += 1
            least = min(pods.values(), default=0) if len(pods) >= (c.min_domains or 1) else 0
            mine = int(selector is not None and selector.matches(pod.labels))
            if pods.get(node.labels[key], 0) + mine - least > c.max_skew:
                return f"spread over {key}: {pods} with one more on {node.labels[key]}, at most {c.max_skew} apart"
        return ""

    def _affinity(self, pod: Pod, node: Node, others: list[tuple[Pod, Node]]) -> str:
        terms = pod.spec.affinity.required
        if any(t.topology_key not in node.labels for t in terms):
            return "affinity: label missing"
        friends = [(p, n) for p, n in others if all(self.speaks_of(t, pod, p) for t in terms)]
        if all(any(_near(t, node, n) for _, n in friends) for t in terms):
            return ""
        alone = not any(t.topology_key in n.labels for t in terms for _, n in friends)
        return "" if alone and all(self.speaks_of(t, pod, pod) for t in terms) else "affinity"

    def _apart(self, pod: Pod, node: Node, others: list[tuple[Pod, Node]]) -> str:
        for other, there in others:
            for t in pod.spec.anti_affinity.required:
                if _near(t, node, there) and self.speaks_of(t, pod, other):
                    return f"anti-affinity to {other.key}"
            for t in other.spec.anti_affinity.required:
                if _near(t, node, there) and self.speaks_of(t, other, pod):
                    return f"anti-affinity of {other.key}"
        return ""

    def speaks_of(self, term: PodAffinityTerm, carrier: Pod, other: Pod) -> bool:
        """Whether the term, as the carrier has it, selects the other pod."""
        selector = _and_keys(term.selector, term.match_label_keys, carrier)
        if selector is None or not selector.matches(other.labels):
            return False
        for key in term.mismatch_label_keys:
            if key in carrier.labels and other.labels.get(key) == carrier.labels[key]:
                return False
        named = term.namespaces
        if term.namespace_selector is None:
            return other.namespace in (named or (carrier.namespace,))
        return other.namespace in named or term.namespace_selector.matches(self.snapshot.namespaces[other.namespace])


def as_made(snapshot: ClusterSnapshot, pod: Pod) -> Pod:
    """What the pod's controller makes: the templates of random clusters differ from their pods in amounts alone."""
    owner = pod.controller
    found = None if owner is None else snapshot.workloads.get(WorkloadKey(pod.namespace, owner.kind, owner.name))
    if found is None or found.template is None or not pod.node:
        return pod
    return replace(pod, spec=replace(pod.spec, requests=found.template.spec.requests))


def _part(request: GpuRequest, node: Node) -> int:
    """Thousandths of each device of the node; a request for memory of a device that is not known to have any: all."""
    memory = node.gpus.memory if node.gpus else 0
    asked = math.ceil(1000 * request.memory / memory) if memory else 1000
    return max(request.milli, asked) if request.memory else request.milli


def _pack(devices: list[int], parts: list[int], whole: int) -> bool:
    """Try every way to put the parts, largest first, such that `whole` devices stay untouched."""
    if sum(d == 1000 for d in devices) < whole:
        return False
    if not parts:
        return True
    for level in sorted({d for d in devices if d >= parts[0]}):
        rest = list(devices)
        rest[devices.index(level)] -= parts[0]
        if _pack(rest, parts[1:], whole):
            return True
    return False


def _node_refuses(pod: Pod, node: Node) -> str:
    spec = pod.spec
    if not node.ready or node.virtual or node.leaving:
        return "node is not ready, virtual, or about to go"
    if node.unschedulable and not _tolerated(CORDON, spec.tolerations):
        return "node is cordoned"
    for taint in node.taints:
        if taint.effect in ("NoSchedule", "NoExecute") and not _tolerated(taint, spec.tolerations):
            return f"taint {taint.key}={taint.value}:{taint.effect}"
    if any(node.labels.get(k) != v for k, v in spec.node_selector.items()):
        return "node selector"
    terms = spec.node_affinity.required
    if terms is not None and not any(t.matches(node.labels, node.name) for t in terms):
        return "node affinity"
    if spec.gpu is not None and spec.gpu.models and (node.gpus is None or node.gpus.model not in spec.gpu.models):
        return "GPU model"
    return ""


def _tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    for t in tolerations:
        same = t.effect in ("", taint.effect) and t.key in ("", taint.key)
        if same and (t.operator == "Exists" or (t.operator in ("", "Equal") and t.value == taint.value)):
            return True
    return False


def _ports(pod: Pod, here: list[Pod]) -> str:
    for mine in pod.spec.host_ports:
        for other in here:
            for theirs in other.spec.host_ports:
                any_ip = "0.0.0.0" in (mine.ip, theirs.ip) or mine.ip == theirs.ip
                if any_ip and (mine.port, mine.protocol) == (theirs.port, theirs.protocol):
                    return f"host port {mine.port} is taken by {other.key}"
    return ""


def _near(term: PodAffinityTerm, a: Node, b: Node) -> bool:
    key = term.topology_key
    return key in a.labels and key in b.labels and a.labels[key] == b.labels[key]


def _and_keys(selector: LabelSelector | None, keys: Iterable[str], pod: Pod) -> LabelSelector | None:
    if selector is None:
        return None
    more = [Requirement(k, Operator.IN, (pod.labels[k],)) for k in keys if k in pod.labels]
    return LabelSelector((*selector.requirements, *more))


def _counts(pod: Pod, c: SpreadConstraint, node: Node) -> bool:
    """Whether the node takes part in the constraint, by its inclusion policies."""
    spec = pod.spec
    if c.node_affinity_policy == "Honor":
        terms = spec.node_affinity.required
        if any(node.labels.get(k) != v for k, v in spec.node_selector.items()):
            return False
        if terms is not None and not any(t.matches(node.labels, node.name) for t in terms):
            return False
    if c.node_taints_policy == "Honor":
        hard = [t for t in node.taints if t.effect in ("NoSchedule", "NoExecute")]
        return all(_tolerated(t, spec.tolerations) for t in hard)
    return True
