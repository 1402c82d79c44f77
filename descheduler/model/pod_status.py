"""What a pod's status tells beside its phase: its conditions, and how its containers fare."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """One of status.conditions; when it changed last is the pod's own (`Pod.transitions`)."""

    type: str
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """How often a container was started again, and why it waits, or ended and with which code (None: it has not)."""

    restarts: int = 0
    waiting: str = ""
    ended: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class PodStatus:
    """Equal ones are one object, for most pods fare alike. `reason` says why the pod is in its phase (Evicted, …)."""

    reason: str = ""
    conditions: tuple[Condition, ...] = ()
    containers: tuple[ContainerState, ...] = ()
    init_containers: tuple[ContainerState, ...] = ()
    ephemeral_containers: tuple[ContainerState, ...] = ()


NO_STATUS = PodStatus()
"""Of a pod whose status says nothing."""
