"""How pods fare, as arrays: phases, reasons, exit codes, restarts, conditions, ages, owners."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats, Ints, Mask
from descheduler.model.pod_status import ContainerState, PodStatus


class PodStates:
    """The pods (P) of a view. What is asked of a status is asked once of all that are alike."""

    def __init__(self, view: RebalanceView) -> None:
        self._snapshot = view.snapshot
        self._looks = view.snapshot.looks

    @cached_property
    def age(self) -> Floats:
        """[P] whole seconds since the pod was made; -1 where that is not known, or is to come."""
        created = np.fromiter((pod.created for pod in self._snapshot.pods), np.float64, len(self._snapshot.pods))
        age = np.floor(self._snapshot.taken_at - created)
        return np.where((created > 0) & (age >= 0), age, -1.0)

    def in_phase(self, phases: Collection[str]) -> Mask:
        """[P] pods in one of the phases."""
        return _spread([phase.value in phases for phase in self._looks.phases.values], self._looks.phases.rows)

    def with_status(self, test: Callable[[PodStatus], bool]) -> Mask:
        """[P] pods whose status passes."""
        return _spread([test(status) for status in self._looks.statuses.values], self._looks.statuses.rows)

    def owned_by(self, kinds: Collection[str]) -> Mask:
        """[P] pods with an owner, controller or not, of one of the kinds."""
        found = [any(owner.kind in kinds for owner in pod.owners) for pod in self._looks.first_of_owner]
        return _spread(found, self._looks.owners.rows)

    def restarts(self, *, init: bool) -> Ints:
        """[P] how often the containers of each pod were started again, with those of `init` containers or without."""
        sums = [sum(one.restarts for one in containers(s, init=init)) for s in self._looks.statuses.values]
        return np.array(sums, np.int64)[self._looks.statuses.rows] if sums else np.zeros(0, np.int64)

    def with_condition(self, kind: str, status: str, reason: str, least_seconds: int | None) -> Mask:
        """[P] pods with a condition like this (empty: any) that has not changed for so many seconds, where given."""
        at = [tuple(_matching(one, kind, status, reason)) for one in self._looks.statuses.values]
        found = _spread([bool(places) for places in at], self._looks.statuses.rows)
        if least_seconds is None:
            return found
        latest, rows = self._snapshot.taken_at - least_seconds, self._looks.statuses.rows
        for pod in np.flatnonzero(found).tolist():
            times = self._snapshot.pods[pod].transitions
            found[pod] = any(0.0 < times[place] <= latest for place in at[rows[pod]] if place < len(times))
        return found


def containers(status: PodStatus, *, init: bool = False, ephemeral: bool = False) -> Iterator[ContainerState]:
    """The containers of a pod, with others where these are wanted."""
    yield from status.containers
    if init:
        yield from status.init_containers
    if ephemeral:
        yield from status.ephemeral_containers


def _matching(found: PodStatus, kind: str, status: str, reason: str) -> Iterator[int]:
    for place, one in enumerate(found.conditions):
        if kind in ("", one.type) and status in ("", one.status) and reason in ("", one.reason):
            yield place


def _spread(answers: list[bool], rows: NDArray[np.int32]) -> Mask:
    found: Mask = np.array(answers, np.bool_)[rows] if answers else np.zeros(0, np.bool_)
    return found
