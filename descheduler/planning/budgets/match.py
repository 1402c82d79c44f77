"""Which disruption budgets match which pods; what a budget allows is said by the budget itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Mask
from descheduler.model.bounds import COMPARISONS
from descheduler.model.budgets import PDB, DisruptionBudget
from descheduler.model.labels import Labels
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.selectors import Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.budgets.unavailable import UnavailableBudgets


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """Budgets by pod, kept per distinct pair of namespace and labels, and what else tells pods apart (D of them)."""

    row: NDArray[np.int32]  # [P] position in `matching`
    matching: tuple[tuple[int, ...], ...]  # [D] positions in snapshot.budgets, ascending
    count: NDArray[np.int32]  # [P] how many PodDisruptionBudgets match
    healthy: NDArray[np.int64]  # [B] matched pods that are ready and stay, as the snapshot has them now
    unmatched: Mask  # [P] pods that not all budgets of their namespace were held against, for there is too much of both

    def of(self, pod: int) -> tuple[int, ...]:
        """Positions of all budgets that match a pod."""
        return self.matching[int(self.row[pod])]

    def sparing(self, spared: Mask, budgets: Sequence[DisruptionBudget]) -> Matches:
        """The same, but no PodDisruptionBudget is asked about the `spared` pods [P]: they are covered, and not fewer.

        Budgets of other kinds are about the deletion itself, whoever does it.
        """
        if not spared.any():
            return self
        others = tuple(tuple(at for at in one if budgets[at].kind != PDB) for one in self.matching)
        row = np.where(spared, self.row + np.int32(len(self.matching)), self.row)
        count = np.where(spared, np.minimum(self.count, 1), self.count)
        return replace(
            self, row=row, matching=(*self.matching, *others), count=count, unmatched=self.unmatched & ~spared
        )

    def first(self, marked: Sequence[bool]) -> NDArray[np.int32]:
        """[P] the first of each pod's budgets that is `marked` [B], -1 when none is."""
        head = np.array([m[0] if m else -1 for m in self.matching], np.int32)  # [D]
        found = np.where(np.array([*marked, False], np.bool_)[head], head, np.int32(-1))
        for row in np.flatnonzero(np.array([len(m) > 1 for m in self.matching], np.bool_)).tolist():
            found[row] = next((at for at in self.matching[row] if marked[at]), -1)
        return found[self.row]


def match_budgets(snapshot: ClusterSnapshot) -> Matches:
    """Match all budgets; a selector that is absent selects nothing, an empty one the whole namespace."""
    return snapshot.once(Matches, partial(_match, snapshot))


def _match(snapshot: ClusterSnapshot) -> Matches:
    namespaces, labels = snapshot.looks.namespaces, snapshot.looks.labels
    width = max(1, len(labels.values))
    pairs = namespaces.rows.astype(np.int64) * width + labels.rows
    unavailable = UnavailableBudgets(snapshot)
    if unavailable:
        differ = unavailable.differ()
        pairs = pairs * (differ.max(initial=0) + 1) + differ
    _, alike, inverse = np.unique(pairs, return_index=True, return_inverse=True)
    row: NDArray[np.int32] = inverse.reshape(-1).astype(np.int32)
    indices = _indices(snapshot.budgets)
    nothing = _Index((), ())
    examples = [snapshot.pods[pod] for pod in alike.tolist()]
    found = [indices.get(pod.namespace, nothing).matching(pod.labels) for pod in examples]
    unmatched = np.array([one is None for one in found], np.bool_)
    matching = tuple(one or () for one in found)
    if unavailable:
        matching = tuple(unavailable.matching(pod, these) for pod, these in zip(examples, matching, strict=True))
        counts = np.array([sum(snapshot.budgets[at].kind == PDB for at in m) for m in matching], np.int32)
    else:
        counts = np.array([len(m) for m in matching], np.int32)
    return Matches(row, matching, counts[row], _healthy(snapshot, row, matching), unmatched[row])


def unmatched(pod: Pod) -> Blocked:
    """Why nobody knows which budgets protect a pod."""
    text = "it has so many budgets and pods that these were not all held against each other"
    return Blocked(Reason.DISRUPTION_BUDGET, f"namespace/{pod.namespace}", text)


def _healthy(
    snapshot: ClusterSnapshot, row: NDArray[np.int32], matching: Sequence[tuple[int, ...]]
) -> NDArray[np.int64]:
    """[B] what the budgets' controller would count as healthy now (disruption.go, `countHealthyPods`)."""
    columns = snapshot.columns
    well = columns.pod_ready & ~columns.pod_ending & ~columns.pod_terminal
    by_row = np.bincount(row[well], minlength=len(matching)).tolist()
    out = np.zeros(len(snapshot.budgets), np.int64)
    for found, pods in zip(matching, by_row, strict=True):
        for at in found:
            out[at] += pods
    for at, budget in enumerate(snapshot.budgets):
        granted = (snapshot.pod_index.get((budget.namespace, name), -1) for name in budget.disrupting)
        out[at] -= sum(bool(well[i]) and at in matching[int(row[i])] for i in granted if i >= 0)
    return out


class _Index:
    """The budgets of one namespace, found by a label that they ask for instead of tried one by one."""

    def __init__(self, positions: Sequence[int], budgets: Sequence[DisruptionBudget]) -> None:
        self._budgets = dict(zip(positions, budgets, strict=True))
        self._loose: list[int] = []
        self._by: dict[str, dict[str, list[int]]] = {}
        self._left = COMPARISONS
        asked = Counter(
            (r.key, v) for b in budgets if b.selector for r in _exact(b.selector.requirements) for v in r.values
        )
        for position, budget in self._budgets.items():
            if budget.selector is None:
                continue
            exact = list(_exact(budget.selector.requirements))
            if not exact:
                self._loose.append(position)
                continue
            rarest = min(exact, key=lambda r: sum(asked[(r.key, v)] for v in r.values))
            for value in dict.fromkeys(rarest.values):
                self._by.setdefault(rarest.key, {}).setdefault(value, []).append(position)

    def matching(self, labels: Labels) -> tuple[int, ...] | None:
        """Those that select these labels; None once that is more work than there is time for."""
        likely = list(self._loose)
        for key, by_value in self._by.items():
            value = labels.get(key)
            if value is not None:
                likely.extend(by_value.get(value, ()))
        self._left -= len(likely)
        if self._left < 0:
            return None
        return tuple(sorted(p for p in likely if self._selects(p, labels)))

    def _selects(self, position: int, labels: Labels) -> bool:
        return self._budgets[position].selects(labels)


def _exact(requirements: Iterable[Requirement]) -> Iterable[Requirement]:
    return (r for r in requirements if r.operator is Operator.IN)


def _indices(budgets: Sequence[DisruptionBudget]) -> Mapping[str, _Index]:
    by_namespace: dict[str, list[int]] = {}
    for position, budget in enumerate(budgets):
        by_namespace.setdefault(budget.namespace, []).append(position)
    return {ns: _Index(found, [budgets[p] for p in found]) for ns, found in by_namespace.items()}
