"""The spec and labels that a replacement will have: what the template says, with what admission puts on top.

A pod of the template's own revision shows what admission made of it; of that, an in-place resize may have changed what
containers ask for, and anybody its labels. Of a pod of another revision only that is taken which admission adds to
every pod: tolerations of node conditions and of extended resources, what a LimitRange fills in, the overhead of its
RuntimeClass. What a VerticalPodAutoscaler set when the pod was made it will set again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from descheduler.model.asks import Asks, ContainerAsk, Exact
from descheduler.model.dra import by_claims
from descheduler.model.labels import Labels
from descheduler.model.pods import Pod, PodSpec, Toleration
from descheduler.model.quantity import Amounts, amounts
from descheduler.model.remaking.revisions import REVISION, Revision, identity
from descheduler.model.templates import PodTemplate

_CONDITIONS = "node.kubernetes.io/"  # DefaultTolerationSeconds, PodTolerationRestriction, Priority
_FILLED_IN = ("cpu", "memory", "ephemeral-storage")  # what LimitRanges have defaults of
_AUTOSCALED = ("vpaUpdates", "vpaObservedContainers")
UNCHANGED = 1
"""The generation of a pod whose spec is as it was made (kubernetes KEP-5067)."""


def autoscaled(annotations: Labels) -> bool:
    """Whether a VerticalPodAutoscaler decides what pods like this ask for when they are made."""
    return any(key in annotations for key in _AUTOSCALED)


def remade_spec(pod: Pod, template: PodTemplate, revision: Revision) -> PodSpec:
    """The pod's own spec, the very object, where the replacement will be like it."""
    spec, set_again = pod.spec, autoscaled(pod.annotations)
    if revision is Revision.OTHER:
        return _of_another(spec, template.spec, set_again=set_again)
    if set_again or (revision is Revision.SAME and pod.generation == UNCHANGED):
        return spec
    return _of_the_same(spec, template.spec)


def remade_labels(pod: Pod, template: PodTemplate, revision: Revision, update_revision: str) -> Labels:
    """The pod's own labels, the very object, where the replacement will have these."""
    own = pod.labels
    if revision is Revision.OTHER:
        set_one = {REVISION: update_revision} if update_revision else {}
        return Labels({**template.labels, **identity(own), **set_one})
    if all(own.get(key) == value for key, value in template.labels.items()):
        return own
    return own.with_(template.labels)


def _of_the_same(spec: PodSpec, template: PodSpec) -> PodSpec:
    if not spec.asks.containers:
        return spec
    of = {one.name: one for one in template.asks.containers}
    containers = tuple(_laid_over(one, of[one.name]) if one.name in of else one for one in spec.asks.containers)
    whole, stated = spec.asks.pod, template.asks.pod
    if whole is not None and stated is not None:
        whole = _laid_over(whole, stated)
    asks = Asks(containers, whole, spec.asks.overhead)
    if asks == spec.asks and _requests(asks, (spec,)) == spec.requests:
        return spec
    made = counted(spec, asks, (spec, template))
    # Devices cannot be resized: another number of them is another template.
    devices = template.gpu
    if devices is not None and dict(made.requests).get(devices.resource) != dict(spec.requests).get(devices.resource):
        made = replace(made, gpu=devices)
    return made


def _laid_over(pod: ContainerAsk, template: ContainerAsk) -> ContainerAsk:
    """What the template says explicitly wins."""
    if (pod.requests, pod.limits) == (template.requests, template.limits):
        return pod
    requests, limits = _over(pod.requests, template.requests), _over(pod.limits, template.limits)
    return replace(pod, requests=requests, limits=limits)


def _over(pod: Exact, template: Exact) -> Exact:
    has, stated = {name for name, _ in pod}, {name for name, _ in template}
    # Colocation (Koordinator's profiles) turns `cpu` into another resource: what admission took away stays away.
    turned = any(name not in stated and name not in _FILLED_IN for name in has)
    won = [(name, value) for name, value in template if name in has or not turned]
    return tuple(sorted({**dict(pod), **dict(won)}.items()))


def _of_another(spec: PodSpec, template: PodSpec, *, set_again: bool) -> PodSpec:
    of = {one.name: one for one in spec.asks.containers}
    named = {one.name for one in template.asks.containers}
    containers = tuple(
        _filled(one, of[one.name], set_again=set_again) if one.name in of else one for one in template.asks.containers
    )
    if named <= of.keys():  # then what the pod has besides was probably injected, and will be again
        containers += tuple(one for one in spec.asks.containers if one.name not in named)
    asks = Asks(containers, template.asks.pod, spec.asks.overhead or template.asks.overhead)
    known = {t.key for t in template.tolerations}
    added = tuple(t for t in spec.tolerations if t.key not in known and _admitted(t, (n for n, _ in template.requests)))
    made = replace(template, tolerations=(*template.tolerations, *added), local_storage=spec.local_storage)
    if template.resource_claims and template.resource_claims == spec.resource_claims:
        made = replace(made, gpu=template.gpu or spec.gpu)
    else:
        spec = replace(spec, requests=tuple((name, value) for name, value in spec.requests if not by_claims(name)))
    return counted(made, asks, (spec, template)) if containers else made


def _admitted(toleration: Toleration, resources: Iterable[str]) -> bool:
    """Whether admission adds it (also ExtendedResourceToleration, for the extended resources that are asked for)."""
    return toleration.key.startswith(_CONDITIONS) or toleration.key in resources


def _filled(template: ContainerAsk, pod: ContainerAsk, *, set_again: bool) -> ContainerAsk:
    return replace(
        template,
        requests=_filled_in(template.requests, pod.requests, set_again=set_again),
        limits=_filled_in(template.limits, pod.limits, set_again=set_again),
    )


def _filled_in(template: Exact, pod: Exact, *, set_again: bool) -> Exact:
    defaults = {name: value for name, value in pod if name in _FILLED_IN}
    either = {**dict(template), **defaults} if set_again else {**defaults, **dict(template)}
    return tuple(sorted(either.items()))


def counted(spec: PodSpec, asks: Asks, known: Iterable[PodSpec]) -> PodSpec:
    """The spec with other asks. Resources that none of the `known` specs counts are none of the scheduler's."""
    return replace(
        spec,
        requests=_requests(asks, known),
        limits=amounts(asks.limits()),
        counted=asks.counted(),
        qos=asks.qos(),
        asks=asks,
    )


def _requests(asks: Asks, known: Iterable[PodSpec]) -> Amounts:
    """With the pod itself, which counts as one, and with what is held by claims."""
    named = {name for one in known for name, _ in one.requests}
    held = {name: Decimal(value) for one in known for name, value in one.requests if by_claims(name)}
    asked = {name: value for name, value in asks.requests().items() if name in named}
    return amounts({**asked, **held, "pods": Decimal(1)})
