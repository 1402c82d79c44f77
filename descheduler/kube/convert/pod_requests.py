"""What the containers of a pod ask for: wire to model.

While a pod is resized in place, the larger of what its spec asks for, what is allocated and what is in force counts
(k8s.io/component-helpers resource/helpers.go). Of a template, what the API server writes into pods made from it is
filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

import msgspec

from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import (
    ConditionWire,
    ContainerStatusWire,
    ContainerWire,
    PodSpecWire,
    PodStatusWire,
    PodWire,
    ResourcesWire,
)
from descheduler.model.asks import Asks, ContainerAsk, Exact, Quantities, exact, pod_level, raise_to
from descheduler.model.bounds import AMOUNT
from descheduler.model.fence import Unreadable
from descheduler.model.quantity import Amounts, InvalidQuantity, parse_quantity

_MOST = {"cpu": AMOUNT // 1000}  # counted in thousandths

_resources = msgspec.json.Decoder(ResourcesWire | None)
_amounts = msgspec.json.Decoder(dict[str, str | int | float] | None)


def quantities(found: Mapping[str, str | int | float] | None) -> Quantities:
    """The exact values. Raises Unreadable naming the resource when one is no quantity, negative or absurd."""
    return {name: _quantity(name, value) for name, value in (found or {}).items()}


def _quantity(name: str, value: str | int | float) -> Decimal:
    try:
        parsed = parse_quantity(str(value))
    except InvalidQuantity as e:
        raise Unreadable(name, str(e)) from e
    if parsed < 0:
        raise Unreadable(name, f"{value} is negative")
    if parsed > _MOST.get(name, AMOUNT):
        raise Unreadable(name, f"{value} is absurd")
    return parsed


def within(amounts: Amounts) -> Amounts:
    """The sums of a pod, if they are none too large. Raises Unreadable."""
    for name, value in amounts:
        if value > AMOUNT:
            raise Unreadable("spec", f"all {name} together is absurd")
    return amounts


def written(spec: PodSpecWire) -> Asks:
    """What the spec asks for. Raises Unreadable."""
    with under("spec"):
        whole = _decode(bytes(spec.resources), "resources")
        with under("overhead"):
            overhead = quantities(_amounts.decode(bytes(spec.overhead) or b"null"))
        containers = tuple(_containers(spec))
        pod = None if whole is None else ContainerAsk("", *_exactly(whole))
    return Asks(containers, pod, exact(overhead))


def of_template(spec: PodSpecWire) -> Asks:
    """What pods made from a template ask for. Their containers' requests default to their limits, which happens to pods
    alone (kubernetes pkg/apis/core/v1/defaults.go, `SetDefaults_Pod`). Raises Unreadable."""
    asks = written(spec)
    containers = tuple(_defaulted(one) for one in asks.containers)
    if asks.pod is None:
        return replace(asks, containers=containers)
    asked = {name for one in containers for name, _ in one.requests}
    return replace(asks, containers=containers, pod=_defaulted(asks.pod, except_for=asked))


def in_force(asks: Asks, pod: PodWire) -> Asks:
    """The same with what the status says of a resize that is under way; the same object where it says nothing."""
    status = pod.status
    statuses = {
        one.name: one
        for one in (*(status.container_statuses or ()), *(status.init_container_statuses or ()))
        if len(bytes(one.resources)) > 4
    }
    whole = _decode(bytes(status.resources), "status.resources")
    if not statuses and whole is None:
        return asks
    infeasible = _resize_infeasible(status.conditions)
    containers = tuple(
        _container_in_force(one, statuses[one.name], infeasible)
        if one.name in statuses and (one.sidecar or not one.init)  # of init containers only sidecars can be resized
        else one
        for one in asks.containers
    )
    found = replace(asks, containers=containers)
    if asks.pod is None or whole is None:
        return found
    return replace(found, pod=_pod_in_force(asks.pod, whole, status, infeasible))


def _containers(spec: PodSpecWire) -> Iterator[ContainerAsk]:
    for init, several in ((False, spec.containers), (True, spec.init_containers)):
        for one in several or ():
            yield _container(one, init=init)


def _container(wire: ContainerWire, *, init: bool) -> ContainerAsk:
    with under(f"containers[{wire.name}]"):
        raw = bytes(wire.resources)
        requests, limits = (_stated if len(raw) <= _SHORT else _stated.__wrapped__)(raw)
    return ContainerAsk(wire.name, requests, limits, init, init and wire.restart_policy == "Always")


def _defaulted(one: ContainerAsk, except_for: Iterable[str] = ()) -> ContainerAsk:
    stated = {*(name for name, _ in one.requests), *except_for}
    more = [(name, value) for name, value in one.limits if name not in stated]
    return replace(one, requests=tuple(sorted((*one.requests, *more)))) if more else one


def _container_in_force(one: ContainerAsk, status: ContainerStatusWire, infeasible: bool) -> ContainerAsk:
    with under("spec"), under(f"containers[{one.name}].resources in status"):
        force = _decode(bytes(status.resources), "") or ResourcesWire()
        requests, limits = quantities(force.requests), quantities(force.limits)
        allocated = quantities(_amounts.decode(bytes(status.allocated_resources) or b"null"))
    return replace(
        one,
        requests=exact(_effective(dict(one.requests), requests, allocated, infeasible)),
        limits=exact(_effective_limits(dict(one.limits), limits, infeasible)),
    )


def _pod_in_force(one: ContainerAsk, force: ResourcesWire, status: PodStatusWire, infeasible: bool) -> ContainerAsk:
    allocated = quantities(_amounts.decode(bytes(status.allocated_resources) or b"null"))
    requests = _effective(dict(one.requests), quantities(force.requests), allocated, infeasible)
    limits = _effective_limits(dict(one.limits), quantities(force.limits), infeasible)
    return replace(one, requests=_as_wanted(one.requests, requests), limits=_as_wanted(one.limits, limits))


def _as_wanted(wanted: Exact, found: Quantities) -> Exact:
    """A pod counts as a whole for nothing that its spec does not name."""
    return exact({name: found.get(name, Decimal(0)) for name, _ in wanted if pod_level(name)})


_SHORT = 2048  # bytes: longer ones are remembered nowhere, for thousands of them would fill the memory


@lru_cache(maxsize=4096)
def _stated(raw: bytes) -> tuple[Exact, Exact]:
    """Requests and limits as a container states them; many state the same."""
    return _exactly(_decode(raw, "resources") or ResourcesWire())


def _exactly(found: ResourcesWire) -> tuple[Exact, Exact]:
    with under("resources.requests"):
        requests = exact(quantities(found.requests))
    with under("resources.limits"):
        return requests, exact(quantities(found.limits))


def _decode(raw: bytes, where: str) -> ResourcesWire | None:
    try:
        return _resources.decode(raw) if raw else None
    except msgspec.MsgspecError as e:
        raise Unreadable(where, str(e)) from e


def _effective(spec: Quantities, force: Quantities, allocated: Quantities, infeasible: bool) -> Quantities:
    return _largest(force, allocated) if infeasible else _largest(spec, force, allocated)


def _effective_limits(spec: Quantities, force: Quantities, infeasible: bool) -> Quantities:
    return dict(force) if infeasible else _largest(spec, force)


def _resize_infeasible(conditions: Sequence[ConditionWire] | None) -> bool:
    return next((c.reason == "Infeasible" for c in conditions or () if c.type == "PodResizePending"), False)


def _largest(*several: Quantities) -> Quantities:
    out: Quantities = {}
    for values in several:
        raise_to(out, values)
    return out
