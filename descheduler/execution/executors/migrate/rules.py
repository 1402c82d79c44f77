"""Which pods live migration can move: those in which KubeVirt runs a virtual machine that it could migrate now.

Sources: kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/migration-create-admitter.go (what is refused),
staging/src/kubevirt.io/api/core/v1/types.go (labels, conditions, migration state). `addedNodeSelector` is served from
KubeVirt 1.5 on; without it nobody could say where the machine goes, so that nothing is planned.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from descheduler.execution.executors.protocol import PodFilter
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.virtual_machines import INSTALLATIONS, MACHINES, machine_of, migrating

BY = "executor/live-migrate"
_SELECTING = (1, 5)
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def migration_filter(snapshot: ClusterSnapshot) -> PodFilter:
    """Why a pod cannot be moved by live migration; None where it can."""
    machines = {(one.namespace, one.name): one for one in snapshot.objects.get(MACHINES, ())}
    moving = migrating(snapshot.objects)
    old = _without_selector(snapshot)

    def against(pod: Pod) -> str:
        key = (pod.namespace, machine_of(pod.controller))
        if not key[1]:
            return "it runs no virtual machine of KubeVirt"
        found = machines.get(key)
        if found is None or pod.controller is None or found.uid != pod.controller.uid:
            return f"its VirtualMachineInstance {key[1]} is not known"
        if key in moving:
            return "a migration of it is under way"
        return old or _unfit(found, pod)

    def refuses(pod: Pod) -> Blocked | None:
        text = against(pod)
        return Blocked(Reason.EXECUTOR, BY, text) if text else None

    return refuses


def _unfit(machine: CustomObject, pod: Pod) -> str:
    """The first thing that speaks against it, empty where nothing does."""
    return machine.problem or next((text for wrong, text in _CHECKS if wrong(machine, pod)), "")


def _lacks_migratable(machine: CustomObject, _: Pod) -> bool:
    found: Json = machine.status.get("conditions")
    conditions = found if isinstance(found, list) else []
    return not any(isinstance(c, dict) and (c.get("type"), c.get("status")) == _MIGRATABLE for c in conditions)


_MIGRATABLE = ("LiveMigratable", "True")
_CHECKS: tuple[tuple[Callable[[CustomObject, Pod], bool], str], ...] = (
    (lambda machine, _: machine.deleting, "its virtual machine is being deleted"),
    (lambda machine, _: machine.status.get("phase") != "Running", "its virtual machine does not run"),
    (lambda machine, _: bool(machine.status.get("evacuationNodeName")), "KubeVirt moves it already"),
    (lambda machine, pod: machine.status.get("nodeName") != pod.node, "its virtual machine runs in another pod"),
    (_lacks_migratable, "its virtual machine cannot be live-migrated (condition LiveMigratable)"),
    (
        lambda machine, _: machine.spec.get("evictionStrategy") == "External",
        "somebody else moves its virtual machine (evictionStrategy External)",
    ),
)


def _without_selector(snapshot: ClusterSnapshot) -> str:
    """Set where the KubeVirt that is installed cannot be told where to go."""
    for one in snapshot.objects.get(INSTALLATIONS, ()):
        version = str(one.status.get("observedKubeVirtVersion", ""))
        found = _VERSION.match(version)
        if found and (int(found[1]), int(found[2])) < _SELECTING:
            return f"KubeVirt {version} cannot be told a destination (addedNodeSelector, from 1.5 on)"
    return ""
