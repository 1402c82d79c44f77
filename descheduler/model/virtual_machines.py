"""Virtual machines of KubeVirt, as far as their pods (virt-launcher) are concerned.

Sources: kubevirt staging/src/kubevirt.io/api/core/v1/types.go (labels, migration state), pkg/virt-controller/services/
template.go `RenderMigrationManifest` (what the pod of a migration has that the machine does not ask for).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from descheduler.model.labels import Labels
from descheduler.model.owners import OwnerRef
from descheduler.model.pods import PodSpec

if TYPE_CHECKING:
    from descheduler.model.snapshot import ClusterSnapshot

GROUP = "kubevirt.io"
MACHINES, MIGRATIONS, INSTALLATIONS = (
    f"{GROUP}/{kind}" for kind in ("VirtualMachineInstance", "VirtualMachineInstanceMigration", "KubeVirt")
)
ENDED = frozenset({"Succeeded", "Failed"})
"""The last phases of a migration, and of a machine."""
MIGRATED = "kubevirt.io/migrationJobUID"
"""Label of a pod that a migration made, for as long as the pod lives."""
HOSTNAME = "kubernetes.io/hostname"


def machine_of(owner: OwnerRef | None) -> str:
    """The name of the virtual machine that a controller reference names; empty where it is none."""
    if owner is None or (owner.group, owner.kind) != (GROUP, "VirtualMachineInstance"):
        return ""
    return owner.name


def migrating(snapshot: ClusterSnapshot) -> frozenset[tuple[str, str]]:
    """(namespace, name) of the machines that are on their way."""
    asked = {
        (one.namespace, str(one.spec.get("vmiName")))
        for one in snapshot.objects.get(MIGRATIONS, ())
        if one.status.get("phase") not in ENDED
    }
    moving = set()
    for one in snapshot.objects.get(MACHINES, ()):
        state = one.status.get("migrationState")
        if isinstance(state, dict) and not state.get("completed") and not state.get("failed"):
            moving.add((one.namespace, one.name))
    return frozenset(asked | moving)


def unpinned(snapshot: ClusterSnapshot) -> Mapping[int, PodSpec]:
    """By position of pods that a migration to one node made: the spec without that node. It is the migration's, and
    whatever is made in the pod's place is made from what the machine asks for."""
    labels = snapshot.looks.labels
    rows = [row for row, found in enumerate(labels.values) if MIGRATED in found]
    found: dict[int, PodSpec] = {}
    for position in np.flatnonzero(np.isin(labels.rows, rows)).tolist() if rows else ():
        pod = snapshot.pods[position]
        name = machine_of(pod.controller)
        machine = snapshot.custom(GROUP, "VirtualMachineInstance", pod.namespace, name) if name else None
        if machine is None or HOSTNAME not in pod.spec.node_selector:
            continue
        wanted = machine.spec.get("nodeSelector")
        if not isinstance(wanted, dict) or HOSTNAME not in wanted:
            left = Labels({key: value for key, value in pod.spec.node_selector.items() if key != HOSTNAME})
            found[position] = replace(pod.spec, node_selector=left)
    return found
