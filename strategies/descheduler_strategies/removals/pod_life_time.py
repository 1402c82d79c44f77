"""PodLifeTime: pods that are too old, or are in a state that should have passed, are taken away or made anew.

Semantics: kubernetes-sigs/descheduler pkg/framework/plugins/podlifetime. Several criteria must all hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from descheduler.contract import PluginArgs, RebalanceView, StrategyArgs
from descheduler.contract.naming import OwnerKind
from descheduler.model.arrays import Mask, Positions
from descheduler.model.format import plural, span
from descheduler.model.moves import Observation, Proposal
from descheduler.model.pod_status import PodStatus
from descheduler_strategies.removals.answers import Told, in_sight, removals
from descheduler_strategies.removals.pod_states import PodStates, containers
from descheduler_strategies.selection import SelectedArgs

State = Literal[
    # phases
    "Running", "Pending", "Succeeded", "Failed", "Unknown",
    # why a pod is in its phase
    "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError",
    # why a container waits
    "PodInitializing", "ContainerCreating", "ImagePullBackOff", "CrashLoopBackOff", "CreateContainerConfigError",
    "ErrImagePull", "CreateContainerError", "InvalidImageName",
    # why a container ended
    "OOMKilled", "Error", "Completed", "DeadlineExceeded", "Evicted", "ContainerCannotRun", "StartError",
]  # fmt: skip


class OwnerKinds(PluginArgs):
    """Kinds of owners: only some, or all but some."""

    include: tuple[OwnerKind, ...] = ()
    """Only pods with an owner of one of these kinds."""
    exclude: tuple[OwnerKind, ...] = ()
    """No pods with an owner of one of these kinds."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.include and self.exclude:
            raise ValueError("give one of include and exclude")
        return self


class PodCondition(PluginArgs):
    """A condition of a pod; what is left out may be anything."""

    type: str = ""
    """Its type, such as Ready."""
    status: str = ""
    """True, False or Unknown."""
    reason: str = ""
    """Why it is so."""
    min_time_since_last_transition_seconds: int | None = Field(default=None, ge=0)
    """Only where it has not changed for so many seconds."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.min_time_since_last_transition_seconds is None and not (self.type or self.status or self.reason):
            raise ValueError("give at least one of type, status, reason and minTimeSinceLastTransitionSeconds")
        return self


class PodLifeTimeArgs(SelectedArgs):
    """Take away pods that are too old, or stay too long in a state."""

    max_pod_life_time_seconds: int | None = Field(default=None, ge=0)
    """Only pods that were made more than so many seconds ago."""
    states: tuple[State, ...] = ()
    """Only pods in one of these phases, or for one of these reasons: the pod's own, or why a container waits or
    ended."""
    conditions: tuple[PodCondition, ...] = ()
    """Only pods with one of these conditions."""
    exit_codes: tuple[int, ...] = ()
    """Only pods of which a container ended with one of these codes."""
    owner_kinds: OwnerKinds = OwnerKinds()
    """Only pods of these owners."""
    including_init_containers: bool = False
    """Init containers count for `states` and `exitCodes` too."""
    including_ephemeral_containers: bool = False
    """Ephemeral containers count for `states` too."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.max_pod_life_time_seconds is None and not (self.states or self.conditions or self.exit_codes):
            raise ValueError("give at least one of maxPodLifeTimeSeconds, states, conditions and exitCodes")
        return self


class PodLifeTime:
    """See the module."""

    name: ClassVar[str] = "PodLifeTime"
    order: ClassVar[int] = 10
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = PodLifeTimeArgs

    def propose(self, view: RebalanceView, args: PodLifeTimeArgs) -> Iterable[Proposal | Observation]:
        """Removals, the oldest pods first."""
        states = PodStates(view)
        pods = np.flatnonzero(_chosen(view, states, args)).astype(np.int32)
        oldest = pods[np.argsort(-states.age[pods], kind="stable")]
        return removals(view, self.name, oldest, partial(_told, states, args))


def _chosen(view: RebalanceView, states: PodStates, args: PodLifeTimeArgs) -> Mask:
    """[P] pods that the arguments ask for."""
    found = in_sight(view, args)
    if args.max_pod_life_time_seconds is not None:
        found &= states.age > args.max_pod_life_time_seconds
    if args.states:
        found &= states.in_phase(args.states) | states.with_status(partial(_in_state, args))
    if args.owner_kinds.include:
        found &= states.owned_by(args.owner_kinds.include)
    if args.owner_kinds.exclude:
        found &= ~states.owned_by(args.owner_kinds.exclude)
    if args.conditions:
        found &= np.logical_or.reduce([_with(states, one) for one in args.conditions])
    if args.exit_codes:
        found &= states.with_status(partial(_exited, args))
    return found


def _with(states: PodStates, one: PodCondition) -> Mask:
    return states.with_condition(one.type, one.status, one.reason, one.min_time_since_last_transition_seconds)


def _in_state(args: PodLifeTimeArgs, status: PodStatus) -> bool:
    init, ephemeral = args.including_init_containers, args.including_ephemeral_containers
    of_containers = containers(status, init=init, ephemeral=ephemeral)
    return status.reason in args.states or any(
        one.waiting in args.states or one.ended in args.states for one in of_containers
    )


def _exited(args: PodLifeTimeArgs, status: PodStatus) -> bool:
    return any(one.exit_code in args.exit_codes for one in containers(status, init=args.including_init_containers))


def _told(states: PodStates, args: PodLifeTimeArgs, workload: str, pods: Positions) -> Told:
    most = args.max_pod_life_time_seconds
    oldest = float(states.age[pods].max())
    measure = "pods in a state that should have passed" if most is None else f"pods older than {span(most)}"
    text = f"{plural(len(pods), 'pod')} of {workload} {_state(args)}, the oldest made {span(oldest)} ago"
    return Told(measure, text, (("age of the oldest in seconds", oldest),))


def _state(args: PodLifeTimeArgs) -> str:
    """What the arguments say of a pod."""
    told = [f"older than {span(args.max_pod_life_time_seconds)}"] if args.max_pod_life_time_seconds is not None else []
    told += [" or ".join(args.states)] if args.states else []
    told += ["in one of the conditions"] if args.conditions else []
    told += ["ended with one of the exit codes"] if args.exit_codes else []
    return "are " + ", ".join(told)
