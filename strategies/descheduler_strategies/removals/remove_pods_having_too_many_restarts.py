"""RemovePodsHavingTooManyRestarts: pods whose containers were started again too often are made anew.

Semantics: kubernetes-sigs/descheduler pkg/framework/plugins/removepodshavingtoomanyrestarts.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.model.format import number, plural
from descheduler.model.moves import Observation, Proposal
from descheduler_strategies.removals.answers import Told, in_sight, removals
from descheduler_strategies.removals.pod_states import PodStates, containers
from descheduler_strategies.selection import SelectedArgs


class TooManyRestartsArgs(SelectedArgs):
    """Make pods anew whose containers restart again and again."""

    pod_restart_threshold: int = Field(ge=1)
    """Pods whose containers restarted at least so often, all together."""
    including_init_containers: bool = False
    """Restarts of init containers count too."""
    states: tuple[Literal["Running", "CrashLoopBackOff"], ...] = ()
    """Only pods in this phase, or with a container that waits for this reason; all when empty."""


class RemovePodsHavingTooManyRestarts:
    """See the module."""

    name: ClassVar[str] = "RemovePodsHavingTooManyRestarts"
    order: ClassVar[int] = 10
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = TooManyRestartsArgs

    def propose(self, view: RebalanceView, args: TooManyRestartsArgs) -> Iterable[Proposal | Observation]:
        """Removals, the pods with most restarts first."""
        states = PodStates(view)
        restarts = states.restarts(init=args.including_init_containers)
        pods = np.flatnonzero(_chosen(view, states, restarts, args)).astype(np.int32)
        worst = pods[np.argsort(-restarts[pods], kind="stable")]
        return removals(view, self.name, worst, partial(_told, restarts, args.pod_restart_threshold))


def _chosen(view: RebalanceView, states: PodStates, restarts: Ints, args: TooManyRestartsArgs) -> Mask:
    """[P] pods that the arguments ask for."""
    found: Mask = restarts >= args.pod_restart_threshold
    if found.any():
        found = found & in_sight(view, args)
    if args.states:
        init = args.including_init_containers
        waiting = states.with_status(lambda s: any(one.waiting in args.states for one in containers(s, init=init)))
        found = found & (states.in_phase(args.states) | waiting)
    return found


def _told(restarts: Ints, threshold: int, workload: str, pods: Positions) -> Told:
    most = int(restarts[pods].max())
    text = f"containers of {plural(len(pods), 'pod')} of {workload} restarted up to {number(most)} times"
    numbers = (("restarts of one pod", float(most)), ("restarts from which it is too many", float(threshold)))
    return Told("pods with too many restarts", text, numbers)
