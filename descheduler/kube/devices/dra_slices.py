"""ResourceSlices: wire to model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from descheduler.kube.convert.customs import described
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.selectors import node_terms
from descheduler.kube.convert.unreadable import under
from descheduler.kube.devices.dra_wire import (
    Amount,
    AttributeWire,
    CapacityWire,
    CounterSetWire,
    DescribedWire,
    DeviceWire,
    RequestPolicyWire,
    SliceWire,
)
from descheduler.model.dra import (
    Amounts,
    Attribute,
    Capacity,
    DeviceTaint,
    PooledDevice,
    Reach,
    RequestPolicy,
    ResourceSlice,
)
from descheduler.model.quantity import parse_quantity


def convert_slice(wire: SliceWire, intern: Interner, *, kind: str, api_version: str) -> ResourceSlice:
    """One ResourceSlice, without its spec."""
    spec = wire.spec
    with under("spec"):
        reach = _reach(spec.node_name, spec.node_selector is not None, spec.all_nodes, node_terms(spec.node_selector))
        per_device = bool(spec.per_device_node_selection) and reach is None
        return ResourceSlice(
            **described(wire, intern, kind=kind, api_version=api_version),
            driver=intern.text(spec.driver),
            pool=intern.text(spec.pool.name),
            pool_generation=spec.pool.generation,
            pool_slices=spec.pool.resource_slice_count,
            reach=reach,
            per_device=per_device,
            devices=tuple(_device(d, intern, placed=per_device) for d in spec.devices or ()),
            counter_sets=_counters(spec.shared_counters or (), of_pool=True),
        )


def exact(written: Amount, where: str) -> Decimal:
    """An amount in whole units. Raises Unreadable."""
    with under(where):
        return parse_quantity(str(written))


def _reach(node: str | None, selected: bool, everywhere: bool | None, terms: tuple[object, ...] | None) -> Reach | None:
    if node:
        return Reach(node)
    if everywhere:
        return Reach(everywhere=True)
    return Reach(terms=terms) if selected else None  # type: ignore[arg-type]  # terms of a node selector


def _device(found: DeviceWire, intern: Interner, *, placed: bool) -> PooledDevice:
    facts: DescribedWire = found.basic or found
    with under(f"devices[{found.name}]"):
        reach = None
        if placed or facts.node_name:
            selector = facts.node_selector
            reach = _reach(facts.node_name, selector is not None, facts.all_nodes, node_terms(selector)) or Reach()
        return PooledDevice(
            found.name,
            {intern.text(k): _attribute(v) for k, v in (facts.attributes or {}).items()},
            {intern.text(k): _capacity(v, k) for k, v in (facts.capacity or {}).items()},
            tuple(DeviceTaint(t.key, t.value, t.effect) for t in facts.taints or ()),
            _counters(facts.consumes_counters or ()),
            reach,
            shareable=bool(facts.allow_multiple_allocations),
            binds_to_node=bool(facts.binds_to_node),
            waits=bool(facts.binding_conditions),
        )


def _attribute(found: AttributeWire) -> Attribute:
    if found.text is not None:
        return Attribute("string", found.text)
    if found.number is not None:
        return Attribute("int", found.number)
    if found.truth is not None:
        return Attribute("bool", found.truth)
    if found.version is not None:
        return Attribute("version", found.version)
    return Attribute("", "")  # a list of values, or what is newer


def _capacity(found: CapacityWire | Amount, name: str) -> Capacity:
    if not isinstance(found, CapacityWire):
        return Capacity(exact(found, f"capacity.{name}"))
    return Capacity(exact(found.value, f"capacity.{name}"), _policy(found.request_policy, name))


def _policy(found: RequestPolicyWire | None, name: str) -> RequestPolicy | None:
    if found is None:
        return None

    def read(written: Amount | None) -> Decimal | None:
        return None if written is None else exact(written, f"capacity.{name}.requestPolicy")

    limits = found.valid_range
    return RequestPolicy(
        read(found.default),
        tuple(exact(v, f"capacity.{name}.requestPolicy") for v in found.valid_values or ()),
        None if limits is None else read(limits.low),
        None if limits is None else read(limits.high),
        None if limits is None else read(limits.step),
    )


def _counters(sets: Iterable[CounterSetWire], *, of_pool: bool = False) -> tuple[tuple[str, Amounts], ...]:
    return tuple((one.name if of_pool else one.counter_set, _amounts(one)) for one in sets)


def _amounts(found: CounterSetWire) -> Amounts:
    counters: Mapping[str, object] = found.counters or {}
    return tuple((name, exact(counter.value, f"counters.{name}")) for name, counter in counters.items())  # type: ignore[attr-defined]
