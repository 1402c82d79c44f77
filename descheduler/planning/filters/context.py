"""What all filters look at, sorted once: a question about labels is asked per distinct set of labels, not per pod."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from descheduler.gangs import Units
from descheduler.model.arrays import Mask
from descheduler.model.labels import Labels
from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.budgets.match import Matches
from descheduler.planning.filters.rules import FilterRules, LedgerView

EVICT = "descheduler.alpha.kubernetes.io/evict"


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
    def bound(self) -> Mask:
        """[P] pods with a node, known or not."""
        return np.array([bool(p.node) for p in self.pods], np.bool_)

    @cached_property
    def leaving(self) -> Mask:
        """[P] pods that have a deletion timestamp."""
        return np.array([p.deleting is not None for p in self.pods], np.bool_)

    @cached_property
    def asks_for_eviction(self) -> Mask:
        """[P] pods that ask to be evicted, which lifts some protections."""
        if not self.policy.honour_evict_annotation:
            return self.nobody()
        return self.by_annotations(lambda a: a.get(EVICT, "false") != "false")

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
