"""The policy as a whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from descheduler.contract import StrategyArgs
from descheduler.contract.naming import SchedulerName
from descheduler.contract.types import Duration
from descheduler.model.meant import did_you_mean
from descheduler.policy.acting import ActingPolicy, ReportPolicy
from descheduler.policy.history import HistoryPolicy
from descheduler.policy.learning import LearningPolicy
from descheduler.policy.planning import (
    CooldownPolicy,
    CostPolicy,
    FreshnessPolicy,
    GangsPolicy,
    LimitsPolicy,
    ProofPolicy,
)
from descheduler.policy.protections import Protections
from descheduler.policy.publish import PublishPolicy
from descheduler.policy.section import Section
from descheduler.policy.selecting import NodePool, NodeSelector
from descheduler.policy.topology import TopologyPolicy
from descheduler.policy.windows import DisruptionWindow
from descheduler_profiling.history.signals import builtin_signals

API_VERSION: Final = "rebalance.descheduler.dev/v1alpha1"
KIND: Final = "DeschedulerPolicy"
DEFAULT_POOL: Final = "default"


class StrategyChoice(Section):
    """A strategy to run, with its arguments. In YAML the strategy's name is the key: `HotNodes: {thresholds: …}`."""

    name: str
    """How reports call it; the strategy's own name unless given."""
    strategy: str
    """The installed strategy."""
    args: SerializeAsAny[StrategyArgs]
    """Its arguments, checked against its own model."""
    protections: Protections | None = None
    """Which pods stay for this use of the strategy, in place of the policy's protections."""
    report_only: bool = False
    """What it finds is reported, with what it would do about it, and nothing of that is done."""


class Policy(Section):
    """What is rebalanced, within which limits, and how carefully."""

    api_version: Literal["rebalance.descheduler.dev/v1alpha1"] = API_VERSION
    """Version of this format."""
    kind: Literal["DeschedulerPolicy"] = KIND
    """Kind of this document."""
    mode: Literal["dry-run", "active"] = "dry-run"
    """`dry-run` plans and reports; `active` also carries the plan out, unless `--mode` says otherwise."""
    interval: Duration = Field(default=timedelta(minutes=5), ge=timedelta(seconds=10), le=timedelta(days=1))
    """Time between the starts of two cycles of the controller."""
    history: HistoryPolicy = HistoryPolicy()
    """Where usage history comes from."""
    node_selector: NodeSelector | None = None
    """Only these nodes are looked at: pods leave no others, and strategies count on no others to take them."""
    pools: tuple[NodePool, ...] = ()
    """Groups of nodes; a node belongs to the first that matches, else to `default`."""
    schedulers: dict[SchedulerName, Literal["LeastAllocated", "MostAllocated"]] = Field(default_factory=dict)
    """How schedulers score nodes, by scheduler name; LeastAllocated, as the default scheduler does, unless given."""
    topology: TopologyPolicy = TopologyPolicy()
    """How the network above the nodes, and the links between their GPUs, are read."""
    protections: Protections = Protections()
    """Which pods stay where they are."""
    windows: tuple[DisruptionWindow, ...] = ()
    """When pods may be moved; always when empty. With windows, a namespace that none is for is left alone."""
    gangs: GangsPolicy = GangsPolicy()
    """Groups of pods that must run together."""
    limits: LimitsPolicy = LimitsPolicy()
    """How many pods may be moved."""
    proof: ProofPolicy = ProofPolicy()
    """When a destination is good enough."""
    cost: CostPolicy = CostPolicy()
    """What moving a pod costs."""
    cooldown: CooldownPolicy = CooldownPolicy()
    """How long what was moved is left in peace."""
    acting: ActingPolicy = ActingPolicy()
    """How a plan is carried out."""
    learning: LearningPolicy = LearningPolicy()
    """What follows from whether moves did what they were to do."""
    freshness: FreshnessPolicy = FreshnessPolicy()
    """How old what was read may be."""
    report: ReportPolicy = ReportPolicy()
    """What reports hold."""
    publish: PublishPolicy = PublishPolicy()
    """Which profiles other programs may read."""
    strategies: tuple[StrategyChoice, ...] = ()
    """What to look for; each is asked in turn."""

    @field_validator("pools")
    @classmethod
    def _names_are_unique(cls, pools: tuple[NodePool, ...]) -> tuple[NodePool, ...]:
        names = [pool.name for pool in pools]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two pools are named {twice[0]}")
        if DEFAULT_POOL in names:
            raise ValueError(f"the pool {DEFAULT_POOL} holds the nodes of no other pool and cannot be defined")
        return pools

    @model_validator(mode="after")
    def _published_signals_exist(self) -> Self:
        known = {*builtin_signals(), *self.history.queries, *self.history.signals}
        unknown = next((signal for signal in self.publish.signals if signal not in known), "")
        if unknown:
            raise ValueError(f"publish.signals: no signal is named {unknown}{did_you_mean(unknown, sorted(known))}")
        return self

    @property
    def pool_names(self) -> tuple[str, ...]:
        """All pools, the default one last."""
        return (*(pool.name for pool in self.pools), DEFAULT_POOL)
