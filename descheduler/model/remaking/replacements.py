"""For every pod of a snapshot, what its controller will make when it goes, or why that would not come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from descheduler.model.admission import RuntimeClass
from descheduler.model.arrays import Indices, Ints
from descheduler.model.distinct import Looks, distinct
from descheduler.model.labels import Labels
from descheduler.model.owners import OwnerRef
from descheduler.model.pods import Pod, PodSpec
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.remaking.merging import UNCHANGED, autoscaled, remade_labels, remade_spec
from descheduler.model.remaking.refusals import name, of_node, of_ordinals, of_workload
from descheduler.model.remaking.revisions import Revision, revision
from descheduler.model.remaking.runtime import under_class
from descheduler.model.workloads import Workload

Find = Callable[[str, OwnerRef], Workload | None]
"""The built-in controller that a reference names in a namespace."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What comes in the place of a pod: `spec` and `labels` are the pod's own objects where they do not differ.

    `owner` makes it ("ReplicaSet/web-5d"), from the `revision` that the pod is of, or from another.
    """

    spec: PodSpec
    labels: Labels
    owner: str
    revision: Revision


@dataclass(frozen=True, eq=False, slots=True)
class Replacements:
    """By position of the pod: `different` where the replacement is not what the pod is, `blocked` where none would come
    that a plan could rely on. Of a controller whose template is not known, a pod stands for itself."""

    different: Mapping[int, Replacement] = field(default_factory=dict)
    blocked: Mapping[int, Blocked] = field(default_factory=dict)

    def beside(self, specs: Mapping[int, PodSpec], pods: Sequence[Pod]) -> Replacements:
        """The same, with pods whose replacements have other specs than they, for they are made from what owns them."""
        if not specs:
            return self
        made = {at: Replacement(spec, pods[at].labels, _owner(pods[at]), Revision.SAME) for at, spec in specs.items()}
        return replace(self, different={**self.different, **made})


def _owner(pod: Pod) -> str:
    owner = pod.controller
    return f"{owner.kind}/{owner.name}" if owner is not None else ""


def replacements(pods: Sequence[Pod], looks: Looks, find: Find, classes: Mapping[str, RuntimeClass]) -> Replacements:
    """Of pods with a node; `classes` by name. What is alike (controller, spec, labels) is worked out once."""
    owners, owner_of = _owners(pods, looks, find)
    different: dict[int, Replacement] = {}
    blocked: dict[int, Blocked] = {}
    if not owners:
        return Replacements(different, blocked)
    for members in _groups(np.flatnonzero(owner_of >= 0), owner_of):
        owner = owners[owner_of[members[0]]]
        above = _find(pods[members[0]], owner.controller, find)
        blocked.update(_refusals(owner, above, pods, members))
    for alike in _alike(pods, looks, owners, owner_of):
        found = _replacement(owners[owner_of[alike[0]]], pods[alike[0]], classes)
        if isinstance(found, Blocked):
            blocked.update((at, found) for at in alike if at not in blocked)
        elif found is not None:
            different.update(dict.fromkeys(alike, found))
    return Replacements(different, blocked)


def _owners(pods: Sequence[Pod], looks: Looks, find: Find) -> tuple[list[Workload], Ints]:
    """The known controllers, and [P] the position of each pod's among them: -1 without one, or without a node."""
    positions: dict[int, int] = {}
    owners: list[Workload] = []
    of_row: list[int] = []
    for pod in looks.first_of_owner:  # references are not always one object, controllers are
        owner = _find(pod, pod.controller, find)
        at = -1 if owner is None else positions.setdefault(id(owner), len(owners))
        if owner is not None and at == len(owners):
            owners.append(owner)
        of_row.append(at)
    bound = np.array([bool(pod.node) for pod in pods], np.bool_) & ~looks.terminal
    found = np.array(of_row, np.int64)[looks.owners.rows]
    return owners, np.where(bound, found, -1)


def _find(pod: Pod, owner: OwnerRef | None, find: Find) -> Workload | None:
    return None if owner is None else find(pod.namespace, owner)


def _refusals(
    owner: Workload, above: Workload | None, pods: Sequence[Pod], members: Sequence[int]
) -> Mapping[int, Blocked]:
    """Of the `members`, which are all the pods of the owner."""
    for_all = of_workload(owner, above)
    if for_all is not None:
        return dict.fromkeys(members, for_all)
    node = owner.template.node if owner.template is not None else ""
    out = {at: of_node(owner, node, pods[at]) for at in members} if node else {}
    if owner.ordinals is not None:
        out |= of_ordinals(owner, owner.ordinals, {at: pods[at] for at in members})
    return out


def _replacement(owner: Workload, pod: Pod, classes: Mapping[str, RuntimeClass]) -> Replacement | Blocked | None:
    """None: it will be as the pod is."""
    template = owner.template
    if template is None or template.problem:
        return None
    made_from = revision(owner, pod)
    if made_from is Revision.UNSEEN:
        return Blocked(Reason.DATA_MISSING, name(owner), "its partition keeps a revision that is not read")
    older = made_from is Revision.OLDER
    spec = under_class(pod.spec if older else remade_spec(pod, template, made_from), classes)
    update = owner.ordinals.update_revision if owner.ordinals is not None else ""
    labels = pod.labels if older else remade_labels(pod, template, made_from, update)
    if spec is pod.spec and labels is pod.labels:
        return None
    return Replacement(spec, labels, name(owner), made_from)


def _alike(pods: Sequence[Pod], looks: Looks, owners: Sequence[Workload], owner_of: Ints) -> Iterator[list[int]]:
    """Pods of controllers with a template, in groups that get the same answer; those with ordinals each alone."""
    with_template = np.array([owner.template is not None for owner in owners], np.bool_)
    positions = np.flatnonzero((owner_of >= 0) & with_template[owner_of])
    if not positions.size:
        return
    numbered = np.array([owner.ordinals is not None for owner in owners], np.bool_)[owner_of]
    specs = distinct([pod.spec for pod in pods])
    marks = np.array([autoscaled(a) for a in looks.annotations.values], np.bool_)[looks.annotations.rows]
    unchanged = np.array([pod.generation == UNCHANGED for pod in pods], np.bool_)
    every = len(pods)
    key = owner_of * len(specs.values) + specs.rows
    key = key * every + np.where(numbered, np.arange(every), looks.labels.rows)
    yield from _groups(positions, key * 4 + marks * 2 + unchanged)


def _groups(positions: Indices, key: Ints) -> Iterator[list[int]]:
    """The positions [K] in groups of equal key, each ascending; `key` [P]."""
    sorting = positions[np.argsort(key[positions], kind="stable")]
    cuts = np.flatnonzero(np.diff(key[sorting])) + 1
    order = sorting.tolist()
    for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(order)], strict=True):
        if end > start:
            yield order[start:end]
