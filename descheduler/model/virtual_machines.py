"""Virtual machines of KubeVirt, as far as their pods (virt-launcher) are concerned.

Sources: kubevirt staging/src/kubevirt.io/api/core/v1/types.go (labels, migration state), pkg/virt-controller/services/
template.go `RenderMigrationManifest` (what the pod of a migration has that the machine does not ask for).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from descheduler.model.distinct import Looks
from descheduler.model.labels import Labels
from descheduler.model.objects import CustomObject
from descheduler.model.owners import OwnerRef
from descheduler.model.pods import Pod, PodAffinityTerm, PodSpec

GROUP = "kubevirt.io"
MACHINES, MIGRATIONS, INSTALLATIONS = (
    f"{GROUP}/{kind}" for kind in ("VirtualMachineInstance", "VirtualMachineInstanceMigration", "KubeVirt")
)
ENDED = frozenset({"Succeeded", "Failed"})
"""The last phases of a migration, and of a machine."""
MIGRATED = "kubevirt.io/migrationJobUID"
"""Label of a pod that a migration made, for as long as the pod lives."""
CREATED_BY = "kubevirt.io/created-by"
HOSTNAME = "kubernetes.io/hostname"


def machine_of(owner: OwnerRef | None) -> str:
    """The name of the virtual machine that a controller reference names; empty where it is none."""
    if owner is None or (owner.group, owner.kind) != (GROUP, "VirtualMachineInstance"):
        return ""
    return owner.name


Objects = Mapping[str, Sequence[CustomObject]]
"""Of optional APIs, by "group/Kind"."""


def migrating(objects: Objects) -> frozenset[tuple[str, str]]:
    """(namespace, name) of the machines that are on their way."""
    asked = {
        (one.namespace, str(one.spec.get("vmiName")))
        for one in objects.get(MIGRATIONS, ())
        if one.status.get("phase") not in ENDED
    }
    moving = set()
    for one in objects.get(MACHINES, ()):
        state = one.status.get("migrationState")
        if isinstance(state, dict) and not state.get("completed") and not state.get("failed"):
            moving.add((one.namespace, one.name))
    return frozenset(asked | moving)


def unpinned(pods: Sequence[Pod], looks: Looks, objects: Objects) -> Mapping[int, PodSpec]:
    """By position of pods that a migration made: the spec without the node that it was to go to, and the one that it
    came from. These are the migration's; whatever is made in the pod's place is made from what the machine asks for."""
    if not objects.get(MACHINES):
        return {}
    machines = {(one.namespace, one.name): one for one in objects[MACHINES]}
    labels = looks.labels
    rows = [row for row, found in enumerate(labels.values) if MIGRATED in found]
    found: dict[int, PodSpec] = {}
    for position in np.flatnonzero(np.isin(labels.rows, rows)).tolist() if rows else ():
        pod = pods[position]
        machine = machines.get((pod.namespace, machine_of(pod.controller)))
        if machine is None:
            continue
        asked = machine.spec.get("nodeSelector")
        kept = asked if isinstance(asked, dict) else {}
        left = {k: v for k, v in pod.spec.node_selector.items() if k != HOSTNAME or k in kept}
        apart = tuple(term for term in pod.spec.anti_affinity.required if not _from_itself(term))
        found[position] = replace(
            pod.spec, node_selector=Labels(left), anti_affinity=replace(pod.spec.anti_affinity, required=apart)
        )
    return found


def _from_itself(term: PodAffinityTerm) -> bool:
    """Whether it keeps a pod off the nodes of the same machine's others, of which one is left when it moves."""
    return term.selector is not None and [r.key for r in term.selector.requirements] == [CREATED_BY]
