"""The vocabulary of gangs: what a dialect says of a pod and of a gang, before all that is said becomes one `Unit`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from descheduler.gangs.lookup import Lookup
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.units import Consequence, DisruptionMode
from descheduler.model.workloads import OwnerRef


class Rank(IntEnum):
    """Whose word counts for minimum and mode when several dialects describe one gang: the lowest rank's."""

    CORE = 0
    POD_GROUP = 1
    QUEUE = 2
    OWNER = 3


class GangKey(NamedTuple):
    """A gang's identity: names are per namespace and per dialect."""

    dialect: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.dialect}:{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Terms:
    """What one dialect knows of one gang.

    `minimum` None means all members, `mode` None that the object does not say. `linked` are the gangs that this one
    names as bundled with it: those that name it too can only be disrupted together with it, and one that does not keeps
    it where it is. `blocked`: the gang cannot be resolved, so nothing of it moves.
    """

    minimum: int | None = None
    mode: DisruptionMode | None = None
    consequence: Consequence = Consequence.RESCHEDULED
    linked: tuple[GangKey, ...] = ()
    blocked: Blocked | None = None


class Dialect(Protocol):
    """One way of saying that pods belong together.

    A pod is a candidate, and `membership` is asked, when it carries one of the `labels` or `annotations` (keys), when
    `owned` is true of the controllers above it, or when it names a core pod group.
    """

    name: str
    rank: Rank
    labels: frozenset[str]
    annotations: frozenset[str]

    def owned(self, namespace: str, chain: tuple[OwnerRef, ...], lookup: Lookup) -> bool:
        """Whether the controllers of a pod of that namespace, nearest first, make it a candidate."""
        ...

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        """The gangs that the pod says it belongs to, usually none or one."""
        ...

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        """What is known of a gang; `members` are those of its pods that have not finished."""
        ...


class BaseDialect:
    """Defaults: no marks, no owners."""

    labels: frozenset[str] = frozenset()
    annotations: frozenset[str] = frozenset()

    def owned(self, namespace: str, chain: tuple[OwnerRef, ...], lookup: Lookup) -> bool:
        del namespace, chain, lookup
        return False
