"""A stand-in for the controller of Argo Rollouts at rest: it is not published as a Go module that could be built here.

As its sources have it (argo-rollouts rollout/sync.go `syncReplicasOnly`), while nothing is rolled out:

- the stable ReplicaSet, which the Rollout owns, gets the Rollout's number of replicas;
- the status has the numbers of that ReplicaSet, `observedGeneration` as a text, the selector as a text, and the phase
  Healthy once all are available.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from controlplane.client import ApiStatusError
from controlplane.cluster import ControlPlane

API_VERSION = "argoproj.io/v1alpha1"
Object = dict[str, Any]


def rollout(name: str, replicas: int, template: Object) -> Object:
    """A Rollout of pods `app: name`."""
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": API_VERSION, "kind": "Rollout", "metadata": {"name": name}, "spec": spec}


class RolloutController:
    """Keeps one Rollout of the namespace `default`, in a thread of its own while the `with` block lasts."""

    def __init__(self, plane: ControlPlane, name: str, every: float = 0.05) -> None:
        self._client = plane.client_for("admin")
        self._name, self._every = name, every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollouts", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join(10)
        self._client.close()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            with suppress(ApiStatusError):  # somebody wrote meanwhile: the next look sees
                self._step()

    def _step(self) -> None:
        found = self._client.get_or_none("Rollout", self._name, api_version=API_VERSION)
        if found is None:
            return
        wanted = found["spec"]["replicas"]
        name = f"{self._name}-1"
        stable = self._client.get_or_none("ReplicaSet", name)
        if stable is None:
            self._client.create(self._replica_set(name, found))
            return
        if stable["spec"]["replicas"] != wanted:
            self._client.patch("ReplicaSet", name, {"spec": {"replicas": wanted}})
        there = stable.get("status", {})
        count, available = there.get("replicas", 0), there.get("availableReplicas", 0)
        status = {
            "HPAReplicas": count,
            "replicas": count,
            "updatedReplicas": count,
            "availableReplicas": available,
            "observedGeneration": str(found["metadata"]["generation"]),
            "phase": "Healthy" if available == wanted else "Progressing",
            "selector": f"app={self._name}",
        }
        if status != found.get("status"):
            self._client.patch_status("Rollout", self._name, status, api_version=API_VERSION)

    def _replica_set(self, name: str, owner: Object) -> Object:
        meta = owner["metadata"]
        reference = {"apiVersion": API_VERSION, "kind": "Rollout", "name": meta["name"], "uid": meta["uid"]}
        return {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": name, "ownerReferences": [{**reference, "controller": True}]},
            "spec": owner["spec"],
        }
