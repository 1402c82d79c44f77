"""What an executor is: the seam between a plan and the ways in which a unit can be moved.

The runner (`execution.runner`) keeps what holds for all of them: waves, the second validation, intents before the first
write, the preflight of whole units, finishing what is begun, one queue for each budget, waiting for replacements, and
stopping. An executor says how one unit is moved:

| the runner                           | asks the executor                                                        |
|--------------------------------------|--------------------------------------------------------------------------|
| before anything is planned           | `filter`: what it can never move, so that no plan promises it            |
| begins a unit                        | `prepare`, before any disruption; then `disrupt`, pod by pod             |
| once replacements have a node, or    |                                                                          |
| when the unit is refused or dropped  | `release` what was prepared                                              |
| resumes what a crash interrupted     | `disrupted`, of every pod; then `disrupt` the rest, or none; `release`   |

Every call may be the last one before the process dies. So `prepare` and `release` say nothing that the intent and the
cluster do not say together, and either may be done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import ClassVar, Protocol, TypeAlias, TypeVar, runtime_checkable

from pydantic import Field

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.rate_limit import RateLimit
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.contract.arguments import PluginArgs
from descheduler.execution.intents import Intent
from descheduler.execution.limits import ExecutionLimits
from descheduler.model.landing_mode import LandingMode
from descheduler.model.manners import Manner
from descheduler.model.plan import Action, PodMove
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.rights import Right
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy.amounts import Amount


class ExecutorArgs(PluginArgs):
    """Base of every executor's arguments: how much it may do. A unit that is beyond a limit waits; no cruder executor
    moves it meanwhile."""

    at_once: int | None = Field(default=None, ge=1)
    """Units that it moves at the same moment; null: no limit."""
    per_cycle: Amount | None = None
    """Pods that it moves in one plan, as in `limits.perCycle`; null: no limit."""
    per_hour: Amount | None = None
    """Pods that it moves within an hour, over all plans, as in `limits.perHour`; null: no limit."""


A = TypeVar("A", bound=ExecutorArgs, contravariant=True)
PodFilter: TypeAlias = Callable[[Pod], Blocked | None]
"""Why a pod is refused, None when it is not. Pure, and asked while planning."""


class DisruptionVerdict(StrEnum):
    """What became of one request to take a pod away from its node."""

    DISRUPTED = "disrupted"
    GONE = "gone"
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"  # the write may or may not have taken effect


@dataclass(frozen=True, slots=True)
class DisruptionAnswer:
    """`blocked` says why when it is not disrupted; `retryable`: the same request may succeed later."""

    verdict: DisruptionVerdict
    blocked: Blocked | None = None
    retryable: bool = False
    retry_after: float = 0.0
    attempts: int = 1

    @property
    def disrupted(self) -> bool:
        """The pod is, or is about to be, no more."""
        return self.verdict in (DisruptionVerdict.DISRUPTED, DisruptionVerdict.GONE)


@dataclass(frozen=True, slots=True)
class NotPrepared:
    """Why a unit could not be prepared. `certain` False: what was written for it may yet take effect."""

    blocked: Blocked
    certain: bool = True


@dataclass(frozen=True, slots=True)
class ActingTools:
    """What an executor acts with during one execution, safe to share between threads.

    `rate` is the pace of disruptions, which the runner keeps for the first try at each pod. `closed` says why nothing
    new may be begun at this moment: the process was asked to end, or acting is switched off. `namespace` holds objects
    of our own.
    """

    writer: ClusterWriter
    rate: RateLimit
    clock: Clock
    rng: Random
    limits: ExecutionLimits
    closed: Callable[[], Blocked | None]
    namespace: str


class UnitMover(Protocol):
    """An executor at work during one execution. Its methods are called from several threads, for one unit from one.

    `disrupt` and `prepare` answer with values, the others raise ClusterError's kinds; all that write LeadershipLost.
    """

    def holds(self, action: Action) -> bool:
        """Whether it prepares anything for this action, which must then stay until the replacements have a node."""
        ...

    def prepare(self, intent: Intent) -> NotPrepared | None:
        """Make the moves of a stored intent land as planned, by writes that `release` takes back; all of it or none.

        A unit that could not be prepared is not touched; the runner releases what there is of it.
        """
        ...

    def disrupt(self, move: PodMove, *, dry_run: bool = False) -> DisruptionAnswer:
        """Take exactly this pod from its node; with `dry_run`, say what the server would answer."""
        ...

    def disrupted(self, move: PodMove) -> bool:
        """Whether exactly this pod is gone or on its way out."""
        ...

    def release(self, closing: Sequence[Intent], still_open: Sequence[Intent]) -> None:
        """Take away what was prepared for the intents that are closed next, but nothing that another one needs."""
        ...


@runtime_checkable
class Sweeper(Protocol):
    """A mover that makes objects which nobody would miss if its release never came to be."""

    def sweep(self, still_open: Collection[str]) -> None:
        """Take away what was prepared for intents that are none of these any more, by their keys."""
        ...


@runtime_checkable
class Executor(Protocol[A]):
    """One way to move units: what it can do, as far as that is known beforehand, and who does it.

    `landing` is RESERVED where it holds a place for the replacement, PREDICTED where the scheduler decides. `kinds` are
    the optional APIs ("group/Kind", of `descheduler.kube.convert.kinds`) that the cluster must serve, `rights` what it
    may have to do (the manifests grant exactly these), `manner` what it does and spares.
    """

    name: ClassVar[str]
    landing: ClassVar[LandingMode]
    kinds: ClassVar[tuple[str, ...]]
    rights: ClassVar[tuple[Right, ...]]
    manner: ClassVar[Manner]
    Args: ClassVar[type[ExecutorArgs]]

    def filter(self, args: A, snapshot: ClusterSnapshot) -> PodFilter | None:
        """What says of a pod why it cannot move it on this cluster; None when it moves whatever may be moved at all.

        It is asked about many pods: what follows from their owners is worked out once for each. Nor is it asked about
        each of those that are alike: of one owner, spec, labels, annotations and volume claims.
        """
        ...

    def mover(self, tools: ActingTools, args: A) -> UnitMover:
        """Who moves units by it during one execution."""
        ...
