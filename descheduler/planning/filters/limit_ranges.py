"""Whether the LimitRanges of a namespace would let a new pod in.

After kubernetes plugin/pkg/admission/limitranger: what containers do not ask for is filled in from the defaults of all
LimitRanges, then each bound is held against containers, against the pod as a whole, without its overhead, and against
new claims, which ask for storage and state no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from descheduler.model.admission import LimitRange, LimitRangeItem
from descheduler.model.asks import Asks, ContainerAsk, exact
from descheduler.model.format import quantity
from descheduler.model.quantity import amounts
from descheduler.model.storage import ClaimTemplate


def with_defaults(asks: Asks, ranges: Sequence[LimitRange]) -> Asks:
    """What a new pod asks for once defaults are filled in; the very object where none are missing."""
    items = [item for one in ranges for item in one.items if item.type == "Container"]
    if not items:
        return asks
    containers = tuple(_filled(one, items) for one in asks.containers)
    return asks if containers == asks.containers else replace(asks, containers=containers)


def breach(asks: Asks, claims: Iterable[ClaimTemplate], ranges: Iterable[LimitRange]) -> tuple[LimitRange, str] | None:
    """The first LimitRange that refuses a pod that asks for this, defaults included, or one of the claims that its
    ephemeral volumes make, and why."""
    whole = replace(asks, overhead=())
    parts = [
        *(("Container", f"container {one.name}", dict(one.requests), dict(one.limits)) for one in asks.containers),
        ("Pod", "the pod", whole.requests(), whole.limits()),
    ]
    for claim in claims:
        storage = {"storage": Decimal(claim.storage)}
        parts.append(("PersistentVolumeClaim", f"volume {claim.volume}", storage, storage))
    for one in ranges:
        if one.problem:
            return one, one.problem
        for item in one.items:
            for kind, name, requests, limits in parts:
                if kind == item.type:
                    why = next(_breaches(item, dict(amounts(requests)), dict(amounts(limits))), "")
                    if why:
                        return one, f"{name} {why}"
    return None


def _filled(one: ContainerAsk, items: Iterable[LimitRangeItem]) -> ContainerAsk:
    requests, limits = dict(one.requests), dict(one.limits)
    for item in items:
        limits = {**dict(item.default_limits), **limits}
        requests = {**dict(item.default_requests), **requests}
    return replace(one, requests=exact(requests), limits=exact(limits))


def _breaches(item: LimitRangeItem, requests: Mapping[str, int], limits: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with a container, or a pod, by one item; who says nothing of a resource is out of bounds."""
    for name, least in item.least:
        asked = min(requests.get(name, -1), limits.get(name, least))
        if asked < least:
            yield f"asks for {_amount(name, asked)}, the minimum is {quantity(name, least)} {name}"
    for name, most in item.most:
        limit = limits.get(name)
        if limit is None or max(limit, requests.get(name, 0)) > most:
            used = _amount(name, -1 if limit is None else max(limit, requests.get(name, 0)))
            yield f"may use {used}, the maximum is {quantity(name, most)} {name}"
    for name, ratio in item.ratio:
        request, limit = requests.get(name, 0), limits.get(name, 0)
        if not request or not limit or limit / request > ratio:
            ours = f"{quantity(name, limit)} to {quantity(name, request)} {name}"
            yield f"has limit and request {ours}, the largest ratio is {ratio:g}"


def _amount(name: str, value: int) -> str:
    return "no stated amount" if value < 0 else f"{quantity(name, value)} {name}"
