"""How many volumes a node can have attached (kube-scheduler's NodeVolumeLimits plug-in).

What counts are distinct volumes per CSI driver on a node, whoever uses them; a claim that is not bound yet counts as a
volume of its own (kubernetes pkg/scheduler/framework/plugins/nodevolumelimits/csi.go). Attachments that no pod uses any
more (VolumeAttachment) pass by themselves and are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from descheduler.model.arrays import Ints, Mask
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.storage import Claim, ClaimTemplate
from descheduler.scheduler.volumes import default_class

Attached = tuple[str, str]
"""A volume that nodes attach: its driver, and what tells it from others of the driver."""

_UNLIMITED = np.iinfo(np.int64).max


class AttachLimits:
    """The limits of a snapshot's nodes, and who has what attached in it, which is worked out when it is asked for."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._snapshot = snapshot
        self._default = default_class(snapshot.storage_classes.values())
        self._known: dict[tuple[str, tuple[str, ...]], tuple[Attached, ...]] = {}
        self._limits = _limits(snapshot)

    def volumes_of(self, pod: Pod) -> tuple[Attached, ...]:
        """What the pod needs attached of drivers that have a limit anywhere."""
        templates = pod.spec.ephemeral
        if not self._limits or not (pod.claims or templates):
            return ()
        key = (pod.namespace, pod.claims)
        found = self._known.get(key)
        if found is None:
            claims = (self._attached(pod.namespace, name, None) for name in pod.claims)
            found = self._known[key] = tuple(dict.fromkeys(one for one in claims if one[0] in self._limits))
        if not templates:
            return found
        made = (self._attached(pod.namespace, t.claim_of(pod.name), t) for t in templates)
        return (*found, *(one for one in made if one[0] in self._limits))

    def _attached(self, namespace: str, name: str, template: ClaimTemplate | None) -> Attached:
        """The volume behind a claim; without a driver ("") where nobody can say."""
        claim = self._snapshot.claims.get((namespace, name))
        volume = self._snapshot.volumes.get(claim.volume) if claim is not None else None
        if volume is not None:
            return volume.csi_driver, volume.handle or f"volume/{volume.name}"
        return self._provisioner(claim, template), f"claim/{namespace}/{name}"

    def _provisioner(self, claim: Claim | None, template: ClaimTemplate | None) -> str:
        wanted = claim.storage_class if claim is not None else template.storage_class if template is not None else ""
        storage = self._default if wanted is None else self._snapshot.storage_classes.get(wanted)
        return storage.provisioner if storage is not None else ""

    @cached_property
    def users(self) -> Mapping[Attached, Mapping[int, int]]:
        """Live pods by volume and node."""
        columns = self._snapshot.columns
        found: dict[Attached, dict[int, int]] = {}
        for at, pod in enumerate(self._snapshot.pods):
            if (pod.claims or pod.spec.ephemeral) and columns.pod_live[at]:
                node = int(columns.pod_node[at])
                for one in self.volumes_of(pod):
                    here = found.setdefault(one, {})
                    here[node] = here.get(node, 0) + 1
        return found

    @cached_property
    def free(self) -> Mapping[str, Ints]:
        """[N] by driver: how many more volumes of it each node can attach."""
        free = {driver: limits.copy() for driver, limits in self._limits.items()}
        for (driver, _), here in self.users.items():
            for node in here:
                if free[driver][node] != _UNLIMITED:
                    free[driver][node] -= 1
        return free


def _limits(snapshot: ClusterSnapshot) -> dict[str, Ints]:
    found: dict[str, Ints] = {}
    for node in snapshot.csi_nodes.values():
        at = snapshot.node_index.get(node.name)
        for driver, limit in node.limits if at is not None else ():
            if driver not in found:
                found[driver] = np.full(len(snapshot.nodes), _UNLIMITED, np.int64)
            found[driver][at] = limit
    return found


class Attachments:
    """What is attached where in one what-if state: the snapshot's, and what pods took along since."""

    def __init__(self, limits: AttachLimits, changed: Mapping[tuple[Attached, int], int] | None = None) -> None:
        self._limits = limits
        self._changed = dict(changed or {})  # users more (or fewer) than in the snapshot, by volume and node

    def fork(self) -> Attachments:
        return Attachments(self._limits, self._changed)

    def shift(self, pod: Pod, node: int, sign: int) -> None:
        """The pod comes to the node (+1) or leaves it (-1)."""
        for one in self._limits.volumes_of(pod):
            self._changed[one, node] = self._changed.get((one, node), 0) + sign

    def room(self, pod: Pod, node: int) -> Mask | None:
        """[N] nodes that can attach what the pod needs, as if it had just left `node` (-1: it is nowhere); None: all
        can, for nothing of it has a limit."""
        needed = self._limits.volumes_of(pod)
        if not needed:
            return None
        ok: Mask | None = None
        for driver in dict.fromkeys(driver for driver, _ in needed):
            own = [one for one in needed if one[0] == driver]
            new = np.full(len(self._limits.free[driver]), len(own), np.int64)
            for one in own:
                for at, users in self._users(one).items():
                    if users > (at == node):
                        new[at] -= 1
            fits: Mask = (new == 0) | (new <= self._free(driver, own, node))
            ok = fits if ok is None else ok & fits
        return ok

    def _users(self, one: Attached) -> dict[int, int]:
        users = dict(self._limits.users.get(one, {}))
        for (other, at), more in self._changed.items():
            if other == one:
                users[at] = users.get(at, 0) + more
        return users

    def _free(self, driver: str, own: list[Attached], node: int) -> Ints:
        free = self._limits.free[driver].copy()

        def add(at: int, volumes: int) -> None:
            if free[at] != _UNLIMITED:
                free[at] += volumes

        for (one, at), more in self._changed.items():
            if one[0] == driver:
                before = self._limits.users.get(one, {}).get(at, 0)
                add(at, (before > 0) - (before + more > 0))
        if node >= 0:
            add(node, sum(self._users(one).get(node, 0) == 1 for one in own))
        return free
