"""What the containers of a pod ask for, and what that comes to as the scheduler counts it.

After k8s.io/component-helpers resource/helpers.go (`PodRequests`, `PodLimits`): containers and sidecars (restartable
init containers) are summed, init containers set a minimum together with the sidecars started before them, supported
pod-level resources replace the sums, overhead comes on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from descheduler.model.quantity import amounts

Quantities = dict[str, Decimal]
Exact = tuple[tuple[str, Decimal], ...]
"""Exact quantities, sorted by resource."""

_MINIMUM = {"cpu": Decimal("0.1"), "memory": Decimal(200 << 20)}  # kubernetes pkg/scheduler/util/pod_resources.go


def exact(values: Mapping[str, Decimal]) -> Exact:
    """The same quantities, hashable."""
    return tuple(sorted(values.items()))


@dataclass(frozen=True, slots=True)
class ContainerAsk:
    """One container. An `init` one runs before the others, a `sidecar` is one that goes on running."""

    name: str
    requests: Exact = ()
    limits: Exact = ()
    init: bool = False
    sidecar: bool = False


@dataclass(frozen=True, slots=True)
class Asks:
    """Containers in the order of the spec, init containers last. `pod` is what the pod as a whole asks for, None where
    nothing is said of it; `overhead` is its RuntimeClass's."""

    containers: tuple[ContainerAsk, ...] = ()
    pod: ContainerAsk | None = None
    overhead: Exact = ()

    def requests(self, missing: Mapping[str, Decimal] | None = None) -> Quantities:
        """`missing` is what a container counts as that does not ask for a resource at all."""
        total = self._total(lambda one: {**(missing or {}), **dict(one.requests)})
        if self.pod is not None:
            total.update(_of_pods(self.pod.requests))
        _add(total, self.overhead)
        return total

    def limits(self) -> Quantities:
        total = self._total(lambda one: dict(one.limits))
        if self.pod is not None:
            total.update(_of_pods(self.pod.limits))
        for name, value in self.overhead:
            if total.get(name):
                total[name] += value
        return total

    def bounds(self) -> Quantities:
        """The limits of CPU and memory that hold for the pod as a whole.

        The kubelet sets them on the pod's control group only where every container has one, or the pod itself
        (kubernetes pkg/kubelet/cm/helpers_linux.go `ResourceConfigForPod`).
        """
        stated = {name for name, _ in self.pod.limits} if self.pod is not None else set()
        everywhere = set(_MINIMUM).intersection(*(_computing(one.limits) for one in self.containers))
        return {
            name: value for name, value in self.limits().items() if name in _MINIMUM and name in stated | everywhere
        }

    def counted(self) -> tuple[int, int]:
        """CPU in millicores and memory in bytes as the scheduler's scores count them, after its `CalculatePodResource`
        (kubernetes pkg/scheduler/framework/types.go): a minimum for each container that asks for none, unless
        pod-level requests say it for the whole pod."""
        asked = self.requests() if self.pod is not None and _of_pods(self.pod.requests) else {}
        found = dict(amounts(self.requests({n: v for n, v in _MINIMUM.items() if n not in asked})))
        return found.get("cpu", 0), found.get("memory", 0)

    def qos(self) -> str:
        """Guaranteed, Burstable or BestEffort, after pkg/apis/core/v1/helper/qos (`ComputePodQOS`)."""
        requests: Quantities = {}
        limits: Quantities = {}
        guaranteed = True
        for one in self.containers if self.pod is None else (self.pod,):
            capped = _computing(one.limits)
            _add(requests, _computing(one.requests).items())
            _add(limits, capped.items())
            # Pod-level resources without limits are not looked at one by one there; the comparison below decides.
            guaranteed &= len(capped) == 2 or (one is self.pod and not one.limits)
        if not requests and not limits:
            return "BestEffort"
        same = all(limits.get(name) == value for name, value in requests.items()) and len(requests) == len(limits)
        return "Guaranteed" if guaranteed and same else "Burstable"

    def _total(self, of: Callable[[ContainerAsk], Quantities]) -> Quantities:
        total: Quantities = {}
        sidecars: Quantities = {}
        least: Quantities = {}
        for one in self.containers:
            values = of(one)
            if not one.init:
                _add(total, values.items())
            elif one.sidecar:
                _add(total, values.items())
                _add(sidecars, values.items())
                raise_to(least, sidecars)
            else:
                _add(values, sidecars.items())
                raise_to(least, values)
        raise_to(total, least)
        return total


NO_ASKS = Asks()


def pod_level(name: str) -> bool:
    """Whether a pod may ask for the resource as a whole."""
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def raise_to(total: Quantities, least: Mapping[str, Decimal]) -> None:
    """Make each amount at least what `least` says."""
    for name, value in least.items():
        if name not in total or value > total[name]:
            total[name] = value


def _of_pods(values: Exact) -> Quantities:
    return {name: value for name, value in values if pod_level(name)}


def _computing(values: Exact) -> Quantities:
    return {name: value for name, value in values if name in ("cpu", "memory") and value > 0}


def _add(total: Quantities, values: Iterable[tuple[str, Decimal]]) -> None:
    for name, value in values:
        total[name] = total.get(name, Decimal(0)) + value
