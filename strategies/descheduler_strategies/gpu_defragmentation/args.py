"""What users may say of GpuDefragmentation."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from descheduler.contract import StrategyArgs
from descheduler.contract.naming import Free, Names, PoolName, Resource
from descheduler.contract.types import Duration, Fraction

NAME = "GpuDefragmentation"


class GpuSlot(StrategyArgs):
    """The shape of a slot."""

    gpus: int = Field(default=8, ge=1)
    """GPUs that must be free together on one node."""
    cpu: str = "0"
    """CPU that must be free beside them."""
    memory: str = "0"
    """Memory that must be free beside them."""


class PendingChoice(StrategyArgs):
    """Which pending pods and gangs room is made for."""

    names: list[Free] = Field(default_factory=list)
    """Only these, as namespace/name of a pod or of a gang's object; `*` stands for any text. All when empty."""
    min_priority: int = -(2**31)
    """Only pods of this priority and above."""
    older_than: Duration = timedelta(minutes=2)
    """Only pods that have been pending for so long: younger ones may still be placed without us."""
    within: Annotated[str, Names.NODE_LABEL] = ""
    """A gang must fit into one domain of this node label, such as a rack; gangs that say so themselves are believed."""


class TargetShape(StrategyArgs):
    """One shape that the free capacity should be of use to."""

    gpus: int = Field(ge=1)
    """GPUs of one pod."""
    share: Fraction = 1.0
    """Share of each GPU, for pods that take less than a whole one."""
    cpu: str = "0"
    """CPU of one pod."""
    weight: float = Field(default=1.0, gt=0)
    """How often pods of this shape come, against the others."""


class GpuDefragmentationArgs(StrategyArgs):
    """Make scattered GPU capacity usable again."""

    objective: Literal["slots", "fragmentation", "pending"] = "slots"
    """slots: open whole slots. pending: make room for what waits. fragmentation: lower FGD's measure."""
    resource: Resource = "nvidia.com/gpu"
    """The extended resource that counts GPUs. Where no node offers it, the vendor's driver that gives them out by
    resource claims counts: `gpu.nvidia.com`."""
    pools: list[PoolName] = Field(default_factory=list)
    """Only nodes of these pools; all when empty."""
    slot: GpuSlot = GpuSlot()
    """slots: the shape."""
    wanted: int = Field(default=1, ge=0)
    """slots: open them until so many are free."""
    max_slots: int = Field(default=4, ge=1, le=64)
    """slots: open at most so many in one plan."""
    max_moves_per_slot: int = Field(default=6, ge=1, le=64)
    """slots: a node that needs more pods moved than this is not vacated."""
    pending: PendingChoice = PendingChoice()
    """pending: for whom."""
    workload: list[TargetShape] = Field(default_factory=list)
    """fragmentation: what free capacity should be of use to; the cluster's own GPU pods when empty."""
    min_gain: float = Field(default=0.05, gt=0)
    """fragmentation: GPUs that a move must make usable."""
    max_moves: int = Field(default=35, ge=1, le=1000)
    """Move at most so many pods in one plan."""
    slot_worth: Duration = timedelta(hours=1)
    """How long a GPU that becomes usable is expected to serve a job: its worth is the GPU over this time."""
    max_risk: Fraction = 0.2
    """Accepted probability that a pod lands where it undoes what the move is for."""
    effort: float = Field(default=1.0, gt=0, le=100)
    """How much work the search may do; counted, not timed, so that the same input gives the same plan."""
