"""A stand-in for koord-descheduler, as far as PodMigrationJobs go that others make.

What it does is documented in Koordinator's sources, by which it was written (pkg/descheduler/controllers/migration):

- a job of mode ReservationFirst that names a Reservation waits until that is scheduled, then evicts its pod by the
  Eviction API, and is Running meanwhile;
- what the API refuses for its budget is tried again;
- it fails where the Reservation is not there (MissingReservation), and succeeds once the pod is evicted and another one
  has taken the Reservation.
"""

from __future__ import annotations

from controlplane.client import ApiClient, ApiStatusError
from controlplane.reserving import Object
from controlplane.standing_in import StandIn

_VERSION = "scheduling.koordinator.sh/v1alpha1"


class MigratingDescheduler(StandIn):
    """Carries out PodMigrationJobs."""

    def _step(self) -> None:
        held = {one["metadata"]["name"]: one for one in self._client.list("Reservation", api_version=_VERSION)}
        for job in jobs(self._client):
            if job.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
                status = self._progress(job, held)
                if status != job.get("status"):
                    self._client.patch_status("PodMigrationJob", job["metadata"]["name"], status, api_version=_VERSION)

    def _progress(self, job: Object, held: dict[str, Object]) -> Object:
        ref = job["spec"]["podRef"]
        reservation = held.get(job["spec"]["reservationOptions"]["reservationRef"]["name"])
        if reservation is None:
            return {"phase": "Failed", "reason": "MissingReservation"}
        if reservation.get("status", {}).get("phase") == "Succeeded":
            return {"phase": "Succeeded"}
        pod = self._client.get_or_none("Pod", ref["name"], ref["namespace"])
        if pod is None or pod["metadata"]["uid"] != ref["uid"]:
            return {"phase": "Running", "reason": "WaitForPodBindReservation"}
        if reservation.get("status", {}).get("phase") != "Available" or "deletionTimestamp" in pod["metadata"]:
            return {"phase": "Running"}
        return self._evict(ref)

    def _evict(self, ref: Object) -> Object:
        meta = {"name": ref["name"], "namespace": ref["namespace"]}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
        path = f"/api/v1/namespaces/{ref['namespace']}/pods/{ref['name']}/eviction"
        try:
            self._client.request("POST", path, eviction)
        except ApiStatusError as refused:
            if refused.code != 429:
                raise
            return {"phase": "Running", "reason": "FailedEvict", "message": "the budget allows none"}
        return {"phase": "Running", "reason": "Evicting"}


def jobs(client: ApiClient) -> list[Object]:
    """All there are."""
    return client.list("PodMigrationJob", api_version=_VERSION)
