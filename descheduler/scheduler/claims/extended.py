"""The claim that the scheduler makes for a pod on nodes that do not offer its extended resources by a device plug-in
(kubernetes pkg/scheduler/framework/plugins/dynamicresources/extendeddynamicresources.go)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from descheduler.model.asks import ContainerAsk
from descheduler.model.dra import Ask, ClaimSpec, DeviceClass, DeviceRequest
from descheduler.model.pods import PodSpec


def claim_for(spec: PodSpec, served: Collection[str], classes: Mapping[str, DeviceClass]) -> ClaimSpec:
    """The claim that is made for a pod on a node where devices serve these resources (`createRequestsAndMappings`).

    Containers and sidecars have requests of their own. Init containers use what those after them hold, and together one
    request more: the most that any of them lacks.
    """
    init = [one for one in spec.asks.containers if one.init]
    containers = [*init, *(one for one in spec.asks.containers if not one.init)]
    if not containers:  # a recording may have only the sums
        sums = tuple((name, Decimal(value)) for name, value in spec.requests if name != "pods")
        containers = [ContainerAsk("", sums)]
    found = [one for name in sorted(served) for one in _requests(containers, name, classes[name].name)]
    return ClaimSpec(tuple(Ask(one.name, (one,)) for one in sorted(found, key=lambda one: one.name)))


def _requests(containers: list[ContainerAsk], resource: str, device_class: str) -> Iterator[DeviceRequest]:
    lasting: dict[int, int] = {}
    brief: dict[int, int] = {}
    for at, one in enumerate(containers):
        amount = int(dict(one.requests).get(resource, 0))
        if amount:
            (brief if one.init and not one.sidecar else lasting)[at] = amount
    lacking = {at: amount - sum(n for other, n in lasting.items() if other > at) for at, amount in brief.items()}
    most = max(lacking, key=lambda at: (lacking[at], -at), default=-1)
    if most >= 0 and lacking[most] > 0:
        lasting[most] = lacking[most]
    for at, count in lasting.items():
        place = [name for name, _ in containers[at].requests].index(resource)
        yield DeviceRequest(f"container-{at}-request-{place}", device_class, count=count)
