"""Where a pod's volumes let it run (kube-scheduler's VolumeRestrictions, VolumeBinding and VolumeZone plug-ins).

Attach limits of CSI drivers (NodeVolumeLimits) are not modelled: the snapshot has no CSINode objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.model.labels import Labels
from descheduler.model.nodes import ZONE, Claim, StorageClass, Volume
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
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
        self._rules: dict[tuple[str, tuple[str, ...]], VolumeRules] = {}
        self._spare: dict[str, list[Volume]] | None = None
        self._has_zone = np.zeros(len(snapshot.nodes), np.bool_)
        for key in _GA:
            self._has_zone |= labels.topology(key).present
        self.users = self._count_users(snapshot)

    def rules(self, pod: Pod) -> VolumeRules:
        """The rules of the pod's claims."""
        key = (pod.namespace, pod.claims)
        found = self._rules.get(key)
        if found is None:
            found = self._rules[key] = self._work_out(pod.namespace, pod.claims)
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

    def _work_out(self, namespace: str, names: Iterable[str]) -> VolumeRules:
        allowed = {p: np.ones(len(self._nodes), np.bool_) for p in _ORDER}
        exclusive: list[ClaimKey] = []
        for name in names:
            claim = self._claims.get((namespace, name))
            if claim is None:
                allowed[Predicate.VOLUME_CLAIM][:] = False
                continue
            if ONCE_PER_POD in claim.access_modes:
                exclusive.append((namespace, name))
            self._judge(claim, allowed)
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
