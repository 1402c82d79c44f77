"""RemoveFailedPods: pods that have failed are taken away.

Semantics: kubernetes-sigs/descheduler pkg/framework/plugins/removefailedpods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

import numpy as np
from pydantic import Field

from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.contract.naming import Free, OwnerKind
from descheduler.model.arrays import Mask, Positions
from descheduler.model.format import plural, span
from descheduler.model.moves import Observation, Proposal
from descheduler.model.pod_status import PodStatus
from descheduler.model.pods import Phase
from descheduler_strategies.removals.answers import Told, in_sight, removals
from descheduler_strategies.removals.pod_states import PodStates, containers
from descheduler_strategies.selection import SelectedArgs

_EXAMPLES = 3


class RemoveFailedPodsArgs(SelectedArgs):
    """Take away pods that have failed."""

    min_pod_lifetime_seconds: int = Field(default=3600, ge=0)
    """Only pods that were made at least so many seconds ago."""
    reasons: tuple[Free, ...] = ()
    """Only pods that failed for one of these reasons: the pod's own, or why a container waits or ended."""
    exit_codes: tuple[int, ...] = ()
    """Only pods of which a container ended with one of these codes."""
    including_init_containers: bool = False
    """Init containers count for `reasons` and `exitCodes` too."""
    exclude_owner_kinds: tuple[OwnerKind, ...] = ()
    """Pods that have an owner of one of these kinds stay."""


class RemoveFailedPods:
    """See the module."""

    name: ClassVar[str] = "RemoveFailedPods"
    order: ClassVar[int] = 10
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = RemoveFailedPodsArgs

    def propose(self, view: RebalanceView, args: RemoveFailedPodsArgs) -> Iterable[Proposal | Observation]:
        """Removals, the oldest pods first."""
        states = PodStates(view)
        pods = np.flatnonzero(_chosen(view, states, args)).astype(np.int32)
        oldest = pods[np.argsort(-states.age[pods], kind="stable")]
        return removals(view, self.name, oldest, partial(_told, view, states))


def _chosen(view: RebalanceView, states: PodStates, args: RemoveFailedPodsArgs) -> Mask:
    """[P] pods that the arguments ask for."""
    found = states.in_phase((Phase.FAILED.value,)) & (states.age >= args.min_pod_lifetime_seconds)
    if not found.any():
        return found
    found &= in_sight(view, args)
    if args.exclude_owner_kinds:
        found &= ~states.owned_by(args.exclude_owner_kinds)
    if args.reasons:
        found &= states.with_status(lambda one: not _reasons(one, args).isdisjoint(args.reasons))
    if args.exit_codes:
        found &= states.with_status(lambda one: not _exit_codes(one, args).isdisjoint(args.exit_codes))
    return found


def _reasons(status: PodStatus, args: RemoveFailedPodsArgs) -> set[str]:
    of_containers = containers(status, init=args.including_init_containers)
    return {status.reason, *(reason for one in of_containers for reason in (one.waiting, one.ended))} - {""}


def _exit_codes(status: PodStatus, args: RemoveFailedPodsArgs) -> set[int]:
    of_containers = containers(status, init=args.including_init_containers)
    return {one.exit_code for one in of_containers if one.exit_code is not None}


def _told(view: RebalanceView, states: PodStates, workload: str, pods: Positions) -> Told:
    why = Counter(_why(view.snapshot.pods[pod].status) for pod in pods.tolist())
    known = ", ".join(f"{reason} {count}" for reason, count in why.most_common(_EXAMPLES) if reason)
    oldest = span(float(states.age[pods].max()))
    text = f"{plural(len(pods), 'pod')} of {workload} failed" + (f" ({known})" if known else "")
    return Told("failed pods", f"{text}, the oldest made {oldest} ago")


def _why(status: PodStatus) -> str:
    return status.reason or next((one.ended for one in status.containers if one.ended not in ("", "Completed")), "")
