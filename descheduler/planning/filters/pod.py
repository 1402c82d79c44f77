"""What a pod is, what state it is in, and the never-evict registry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from descheduler.gangs import Lookup
from descheduler.gangs.lookup import group_of
from descheduler.model.arrays import Mask
from descheduler.model.labels import Labels
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import Filter, FilterContext

MIRROR, SOURCE = "kubernetes.io/config.mirror", "kubernetes.io/config.source"
QOS = "koordinator.sh/qosClass"


@dataclass(frozen=True, slots=True)
class Never:
    """Pods with this label are never evicted. `value` is a whole-match pattern, empty: any value."""

    label: str
    what: str
    value: str = ""

    def matches(self, labels: Labels) -> bool:
        found = labels.get(self.label)
        return found is not None and (not self.value or re.fullmatch(self.value, found) is not None)


REGISTRY = (
    # Fluid (charts/*/templates of fluid-cloudnative/fluid): no single label is on all of its caches' pods.
    Never("fluid.io/managed-by", "Fluid cache", "fluid"),
    Never("fluid.io/dataset", "Fluid cache worker"),
    Never("role", "cache component", "(alluxio|jindofs|juicefs|efc|thin|vineyard)-(master|worker|fuse|fuse-client)"),
    Never("role", "Fluid data operation", "dataload-pod|datamigrate-pod|dataprocess-pod"),
    Never("cacheruntime.fluid.io/name", "Fluid cache"),
    Never("cacheruntime.fluid.io/component-name", "Fluid cache"),
    # kuberay constant.go; apache/spark Constants.scala
    Never("ray.io/node-type", "Ray head", "head"),
    Never("spark-role", "Spark driver", "driver"),
    # ourselves
    Never("app.kubernetes.io/name", "this program", "descheduler"),
    # koordinator apis/extension/qos.go
    Never(QOS, "system quality of service", "SYSTEM"),
)
NEVER_OWNED_BY = "data.fluid.io"  # API group of Fluid's runtimes, whose StatefulSets run the caches
NEVER_IN = "fluid-system"


def static_filter(context: FilterContext) -> Iterator[Filter]:
    """Static pods, which the kubelet runs."""
    static = context.by_annotations(lambda a: MIRROR in a or a.get(SOURCE, "api") != "api")
    static |= context.by_owner(lambda p: any(o.kind == "Node" for o in p.owners))
    yield Filter(Reason.MIRROR_POD, static, lambda i: Blocked(Reason.MIRROR_POD, f"node/{context.pods[i].node}"))


def protected_daemon_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods of DaemonSets that the policy protects."""
    return _daemons(context, ~_open_daemons(context))


def daemon_filter(context: FilterContext) -> Iterator[Filter]:
    """The others, which could be made again on their node alone."""
    return _daemons(context, _open_daemons(context))


def _open_daemons(context: FilterContext) -> Mask:
    """[P] whose place in a DaemonSet does not protect them."""
    return context.asks_for_eviction if context.policy.protect_daemon_sets else ~context.nobody()


def _daemons(context: FilterContext, among: Mask) -> Iterator[Filter]:
    daemons = context.by_owner(lambda p: any(o.kind == "DaemonSet" for o in p.owners)) & among
    yield Filter(Reason.DAEMON_SET, daemons, lambda i: Blocked(Reason.DAEMON_SET, _owner(context.pods[i])))


def finished_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods that are over."""
    yield _in_state(context, Reason.TERMINAL, context.finished)


def leaving_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods that are being deleted."""
    yield _in_state(context, Reason.TERMINATING, context.leaving)


def starting_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods that have a node and do not run there yet."""
    yield _in_state(context, Reason.NOT_RUNNING, ~context.running & (context.columns.pod_node >= 0))


def nowhere_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods without a node, or on one that is not known."""
    yield _in_state(context, Reason.NOT_RUNNING, context.columns.pod_node < 0)


def _in_state(context: FilterContext, reason: Reason, mask: Mask) -> Filter:
    return Filter(reason, mask, lambda i: Blocked(reason, context.name(i), _where(context, i)))


def in_flight_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods that are being moved already."""
    flying = context.nobody()
    flying[list(context.in_flight)] = True
    yield Filter(
        Reason.TERMINATING,
        flying,
        lambda i: Blocked(Reason.TERMINATING, context.name(i), "its eviction is under way already"),
    )


def unreadable_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods of which it is not known what they are."""
    unread = np.array([bool(p.problem) for p in context.pods], np.bool_)
    yield Filter(
        Reason.DATA_PARTIAL, unread, lambda i: Blocked(Reason.DATA_PARTIAL, context.name(i), context.pods[i].problem)
    )


def _where(context: FilterContext, pod: int) -> str:
    found = context.pods[pod]
    unknown = found.node and context.columns.pod_node[pod] < 0
    return f"its node {found.node} is not known" if unknown else f"phase {found.phase}"


def registry_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods of kinds that must never be evicted."""

    def never(labels: Labels) -> Never | None:
        return next((rule for rule in REGISTRY if rule.matches(labels)), None)

    def explain(pod: int) -> Blocked:
        found = context.pods[pod]
        rule = never(found.labels)
        if rule is not None:
            return Blocked(Reason.NEVER_EVICT, f"label {rule.label}={found.labels[rule.label]}", rule.what)
        if found.namespace == NEVER_IN:
            return Blocked(Reason.NEVER_EVICT, f"namespace/{NEVER_IN}", "Fluid")
        return Blocked(Reason.NEVER_EVICT, _owner(found), "run by a Fluid runtime")

    lookup = Lookup(context.snapshot)
    keys = frozenset(rule.label for rule in REGISTRY)
    mask = context.by_labels(lambda found: not keys.isdisjoint(found) and never(found) is not None)
    mask |= context.by_namespace(lambda found: found == NEVER_IN)
    mask |= context.by_owner(lambda p: any(group_of(o) == NEVER_OWNED_BY for o in lookup.chain(p.namespace, p.owners)))
    yield Filter(Reason.NEVER_EVICT, mask, explain)


def _owner(pod: Pod) -> str:
    owner = pod.controller or next(iter(pod.owners), None)
    return f"{owner.kind}/{owner.name}" if owner else ""
