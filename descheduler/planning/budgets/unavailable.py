"""Which PodUnavailableBudgets (OpenKruise) protect a pod: by what is written on it, its owners, or its labels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from descheduler.model.budgets import PUB, related_budget
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot


class UnavailableBudgets:
    """Those of a snapshot, found by name and by target instead of tried one by one."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._snapshot = snapshot
        self._named: dict[tuple[str, str], int] = {}
        self._targeting: dict[tuple[str, tuple[str, str, str]], list[int]] = {}
        for at, budget in enumerate(snapshot.budgets):
            if budget.kind == PUB:
                self._named[budget.namespace, budget.name] = at
                if budget.target is not None:
                    self._targeting.setdefault((budget.namespace, budget.target), []).append(at)

    def __bool__(self) -> bool:
        return bool(self._named)

    def differ(self) -> NDArray[np.int64]:
        """[P] the same number for pods of a namespace that cannot be told apart but by their labels."""
        looks = self._snapshot.looks
        related = [related_budget(found) for found in looks.annotations.values]
        number = {name: i for i, name in enumerate(dict.fromkeys(related))}
        of_annotations = np.array([number[name] for name in related], np.int64)[looks.annotations.rows]
        owners = looks.owners.rows.astype(np.int64) if self._targeting else np.int64(0)
        found: NDArray[np.int64] = owners * max(1, len(number)) + of_annotations
        return found

    def matching(self, pod: Pod, selecting: Iterable[int]) -> tuple[int, ...]:
        """All budgets of the pod, of both kinds; `selecting` are those that select its labels."""
        controllers = self._snapshot.controllers(pod.namespace, pod.owners)
        likely = set(selecting)
        for one in controllers:
            likely.update(self._targeting.get((pod.namespace, (one.group, one.kind, one.name)), ()))
        named = self._named.get((pod.namespace, related_budget(pod.annotations)))
        if named is not None:
            likely.add(named)
        budgets = self._snapshot.budgets
        return tuple(sorted(at for at in likely if budgets[at].covers(pod, controllers)))
