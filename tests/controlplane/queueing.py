"""A stand-in for kube-queue and its extension for Jobs.

What they do is documented in their sources, by which it was written:

- a unit that is not Dequeued is in the queue, and becomes Dequeued, by an update of the whole object, when the queue
  lets it go (kube-queue pkg/controller/eventhandler.go, pkg/scheduler/scheduler.go `Dequeue`);
- the extension starts the Job whenever it sees a new version of a unit that is Dequeued, and only then
  (batch-job-extension pkg/controller/controller.go `UpdateQueueUnit`, `syncHandler`).
"""

from __future__ import annotations

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.owned import Object
from controlplane.standing_in import StandIn

API = "scheduling.x-k8s.io/v1alpha1"


class KubeQueue(StandIn):
    """Lets go whatever waits. `history`: the phases that each unit was seen in, by its name. `closed`: nothing goes."""

    def __init__(self, plane: ControlPlane) -> None:
        super().__init__(plane)
        self.history: dict[str, list[str]] = {}
        self.closed = False
        self._seen: dict[str, str] = {}

    def _step(self) -> None:
        for unit in queue_units(self._client):
            meta, phase = unit["metadata"], unit.get("status", {}).get("phase", "")
            if self._seen.get(meta["uid"]) == meta["resourceVersion"]:
                if phase == "Enqueued" and not self.closed:
                    self._client.patch("QueueUnit", meta["name"], _phase("Dequeued"), "default", api_version=API)
                continue
            self._seen[meta["uid"]] = meta["resourceVersion"]
            phases = self.history.setdefault(meta["name"], [])
            if phases[-1:] != [phase]:
                phases.append(phase)
            if phase == "Dequeued":
                job = unit["spec"]["consumerRef"]["name"]
                self._client.patch("Job", job, {"spec": {"suspend": False}}, "default", api_version="batch/v1")


def queue_up(client: ApiClient, job: str) -> None:
    """A unit for a Job, as the extension makes it for one that is stopped when it is made."""
    consumer = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "namespace": "default"}
    unit = {
        "apiVersion": API,
        "kind": "QueueUnit",
        "metadata": {"name": f"{job}-job-qu", "namespace": "default"},
        "spec": {"consumerRef": consumer, "priority": 0},
        "status": {"phase": "Enqueued", "message": "the queueunit is enqueued after created"},
    }
    client.apply(unit)


def queue_units(client: ApiClient) -> list[Object]:
    """All there are."""
    return client.list("QueueUnit", api_version=API)


def _phase(phase: str) -> Object:
    return {"status": {"phase": phase}}
