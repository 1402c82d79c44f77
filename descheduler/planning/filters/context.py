"""What all filters look at, sorted once: a question about labels is asked per distinct set of labels, not per pod."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Flag, auto
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from descheduler.gangs import Units
from descheduler.model.admission import LimitRange
from descheduler.model.arrays import Mask
from descheduler.model.bounds import QUOTAS
from descheduler.model.distinct import Distinct
from descheduler.model.labels import Labels
from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.budgets.match import Matches
from descheduler.planning.filters.rules import FilterRules, LedgerView

EVICT = "descheduler.alpha.kubernetes.io/evict"

ControllerId = tuple[str, str]
"""Namespace and uid: whoever writes a uid into a reference means an object of his own namespace, or none."""


class Act(Flag):
    """What may be done to a pod, and so what a filter may forbid: to MOVE it, to RESTART it (a removal while it has not
    finished: it is made again, wherever that is), to RELEASE what it holds (it is made again and waits), or to CLEAR it
    away once it has finished, when nobody makes it again.
    """

    MOVE = auto()
    RESTART = auto()
    CLEAR = auto()
    RELEASE = auto()
    MADE_AGAIN = MOVE | RESTART
    DISRUPT = MOVE | RESTART | RELEASE
    ANY = MOVE | RESTART | RELEASE | CLEAR


@dataclass(frozen=True, eq=False, slots=True)
class Filter:
    """One protection: whom it stops (`mask` [P]), and the words for one of them.

    `together`: what it has to say of pods that may each go, but all at once.
    """

    reason: Reason
    mask: Mask
    explain: Callable[[int], Blocked]
    together: Callable[[Sequence[int]], Blocked | None] | None = None


class FilterContext:
    """One snapshot as the filters see it."""

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        units: Units,
        policy: FilterRules,
        matches: Matches,
        now: float,
        ledger: LedgerView | None,
        in_flight: Collection[int] = (),
    ) -> None:
        self.snapshot, self.units, self.policy = snapshot, units, policy
        self.matches, self.now, self.ledger, self.in_flight = matches, now, ledger, in_flight
        self.pods = snapshot.pods
        self.columns, self.looks = snapshot.columns, snapshot.looks

    @cached_property
    def running(self) -> Mask:
        """[P] pods in phase Running."""
        return self.in_phase(Phase.RUNNING)

    @cached_property
    def finished(self) -> Mask:
        """[P] pods that have succeeded or failed."""
        return self.columns.pod_terminal

    @cached_property
    def bound(self) -> Mask:
        """[P] pods with a node, known or not."""
        return np.array([bool(p.node) for p in self.pods], np.bool_)

    @cached_property
    def leaving(self) -> Mask:
        """[P] pods that have a deletion timestamp."""
        return self.columns.pod_ending

    @cached_property
    def asks_for_eviction(self) -> Mask:
        """[P] pods that ask to be evicted, which lifts some protections."""
        if not self.policy.honour_evict_annotation:
            return self.nobody()
        return self.by_annotations(lambda a: a.get(EVICT, "false") != "false")

    @cached_property
    def staying(self) -> Mask:
        """[P] pods that neither have ended nor are on their way out."""
        found: Mask = ~self.in_phase(Phase.SUCCEEDED, Phase.FAILED) & ~self.leaving
        found[list(self.in_flight)] = False
        return found

    @cached_property
    def standing(self) -> Mapping[ControllerId, int]:
        """How many pods that stay each controller has."""
        count = np.bincount(self.looks.owners.rows[self.staying], minlength=len(self.looks.first_of_owner))
        found: Counter[ControllerId] = Counter()
        for pod, n in zip(self.looks.first_of_owner, count.tolist(), strict=True):
            if pod.controller is not None:
                found[pod.namespace, pod.controller.uid] += n
        return found

    @cached_property
    def limit_ranges(self) -> Mapping[str, Sequence[LimitRange]]:
        """By namespace."""
        found: dict[str, list[LimitRange]] = {}
        for one in self.snapshot.limit_ranges:
            found.setdefault(one.namespace, []).append(one)
        for several in found.values():
            items = sum(len(one.items) for one in several)
            if items > QUOTAS:
                text = f"the namespace has {items} limits, more than the {QUOTAS} that are looked at"
                several[:] = [replace(several[0], items=(), problem=text)]
        return found

    @cached_property
    def alike(self) -> Distinct[int]:
        """Pods of one controller that are alike and whose replacements will be: one of each, and every pod's row."""
        columns, specs = self.columns, len(self.columns.specs)
        look = (self.looks.owners.rows.astype(np.int64) * specs + columns.pod_spec) * specs + columns.pod_remade
        _, first, rows = np.unique(look, return_index=True, return_inverse=True)
        return Distinct(first.tolist(), rows.astype(np.int32))

    def of_alike(self, judge: Callable[[int], Blocked | None]) -> Iterator[Filter]:
        """One filter for each reason that `judge` has for pods; those of one controller that are alike are asked once.

        Pods without an owner are not asked: nobody makes them again.
        """
        asked = ((row, pod) for row, pod in enumerate(self.alike.values) if self.pods[pod].owners)
        found = {row: blocked for row, pod in asked if (blocked := judge(pod)) is not None}
        rows = self.alike.rows
        for reason in dict.fromkeys(blocked.reason for blocked in found.values()):
            hit = np.isin(rows, [row for row, blocked in found.items() if blocked.reason is reason])
            yield Filter(reason, hit, lambda i: found[int(rows[i])])

    def nobody(self) -> Mask:
        """[P] False."""
        return np.zeros(len(self.pods), np.bool_)

    def in_phase(self, *phases: Phase) -> Mask:
        """[P] pods in one of the phases."""
        return _spread([phase in phases for phase in self.looks.phases.values], self.looks.phases.rows)

    def by_labels(self, test: Callable[[Labels], bool]) -> Mask:
        """[P] pods whose labels pass; each distinct set of labels is asked once."""
        return _spread([test(v) for v in self.looks.labels.values], self.looks.labels.rows)

    def by_annotations(self, test: Callable[[Labels], bool]) -> Mask:
        """[P] pods whose annotations pass. Empty ones are not asked: `test` must be False of them."""
        return _spread([bool(v) and test(v) for v in self.looks.annotations.values], self.looks.annotations.rows)

    def by_namespace(self, test: Callable[[str], bool]) -> Mask:
        """[P] pods whose namespace passes."""
        return _spread([test(v) for v in self.looks.namespaces.values], self.looks.namespaces.rows)

    def by_owner(self, test: Callable[[Pod], bool]) -> Mask:
        """[P] pods whose owners pass: `test` sees one pod for each controller, and looks at its owners."""
        return _spread([test(p) for p in self.looks.first_of_owner], self.looks.owners.rows)

    def by_spec(self, values: list[bool]) -> Mask:
        """[P] the value of each pod's spec; `values` [S] per `columns.specs`."""
        return _spread(values, self.columns.pod_spec)

    def name(self, pod: int) -> str:
        return f"pod/{self.pods[pod].key}"


def _spread(values: list[bool], rows: NDArray[np.int32]) -> Mask:
    out: Mask = np.array(values, np.bool_)[rows] if values else np.zeros(len(rows), np.bool_)
    return out
