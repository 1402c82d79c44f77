"""Pod affinity terms made concrete, and the terms that running pods carry (kube-scheduler's InterPodAffinity)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from descheduler.model.fence import fenced
from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.pods import PodAffinityTerm
from descheduler.model.selectors import LabelSelector, Operator, Requirement
from descheduler.scheduler.classes import PodClasses

HARD_AFFINITY_WEIGHT = 1
"""hardPodAffinityWeight's default (kubernetes pkg/scheduler/apis/config/v1/defaults.go)."""


@dataclass(frozen=True, slots=True)
class Term:
    """A term as the scheduler compares it: `namespaces` None means all."""

    topology_key: str
    selector: LabelSelector | None
    namespaces: frozenset[str] | None

    def matches(self, namespace: str, labels: Labels) -> bool:
        return (
            self.selector is not None
            and (self.namespaces is None or namespace in self.namespaces)
            and self.selector.matches(labels)
        )


class TermResolver:
    """Turns the terms of a pod into concrete ones: label keys merged, namespaces listed."""

    def __init__(self, namespaces: Mapping[str, Labels], pod_namespaces: Iterable[str]) -> None:
        # A namespace that has pods but is not in the snapshot counts as one without labels.
        self._labels = {name: namespaces.get(name, NO_LABELS) for name in (*namespaces, *pod_namespaces)}
        self._chosen: dict[LabelSelector, frozenset[str]] = {}
        self._terms: dict[tuple[PodAffinityTerm, str], Term] = {}

    def resolve(self, term: PodAffinityTerm, namespace: str, labels: Labels) -> Term:
        """The term as carried by a pod with this namespace and these labels."""
        if term.match_label_keys or term.mismatch_label_keys:
            return Term(term.topology_key, _merged(term, labels), self._namespaces(term, namespace))
        key = (term, namespace)
        found = self._terms.get(key)
        if found is None:
            found = Term(term.topology_key, term.selector, self._namespaces(term, namespace))
            self._terms[key] = found
        return found

    def _namespaces(self, term: PodAffinityTerm, namespace: str) -> frozenset[str] | None:
        selector = term.namespace_selector
        if selector is None:
            return frozenset(term.namespaces or (namespace,))
        if not selector.requirements:
            return None
        chosen = self._chosen.get(selector)
        if chosen is None:
            chosen = frozenset(n for n, labels in self._labels.items() if selector.matches(labels))
            self._chosen[selector] = chosen
        return chosen.union(term.namespaces)


def with_keys(selector: LabelSelector | None, keys: Iterable[str], labels: Labels) -> LabelSelector | None:
    """The selector with matchLabelKeys merged in: those keys that the pod has, with its values."""
    if selector is None:
        return None
    more = tuple(Requirement(k, Operator.IN, (labels[k],)) for k in keys if k in labels)
    return LabelSelector(selector.requirements + more) if more else selector


def _merged(term: PodAffinityTerm, labels: Labels) -> LabelSelector | None:
    # The API server does the same when a pod is created, so on pods read from it this changes nothing
    # (kubernetes pkg/registry/core/pod/strategy.go).
    selector = with_keys(term.selector, term.match_label_keys, labels)
    if selector is None:
        return None
    more = tuple(Requirement(k, Operator.NOT_IN, (labels[k],)) for k in term.mismatch_label_keys if k in labels)
    return LabelSelector(selector.requirements + more) if more else selector


class CarriedTerms:
    """Terms that pods carry, found by the labels of the pod that they would concern.

    Each distinct term is held with the classes that carry it and a weight (1 for required terms).
    """

    def __init__(self) -> None:
        self._carriers: dict[Term, dict[int, int]] = {}
        self._by_label: dict[tuple[str, str], list[Term]] = {}
        self._others: list[Term] = []

    def add(self, term: Term, cls: int, weight: int) -> None:
        """Note that pods of the class carry the term."""
        carriers = self._carriers.get(term)
        if carriers is None:
            carriers = self._carriers[term] = {}
            self._file(term)
        carriers[cls] = carriers.get(cls, 0) + weight

    def each(self) -> Iterable[tuple[Term, Collection[int]]]:
        """Every distinct term, with the classes that carry it."""
        return self._carriers.items()

    def concerning(self, namespace: str, labels: Labels) -> dict[str, dict[int, int]]:
        """By topology key: the classes that carry terms which match such a pod, with the summed weights."""
        out: dict[str, dict[int, int]] = {}
        found = [t for item in labels.items() for t in self._by_label.get(item, ())]
        for term in (*found, *self._others):
            if term.matches(namespace, labels):
                weights = out.setdefault(term.topology_key, {})
                for cls, weight in self._carriers[term].items():
                    weights[cls] = weights.get(cls, 0) + weight
        return out

    def _file(self, term: Term) -> None:
        # Filed under one In requirement, so that a pod meets only terms that name one of its labels.
        for requirement in term.selector.requirements if term.selector else ():
            if requirement.operator is Operator.IN:
                for value in dict.fromkeys(requirement.values):
                    self._by_label.setdefault((requirement.key, value), []).append(term)
                return
        if term.selector is not None:
            self._others.append(term)


@dataclass(frozen=True, eq=False, slots=True)
class Carried:
    """What running pods demand of a newcomer: required anti-affinity, and preferences in both directions.

    `odd`: the classes whose terms make no sense, and why.
    """

    anti: CarriedTerms
    preferences: CarriedTerms
    odd: dict[int, str] = field(default_factory=dict)


def carried_terms(classes: PodClasses, resolver: TermResolver) -> Carried:
    """Collect the terms of all classes whose specs have any."""
    carried = Carried(CarriedTerms(), CarriedTerms())
    with_terms = [
        bool(s.anti_affinity.required or s.anti_affinity.preferred or s.affinity.required or s.affinity.preferred)
        for s in classes.specs
    ]
    if not any(with_terms):
        return carried
    for cls, spec in enumerate(classes.spec.tolist()):
        if with_terms[spec]:
            fenced(partial(_collect, carried, cls, classes, resolver), partial(carried.odd.__setitem__, cls))
    return carried


def _collect(carried: Carried, cls: int, classes: PodClasses, resolver: TermResolver) -> None:
    spec, namespace, labels = classes.spec_of(cls), classes.namespace_of(cls), classes.labels_of(cls)
    for term in spec.anti_affinity.required:
        carried.anti.add(resolver.resolve(term, namespace, labels), cls, 1)
    for term in spec.affinity.required:
        carried.preferences.add(resolver.resolve(term, namespace, labels), cls, HARD_AFFINITY_WEIGHT)
    for weight, term in spec.affinity.preferred:
        carried.preferences.add(resolver.resolve(term, namespace, labels), cls, weight)
    for weight, term in spec.anti_affinity.preferred:
        carried.preferences.add(resolver.resolve(term, namespace, labels), cls, -weight)
