"""Pods that the scheduler cannot tell apart: same spec, same namespace, same labels.

A *group* is a distinct (namespace, labels); a *class* is a distinct (spec, group). Selectors are evaluated on groups,
rules are worked out once per class, and counts move by class.
"""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Ints, Ints32
from descheduler.model.distinct import apart
from descheduler.model.labels import Labels
from descheduler.model.pods import PodSpec
from descheduler.model.selectors import LabelSelector, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot

_NONE = np.empty(0, np.int64)


class Groups:
    """Distinct (namespace, labels) and which of them a selector matches."""

    def __init__(self, namespace: list[str], labels: list[Labels]) -> None:
        self.namespace = namespace  # [G]
        self.labels = labels  # [G]
        self._of_namespace: dict[str, list[int]] = {}
        for group, name in enumerate(namespace):
            self._of_namespace.setdefault(name, []).append(group)
        self._by_value: dict[str, dict[str, list[int]]] = {}
        self._matching: dict[tuple[LabelSelector, frozenset[str] | None], Ints] = {}

    def matching(self, selector: LabelSelector | None, namespaces: frozenset[str] | None) -> Ints:
        """[K] groups in the namespaces (None: all) whose labels the selector matches; None matches nothing."""
        if selector is None:
            return _NONE
        key = (selector, namespaces)
        found = self._matching.get(key)
        if found is None:
            hits = [
                g
                for g in self._candidates(selector, namespaces)
                if (namespaces is None or self.namespace[g] in namespaces) and selector.matches(self.labels[g])
            ]
            found = self._matching[key] = np.array(sorted(hits), np.int64)
        return found

    def _candidates(self, selector: LabelSelector, namespaces: frozenset[str] | None) -> list[int]:
        # The shortest of: groups of the namespaces, groups with one of the values that an In requirement allows.
        best: list[int] | None = None
        for requirement in selector.requirements:
            if requirement.operator is Operator.IN:
                with_value = self._with(requirement)
                if best is None or len(with_value) < len(best):
                    best = with_value
        if namespaces is not None:
            size = sum(len(self._of_namespace.get(n, ())) for n in namespaces)
            if best is None or size < len(best):
                return [g for n in namespaces for g in self._of_namespace.get(n, ())]
        return list(range(len(self.labels))) if best is None else best

    def _with(self, requirement: Requirement) -> list[int]:
        by_value = self._by_value.get(requirement.key)
        if by_value is None:
            by_value = self._by_value[requirement.key] = {}
            for group, labels in enumerate(self.labels):
                value = labels.get(requirement.key)
                if value is not None:
                    by_value.setdefault(value, []).append(group)
        if len(requirement.values) == 1:
            return by_value.get(requirement.values[0], [])
        return [g for value in set(requirement.values) for g in by_value.get(value, ())]


class PodClasses:
    """The classes of P pods, and of those that will be made in their place: C of them, over G groups."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        columns = snapshot.columns
        groups, pod_group, remade_group = _group(snapshot)
        width = max(len(columns.specs), 1)
        codes = pod_group * width + columns.pod_spec
        changed = np.fromiter(sorted(snapshot.remade.different), np.int64)
        distinct, found = np.unique(
            np.concatenate([codes, remade_group[changed] * width + columns.pod_remade[changed]]), return_inverse=True
        )
        every = found.reshape(-1).astype(np.int32)
        self.groups = groups
        self.of_pod: Ints32 = every[: len(codes)]  # [P]
        self.remade: Ints32 = self.of_pod.copy()  # [P] of what will be made in the pod's place
        self.remade[changed] = every[len(codes) :]
        self.group: Ints = distinct // width  # [C]
        self.spec: Ints = distinct % width  # [C] position in `columns.specs`
        self.specs: tuple[PodSpec, ...] = columns.specs
        self.first = _first(self.of_pod, self.remade, len(distinct))  # [C] a pod that is, or will be, of the class
        live = np.flatnonzero(columns.pod_live)
        self.live_order = live[np.argsort(self.of_pod[live], kind="stable")]  # live pods, grouped by class
        self.live_start = np.zeros(len(distinct) + 1, np.int64)
        np.cumsum(np.bincount(self.of_pod[live], minlength=len(distinct)), out=self.live_start[1:])
        self._order = np.argsort(self.group, kind="stable")
        self._start = np.searchsorted(self.group[self._order], np.arange(len(groups.labels) + 1))

    def __len__(self) -> int:
        return len(self.group)

    def spec_of(self, cls: int) -> PodSpec:
        return self.specs[int(self.spec[cls])]

    def namespace_of(self, cls: int) -> str:
        return self.groups.namespace[int(self.group[cls])]

    def labels_of(self, cls: int) -> Labels:
        return self.groups.labels[int(self.group[cls])]

    def of_groups(self, groups: Ints) -> Ints:
        """[K] classes of the groups [J]."""
        return gather(self._order, self._start, groups)

    def live_of(self, classes: Ints) -> Ints:
        """[K] positions of the live pods of the classes [J]."""
        return gather(self.live_order, self.live_start, classes)


def gather(order: Ints, start: Ints, rows: Ints) -> Ints:
    """[K] concatenated slices `order[start[r]:start[r + 1]]` of the rows [J]."""
    if len(rows) == 1:
        return order[start[rows[0]] : start[rows[0] + 1]]
    sizes = start[rows + 1] - start[rows]
    total = int(sizes.sum())
    if total == 0:
        return _NONE
    ends = np.cumsum(sizes)
    within = np.arange(total) - np.repeat(ends - sizes, sizes)
    found: Ints = order[np.repeat(start[rows], sizes) + within]
    return found


def _first(of_pod: Ints32, remade: Ints32, classes: int) -> Ints:
    first = np.zeros(classes, np.int64)
    backwards = np.arange(len(of_pod) - 1, -1, -1)
    first[remade[::-1]] = backwards
    first[of_pod[::-1]] = backwards
    return first


def _group(snapshot: ClusterSnapshot) -> tuple[Groups, Ints, Ints]:
    # Labels are mostly interned, so identity finds nearly all that are the same; the values decide the rest.
    known: dict[tuple[str, Labels], int] = {}
    pods = snapshot.pods
    near = apart(snapshot.looks.labels, snapshot.looks.namespaces.rows)
    group = np.empty(len(near.values), np.int64)
    first = near.first
    for row in np.argsort(first).tolist():
        pod = pods[first[row]]
        group[row] = known.setdefault((pod.namespace, pod.labels), len(known))
    out = group[near.rows]
    remade = out.copy()
    for at, found in snapshot.remade.different.items():
        remade[at] = known.setdefault((pods[at].namespace, found.labels), len(known))
    return Groups([namespace for namespace, _ in known], [labels for _, labels in known]), out, remade
