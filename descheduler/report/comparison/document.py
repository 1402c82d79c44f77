"""Plans side by side as one versioned document; table and page are views of it.

Whatever is compared has a side for each plan, in the order of `plans`, and a change for each plan but the first: what
is otherwise in it than in the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

FORMAT = "descheduler/plan-comparison"
VERSION = 1


class Change(StrEnum):
    """What is otherwise in a plan than in the first one."""

    SAME = "same"
    GONE = "gone"
    NEW = "new"
    ABSENT = "absent"  # from both of them, while a third has it
    OUTCOME = "outcome"
    VALUE = "value"
    SOURCE = "source"
    DESTINATION = "destination"


ALIKE = frozenset({Change.SAME, Change.ABSENT})


@dataclass(frozen=True, slots=True)
class ComparedPlan:
    """One of the plans; `name` is what it is called here. The other fields are those of its document."""

    name: str
    id: str
    created: float
    product: str
    cluster: str
    policy_hash: str
    horizon_seconds: int
    landing: str
    acting_blocked: str
    problems: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingSide:
    """A finding in one plan, and how many pods move and restart for it there."""

    id: str
    value: float
    threshold: float
    after: float
    outcome: str
    moves: int
    restarts: int


@dataclass(frozen=True, slots=True)
class ComparedFinding:
    """The same finding in several plans: of one strategy about one subject."""

    strategy: str
    subject: str
    resource: str
    measure: str
    sides: tuple[FindingSide | None, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class MoveSide:
    """A pod's move in one plan; `share` is how probable it is that it lands on its destination."""

    action: str
    strategy: str
    subject: str
    source: str
    destination: str
    share: float
    wave: int


@dataclass(frozen=True, slots=True)
class ComparedMove:
    """The same pod in several plans."""

    namespace: str
    pod: str
    workload: str
    sides: tuple[MoveSide | None, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ComparedRefusals:
    """How often something was refused for a reason."""

    reason: str
    explanation: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ComparedRestarts:
    """How many pods of a workload restart."""

    workload: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`numbers` are totals by name; `notes` say where the plans do not rest on the same. Rows that do not differ are
    there too; `same`: there is no other."""

    format: str
    version: int
    plans: tuple[ComparedPlan, ...]
    notes: tuple[str, ...]
    numbers: Mapping[str, tuple[float | None, ...]]
    findings: tuple[ComparedFinding, ...]
    moves: tuple[ComparedMove, ...]
    refusals: tuple[ComparedRefusals, ...]
    restarts: tuple[ComparedRestarts, ...]
    same: bool
