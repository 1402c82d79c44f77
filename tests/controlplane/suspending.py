"""A stand-in for the controllers of jobs that run as Jobs below them, as far as stopping and starting goes.

What they do is documented in their sources, by which it was written: while `spec.suspend` (`runPolicy.suspend`) is true
JobSet's and the MPI operator's suspend the Jobs below (jobset pkg/controllers/jobset_controller.go `suspendJobs`;
mpi-operator pkg/controller/mpi_job_controller.go); Kueue's does so with the Job of a Workload whose `spec.active` is
false (kueue pkg/controller/core/workload_controller.go, jobframework/reconciler.go `stopJob`). Others delete pods, or
what makes them; here all have a Job, which the Job controller of the control plane stops and starts.
"""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.cluster import ControlPlane
from controlplane.reserving import Object
from controlplane.standing_in import StandIn

BELOW = "test.example/job"
"""Label of an object: the name of the Job that does its work."""


class Suspending(StandIn):
    """Suspends and resumes Jobs as the objects of these kinds say, each as (API version, kind)."""

    def __init__(self, plane: ControlPlane, kinds: Sequence[tuple[str, str]]) -> None:
        super().__init__(plane)
        self._kinds = kinds

    def _step(self) -> None:
        jobs = {job["metadata"]["name"]: job["spec"].get("suspend", False) for job in self._client.list("Job")}
        for version, kind in self._kinds:
            for one in self._client.list(kind, api_version=version):
                name = one["metadata"].get("labels", {}).get(BELOW, "")
                if name in jobs and jobs[name] != _stopped(one):
                    self._client.patch("Job", name, {"spec": {"suspend": _stopped(one)}}, "default")


def _stopped(one: Object) -> bool:
    spec = one.get("spec", {})
    return bool(spec.get("suspend") or spec.get("runPolicy", {}).get("suspend") or spec.get("active") is False)
