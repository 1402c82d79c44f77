"""ClusterSnapshot: an immutable picture of the cluster at one instant, as objects and as columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar, cast

from descheduler.model.admission import LimitRange, ResourceQuota, RuntimeClass, ServiceAccount
from descheduler.model.bounds import OWNERS
from descheduler.model.budgets import DisruptionBudget, PriorityClass
from descheduler.model.columns import Columns, build_columns
from descheduler.model.distinct import Looks
from descheduler.model.labels import Labels
from descheduler.model.metrics import Metrics
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject
from descheduler.model.owners import OwnerRef, controller_of
from descheduler.model.pods import Pod
from descheduler.model.release import Release
from descheduler.model.remaking import Replacements, replacements
from descheduler.model.storage import Claim, CsiDriver, CsiNode, StorageClass, Volume
from descheduler.model.virtual_machines import unpinned
from descheduler.model.workloads import BUILT_IN, Workload, WorkloadKey

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Freshness:
    """How current one kind's data is.

    `as_of` (unix seconds) is when the server last confirmed it (list, event or bookmark). `served` is False when the
    cluster has no such API, which is no fault. `error` is set when reading failed; then `synced` is False.
    """

    kind: str
    as_of: float
    synced: bool = True
    served: bool = True
    error: str = ""


@dataclass(frozen=True, eq=False)
class ClusterSnapshot:
    """Nodes are sorted by name, pods by (namespace, name); positions in these tuples identify them everywhere.

    `objects` maps "group/Kind" of an optional API to its objects; a kind that the cluster does not serve is absent
    from it, one that is served but empty is there with an empty tuple. `read` are the keys of all kinds that were read
    whole: only of these does it mean something that an object is not there.
    """

    taken_at: float
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    namespaces: Mapping[str, Labels] = field(default_factory=dict)
    workloads: Mapping[WorkloadKey, Workload] = field(default_factory=dict)
    budgets: tuple[DisruptionBudget, ...] = ()
    priority_classes: Mapping[str, PriorityClass] = field(default_factory=dict)
    claims: Mapping[tuple[str, str], Claim] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    storage_classes: Mapping[str, StorageClass] = field(default_factory=dict)
    ending: frozenset[str] = frozenset()  # namespaces that are being deleted
    service_accounts: frozenset[ServiceAccount] = frozenset()
    runtime_classes: Mapping[str, RuntimeClass] = field(default_factory=dict)
    quotas: tuple[ResourceQuota, ...] = ()
    limit_ranges: tuple[LimitRange, ...] = ()
    csi_nodes: Mapping[str, CsiNode] = field(default_factory=dict)  # by the name of the node
    csi_drivers: Mapping[str, CsiDriver] = field(default_factory=dict)
    objects: Mapping[str, tuple[CustomObject, ...]] = field(default_factory=dict)
    read: frozenset[str] = frozenset()
    freshness: Mapping[str, Freshness] = field(default_factory=dict)
    metrics: Metrics | None = None  # what nodes and pods use now; None: nobody asked
    release: Release | None = None  # of the API server; None: not known
    cluster: str = ""  # a name for people: the context, or the recording
    problems: tuple[str, ...] = ()  # objects that could not be read, one line each; the nodes they touch are not ready

    @staticmethod
    def of(*, taken_at: float, nodes: tuple[Node, ...], pods: tuple[Pod, ...], **rest: object) -> ClusterSnapshot:
        """A snapshot with nodes and pods put in their canonical order."""
        return ClusterSnapshot(
            taken_at=taken_at,
            nodes=tuple(sorted(nodes, key=lambda n: n.name)),
            pods=tuple(sorted(pods, key=lambda p: (p.namespace, p.name))),
            **rest,  # type: ignore[arg-type]  # checked by the dataclass's own signature at run time
        )

    def again(self, now: float) -> ClusterSnapshot:
        """The same cluster, found unchanged at a later time: what was worked out for this one holds for that too."""
        freshness = {kind: replace(one, as_of=now) for kind, one in self.freshness.items()}
        return self._like(replace(self, taken_at=now, freshness=freshness))

    def beside(self, kind: str, found: CustomObject) -> ClusterSnapshot:
        """The same cluster with one more object of an optional kind, of which no pod, node or controller knows."""
        objects = {**self.objects, kind: (*self.objects.get(kind, ()), found)}
        seen = self._like(replace(self, objects=objects))
        seen.__dict__.pop("_custom", None)  # the one thing worked out that it changes
        return seen

    def _like(self, other: ClusterSnapshot) -> ClusterSnapshot:
        _ = self.columns, self._derived  # there before they are shared, so that both have them
        other.__dict__.update({name: value for name, value in self.__dict__.items() if name not in other.__dict__})
        return other

    def once(self, what: Hashable, make: Callable[[], T]) -> T:
        """Something that follows from the snapshot alone, whatever the time: worked out when it is asked for first."""
        found = self._derived.get(what)
        if found is None:
            found = self._derived[what] = make()
        return cast("T", found)

    @cached_property
    def _derived(self) -> dict[Hashable, object]:
        return {}

    @cached_property
    def columns(self) -> Columns:
        """The same data as arrays; built once."""
        return build_columns(self.nodes, self.pods, self.looks, self.root, self.remade)

    @cached_property
    def remade(self) -> Replacements:
        """What controllers will make in the place of pods; worked out once."""
        found = replacements(self.pods, self.looks, self.workload, self.runtime_classes)
        return found.beside(unpinned(self.pods, self.looks, self.objects), self.pods)

    @cached_property
    def looks(self) -> Looks:
        """What pods have in common (labels, annotations, owners), each told apart on first use."""
        return Looks(self.pods)

    def root(self, pod: Pod) -> WorkloadKey:
        """The topmost controller of the pod that is known here; the pod itself when nothing owns it."""
        above = self.controllers(pod.namespace, pod.owners)
        kind, name = (above[-1].kind, above[-1].name) if above else ("Pod", pod.name)
        return WorkloadKey(pod.namespace, kind, name)

    def controllers(self, namespace: str, owners: Iterable[OwnerRef]) -> tuple[OwnerRef, ...]:
        """The controllers above whoever has these owners, nearest first, as far as they are known here.

        No more than `OWNERS` of them: whoever has more above him stays (planning/filters/controllers).
        """
        nearest = controller_of(owners)
        if nearest is None:
            return ()
        key = (namespace, nearest.api_version, nearest.kind, nearest.name, nearest.uid)
        known = self._chains.get(key)
        if known is None:
            known = self._chains[key] = self._chain(namespace, nearest)
        return known

    def _chain(self, namespace: str, nearest: OwnerRef) -> tuple[OwnerRef, ...]:
        chain: dict[str, OwnerRef] = {}  # by uid: references that go in a circle end
        above: OwnerRef | None = nearest
        while above is not None and above.uid not in chain and len(chain) < OWNERS:
            chain[above.uid] = above
            found = self.controller(namespace, above)
            above = found.controller if found is not None else None
        return tuple(chain.values())

    @cached_property
    def _chains(self) -> dict[tuple[str, str, str, str, str], tuple[OwnerRef, ...]]:
        return {}  # what was worked out, for filters ask the same again

    def controller(self, namespace: str, owner: OwnerRef) -> Workload | CustomObject | None:
        """The object that a reference names, built in or of an optional API, whatever its uid."""
        found = self.workload(namespace, owner)
        return found if found is not None else self.custom(owner.group, owner.kind, namespace, owner.name)

    def maker(self, pod: Pod) -> Workload | CustomObject | None:
        """The controller that makes the pod again: it is there, in the pod's own namespace, and has the uid that the
        pod names. What a pod alone says of its controller anybody may have written."""
        owner = pod.controller
        found = self.controller(pod.namespace, owner) if owner is not None else None
        return found if found is not None and owner is not None and found.uid == owner.uid else None

    def reads(self, owner: OwnerRef) -> bool:
        """Whether all objects of the kind that a reference names are here, so that one that is not does not exist."""
        key = BUILT_IN.get((owner.group, owner.kind), f"{owner.group}/{owner.kind}")
        return key in self.read

    def workload(self, namespace: str, owner: OwnerRef) -> Workload | None:
        """The built-in controller that a reference names; one of another API group is not it."""
        found = self._built_in.get((namespace, owner.kind, owner.name))
        if found is None or found.api_version == owner.api_version:
            return found
        return found if found.api_version.rpartition("/")[0] == owner.group else None

    @cached_property
    def _built_in(self) -> dict[tuple[str, str, str], Workload]:
        # Asked for several times for each controller, and tuples compare far faster than keys do.
        return {(key.namespace, key.kind, key.name): found for key, found in self.workloads.items()}

    def custom(self, group: str, kind: str, namespace: str, name: str) -> CustomObject | None:
        """One object of an optional API, or None."""
        return self._custom.get((group, kind, namespace, name))

    @cached_property
    def _custom(self) -> dict[tuple[str, str, str, str], CustomObject]:
        return {(o.group, o.kind, o.namespace, o.name): o for found in self.objects.values() for o in found}

    @cached_property
    def node_index(self) -> dict[str, int]:
        """Node name to position."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    @cached_property
    def pod_names(self) -> tuple[tuple[str, str], ...]:
        """[P] (namespace, name) by position."""
        return tuple((pod.namespace, pod.name) for pod in self.pods)

    @cached_property
    def pod_index(self) -> dict[tuple[str, str], int]:
        """(namespace, name) to position."""
        return {(pod.namespace, pod.name): i for i, pod in enumerate(self.pods)}
