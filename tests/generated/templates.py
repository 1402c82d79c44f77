"""Templates for the workloads of a random cluster: some were changed since their pods were made."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

from descheduler.model.asks import Asks, ContainerAsk, exact
from descheduler.model.pods import Pod, PodSpec
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.templates import PodTemplate
from descheduler.model.workloads import Ordinals, Workload

_MAKES = ("ReplicaSet", "StatefulSet", "Job")


def with_templates(rng: Random, snapshot: ClusterSnapshot) -> ClusterSnapshot:
    """The same cluster, in which each pod has one container and was resized since, unless its factor is 1."""
    specs: dict[int, PodSpec] = {}
    pods = tuple(
        replace(p, spec=specs.setdefault(id(p.spec), _asking(p.spec, 1.0)), unready=not p.ready) for p in snapshot.pods
    )
    first: dict[tuple[str, str], Pod] = {}
    for pod in pods:
        if pod.controller is not None:
            first.setdefault((pod.namespace, pod.controller.uid), pod)
    workloads = {
        key: _with_template(rng, found, first[(found.namespace, found.uid)])
        if found.kind in _MAKES and (found.namespace, found.uid) in first
        else found
        for key, found in snapshot.workloads.items()
    }
    return replace(snapshot, pods=pods, workloads=workloads)


def _asking(spec: PodSpec, factor: float) -> PodSpec:
    """CPU and memory times the factor, all of one container."""
    requests = {n: int(a * factor) if n in ("cpu", "memory") else a for n, a in spec.requests}
    written = {n: Decimal(a) / (1000 if n == "cpu" else 1) for n, a in requests.items() if n != "pods"}
    asks = Asks((ContainerAsk("main", exact(written)),))
    return replace(spec, requests=tuple(sorted(requests.items())), asks=asks)


def _with_template(rng: Random, workload: Workload, pod: Pod) -> Workload:
    template = PodTemplate(
        _asking(pod.spec, rng.choice((1.0, 1.0, 0.5, 2.0))),
        pod.labels,
        node=pod.node if rng.random() < 0.03 else "",
        gated=rng.random() < 0.03,
    )
    ordinals = Ordinals(ordered=rng.random() < 0.5) if workload.kind == "StatefulSet" else None
    return replace(workload, template=template, ordinals=ordinals)
