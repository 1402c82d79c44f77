"""Selectors, affinities, tolerations and spread constraints: wire to model, with the API's defaults."""

from __future__ import annotations

from typing import NoReturn

import msgspec

from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import (
    AffinityWire,
    ExpressionWire,
    LabelSelectorWire,
    NodeSelectorWire,
    NodeTermWire,
    PodAffinityWire,
    PodTermWire,
    SpreadWire,
    TolerationWire,
)
from descheduler.model.fence import Unreadable
from descheduler.model.pods import NodeAffinity, PodAffinity, PodAffinityTerm, SpreadConstraint, Toleration
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm, Operator, Requirement

_affinity = msgspec.json.Decoder(AffinityWire | None)
_tolerations = msgspec.json.Decoder(tuple[TolerationWire, ...] | None)
_spread = msgspec.json.Decoder(tuple[SpreadWire, ...] | None)
_LABEL_OPERATORS = frozenset({Operator.IN, Operator.NOT_IN, Operator.EXISTS, Operator.DOES_NOT_EXIST})


def label_selector(wire: LabelSelectorWire | None) -> LabelSelector | None:
    """None stays None (selects nothing or is absent, as the field's owner defines)."""
    if wire is None:
        return None
    exact = tuple(Requirement(k, Operator.IN, (v,)) for k, v in sorted((wire.match_labels or {}).items()))
    return LabelSelector(exact + tuple(_requirement(e, labels=True) for e in wire.match_expressions or ()))


def node_terms(wire: NodeSelectorWire | None) -> tuple[NodeSelectorTerm, ...] | None:
    if wire is None:
        return None
    return tuple(_node_term(term) for term in wire.node_selector_terms or ())


def affinities(raw: bytes) -> tuple[NodeAffinity, PodAffinity, PodAffinity]:
    """Node affinity, pod affinity, pod anti-affinity of a pod's `spec.affinity`."""
    wire = _affinity.decode(raw) if raw else None
    if wire is None:
        return NodeAffinity(), PodAffinity(), PodAffinity()
    with under("nodeAffinity"):
        node = _node_affinity(wire)
    with under("podAffinity"):
        together = _pod_affinity(wire.pod_affinity)
    with under("podAntiAffinity"):
        return node, together, _pod_affinity(wire.pod_anti_affinity)


def tolerations(raw: bytes) -> tuple[Toleration, ...]:
    found = (_tolerations.decode(raw) if raw else None) or ()
    return tuple(Toleration(t.key, t.operator or "Equal", t.value, t.effect, t.toleration_seconds) for t in found)


def spread(raw: bytes) -> tuple[SpreadConstraint, ...]:
    found = (_spread.decode(raw) if raw else None) or ()
    return tuple(
        SpreadConstraint(
            max_skew=s.max_skew,
            topology_key=s.topology_key,
            when_unsatisfiable=s.when_unsatisfiable,
            selector=label_selector(s.label_selector),
            min_domains=s.min_domains,
            node_affinity_policy=s.node_affinity_policy or "Honor",
            node_taints_policy=s.node_taints_policy or "Ignore",
            match_label_keys=s.match_label_keys or (),
        )
        for s in found
    )


def _node_affinity(wire: AffinityWire) -> NodeAffinity:
    found = wire.node_affinity
    if found is None:
        return NodeAffinity()
    preferred = tuple((p.weight, _node_term(p.preference)) for p in found.preferred or ())
    return NodeAffinity(node_terms(found.required), preferred)


def _node_term(wire: NodeTermWire) -> NodeSelectorTerm:
    return NodeSelectorTerm(
        tuple(_requirement(e) for e in wire.match_expressions or ()),
        tuple(_requirement(e) for e in wire.match_fields or ()),
    )


def _pod_affinity(wire: PodAffinityWire | None) -> PodAffinity:
    if wire is None:
        return PodAffinity()
    return PodAffinity(
        tuple(_pod_term(t) for t in wire.required or ()),
        tuple((p.weight, _pod_term(p.pod_affinity_term)) for p in wire.preferred or ()),
    )


def _pod_term(wire: PodTermWire) -> PodAffinityTerm:
    return PodAffinityTerm(
        topology_key=wire.topology_key,
        selector=label_selector(wire.label_selector),
        namespaces=wire.namespaces or (),
        namespace_selector=label_selector(wire.namespace_selector),
        match_label_keys=wire.match_label_keys or (),
        mismatch_label_keys=wire.mismatch_label_keys or (),
    )


def _requirement(wire: ExpressionWire, *, labels: bool = False) -> Requirement:
    try:
        operator = Operator(wire.operator)
    except ValueError:
        _refuse(wire)
    if labels and operator not in _LABEL_OPERATORS:
        _refuse(wire)
    return Requirement(wire.key, operator, wire.values or ())


def _refuse(wire: ExpressionWire) -> NoReturn:
    raise Unreadable(wire.key, f"operator {wire.operator!r} is unknown")
