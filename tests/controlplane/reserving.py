"""A stand-in for koord-scheduler, as far as Reservations go: they are not published as a Go module that could be built.

What it does is documented in Koordinator's sources, by which it was written:

- a Reservation whose template names a node is scheduled there or not at all
  (apis/scheduling/v1alpha1/reservation_types.go, pkg/util/reservation/reservation.go `NewReservePod`);
- where its requests fit, it becomes Available on that node, with conditions Scheduled and Ready; where they do not, it
  stays without a phase, with condition Scheduled "False", reason Unschedulable (`SetReservationAvailable`,
  `SetReservationUnschedulable`);
- a pod is put into an Available Reservation one of whose owners matches it; a controller matches by namespace and the
  fields of the owner reference that are given (`MatchReservationControllerReference`); the lower order comes first;
- the pod carries the annotation reservation-allocated, and a Reservation that is allocated once becomes Succeeded, with
  the pod as its owner (plugins/reservation/controller/controller.go `syncStatus`);
- other pods of its scheduler go where most CPU is free.

Only CPU is counted.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from controlplane.client import ApiClient, ApiStatusError
from controlplane.standing_in import StandIn

NAME = "koord-scheduler"
_GROUP = "scheduling.koordinator.sh"
_ORDER = f"{_GROUP}/reservation-order"
Object = dict[str, Any]


class ReservingScheduler(StandIn):
    """Schedules Reservations and the pods that name it."""

    def _step(self) -> None:
        reservations = self._client.list("Reservation", api_version=f"{_GROUP}/v1alpha1")
        pods = self._client.list("Pod")
        free = self._free(pods, reservations)
        for one in reservations:
            if not one.get("status", {}).get("nodeName"):
                self._reserve(one, free)
        for pod in pods:
            if (
                pod["spec"].get("schedulerName") == NAME
                and not pod["spec"].get("nodeName")
                and "deletionTimestamp" not in pod["metadata"]
            ):
                self._place(pod, free, reservations)

    def _free(self, pods: list[Object], reservations: list[Object]) -> dict[str, int]:
        """Millicores of each schedulable node that neither a pod nor an Available Reservation holds."""
        nodes = [n for n in self._client.list("Node") if not n["spec"].get("unschedulable")]
        free = {n["metadata"]["name"]: _milli(n["status"]["allocatable"]["cpu"]) for n in nodes}
        for pod in pods:
            if pod["spec"].get("nodeName") in free and pod["status"].get("phase") not in ("Succeeded", "Failed"):
                free[pod["spec"]["nodeName"]] -= _asked(pod["spec"])
        for one in reservations:
            status = one.get("status", {})
            if status.get("phase") == "Available" and status["nodeName"] in free:
                free[status["nodeName"]] -= _asked(one["spec"]["template"]["spec"])
        return free

    def _reserve(self, one: Object, free: dict[str, int]) -> None:
        spec = one["spec"]["template"]["spec"]
        node, asked = spec.get("nodeName", ""), _asked(spec)
        if free.get(node, -1) >= asked:
            free[node] -= asked
            scheduled = {"type": "Scheduled", "status": "True", "reason": "Scheduled"}
            ready = {"type": "Ready", "status": "True", "reason": "Available"}
            status: Object = {"phase": "Available", "nodeName": node, "conditions": [scheduled, ready]}
        else:
            message = f"node {node} has not {asked}m of CPU"
            status = {
                "conditions": [{"type": "Scheduled", "status": "False", "reason": "Unschedulable", "message": message}]
            }
        if one.get("status", {}).get("conditions") != status["conditions"]:
            self._status(one, status)

    def _place(self, pod: Object, free: dict[str, int], reservations: list[Object]) -> None:
        matching = [r for r in reservations if r.get("status", {}).get("phase") == "Available" and _owns(r, pod)]
        best = min(matching, key=lambda r: int(r["metadata"].get("labels", {}).get(_ORDER, "0")), default=None)
        if best is not None:
            allocated = {"name": best["metadata"]["name"], "uid": best["metadata"]["uid"]}
            self._bind(pod, best["status"]["nodeName"], {f"{_GROUP}/reservation-allocated": json.dumps(allocated)})
            best["status"]["phase"] = "Succeeded"
            meta = pod["metadata"]
            owner = {"namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
            with suppress(ApiStatusError):  # it was deleted; the pod has its node
                self._status(best, {"phase": "Succeeded", "currentOwners": [owner]})
            return
        asked = _asked(pod["spec"])
        fitting = [node for node, left in free.items() if left >= asked]
        if fitting:
            node = max(fitting, key=lambda n: (free[n], n))
            free[node] -= asked
            self._bind(pod, node, {})

    def _bind(self, pod: Object, node: str, annotations: dict[str, str]) -> None:
        meta = pod["metadata"]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta["name"], "uid": meta["uid"], "annotations": annotations},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        self._client.request("POST", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/binding", binding)

    def _status(self, one: Object, status: Object) -> None:
        self._client.patch_status("Reservation", one["metadata"]["name"], status, api_version=f"{_GROUP}/v1alpha1")


def reservations(client: ApiClient) -> list[Object]:
    """All there are."""
    return client.list("Reservation", api_version=f"{_GROUP}/v1alpha1")


def _owns(reservation: Object, pod: Object) -> bool:
    meta = pod["metadata"]
    for owner in reservation["spec"]["owners"]:
        wanted = dict(owner.get("controller") or {"namespace": "\0"})
        wanted.pop("blockOwnerDeletion", None)
        if wanted.pop("namespace", meta["namespace"]) != meta["namespace"]:
            continue
        if any(all(ref.get(k) == v for k, v in wanted.items()) for ref in meta.get("ownerReferences", ())):
            return True
    return False


def _asked(spec: Object) -> int:
    return sum(_milli(c.get("resources", {}).get("requests", {}).get("cpu", "0")) for c in spec["containers"])


def _milli(cpu: str) -> int:
    return int(cpu[:-1]) if cpu.endswith("m") else int(float(cpu) * 1000)
