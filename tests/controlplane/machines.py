"""A stand-in for virt-controller and virt-handler, as far as live migration goes: nothing here can run a machine.

What it does is documented in KubeVirt's sources, by which it was written:

- a migration goes through Pending, Scheduling, Scheduled, PreparingTarget, TargetReady and Running to Succeeded or
  Failed (staging/src/kubevirt.io/api/core/v1/types.go `VirtualMachineInstanceMigrationPhase`,
  pkg/virt-controller/watch/migration/migration.go `updateStatus`);
- its target pod belongs to the machine, carries the labels of its pods and `kubevirt.io/migrationJobUID`, stays off the
  node of the old one, and goes by `addedNodeSelector` (migration.go `createTargetPod`,
  pkg/virt-controller/services/template.go `RenderMigrationManifest`);
- while it is under way the machine's `status.migrationState` says so; in the end `status.nodeName` is the new node, and
  the old pod has Succeeded (pkg/virt-handler/migration-source.go);
- one that is deleted before it has begun takes its target pod with it (migration.go `sync`, aborting).
"""

from __future__ import annotations

import copy
from typing import Any

from controlplane.client import ApiClient, pod_ready
from controlplane.cluster import ControlPlane
from controlplane.standing_in import StandIn

API_VERSION = "kubevirt.io/v1"
MIGRATION = "VirtualMachineInstanceMigration"
MACHINE = "VirtualMachineInstance"
JOB = "kubevirt.io/migrationJobUID"
Object = dict[str, Any]
_NEXT = {
    "": "Pending",
    "Pending": "Scheduling",
    "Scheduled": "PreparingTarget",
    "PreparingTarget": "TargetReady",
    "TargetReady": "Running",
}


class MigratingController(StandIn):
    """Carries migrations out in a thread of its own while the `with` block lasts; those in `failing` fail.

    `failing` are names of machines. `most` is how many migrations were ever under way at once.
    """

    def __init__(self, plane: ControlPlane, every: float = 0.05) -> None:
        super().__init__(plane, every)
        self.failing: set[str] = set()
        self.most = 0

    def _step(self) -> None:
        found = migrations(self._client)
        going = [one for one in found if _phase(one) not in ("Succeeded", "Failed")]
        self.most = max(self.most, len(going))
        there = {one["metadata"]["uid"] for one in found}
        pods = self._client.list("Pod")
        for pod in pods:
            job = pod["metadata"].get("labels", {}).get(JOB)
            if job and job not in there and self._aborted(pod):
                self._client.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
        for one in going:
            self._advance(one, pods)

    def _aborted(self, pod: Object) -> bool:
        """Whether the pod is not the one in which its machine runs."""
        owner = pod["metadata"]["ownerReferences"][0]["name"]
        machine = self._client.get_or_none(MACHINE, owner, pod["metadata"]["namespace"], api_version=API_VERSION)
        return machine is not None and machine["status"].get("nodeName") != pod["spec"].get("nodeName")

    def _advance(self, one: Object, pods: list[Object]) -> None:
        phase, meta = _phase(one), one["metadata"]
        machine = self._client.get(MACHINE, one["spec"]["vmiName"], meta["namespace"], api_version=API_VERSION)
        mine = [p for p in pods if p["metadata"].get("labels", {}).get("kubevirt.io/created-by") == _uid(machine)]
        target = next((p for p in mine if p["metadata"]["labels"].get(JOB) == meta["uid"]), None)
        if phase == "Scheduling":
            if target is None:
                source = next(p for p in mine if p["spec"].get("nodeName") == machine["status"]["nodeName"])
                self._client.create(_target(source, machine, one))
            elif pod_ready(target):
                self._move(machine, one, {"targetNode": target["spec"]["nodeName"], "completed": False})
                self._phase(one, "Scheduled")
        elif phase != "Running":
            self._phase(one, _NEXT[phase])
        elif target is not None:
            self._end(machine, one, mine, target)

    def _end(self, machine: Object, one: Object, mine: list[Object], target: Object) -> None:
        if machine["metadata"]["name"] in self.failing:
            why = "Live migration failed: it did not converge"
            self._move(machine, one, {"completed": True, "failed": True, "failureReason": why})
            self._phase(one, "Failed", migrationState={"failed": True, "failureReason": why})
            self._client.delete("Pod", target["metadata"]["name"], target["metadata"]["namespace"])
            return
        source = machine["status"]["nodeName"]
        self._move(machine, one, {"completed": True}, nodeName=target["spec"]["nodeName"])
        for pod in mine:
            if pod["spec"].get("nodeName") == source and _uid(pod) != _uid(target):
                status = {"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False"}]}
                self._client.patch_status("Pod", pod["metadata"]["name"], status, pod["metadata"]["namespace"])
        self._phase(one, "Succeeded", migrationState={"completed": True})

    def _move(self, machine: Object, one: Object, state: Object, **status: Any) -> None:
        status["migrationState"] = {"migrationUid": _uid(one), **state}
        meta = machine["metadata"]
        body = {"status": status}
        self._client.patch(MACHINE, meta["name"], body, meta["namespace"], api_version=API_VERSION)

    def _phase(self, one: Object, phase: str, **more: Any) -> None:
        meta = one["metadata"]
        status = {"phase": phase, **more}
        self._client.patch_status(MIGRATION, meta["name"], status, meta["namespace"], api_version=API_VERSION)


def machine(name: str, **more: Any) -> Object:
    """A machine that can be live-migrated, before it runs anywhere."""
    return {
        "apiVersion": API_VERSION,
        "kind": MACHINE,
        "metadata": {"name": name},
        "spec": {"evictionStrategy": "LiveMigrate", **more},
    }


def launcher(machine: Object, app: str, cpu: str = "100m") -> Object:
    """The pod that a machine runs in."""
    meta = machine["metadata"]
    owner = {"apiVersion": API_VERSION, "kind": MACHINE, "name": meta["name"], "uid": meta["uid"], "controller": True}
    labels = {
        "app": app,
        "kubevirt.io": "virt-launcher",
        "kubevirt.io/created-by": meta["uid"],
        "vm.kubevirt.io/name": meta["name"],
    }
    container = {"name": "compute", "image": "test/launcher", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": f"virt-launcher-{meta['name']}-", "labels": labels, "ownerReferences": [owner]},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]},
    }


def run_machines(client: ApiClient, app: str, count: int) -> list[Object]:
    """Machines of an app, made anew, and their running pods."""
    _clear(client, app)
    for i in range(count):
        made = client.create(machine(f"{app}-{i}"))
        pod = launcher(made, app)
        pod["metadata"]["namespace"] = "default"
        client.create(pod)
    pods = sorted(client.wait_for_pods(count, label_selector=f"app={app}", timeout=120), key=_name)
    for pod in pods:
        status = {
            "phase": "Running",
            "nodeName": pod["spec"]["nodeName"],
            "migrationMethod": "BlockMigration",
            "conditions": [{"type": "LiveMigratable", "status": "True"}],
        }
        name = pod["metadata"]["labels"]["vm.kubevirt.io/name"]
        client.patch(MACHINE, name, {"status": status}, "default", api_version=API_VERSION)
    return pods


def _clear(client: ApiClient, app: str) -> None:
    of_app = [m["metadata"]["name"] for m in client.list(MACHINE, "default", api_version=API_VERSION)]
    for name in (name for name in of_app if name.rpartition("-")[0] == app):
        client.delete(MACHINE, name, api_version=API_VERSION)
    label = f"app={app}"
    for pod in client.list("Pod", "default", label_selector=label):
        client.delete("Pod", pod["metadata"]["name"], grace_period_seconds=0)
    client.wait_for(lambda: not client.list("Pod", "default", label_selector=label), what=f"pods of {app} to be gone")


def migrations(client: ApiClient) -> list[Object]:
    """All there are."""
    return client.list(MIGRATION, api_version=API_VERSION)


def _target(source: Object, machine: Object, migration: Object) -> Object:
    meta, own = migration["metadata"], copy.deepcopy(launcher(machine, source["metadata"]["labels"]["app"]))
    own["metadata"]["namespace"] = meta["namespace"]
    own["metadata"]["labels"][JOB] = meta["uid"]
    own["spec"]["containers"] = [
        {k: c[k] for k in ("name", "image", "resources")} for c in source["spec"]["containers"]
    ]
    own["spec"]["nodeSelector"] = migration["spec"].get("addedNodeSelector", {})
    term = {
        "labelSelector": {"matchLabels": {"kubevirt.io/created-by": _uid(machine)}},
        "topologyKey": "kubernetes.io/hostname",
    }
    own["spec"]["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return own


def _phase(migration: Object) -> str:
    return str(migration.get("status", {}).get("phase", ""))


def _uid(one: Object) -> str:
    return str(one["metadata"]["uid"])


def _name(one: Object) -> str:
    return str(one["metadata"]["name"])
