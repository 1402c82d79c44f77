"""What the API server holds new pods to: wire to model."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from descheduler.kube.convert.admission_wire import LimitRangeItemWire, LimitRangeWire, QuotaWire, RuntimeClassWire
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.selectors import tolerations
from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import Object
from descheduler.model.admission import (
    LimitRange,
    LimitRangeItem,
    ResourceQuota,
    RuntimeClass,
    ScopeRequirement,
    ServiceAccount,
    unit_of,
)
from descheduler.model.asks import Exact, exact
from descheduler.model.fence import Unreadable
from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.pods import Amounts
from descheduler.model.quantity import InvalidQuantity, amount, parse_quantity

Written = Mapping[str, str | int | float]


def convert_service_account(wire: Object, intern: Interner) -> ServiceAccount:
    return ServiceAccount(intern.text(wire.metadata.namespace), intern.text(wire.metadata.name))


def convert_runtime_class(wire: RuntimeClassWire, _intern: Interner) -> RuntimeClass:
    selector = wire.scheduling.node_selector if wire.scheduling else None
    overhead = _exactly(wire.overhead.pod_fixed if wire.overhead else None, "overhead.podFixed")
    return RuntimeClass(
        name=wire.metadata.name,
        overhead=overhead,
        node_selector=Labels(selector) if selector else NO_LABELS,
        tolerations=tolerations(bytes(wire.scheduling.tolerations)) if wire.scheduling else (),
    )


def convert_quota(wire: QuotaWire, intern: Interner) -> ResourceQuota:
    spec, status = wire.spec, wire.status
    selector = spec.scope_selector.match_expressions if spec.scope_selector else None
    scopes = [ScopeRequirement(scope) for scope in spec.scopes or ()]
    scopes.extend(ScopeRequirement(e.scope_name, e.operator, frozenset(e.values or ())) for e in selector or ())
    return ResourceQuota(
        namespace=intern.text(wire.metadata.namespace),
        name=wire.metadata.name,
        hard=_amounts(spec.hard, "spec.hard"),
        enforced=_amounts(status.hard, "status.hard"),
        used=_amounts(status.used, "status.used"),
        scopes=tuple(scopes),
    )


def convert_limit_range(wire: LimitRangeWire, intern: Interner) -> LimitRange:
    items = tuple(_item(item) for item in wire.spec.limits or ())
    return LimitRange(intern.text(wire.metadata.namespace), wire.metadata.name, items)


def _item(wire: LimitRangeItemWire) -> LimitRangeItem:
    default, request = wire.default or {}, wire.default_request or {}
    if wire.type == "Container":
        # What the API server writes into every LimitRange (kubernetes pkg/apis/core/v1/defaults.go).
        default = {**(wire.max or {}), **default}
        request = {**(wire.min or {}), **default, **request}
    ratios = _exactly(wire.max_limit_request_ratio, "spec.limits.maxLimitRequestRatio")
    return LimitRangeItem(
        type=wire.type,
        least=_amounts(wire.min, "spec.limits.min"),
        most=_amounts(wire.max, "spec.limits.max"),
        default_requests=_exactly(request, "spec.limits.defaultRequest"),
        default_limits=_exactly(default, "spec.limits.default"),
        ratio=tuple((name, float(value)) for name, value in ratios),
    )


def _amounts(written: Written | None, where: str) -> Amounts:
    """Amounts by the names that quotas have for them. Raises Unreadable."""
    with under(where):
        return tuple(sorted((name, _amount(name, value)) for name, value in (written or {}).items()))


def _exactly(written: Written | None, where: str) -> Exact:
    """The same, exact."""
    with under(where):
        return exact({name: _exact(name, value) for name, value in (written or {}).items()})


def _amount(name: str, value: str | int | float) -> int:
    _exact(name, value)
    return amount(unit_of(name), str(value))


def _exact(name: str, value: str | int | float) -> Decimal:
    try:
        return parse_quantity(str(value))
    except InvalidQuantity as error:
        raise Unreadable(name, str(error)) from error
