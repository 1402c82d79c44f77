"""What a node refuses whatever runs on it: state, taints, labels (kube-scheduler's NodeUnschedulable, TaintToleration,
NodeAffinity plug-ins)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints, Mask
from descheduler.model.labels import Labels
from descheduler.model.nodes import VACATING, Node, Taint
from descheduler.model.pods import NodeAffinity, PodSpec, Toleration
from descheduler.scheduler.domains import NodeLabels
from descheduler.scheduler.predicates import Predicate

HARD = ("NoSchedule", "NoExecute")
SOFT = "PreferNoSchedule"
_CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


class StaticRules:
    """Verdicts that depend only on the pod's spec and the nodes; each distinct part is worked out once."""

    def __init__(self, nodes: Sequence[Node], labels: NodeLabels) -> None:
        self._labels = labels
        self._size = len(nodes)
        self._cordoned = np.fromiter((n.unschedulable for n in nodes), np.bool_, len(nodes))
        self._not_ready = ~np.fromiter((n.ready for n in nodes), np.bool_, len(nodes))
        self._virtual = np.fromiter((n.virtual for n in nodes), np.bool_, len(nodes))
        self._leaving = np.fromiter((bool(n.leaving) for n in nodes), np.bool_, len(nodes))
        sets: dict[tuple[Taint, ...], int] = {}
        self._taint_set = np.fromiter((sets.setdefault(n.taints, len(sets)) for n in nodes), np.int32, len(nodes))
        self._taint_sets = tuple(sets)
        self._tainted: dict[tuple[Toleration, ...], Mask] = {}
        self._affine: dict[tuple[Labels, tuple[object, ...] | None], Mask] = {}
        self._codes: dict[tuple[tuple[Toleration, ...], Labels, tuple[object, ...] | None], NDArray[np.uint8]] = {}

    def codes(self, spec: PodSpec) -> NDArray[np.uint8]:
        """[N] the first predicate up to NODE_AFFINITY that fails, LEAVING or BRIEF where only that does, else 0."""
        key = (spec.tolerations, spec.node_selector, spec.node_affinity.required)
        found = self._codes.get(key)
        if found is None:
            codes = np.zeros(self._size, np.uint8)
            codes[self._brief(spec.tolerations)] = Predicate.BRIEF
            codes[self._leaving] = Predicate.LEAVING
            codes[~self.affine(spec.node_selector, spec.node_affinity)] = Predicate.NODE_AFFINITY
            codes[self.untolerated(spec.tolerations)] = Predicate.TAINT
            codes[self._virtual] = Predicate.VIRTUAL
            codes[self._not_ready] = Predicate.NOT_READY
            if not enters_cordoned(spec):
                codes[self._cordoned] = Predicate.UNSCHEDULABLE
            found = self._codes[key] = codes
        return found

    def affine(self, node_selector: Labels, affinity: NodeAffinity) -> Mask:
        """[N] nodes that the node selector and the required node affinity both select."""
        key = (node_selector, affinity.required)
        found = self._affine.get(key)
        if found is None:
            found = np.ones(self._size, np.bool_)
            for label, value in node_selector.items():
                found = found & self._labels.equal(label, value)
            if affinity.required is not None:
                found = found & self._labels.any_term(affinity.required)
            self._affine[key] = found
        return found

    def untolerated(self, tolerations: tuple[Toleration, ...]) -> Mask:
        """[N] nodes with a NoSchedule or NoExecute taint that nothing tolerates."""
        found = self._tainted.get(tolerations)
        if found is None:
            refused = [
                any(t.effect in HARD and not any(tolerates(x, t) for x in tolerations) for t in taints)
                for taints in self._taint_sets
            ]
            found = self._tainted[tolerations] = np.array(refused, np.bool_)[self._taint_set]
        return found

    def _brief(self, tolerations: tuple[Toleration, ...]) -> Mask:
        """[N] nodes with a NoExecute taint that is tolerated for a number of seconds only.

        Of several tolerations the first that covers a taint counts (component-helpers `GetMatchingTolerations`).
        """
        briefly = [any(map(partial(_for_a_while, tolerations), taints)) for taints in self._taint_sets]
        return np.array(briefly, np.bool_)[self._taint_set]

    def soft_taints(self, tolerations: tuple[Toleration, ...]) -> Ints:
        """[N] how many PreferNoSchedule taints of a node nothing tolerates.

        Ours is not counted: where a snapshot still shows it, a move has just ended; it is gone when the next begins.
        """
        counts = [
            sum(t.effect == SOFT and t != VACATING and not any(tolerates(x, t) for x in tolerations) for t in taints)
            for taints in self._taint_sets
        ]
        return np.array(counts, np.int64)[self._taint_set]

    def preferences(self, affinity: NodeAffinity) -> Ints:
        """[N] summed weights of the preferred node affinity terms that select the node."""
        total = np.zeros(self._size, np.int64)
        for weight, term in affinity.preferred:
            total += weight * self._labels.term(term)
        return total


def enters_cordoned(spec: PodSpec) -> bool:
    """Whether the scheduler puts such a pod on a cordoned node, if it fits there."""
    return any(tolerates(one, _CORDON) for one in spec.tolerations)


def _for_a_while(tolerations: tuple[Toleration, ...], taint: Taint) -> bool:
    if taint.effect != "NoExecute":
        return False
    used = next((t for t in tolerations if tolerates(t, taint)), None)
    return used is not None and used.seconds is not None


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether the toleration covers the taint (k8s.io/api core/v1 toleration.go).

    The numeric operators Lt and Gt cover nothing: their feature gate, TaintTolerationComparisonOperators, is off by
    default.
    """
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator in ("", "Equal"):
        return toleration.value == taint.value
    return toleration.operator == "Exists"
