"""Pods: wire to model. What replicas share is converted once per distinct look (see `interning`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import msgspec

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.pod_requests import in_force, of_template, within, written
from descheduler.kube.convert.pod_status import pod_status, transitions
from descheduler.kube.convert.selectors import affinities, spread, tolerations
from descheduler.kube.convert.storage import convert_claim_template
from descheduler.kube.convert.unreadable import UNREADABLE_SPEC, under
from descheduler.kube.convert.wire import (
    ContainerStatusWire,
    ContainerWire,
    PodTemplateWire,
    PodWire,
    PortWire,
    VolumeWire,
)
from descheduler.kube.devices.reported import statements
from descheduler.kube.devices.resources import REQUEST_ANNOTATIONS, UNSCHEDULED, gpu_request
from descheduler.model.fence import Unreadable, fenced
from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.pods import GpuRequest, HostPort, Phase, Pod, PodClaim, PodSpec
from descheduler.model.quantity import amounts
from descheduler.model.templates import PodTemplate

_encode = msgspec.json.Encoder().encode
_ports = msgspec.json.Decoder(tuple[PortWire, ...] | None)
_strings = msgspec.json.Decoder(dict[str, str] | None)
_PHASES = {phase.value: phase for phase in Phase}
_NO_VOLUMES = (False, ())


def convert_pod(wire: PodWire, intern: Interner) -> Pod:
    """One pod. A spec that makes no sense gives a pod with `problem` set, which nothing may move."""
    meta, status = wire.metadata, wire.status
    annotations = intern.annotations(meta.annotations) if meta.annotations else NO_LABELS
    readiness = _readiness(wire)
    local, claims = _volumes(wire.spec.volumes) if wire.spec.volumes else _NO_VOLUMES
    spec, problem = _fenced_spec(wire, annotations, local, intern)
    return Pod(
        namespace=intern.text(meta.namespace),
        name=meta.name,
        uid=meta.uid,
        spec=spec,
        labels=intern.labels(meta.labels),
        annotations=annotations,
        owners=intern.owners(meta.owner_references),
        node=intern.text(wire.spec.node_name),
        phase=_PHASES.get(status.phase, Phase.UNKNOWN),
        status=pod_status(status, intern),
        transitions=transitions(status, intern),
        ready=readiness is True,
        unready=readiness is False,
        generation=meta.generation,
        created=_seconds(meta.creation_timestamp),
        started=_seconds(status.start_time),
        deleting=None if meta.deletion_timestamp is None else meta.deletion_timestamp.timestamp(),
        priority=wire.spec.priority or 0,
        claims=claims,
        pod_group=wire.spec.scheduling_group.pod_group_name if wire.spec.scheduling_group else "",
        gpu_statements=statements(status, annotations),
        device_claims=_device_claims(wire, intern)
        if wire.spec.resource_claims or status.extended_resource_claim_status
        else (),
        gated=bool(wire.spec.scheduling_gates),
        nominated=intern.text(status.nominated_node_name),
        resource_version=meta.resource_version,
        problem=problem,
    )


def convert_template(wire: PodTemplateWire, intern: Interner) -> PodTemplate:
    """What a workload makes its pods from. A template that makes no sense has a `problem`."""
    meta = wire.metadata
    pod = PodWire(metadata=meta, spec=wire.spec)
    annotations = intern.annotations(meta.annotations)
    local = _volumes(wire.spec.volumes)[0] if wire.spec.volumes else False
    spec, problem = _fenced_spec(pod, annotations, local, intern, template=True)
    if problem:
        return PodTemplate(spec, problem=f"its template: {problem}")
    labels, gated = intern.labels(meta.labels), bool(wire.spec.scheduling_gates)
    return PodTemplate(spec, labels, intern.text(wire.spec.node_name), gated)


def _fenced_spec(
    wire: PodWire, annotations: Labels, local: bool, intern: Interner, *, template: bool = False
) -> tuple[PodSpec, str]:
    """The spec, and why it, or what it asks of GPUs, cannot be read."""

    def read() -> tuple[PodSpec, str]:
        found = _shared_spec(wire, annotations, local, intern, template=template)
        return found, found.gpu_problem

    return fenced(read, lambda why: (UNREADABLE_SPEC, why))


def _shared_spec(
    wire: PodWire, annotations: Labels, local: bool, intern: Interner, *, template: bool = False
) -> PodSpec:
    look = _look(wire, annotations, local) + (b"template" if template else b"")

    def without_affinity() -> PodSpec:
        return intern.specs.get(look, lambda: _spec(wire, annotations, local, intern, template=template))

    affinity = bytes(wire.spec.affinity)
    if not affinity:
        return without_affinity()
    # Every pod of a DaemonSet names its node in its affinity, and is like its siblings in everything else.
    return intern.specs.get(look + affinity, lambda: _with_affinity(without_affinity(), affinity))


def _with_affinity(spec: PodSpec, raw: bytes) -> PodSpec:
    with under("spec.affinity"):
        node_affinity, affinity, anti_affinity = affinities(raw)
    return replace(spec, node_affinity=node_affinity, affinity=affinity, anti_affinity=anti_affinity)


def _gpu(requests: Mapping[str, Decimal], annotations: Labels) -> tuple[GpuRequest | None, str]:
    """What the pod asks of GPUs, and why its annotations cannot be read: then its resources alone count. Nobody gives
    out devices by what cannot be read, and all else of the pod is known."""
    try:
        return gpu_request(requests, annotations), ""
    except Unreadable as e:
        return gpu_request(requests, {}), str(e)


def _look(wire: PodWire, annotations: Labels, local: bool) -> bytes:
    """Everything that `_spec` reads, as bytes."""
    spec, status = wire.spec, wire.status
    shares = [annotations.get(key) for key in REQUEST_ANNOTATIONS] if annotations else None
    return _encode(
        (
            spec.containers,
            spec.init_containers,
            spec.overhead,
            spec.resources,
            spec.node_selector,
            spec.tolerations,
            spec.topology_spread_constraints,
            spec.resource_claims,
            spec.priority_class_name,
            spec.service_account_name,
            spec.runtime_class_name,
            spec.active_deadline_seconds is not None,
            spec.scheduler_name,
            spec.restart_policy,
            spec.termination_grace_period_seconds,
            _in_force(status.container_statuses),
            _in_force(status.init_container_statuses),
            status.resources,
            status.allocated_resources,
            [c.reason for c in status.conditions if c.type == "PodResizePending"] if status.conditions else None,
            shares,
            local,
            [v for v in spec.volumes if v.ephemeral is not None] if spec.volumes else None,
        )
    )


def _spec(wire: PodWire, annotations: Labels, local: bool, intern: Interner, *, template: bool) -> PodSpec:
    found = wire.spec
    asks = of_template(found) if template else written(found)
    counted = in_force(asks, wire)
    requests = counted.requests()
    with under("spec.topologySpreadConstraints"):
        constraints = spread(bytes(found.topology_spread_constraints))
    selector = _strings.decode(bytes(found.node_selector) or b"null")
    grace = found.termination_grace_period_seconds
    gpu, gpu_problem = _gpu(requests, annotations)
    return PodSpec(
        requests=within(amounts({**{n: v for n, v in requests.items() if n not in UNSCHEDULED}, "pods": Decimal(1)})),
        counted=counted.counted(),
        limits=within(amounts(counted.limits())),
        bounds=amounts(counted.bounds()),
        node_selector=Labels(selector) if selector else NO_LABELS,
        tolerations=tolerations(bytes(found.tolerations)),
        spread=constraints,
        host_ports=_host_ports(wire),
        gpu=gpu,
        gpu_problem=gpu_problem,
        local_storage=local,
        ephemeral=tuple(
            convert_claim_template(v.name, v.ephemeral) for v in found.volumes or () if v.ephemeral is not None
        ),
        resource_claims=tuple(
            PodClaim(
                c.name, intern.text(c.resource_claim_name or ""), intern.text(c.resource_claim_template_name or "")
            )
            for c in found.resource_claims or ()
        ),
        priority_class=intern.text(found.priority_class_name),
        scheduler_name=intern.text(found.scheduler_name),
        restart_policy=intern.text(found.restart_policy),
        grace_seconds=30 if grace is None else grace,
        images=tuple(c.image for c in (*(found.init_containers or ()), *(found.containers or ())) if c.image),
        qos=asks.qos(),
        asks=asks,
        service_account=intern.text(found.service_account_name),
        runtime_class=intern.text(found.runtime_class_name),
        has_deadline=found.active_deadline_seconds is not None,
    )


def _in_force(found: tuple[ContainerStatusWire, ...] | None) -> list[tuple[str, msgspec.Raw, msgspec.Raw]] | None:
    """What of the statuses is no pod's own."""
    return [(one.name, one.resources, one.allocated_resources) for one in found] if found else None


def _device_claims(wire: PodWire, intern: Interner) -> tuple[str, ...]:
    """Names of the pod's ResourceClaims, in the order of its spec: named there, or in the status where a template makes
    them; and the one that the scheduler makes for extended resources (KEP-5004)."""
    status = wire.status
    made = {c.name: c.resource_claim_name for c in status.resource_claim_statuses or ()}
    named = [c.resource_claim_name or made.get(c.name) for c in wire.spec.resource_claims or ()]
    if status.extended_resource_claim_status is not None:
        named.append(status.extended_resource_claim_status.resource_claim_name)
    return tuple(dict.fromkeys(intern.text(name) for name in named if name))


def _host_ports(wire: PodWire) -> tuple[HostPort, ...]:
    """Of containers and sidecars; those of other init containers do not last (kubernetes pkg/scheduler/util)."""
    lasting: list[ContainerWire] = [c for c in wire.spec.init_containers or () if c.restart_policy == "Always"]
    lasting.extend(wire.spec.containers or ())
    ports = (port for c in lasting for port in _ports.decode(bytes(c.ports) or b"null") or ())
    return tuple(HostPort(p.host_port, p.protocol or "TCP", p.host_ip or "0.0.0.0") for p in ports if p.host_port > 0)


def _volumes(volumes: tuple[VolumeWire, ...]) -> tuple[bool, tuple[str, ...]]:
    """Whether any volume is the node's own, and the names of the claims that outlive the pod."""
    local = False
    claims: list[str] = []
    for volume in volumes:
        if volume.persistent_volume_claim is not None:
            claims.append(volume.persistent_volume_claim.claim_name)
        elif volume.empty_dir is not None or volume.host_path is not None:
            local = True
    return local, tuple(claims)


def _readiness(wire: PodWire) -> bool | None:
    """What the condition Ready says; None without one."""
    return next((c.status == "True" for c in wire.status.conditions or () if c.type == "Ready"), None)


def _seconds(when: datetime | None) -> float:
    return 0.0 if when is None else when.timestamp()
