"""What a pod asks for, as the scheduler counts it.

After k8s.io/component-helpers resource/helpers.go (`PodRequests`, `PodLimits`): containers and sidecars (restartable
init containers) are summed, init containers set a minimum together with the sidecars started before them,
supported pod-level resources replace the sums, overhead comes on top; while a pod is resized in place, the larger of
what its spec asks for, what is allocated and what is in force counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

import msgspec

from descheduler.kube.convert.unreadable import Unreadable, under
from descheduler.kube.convert.wire import ConditionWire, ContainerWire, PodWire, ResourcesWire
from descheduler.model.pods import Amounts
from descheduler.model.quantity import InvalidQuantity, parse_quantity

Quantities = dict[str, Decimal]
_MINIMUM = {"cpu": Decimal("0.1"), "memory": Decimal(200 << 20)}  # kubernetes pkg/scheduler/util/pod_resources.go
_ABSURD = Decimal(2**53)  # beyond it sums over a cluster would overflow; 8 PiB of memory, or 9e12 cores

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
    if parsed > _ABSURD:
        raise Unreadable(name, f"{value} is absurd")
    return parsed


def amounts(values: Quantities) -> Amounts:
    """Whole units (millicores for cpu), rounded up once at the end as the scheduler does."""
    return tuple(
        sorted((n, int((v * 1000 if n == "cpu" else v).to_integral_value(ROUND_CEILING))) for n, v in values.items())
    )


class PodResources:
    """Requests, limits and QoS class of one pod, computed from its wire form."""

    def __init__(self, pod: PodWire) -> None:
        self._infeasible = _resize_infeasible(pod.status.conditions)
        with under("spec"):
            self._pod_level = _decode(bytes(pod.spec.resources), "resources")
            with under("overhead"):
                self._overhead = quantities(_amounts.decode(bytes(pod.spec.overhead) or b"null"))
            self._containers = [_Container(c, pod) for c in pod.spec.containers or ()]
            self._init = [_Container(c, pod) for c in pod.spec.init_containers or ()]
        in_force = _decode(bytes(pod.status.resources), "status.resources")
        self._pod_in_force = in_force
        self._pod_allocated = quantities(_amounts.decode(bytes(pod.status.allocated_resources) or b"null"))

    def requests(self, missing: Quantities | None = None) -> Quantities:
        """`missing` is what a container counts as that does not ask for a resource at all."""
        own = [{**(missing or {}), **c.effective_requests(self._infeasible)} for c in self._containers]
        total = self._aggregate(own, "requests", missing)
        wanted = self._pod_level.requests if self._pod_level else None
        if wanted:
            effective = quantities(wanted)
            if self._pod_in_force is not None:
                force = quantities(self._pod_in_force.requests)
                effective = _effective(effective, force, self._pod_allocated, self._infeasible)
            total.update({n: effective.get(n, Decimal(0)) for n in wanted if _pod_level(n)})
        _add(total, self._overhead)
        return total

    def counted(self) -> tuple[int, int]:
        """CPU in millicores and memory in bytes as the scheduler's scores count them, after its `CalculatePodResource`
        (kubernetes pkg/scheduler/framework/types.go): a minimum for each container that asks for none, unless
        pod-level requests say it for the whole pod."""
        wanted = self._pod_level.requests if self._pod_level else None
        asked = self.requests() if any(_pod_level(n) for n in wanted or ()) else {}
        found = dict(amounts(self.requests({n: v for n, v in _MINIMUM.items() if n not in asked})))
        return found.get("cpu", 0), found.get("memory", 0)

    def limits(self) -> Quantities:
        total = self._aggregate([c.effective_limits(self._infeasible) for c in self._containers], "limits")
        wanted = self._pod_level.limits if self._pod_level else None
        if wanted:
            effective = quantities(wanted)
            if self._pod_in_force is not None:
                effective = _in_force(effective, quantities(self._pod_in_force.limits), self._infeasible)
            total.update({n: effective.get(n, Decimal(0)) for n in wanted if _pod_level(n)})
        for name, value in self._overhead.items():
            if total.get(name):
                total[name] += value
        return total

    def bounds(self) -> Quantities:
        """The limits of CPU and memory that hold for the pod as a whole.

        The kubelet sets them on the pod's control group only where every container has one, or the pod itself
        (kubernetes pkg/kubelet/cm/helpers_linux.go `ResourceConfigForPod`).
        """
        stated = set((self._pod_level.limits if self._pod_level else None) or ())
        everywhere = set.intersection(
            *({n for n, v in c.limits.items() if v > 0} for c in self._every()), set(_MINIMUM)
        )
        return {name: value for name, value in self.limits().items() if name in (stated | everywhere) & set(_MINIMUM)}

    def _every(self) -> list[_Container]:
        return [*self._containers, *self._init]

    def qos(self) -> str:
        """Guaranteed, Burstable or BestEffort, after pkg/apis/core/v1/helper/qos (`ComputePodQOS`)."""
        if self._pod_level is not None:
            parts = [(quantities(self._pod_level.requests), quantities(self._pod_level.limits))]
        else:
            parts = [(c.requests, c.limits) for c in (*self._containers, *self._init)]
        requests: Quantities = {}
        limits: Quantities = {}
        guaranteed = True
        for wanted, capped in parts:
            _add(requests, _computing(wanted))
            _add(limits, _computing(capped))
            # Pod-level resources without limits are not looked at one by one there; the comparison below decides.
            guaranteed &= len(_computing(capped)) == 2 or (self._pod_level is not None and not capped)
        if not requests and not limits:
            return "BestEffort"
        same = all(limits.get(name) == value for name, value in requests.items()) and len(requests) == len(limits)
        return "Guaranteed" if guaranteed and same else "Burstable"

    def _aggregate(self, own: list[Quantities], what: str, missing: Quantities | None = None) -> Quantities:
        total: Quantities = {}
        for values in own:
            _add(total, values)
        sidecars: Quantities = {}
        least: Quantities = {}
        for container in self._init:
            values = {**(missing or {}), **container.effective(what, self._infeasible)}
            if container.sidecar:
                _add(total, values)
                _add(sidecars, values)
                _raise_to(least, sidecars)
            else:
                _raise_to(least, _sum(values, sidecars))
        _raise_to(total, least)
        return total


class _Container:
    def __init__(self, wire: ContainerWire, pod: PodWire) -> None:
        self.sidecar = wire.restart_policy == "Always"
        where = f"containers[{wire.name}]"
        with under(where):
            self.requests, self.limits = _written(bytes(wire.resources))
        self._force: ResourcesWire | None = None
        self._allocated: Quantities = {}
        for status in (*(pod.status.container_statuses or ()), *(pod.status.init_container_statuses or ())):
            if status.name == wire.name and len(bytes(status.resources)) > 4:
                self._force = _decode(bytes(status.resources), f"{where}.resources in status")
                self._allocated = quantities(_amounts.decode(bytes(status.allocated_resources) or b"null"))

    def effective(self, what: str, infeasible: bool) -> Quantities:
        """An init container's: only sidecars can be resized in place."""
        if not self.sidecar:
            return self.requests if what == "requests" else self.limits
        return self.effective_requests(infeasible) if what == "requests" else self.effective_limits(infeasible)

    def effective_requests(self, infeasible: bool) -> Quantities:
        if self._force is None:
            return self.requests
        return _effective(self.requests, quantities(self._force.requests), self._allocated, infeasible)

    def effective_limits(self, infeasible: bool) -> Quantities:
        if self._force is None:
            return self.limits
        return _in_force(self.limits, quantities(self._force.limits), infeasible)


@lru_cache(maxsize=4096)
def _written(raw: bytes) -> tuple[Quantities, Quantities]:
    """Requests and limits as a container states them; many state the same. Not to be changed."""
    found = _decode(raw, "resources") or ResourcesWire()
    with under("resources.requests"):
        requests = quantities(found.requests)
    with under("resources.limits"):
        return requests, quantities(found.limits)


def _decode(raw: bytes, where: str) -> ResourcesWire | None:
    try:
        return _resources.decode(raw) if raw else None
    except msgspec.MsgspecError as e:
        raise Unreadable(where, str(e)) from e


def _effective(spec: Quantities, force: Quantities, allocated: Quantities, infeasible: bool) -> Quantities:
    return _largest(force, allocated) if infeasible else _largest(spec, force, allocated)


def _in_force(spec: Quantities, force: Quantities, infeasible: bool) -> Quantities:
    return dict(force) if infeasible else _largest(spec, force)


def _resize_infeasible(conditions: tuple[ConditionWire, ...] | None) -> bool:
    return next((c.reason == "Infeasible" for c in conditions or () if c.type == "PodResizePending"), False)


def _pod_level(name: str) -> bool:
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def _computing(values: Quantities) -> Quantities:
    return {name: value for name, value in values.items() if name in ("cpu", "memory") and value > 0}


def _add(total: Quantities, values: Quantities) -> None:
    for name, value in values.items():
        total[name] = total.get(name, Decimal(0)) + value


def _sum(one: Quantities, other: Quantities) -> Quantities:
    total = dict(one)
    _add(total, other)
    return total


def _raise_to(total: Quantities, least: Quantities) -> None:
    for name, value in least.items():
        if name not in total or value > total[name]:
            total[name] = value


def _largest(*several: Quantities) -> Quantities:
    out: Quantities = {}
    for values in several:
        _raise_to(out, values)
    return out
