"""Which executors may move a pod: those of the first rule of the policy that selects it, or else the policy's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from descheduler.model.landing_mode import LandingMode
from descheduler.model.manners import Manner
from descheduler.model.owners import OwnerRef
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy.acting import ExecutorRule
from descheduler.policy.amounts import Amount

PodFilter = Callable[[Pod], Blocked | None]


@dataclass(frozen=True, slots=True)
class ExecutorLimits:
    """How much one executor may do: units at the same moment, pods in a plan, pods within an hour; None: no limit."""

    at_once: int | None = None
    per_cycle: Amount | None = None
    per_hour: Amount | None = None


@dataclass(frozen=True, slots=True)
class ExecutorTraits:
    """What planning knows of an executor: its name, who decides where pods land, why it cannot move a pod, and what
    its moves are like. `filter` None: it moves whatever may be moved at all.
    """

    name: str = "evict"
    landing: LandingMode = LandingMode.PREDICTED
    filter: PodFilter | None = None
    manner: Manner = field(default_factory=lambda: Manner((), releases=True))
    limits: ExecutorLimits = ExecutorLimits()


@dataclass(frozen=True, slots=True)
class OrderRule:
    """The executors, the gentlest first, of pods that are of such a namespace, have such labels, and such an owner.

    `owner_kinds` as (group, kind), the group None where any will do; empty: whoever owns them, if anybody.
    """

    order: tuple[str, ...]
    namespace: Callable[[str], bool] = lambda _: True
    labels: LabelSelector | None = None
    owner_kinds: tuple[tuple[str | None, str], ...] = ()

    @classmethod
    def of(cls, written: ExecutorRule) -> Self:
        parted = (one.rpartition("/") for one in written.owner_kinds)
        kinds = tuple((group if slash else None, kind) for group, slash, kind in parted)
        labels = None if written.label_selector is None else written.label_selector.selector()
        return cls(written.order, written.namespaces.holds, labels, kinds)

    def selects(self, pod: Pod, controllers: Callable[[], Iterable[OwnerRef]]) -> bool:
        """Whether it speaks of the pod, whose controllers are asked for where that matters."""
        if not self.namespace(pod.namespace) or not (self.labels is None or self.labels.matches(pod.labels)):
            return False
        kinds = self.owner_kinds
        return not kinds or any((None, o.kind) in kinds or (o.group, o.kind) in kinds for o in controllers())


class ExecutorChoice:
    """The executors of one plan, and which of them may move which pods of a snapshot.

    A pod that no rule selects may be moved by any of them; the last rule of a policy selects every pod.
    """

    def __init__(
        self, snapshot: ClusterSnapshot, executors: Sequence[ExecutorTraits], rules: Sequence[OrderRule] = ()
    ) -> None:
        self._snapshot = snapshot
        self._all = tuple(executors)
        named = {one.name: one for one in executors}
        self._orders = [(rule, tuple(named[name] for name in rule.order)) for rule in rules]

    def among(self, pod: Pod) -> tuple[ExecutorTraits, ...]:
        """Those that may move the pod, the gentlest first."""
        if not self._orders:
            return self._all
        above = partial(self._snapshot.controllers, pod.namespace, pod.owners)
        return next((order for rule, order in self._orders if rule.selects(pod, above)), self._all)

    @property
    def filter(self) -> PodFilter | None:
        """Why no executor can move a pod; None where for each pod there is one that moves all."""
        orders = [order for _, order in self._orders] or [self._all]
        return self._refusal if any(all(one.filter for one in order) for order in orders) else None

    def _refusal(self, pod: Pod) -> Blocked | None:
        found: list[Blocked] = []
        for one in self.among(pod):
            blocked = one.filter(pod) if one.filter is not None else None
            if blocked is None:
                return None
            found.append(blocked)
        first, *others = found
        return replace(first, detail="; ".join([first.detail, *(f"{one.by}: {one.detail}" for one in others)]))
