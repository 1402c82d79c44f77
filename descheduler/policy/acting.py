"""How a plan is carried out, and what is kept of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, SerializeAsAny, model_validator

from descheduler.contract import PluginArgs
from descheduler.contract.selecting import NamespaceChoice, Selector
from descheduler.contract.types import Duration, Fraction
from descheduler.model.landing_mode import LandingWish
from descheduler.policy.protections import OwnerKind
from descheduler.policy.section import Section

ExecutorName = Annotated[str, Field(min_length=1)]
Executors = str | tuple[ExecutorName, ...]
"""One executor, or several, the gentlest first."""


def in_order(written: Executors) -> tuple[str, ...]:
    """Their names, the gentlest first. Raises ValueError where there is none, or one twice."""
    order = (written,) if isinstance(written, str) else written
    if not order or len(set(order)) < len(order):
        raise ValueError("executor must name at least one executor, and each once")
    return order


class ExecutorRule(Section):
    """By which executors some pods are moved, in place of `acting.executor`."""

    namespaces: NamespaceChoice = NamespaceChoice()
    """Of which namespaces the pods are, by name, where `*` stands for any text."""
    label_selector: Selector | None = None
    """Labels that the pods have."""
    owner_kinds: tuple[OwnerKind, ...] = ()
    """Kinds of which one of their controllers is, near or far: `StatefulSet` of any API group, `apps/StatefulSet` of
    that one. All when empty."""
    executor: Executors
    """How these pods are moved, as in `acting.executor`."""

    @property
    def order(self) -> tuple[str, ...]:
        """The names of the executors, the gentlest first."""
        return in_order(self.executor)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        in_order(self.executor)
        return self


class ActingPolicy(Section):
    """Carrying out a plan; only in mode `active`."""

    executor: Executors = "evict"
    """How pods are moved, the name of an installed executor, or several, the gentlest first: each unit is moved by the
    first that can. `evict` by the Eviction API; `surge` by one replica more first, then one less; `requeue` by
    stopping a whole job and starting it again; `live-migrate` has KubeVirt migrate a virtual machine while it runs;
    `reserve` by the Eviction API, or jobs of Koordinator, once Koordinator has reserved room on the destinations."""
    executor_rules: tuple[ExecutorRule, ...] = ()
    """Other executors for some pods: of the rules that select a pod the first counts. Pods that move together are moved
    by an executor that is named for all of them."""
    executors: dict[str, SerializeAsAny[PluginArgs]] = Field(default_factory=dict)
    """Arguments of executors, by name, and the limits of each."""
    landing: LandingWish = LandingWish.AUTO
    """How it is decided where replacements run. `directed`: they are made with a preference for the nodes that the plan
    names (needs what overlay `active-directed` installs, and Kubernetes 1.36). `steered`: the nodes that a unit leaves,
    those that it empties for somebody, and those on which it would be no better carry the taint
    `rebalance.descheduler.dev/vacating` with effect PreferNoSchedule meanwhile (needs the right to patch nodes, overlay
    `active-steering`). `predicted`: nothing is done, and a move that the scheduler would undo is refused. `auto`:
    directed where that is installed and works, else predicted. Means nothing to executors that hold places
    themselves."""
    max_parallel: int = Field(default=8, ge=1, le=256)
    """Evictions under way at once."""
    grace_period_seconds: int | None = Field(default=None, ge=0, le=2**31 - 1)
    """Seconds that evicted pods get to end, in place of their own terminationGracePeriodSeconds; 0: none at all."""
    wave_timeout: Duration = Field(default=timedelta(minutes=10), ge=timedelta(seconds=10))
    """How long replacements may take to be ready before the rest of the plan is given up; and how long evicted pods may
    outlive their grace period before the next wave is."""
    qps: float = Field(default=50.0, gt=0, le=1000)
    """Evictions per second; fewer while the API server sheds load."""
    burst: int = Field(default=100, ge=1, le=10_000)
    """Evictions that may be sent at once after a pause."""
    pending_limit: int = Field(default=5, ge=1)
    """So many evicted pods without a ready replacement pause acting: in their namespace where several of its workloads
    fail, everywhere where several namespaces do. A workload pauses by itself, and of each its last pendingLimit moves
    count."""
    pending_after: Duration = Field(default=timedelta(minutes=10), ge=timedelta(seconds=10))
    """A replacement that takes longer than this counts towards pendingLimit."""
    pending_share: Fraction = Field(default=0.5, gt=0)
    """A workload or namespace fails when this share of its last moves has no ready replacement; acting pauses
    everywhere when this share of the namespaces that were moved fails."""
    pending_namespaces: int = Field(default=3, ge=1)
    """And when so many namespaces fail, or all that were moved where those are fewer. Where only one was moved,
    everybody waits for an hour, and then is tried."""

    @property
    def order(self) -> tuple[str, ...]:
        """The names of the executors that move what no rule selects, the gentlest first."""
        return in_order(self.executor)

    @property
    def named(self) -> tuple[str, ...]:
        """The names of all executors that may be used."""
        return tuple(dict.fromkeys([*self.order, *(name for rule in self.executor_rules for name in rule.order)]))

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        in_order(self.executor)
        return self


class ReportPolicy(Section):
    """What reports hold, and how many are kept."""

    keep: int = Field(default=24, ge=1, le=1000)
    """Reports that the controller keeps and shows."""
    archive_days: int = Field(default=30, ge=1, le=3650)
    """Days for which `run --archive` keeps plans and what came of them."""
    archive_mib: int = Field(default=512, ge=16, le=1 << 20)
    """MiB that they may take on the disk; the oldest go first."""
    url: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")
    """Where people reach the controller's pages, such as `https://descheduler.example.com`: events link to them."""
