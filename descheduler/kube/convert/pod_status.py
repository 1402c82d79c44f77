"""The status of pods: wire to model, once per distinct look. Times are each pod's own."""

from __future__ import annotations

import msgspec

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.wire import ContainerStatusWire, PodStatusWire
from descheduler.model.pod_status import NO_STATUS, Condition, ContainerState, PodStatus

_encode = msgspec.json.Encoder().encode
_Told = tuple[int, str, str, int | None]
"""Of one container what `ContainerState` has."""
_WELL: _Told = (0, "", "", None)


def pod_status(wire: PodStatusWire, intern: Interner) -> PodStatus:
    """The status without its times."""
    conditions = [(c.type, c.status, c.reason) for c in wire.conditions] if wire.conditions else []
    containers = _told(wire.container_statuses)
    init, ephemeral = _told(wire.init_container_statuses), _told(wire.ephemeral_container_statuses)
    if not (conditions or containers or init or ephemeral or wire.reason):
        return NO_STATUS

    def make() -> PodStatus:
        return PodStatus(
            intern.text(wire.reason),
            tuple(Condition(*map(intern.text, one)) for one in conditions),
            *(tuple(_state(one, intern) for one in several) for several in (containers, init, ephemeral)),
        )

    return intern.statuses.get(_encode((wire.reason, conditions, containers, init, ephemeral)), make)


def transitions(wire: PodStatusWire, intern: Interner) -> tuple[float, ...]:
    """When each condition changed last, in unix seconds; 0 where that is not told. Raises ValueError for no time."""
    instant = intern.instant
    return tuple([instant(c.last_transition_time) for c in wire.conditions]) if wire.conditions else ()


def _told(statuses: tuple[ContainerStatusWire, ...] | None) -> list[_Told]:
    return [_of(one) for one in statuses] if statuses else []


def _of(one: ContainerStatusWire) -> _Told:
    state = one.state
    if state is None or (state.waiting is None and state.terminated is None):
        return (one.restart_count, "", "", None) if one.restart_count else _WELL
    waiting = state.waiting.reason if state.waiting is not None else ""
    if state.terminated is None:
        return one.restart_count, waiting, "", None
    return one.restart_count, waiting, state.terminated.reason, state.terminated.exit_code


def _state(told: _Told, intern: Interner) -> ContainerState:
    restarts, waiting, ended, code = told
    return ContainerState(restarts, intern.text(waiting), intern.text(ended), code)
