"""Rows of a plan that people read it by: nothing is decided by them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AwayRow:
    """Of a workload with `replicas`, so many `pods` are away for about `seconds`, as the policy reckons a restart.

    0 seconds: its replacements are ready before it goes.
    """

    workload: str
    pods: int
    replicas: int
    seconds: float


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """How sure the forecast of a node is: what the same pods would have been forecast a day ago, and what came.

    `forecast` is the quantile `quantile` of that day and `came` what the pods used, as fractions of the node's
    allocatable, the highest of each `step_seconds`; `came` is negative where nothing was measured. `under` is the share
    of the `compared` steps of the history that stayed at or under the forecast; -1 where none could be compared.
    `workloads` have a profile here, made from `samples` measurements; `confidence` (0..1) is theirs, by requests, and
    `covered` their share of the node's requests. `usual` is the median of what is forecast now, by the steps of the
    finding's curve.
    """

    quantile: float
    workloads: int
    samples: int
    confidence: float
    covered: float
    step_seconds: int = 0
    forecast: tuple[float, ...] = ()
    came: tuple[float, ...] = ()
    compared: int = 0
    under: float = -1.0
    usual: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A value of the policy, by its path as `--set` has it; `default` where it is another one, else empty."""

    path: str
    value: str
    default: str = ""
