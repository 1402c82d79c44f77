"""How long a job will still run, how much of its time it communicates, and what better links are then worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from descheduler.contract import RebalanceView
from descheduler.contract.types import parse_duration
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.workloads import Workload
from descheduler_strategies.gpu_topology.args import GpuTopologyArgs

PREFIX = "rebalance.descheduler.dev/"
EXPECTED_END = f"{PREFIX}expected-end"
"""When the job will end, as in 2030-01-31T12:00:00Z; on the pod, or on a controller above it."""
EXPECTED_DURATION = f"{PREFIX}expected-duration"
"""How long it runs from its start, as in 36h."""
COMMUNICATION = f"{PREFIX}communication-fraction"
"""Share of its time that it spends communicating at the best bandwidth, as in 0.4."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """`seconds` the job is expected to run on, and `source`, who says so; `communication` is a fraction."""

    seconds: float
    source: str
    communication: float


def speed_up(communication: float, ratio: float) -> float:
    """How many times faster a step is when communication takes `ratio` (old bandwidth over new) times as long.

    Amdahl's law with bandwidth alone: an upper bound, for latency and overlap with computing are left out.
    """
    return 1.0 / ((1.0 - communication) + communication * ratio)


def saved(seconds: float, factor: float) -> float:
    """Seconds that a job gains on what is left of it when it runs `factor` times faster."""
    return seconds * (1.0 - 1.0 / factor)


class Outlooks:
    """Outlooks of the pods of a view."""

    def __init__(self, view: RebalanceView, args: GpuTopologyArgs) -> None:
        self._view = view
        self._args = args

    def of(self, pods: Sequence[int]) -> Outlook | Blocked:
        """What is known of the job of these pods: it ends with the last of them. DATA_MISSING: an unreadable mark."""
        found: list[Outlook] = []
        for pod in pods:
            try:
                found.append(self._one(self._view.snapshot.pods[pod]))
            except ValueError as error:
                return Blocked(Reason.DATA_MISSING, f"pod/{self._view.snapshot.pods[pod].key}", str(error))
        return max(found, key=lambda o: o.seconds)

    def _one(self, pod: Pod) -> Outlook:
        now = self._view.snapshot.taken_at
        above = list(self._above(pod))
        marks = [pod.annotations, *(one.annotations for one in above)]
        seconds, source = self._expected(pod, marks, now)
        for end in (_deadline(one) for one in above):
            if end is not None and end - now < seconds:
                seconds, source = end - now, "deadline of its controller"
        communication = _fraction(_mark(marks, COMMUNICATION), self._args.communication)
        return Outlook(max(0.0, seconds), source, communication)

    def _expected(self, pod: Pod, marks: Sequence[Mapping[str, str]], now: float) -> tuple[float, str]:
        end, duration = _mark(marks, EXPECTED_END), _mark(marks, EXPECTED_DURATION)
        if end:
            return _time(end) - now, "annotation"
        began = pod.started or pod.created
        if duration and began:
            return began + _seconds(duration) - now, "annotation"
        expected = self._args.expected.get(self._view.snapshot.root(pod).kind)
        if expected is not None and began:
            return began + expected.total_seconds() - now, "policy, by its kind"
        return self._args.remaining.total_seconds(), "policy, for want of anything better"

    def _above(self, pod: Pod) -> Iterator[Workload | CustomObject]:
        snapshot = self._view.snapshot
        for owner in snapshot.controllers(pod.namespace, pod.owners):
            found = snapshot.workload(pod.namespace, owner)
            above = found or snapshot.custom(owner.group, owner.kind, pod.namespace, owner.name)
            if above is not None:
                yield above


def _mark(marks: Sequence[Mapping[str, str]], key: str) -> str:
    """The nearest annotation of that key, empty when nobody has it."""
    return next((mark[key] for mark in marks if key in mark), "")


def _deadline(controller: Workload | CustomObject) -> float | None:
    """When a controller stops its job: activeDeadlineSeconds after its start, also under Kubeflow's runPolicy."""
    if isinstance(controller, Workload):
        return controller.deadline
    policy: Json = controller.spec.get("runPolicy")
    seconds = controller.spec.get("activeDeadlineSeconds")
    if seconds is None and isinstance(policy, dict):
        seconds = policy.get("activeDeadlineSeconds")
    start = controller.status.get("startTime")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not isinstance(start, str):
        return None
    try:
        return _time(start) + seconds
    except ValueError:
        return None  # a start that cannot be read sets no limit; others may


def _time(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time such as 2030-01-31T12:00:00Z") from None
    if found.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return found.timestamp()


def _seconds(text: str) -> float:
    return parse_duration(text).total_seconds()


def _fraction(text: str, absent: float) -> float:
    if not text:
        return absent
    value = float(text)
    if not math.isfinite(value) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{text!r} is not a fraction from 0 to 1")
    return value
