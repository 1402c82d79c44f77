"""Slim schemas of what new pods are held to: namespaces, RuntimeClasses, quotas, limits."""

from __future__ import annotations

from msgspec import Raw

from descheduler.kube.convert.wire import NO_RAW, Object, Slim

Quantities = dict[str, str | int | float]


class NamespaceStatusWire(Slim, frozen=True, gc=False):
    phase: str = ""


class NamespaceWire(Object, frozen=True, gc=False):
    status: NamespaceStatusWire = NamespaceStatusWire()


class OverheadWire(Slim, frozen=True, gc=False):
    pod_fixed: Quantities | None = None


class RuntimeSchedulingWire(Slim, frozen=True, gc=False):
    node_selector: dict[str, str] | None = None
    tolerations: Raw = NO_RAW


class RuntimeClassWire(Object, frozen=True, gc=False):
    overhead: OverheadWire | None = None
    scheduling: RuntimeSchedulingWire | None = None


class ScopeWire(Slim, frozen=True, gc=False):
    scope_name: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class ScopeSelectorWire(Slim, frozen=True, gc=False):
    match_expressions: tuple[ScopeWire, ...] | None = None


class QuotaSpecWire(Slim, frozen=True, gc=False):
    hard: Quantities | None = None
    scopes: tuple[str, ...] | None = None
    scope_selector: ScopeSelectorWire | None = None


class QuotaStatusWire(Slim, frozen=True, gc=False):
    hard: Quantities | None = None
    used: Quantities | None = None


class QuotaWire(Object, frozen=True, gc=False):
    spec: QuotaSpecWire = QuotaSpecWire()
    status: QuotaStatusWire = QuotaStatusWire()


class LimitRangeItemWire(Slim, frozen=True, gc=False):
    type: str = ""
    min: Quantities | None = None
    max: Quantities | None = None
    default: Quantities | None = None
    default_request: Quantities | None = None
    max_limit_request_ratio: Quantities | None = None


class LimitRangeSpecWire(Slim, frozen=True, gc=False):
    limits: tuple[LimitRangeItemWire, ...] | None = None


class LimitRangeWire(Object, frozen=True, gc=False):
    spec: LimitRangeSpecWire = LimitRangeSpecWire()
