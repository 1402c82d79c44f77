"""Where a pod's volumes let it run (kube-scheduler's VolumeRestrictions, VolumeBinding and VolumeZone plug-ins).

A generic ephemeral volume is made anew for every pod, so its storage class alone says where the next one may be. How
many volumes a node can attach is in `attach_limits`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.model.labels import Labels
from descheduler.model.nodes import ZONE
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.storage import Claim, ClaimTemplate, StorageClass, Volume
from descheduler.scheduler.domains import NodeLabels
from descheduler.scheduler.predicates import Predicate

ONCE_PER_POD = "ReadWriteOncePod"
_REGION = "topology.kubernetes.io/region"
_GA = {
    "failure-domain.beta.kubernetes.io/zone": ZONE,
    "failure-domain.beta.kubernetes.io/region": _REGION,
    ZONE: ZONE,
    _REGION: _REGION,
}
_NO_PROVISIONER = ("", "kubernetes.io/no-provisioner")

_ORDER = (Predicate.VOLUME_CLAIM, Predicate.VOLUME, Predicate.VOLUME_BIND, Predicate.VOLUME_ZONE)

ClaimKey = tuple[str, str]


@dataclass(frozen=True, eq=False, slots=True)
class VolumeRules:
    """What a set of claims asks of nodes: per predicate, in the scheduler's order, the nodes [N] that it allows.

    `exclusive` are its claims of access mode ReadWriteOncePod, which no other pod may be using.
    """

    allowed: tuple[tuple[Predicate, Mask], ...]
    exclusive: tuple[ClaimKey, ...]


class Volumes:
    """Volume rules of pods, by namespace and claims; and who uses the exclusive claims."""

    def __init__(self, snapshot: ClusterSnapshot, labels: NodeLabels) -> None:
        self._claims: Mapping[ClaimKey, Claim] = snapshot.claims
        self._volumes: Mapping[str, Volume] = snapshot.volumes
        self._classes: Mapping[str, StorageClass] = snapshot.storage_classes
        self._labels = labels
        self._nodes = {node.name: i for i, node in enumerate(snapshot.nodes)}
        self._default = default_class(snapshot.storage_classes.values())
        self._rules: dict[tuple[str, tuple[str, ...], tuple[ClaimTemplate, ...]], VolumeRules] = {}
        self._spare: dict[str, list[Volume]] | None = None
        self._has_zone = np.zeros(len(snapshot.nodes), np.bool_)
        for key in _GA:
            self._has_zone |= labels.topology(key).present
        self.users = self._count_users(snapshot)

    def rules(self, namespace: str, claims: tuple[str, ...], made: tuple[ClaimTemplate, ...]) -> VolumeRules:
        """The rules of claims, by their names, and of such as will be made."""
        key = (namespace, claims, made)
        found = self._rules.get(key)
        if found is None:
            found = self._rules[key] = self._work_out(*key)
        return found

    def _count_users(self, snapshot: ClusterSnapshot) -> Counter[ClaimKey]:
        exclusive = {key for key, claim in snapshot.claims.items() if ONCE_PER_POD in claim.access_modes}
        users: Counter[ClaimKey] = Counter()
        if exclusive:
            live = snapshot.columns.pod_live
            for i, pod in enumerate(snapshot.pods):
                if pod.claims and live[i]:
                    users.update(key for c in pod.claims if (key := (pod.namespace, c)) in exclusive)
        return users

    def _work_out(self, namespace: str, names: Iterable[str], templates: Iterable[ClaimTemplate]) -> VolumeRules:
        allowed = {p: np.ones(len(self._nodes), np.bool_) for p in _ORDER}
        exclusive: list[ClaimKey] = []
        for name in names:
            claim = self._claims.get((namespace, name))
            if claim is None or claim.deleting or claim.phase == "Lost":
                allowed[Predicate.VOLUME_CLAIM][:] = False
                continue
            if ONCE_PER_POD in claim.access_modes:
                exclusive.append((namespace, name))
            self._judge(claim, allowed)
        for template in templates:
            self._judge_new(template, allowed)
        return VolumeRules(tuple((p, mask) for p, mask in allowed.items() if not mask.all()), tuple(exclusive))

    def _judge(self, claim: Claim, allowed: dict[Predicate, Mask]) -> None:
        if claim.volume:
            volume = self._volumes.get(claim.volume)
            if volume is None:
                allowed[Predicate.VOLUME_CLAIM][:] = False
                return
            allowed[Predicate.VOLUME] &= self._reaches(volume)
            allowed[Predicate.VOLUME_ZONE] &= self._in_zone(volume.labels)
            return
        storage = self._classes.get(claim.storage_class)
        if storage is None or storage.binding_mode != "WaitForFirstConsumer":
            allowed[Predicate.VOLUME_CLAIM][:] = False
            return
        allowed[Predicate.VOLUME_BIND] &= self._can_bind(claim, storage)

    def _judge_new(self, template: ClaimTemplate, allowed: dict[Predicate, Mask]) -> None:
        """A claim that is made with the pod: nothing is bound, and nobody chose a node yet."""
        name = template.storage_class
        storage = self._default if name is None else self._classes.get(name)
        if storage is None or (storage.binding_mode != "WaitForFirstConsumer" and self._lands_anywhere(storage)):
            allowed[Predicate.VOLUME_CLAIM][:] = False
            return
        allowed[Predicate.VOLUME_BIND] &= self._can_bind(Claim("", "", storage_class=storage.name), storage)

    def _lands_anywhere(self, storage: StorageClass) -> bool:
        """Whether a volume of a class that binds at once may come up in one of several places, and tie its pod to it.

        The provisioner then chooses before the scheduler does, so nobody can say where the pod will be.
        """
        topologies = storage.allowed_topologies
        if len(topologies) == 1 and all(len(one.values) == 1 for one in topologies[0].expressions):
            return False
        others = (volume for volume in self._volumes.values() if volume.storage_class == storage.name)
        return any(volume.affinity is not None or not _GA.keys().isdisjoint(volume.labels) for volume in others)

    def _reaches(self, volume: Volume) -> Mask:
        if volume.affinity is None:
            return np.ones(len(self._nodes), np.bool_)
        # The scheduler compares with the node's labels only, so fields of a term are passed over.
        return self._labels.any_term(volume.affinity, with_fields=False)

    def _in_zone(self, labels: Labels) -> Mask:
        mask = np.ones(len(self._nodes), np.bool_)
        for key, general in _GA.items():
            if key not in labels:
                continue
            wanted = set(labels[key].split("__"))  # "a__b": several zones (component-helpers LabelZonesToSet)
            exact, fallback = self._labels.topology(key), self._labels.topology(general)
            hit = np.array([v in wanted for v in (*exact.values, "")])[exact.domain] & exact.present
            other = np.array([v in wanted for v in (*fallback.values, "")])[fallback.domain] & fallback.present
            mask &= np.where(exact.present, hit, other)
        return mask | ~self._has_zone

    def _can_bind(self, claim: Claim, storage: StorageClass) -> Mask:
        if claim.selected_node:
            only = np.zeros(len(self._nodes), np.bool_)
            if claim.selected_node in self._nodes:
                only[self._nodes[claim.selected_node]] = True
            return only & self._can_provision(storage)
        mask = self._can_provision(storage)
        for volume in self._spare_volumes().get(storage.name, ()):
            mask = mask | self._reaches(volume)
        return mask

    def _can_provision(self, storage: StorageClass) -> Mask:
        if storage.provisioner in _NO_PROVISIONER:
            return np.zeros(len(self._nodes), np.bool_)
        if not storage.allowed_topologies:
            return np.ones(len(self._nodes), np.bool_)
        return self._labels.any_term(storage.allowed_topologies)

    def _spare_volumes(self) -> dict[str, list[Volume]]:
        # Volumes that no claim names. Sizes and phases are not in the snapshot, so a small one counts as well.
        if self._spare is None:
            taken = {claim.volume for claim in self._claims.values()}
            self._spare = {}
            for volume in self._volumes.values():
                if volume.name not in taken:
                    self._spare.setdefault(volume.storage_class, []).append(volume)
        return self._spare


def default_class(classes: Iterable[StorageClass]) -> StorageClass | None:
    """The class of a claim that names none, the newest of several (kubernetes pkg/volume/util/storageclass.go)."""
    return min((c for c in classes if c.default), key=lambda c: (-c.created, c.name), default=None)
