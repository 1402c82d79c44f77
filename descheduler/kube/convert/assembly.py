"""Objects of every kind to one ClusterSnapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from descheduler.kube.convert.kinds import CORE, MEASURED, OPTIONAL
from descheduler.kube.convert.stand_ins import UNAVAILABLE_BUDGETS
from descheduler.kube.convert.workloads import Namespace
from descheduler.kube.devices.dra_taints import with_taints
from descheduler.kube.devices.merge import merge_reports
from descheduler.model.admission import LimitRange, ResourceQuota, RuntimeClass, ServiceAccount
from descheduler.model.budgets import DisruptionBudget, PriorityClass
from descheduler.model.metrics import NODE_METRICS, POD_METRICS, Metrics, Sample
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Pod
from descheduler.model.release import Release
from descheduler.model.snapshot import ClusterSnapshot, Freshness
from descheduler.model.storage import Claim, CsiDriver, CsiNode, StorageClass, Volume
from descheduler.model.workloads import BUILT_IN, Workload

T = TypeVar("T")

WORKLOAD_KINDS = tuple(BUILT_IN.values())
LATER = frozenset({"runtimeclasses", "serviceaccounts", "limitranges", "resourcequotas", "csinodes", "csidrivers"})
"""Core kinds that recordings of version 0.1 do not have: nothing is concluded from their absence there."""

BUDGET_KINDS = ("poddisruptionbudgets", UNAVAILABLE_BUDGETS)


def assemble(
    found: Mapping[str, Iterable[object]],
    *,
    taken_at: float,
    cluster: str,
    freshness: Mapping[str, Freshness],
    problems: Sequence[str] = (),
    release: Release | None = None,
) -> ClusterSnapshot:
    """A snapshot of converted objects by kind key. Optional kinds that are absent from `found` are not served."""
    found = with_taints(found)
    pods = _all(Pod, found, "pods")
    doubtful = {pod.node for pod in pods if pod.problem and _takes_unknown(pod)}
    doubtful |= {one.name for one in _all(CsiNode, found, "csinodes") if one.problem}
    nodes = tuple(replace(n, ready=False) if n.name in doubtful else n for n in _all(Node, found, "nodes"))
    merged = merge_reports(nodes, pods, found)
    namespaces = sorted(_all(Namespace, found, "namespaces"), key=lambda n: n.name)
    workloads = (w for key in WORKLOAD_KINDS for w in _all(Workload, found, key))
    return ClusterSnapshot.of(
        taken_at=taken_at,
        nodes=merged.nodes,
        pods=merged.pods,
        namespaces={n.name: n.labels for n in namespaces},
        ending=frozenset(n.name for n in namespaces if n.ending),
        workloads={w.key: w for w in sorted(workloads, key=lambda w: w.key)},
        budgets=tuple(
            sorted((b for key in BUDGET_KINDS for b in _all(DisruptionBudget, found, key)), key=lambda b: b.key)
        ),
        priority_classes={p.name: p for p in _all(PriorityClass, found, "priorityclasses")},
        claims={(c.namespace, c.name): c for c in _all(Claim, found, "persistentvolumeclaims")},
        volumes={v.name: v for v in _all(Volume, found, "persistentvolumes")},
        storage_classes={s.name: s for s in _all(StorageClass, found, "storageclasses")},
        service_accounts=frozenset(_all(ServiceAccount, found, "serviceaccounts")),
        runtime_classes={r.name: r for r in _all(RuntimeClass, found, "runtimeclasses")},
        quotas=tuple(sorted(_all(ResourceQuota, found, "resourcequotas"), key=lambda q: q.key)),
        limit_ranges=tuple(sorted(_all(LimitRange, found, "limitranges"), key=lambda r: r.key)),
        csi_nodes={n.name: n for n in _all(CsiNode, found, "csinodes")},
        csi_drivers={d.name: d for d in _all(CsiDriver, found, "csidrivers")},
        objects={kind.key: _customs(found[kind.key]) for kind in OPTIONAL if kind.key in found},
        metrics=samples_of(found) if NODE_METRICS in found else None,
        read=frozenset(key for key in found if _whole(freshness.get(key))),
        freshness=freshness,
        release=release,
        cluster=cluster,
        problems=tuple(sorted({*problems, *merged.problems})),
    )


def samples_of(found: Mapping[str, Iterable[object]]) -> Metrics:
    """The samples of nodes and pods among objects by kind key."""
    return Metrics(
        nodes={one.name: one for one in _all(Sample, found, NODE_METRICS)},
        pods={(one.namespace, one.name): one for one in _all(Sample, found, POD_METRICS)},
    )


def _takes_unknown(pod: Pod) -> bool:
    """Whether it is not known what an unreadable pod takes: its node is then neither source nor destination. What it
    says of GPUs is no matter of its amounts, and who has ended takes nothing."""
    return pod.problem != pod.spec.gpu_problem and not pod.terminal


def fresh(taken_at: float, served: Iterable[str]) -> dict[str, Freshness]:
    """Freshness of kinds that were all read at one instant.

    Core kinds count as served even where there are none, except those that earlier recordings cannot have.
    """
    there = {*served, *(kind.key for kind in CORE if kind.key not in LATER)}
    keys = [kind.key for kind in (*CORE, *OPTIONAL)] + [kind.key for kind in MEASURED if kind.key in there]
    return {key: Freshness(key, taken_at, served=key in there) for key in keys}


def _whole(fresh: Freshness | None) -> bool:
    return fresh is None or (fresh.synced and not fresh.error)


def _all(wanted: type[T], found: Mapping[str, Iterable[object]], key: str) -> tuple[T, ...]:
    return tuple(o for o in found.get(key, ()) if isinstance(o, wanted))


def _customs(found: Iterable[object]) -> tuple[CustomObject, ...]:
    return tuple(sorted((o for o in found if isinstance(o, CustomObject)), key=lambda o: (o.namespace, o.name)))
