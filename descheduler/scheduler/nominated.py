"""Room that is spoken for: pending pods that the scheduler has nominated to a node, as after a preemption.

The scheduler judges a node for another pod as if those that are nominated to it, and do not rank below that pod, stood
there already, and once more without them (kubernetes pkg/scheduler/framework/runtime/framework.go,
RunFilterPluginsWithNominatedPods). Scores do not look at them. Their volumes are not counted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from descheduler.model.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class Nominated:
    """A pending pod, and the position of the node whose room is kept for it."""

    pod: int
    node: int
    priority: int


def nominated(snapshot: ClusterSnapshot) -> tuple[Nominated, ...]:
    """Those of a snapshot."""
    return tuple(_waiting(snapshot))


def _waiting(snapshot: ClusterSnapshot) -> Iterator[Nominated]:
    for at, pod in enumerate(snapshot.pods):
        if pod.nominated and not pod.node and pod.deleting is None and not pod.terminal:
            node = snapshot.node_index.get(pod.nominated, -1)
            if node >= 0:
                yield Nominated(at, node, pod.priority)
