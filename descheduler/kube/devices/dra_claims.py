"""ResourceClaims, their templates, and DeviceClasses: wire to model."""

from __future__ import annotations

from collections.abc import Iterable

from descheduler.kube.convert.customs import described
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.selectors import node_terms
from descheduler.kube.convert.unreadable import under
from descheduler.kube.devices.dra_slices import exact
from descheduler.kube.devices.dra_wire import (
    AskedWire,
    ClaimSpecWire,
    ClaimTemplateWire,
    ConstraintWire,
    DeviceClaimWire,
    DeviceClassWire,
    RequestWire,
    ResultWire,
    SelectorWire,
)
from descheduler.model.dra import (
    Ask,
    ClaimedDevice,
    ClaimSpec,
    Constraint,
    DeviceClass,
    DeviceRequest,
    DeviceToleration,
    ResourceClaim,
    ResourceClaimTemplate,
)
from descheduler.model.fence import Unreadable, fenced

_MODES = ("", "ExactCount", "All")


def convert_device_claim(wire: DeviceClaimWire, intern: Interner, *, kind: str, api_version: str) -> ResourceClaim:
    """One ResourceClaim, without its spec and status. Of one whose spec makes no sense, what it holds is known."""
    allocation, reserved = wire.status.allocation, wire.status.reserved_for or ()
    results = (allocation.devices.results or ()) if allocation else ()
    pods = tuple(h.uid for h in reserved if h.resource == "pods" and not h.api_group)
    return ResourceClaim(
        **described(wire, intern, kind=kind, api_version=api_version),
        asked=_asked(wire.spec, intern),
        allocated=allocation is not None,
        devices=tuple(_claimed(r, intern) for r in results),
        terms=node_terms(allocation.node_selector) if allocation else None,
        holders=pods,
        others=len(reserved) - len(pods),
    )


def convert_claim_template(
    wire: ClaimTemplateWire, intern: Interner, *, kind: str, api_version: str
) -> ResourceClaimTemplate:
    """One ResourceClaimTemplate, without its spec."""
    found = described(wire, intern, kind=kind, api_version=api_version)
    return ResourceClaimTemplate(**found, asked=_asked(wire.spec.spec, intern))


def convert_device_class(wire: DeviceClassWire, intern: Interner, *, kind: str, api_version: str) -> DeviceClass:
    """One DeviceClass, without its spec."""
    return DeviceClass(
        **described(wire, intern, kind=kind, api_version=api_version),
        selectors=_selectors(wire.spec.selectors or (), intern),
        extended=intern.text(wire.spec.extended_resource_name or ""),
    )


def _asked(wire: ClaimSpecWire, intern: Interner) -> ClaimSpec:
    def read() -> ClaimSpec:
        asked = wire.devices
        with under("spec.devices"):
            asks = tuple(_ask(request, intern) for request in asked.requests or ())
            return ClaimSpec(asks, tuple(_constraint(c) for c in asked.constraints or ()))

    return fenced(read, lambda why: ClaimSpec(problem=why))


def _ask(wire: RequestWire, intern: Interner) -> Ask:
    if wire.first_available:
        return Ask(wire.name, tuple(_request(one, one.name, intern) for one in wire.first_available), listed=True)
    return Ask(wire.name, (_request(wire.exactly or wire, wire.name, intern),))


def _request(wire: AskedWire, name: str, intern: Interner) -> DeviceRequest:
    with under(f"requests[{name}]"):
        if wire.allocation_mode not in _MODES:
            raise Unreadable("allocationMode", f"{wire.allocation_mode!r} is unknown")
        if not wire.device_class_name:
            raise Unreadable("deviceClassName", "it names none, nor any alternatives")
        amounts = (wire.capacity.requests or {}) if wire.capacity else {}
        return DeviceRequest(
            name,
            intern.text(wire.device_class_name),
            _selectors(wire.selectors or (), intern),
            None if wire.allocation_mode == "All" else wire.count or 1,
            bool(wire.admin_access),
            tuple(DeviceToleration(t.key, t.operator or "Equal", t.value, t.effect) for t in wire.tolerations or ()),
            tuple(sorted((k, exact(v, f"capacity.{k}")) for k, v in amounts.items())),
        )


def _selectors(wires: Iterable[SelectorWire], intern: Interner) -> tuple[str, ...]:
    """An empty one is of a kind that we do not know; nobody can judge it."""
    return tuple(intern.text(one.cel.expression if one.cel else "") for one in wires)


def _constraint(wire: ConstraintWire) -> Constraint:
    named = tuple(wire.requests or ())
    if wire.match_attribute:
        return Constraint(named, wire.match_attribute)
    if wire.distinct_attribute:
        return Constraint(named, wire.distinct_attribute, distinct=True)
    raise Unreadable("constraints", "one is of an unknown kind")


def _claimed(wire: ResultWire, intern: Interner) -> ClaimedDevice:
    consumed = wire.consumed_capacity or {}
    with under("status.allocation.devices.results.consumedCapacity"):
        return ClaimedDevice(
            intern.text(wire.driver),
            intern.text(wire.pool),
            wire.device,
            wire.share_id is not None,
            tuple(sorted((name, exact(v, name)) for name, v in consumed.items())),
            bool(wire.admin_access),
        )
