"""What a policy names that a cluster does not have: names nobody has, selectors that match nothing, nodes in no pool.

All of it is a warning: what is not there today may come tomorrow. Of a kind that could not be read nothing is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from descheduler.contract.naming import Names
from descheduler.contract.selecting import LabelChoice
from descheduler.model.format import plural
from descheduler.model.labels import Labels
from descheduler.model.meant import did_you_mean
from descheduler.model.reasons import Blocked
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.pipeline import executors_of
from descheduler.policy import Policy
from descheduler.policy.marked_yaml import path_of
from descheduler.policy.naming import Named, named, parts, sections
from descheduler.policy.selecting import NodePool, NodeSelector

_SHOWN = 5  # nodes that are named
_SELECTORS = {"nodeSelector", "labelSelector", "namespaceLabelSelector"}  # of which the whole is told, not each key
_SYSTEM_CLASSES = ("system-cluster-critical", "system-node-critical")
_DEFAULT_SCHEDULER = "default-scheduler"


def against(policy: Policy, snapshot: ClusterSnapshot) -> Iterator[str]:
    """One line for each thing, `path: what is not there`."""
    there = _There(snapshot)
    for loc, part in parts(policy):
        for one in named(part):
            if (told := there.lacking(one)) and not _SELECTORS & set(one.loc):
                yield f"{path_of((*loc, *one.loc))}: {told}"
    for loc, section in sections(policy):
        if told := _selects_nothing(section, str(loc[-1]) if loc else "", snapshot):
            yield f"{path_of(loc)}: {told}"
    for pattern in policy.publish.workloads:
        if not any(fnmatchcase(str(key), pattern) for key in snapshot.columns.workloads):
            yield f"publish.workloads: no workload matches {pattern}"
    yield from _in_no_pool(policy, snapshot)


def unserved(policy: Policy, snapshot: ClusterSnapshot) -> Iterator[Blocked]:
    """The executors that the cluster serves no API for: nothing is moved by them. Raises ExecutorError."""
    for chosen in executors_of(policy):
        blocked = chosen.unserved(snapshot)
        if blocked is not None:
            yield blocked


class _There:
    """What a cluster has, by what it is; None where that is not known."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        specs, nodes = snapshot.columns.specs, snapshot.nodes
        self._snapshot = snapshot
        self._asked = {name for spec in specs for name, amount in spec.requests if amount}
        kinds = {owner.kind for pod in snapshot.pods for owner in pod.owners}
        taints = {name for node in nodes for t in node.taints for name in (t.key, f"{t.key}={t.value}")}
        self._names: Mapping[Names, Collection[str] | None] = {
            Names.NAMESPACE: self._read("namespaces", snapshot.namespaces),
            Names.STORAGE_CLASS: self._read("storageclasses", snapshot.storage_classes),
            Names.PRIORITY_CLASS: self._read("priorityclasses", {*snapshot.priority_classes, *_SYSTEM_CLASSES}),
            Names.SCHEDULER: {_DEFAULT_SCHEDULER, *(spec.scheduler_name for spec in specs)},
            Names.OWNER_KIND: {*kinds, *(key.kind for key in snapshot.columns.workloads)},
            Names.NODE_LABEL: {key for node in nodes for key in node.labels},
            Names.RESOURCE: {name for node in nodes for name, amount in node.allocatable if amount},
            Names.TAINT: taints,
        }

    def lacking(self, one: Named) -> str:
        """Why a name is nobody's here; empty where it is somebody's, or that is not known."""
        there = self._names.get(one.what)
        text = one.text.rpartition("/")[2] if one.what is Names.OWNER_KIND else one.text
        if there is None or not text or text == "MetricResource":
            return ""
        if any(fnmatchcase(name, text) for name in there):
            unasked = one.what is Names.RESOURCE and text not in self._asked and text != "pods"
            return f"no pod asks for {text}" if unasked else ""
        return f"there is no {one.what} {text}{did_you_mean(text, there)}"

    def _read(self, kind: str, names: Collection[str]) -> Collection[str] | None:
        return names if kind in self._snapshot.read else None


def _selects_nothing(section: object, name: str, snapshot: ClusterSnapshot) -> str:
    nodes = [node.labels for node in snapshot.nodes]
    match section:
        case NodePool():
            return _unmatched(LabelSelector.of(section.node_selector), nodes, f"pool {section.name}: no node")
        case NodeSelector():
            return _unmatched(section.selector(), nodes, "no node")
        case LabelChoice() if name == "namespaceLabelSelector":
            known = "namespaces" in snapshot.read
            return _unmatched(section.selector(), snapshot.namespaces.values(), "no namespace") if known else ""
        case LabelChoice():
            return _unmatched(section.selector(), snapshot.looks.labels.values, "no pod")
    return ""


def _unmatched(selector: LabelSelector, labels: Iterable[Labels], nobody: str) -> str:
    there = list(labels)
    if any(map(selector.matches, there)):
        return ""
    keys = {key for one in there for key in one}
    unknown = next((one.key for one in selector.requirements if one.key not in keys), "")
    return f"{nobody} matches" + (f": none has the label {unknown}{did_you_mean(unknown, keys)}" if unknown else "")


def _in_no_pool(policy: Policy, snapshot: ClusterSnapshot) -> Iterator[str]:
    """Nodes that no pool holds, where there are pools: thresholds by pool say nothing of them."""
    if not policy.pools:
        return
    selectors = [LabelSelector.of(pool.node_selector) for pool in policy.pools]
    left = [node.name for node in snapshot.nodes if not any(one.matches(node.labels) for one in selectors)]
    if left:
        more = ", …" if len(left) > _SHOWN else ""
        yield f"pools: {plural(len(left), 'node')} in none of them, and so in default: {', '.join(left[:_SHOWN])}{more}"
