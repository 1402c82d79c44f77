"""A stand-in for Volcano's job controller, as far as running Jobs and Commands go.

What it does is documented in Volcano's sources, by which it was written (pkg/controllers/job):

- a Command for a Job is deleted first, so that it is carried out once at most (job_controller_handler.go
  `processNextCommand`), and lost where the controller dies right then;
- RestartJob of a running Job deletes all its pods, counts a retry, raises the Job's version and makes it Restarting
  (state/running.go, job_controller_actions.go `killJob`);
- one that is Restarting fails where its retries are spent; else it is Pending once no pod is going, and Running once
  enough run (state/restarting.go, state/pending.go).
"""

from __future__ import annotations

from contextlib import suppress

from controlplane.client import ApiClient, ApiStatusError
from controlplane.owned import Object, delete_pods, make_pods, owned_pods, running
from controlplane.standing_in import StandIn

JOBS, BUS = "batch.volcano.sh/v1alpha1", "bus.volcano.sh/v1alpha1"
_RETRIES = 3


class VolcanoController(StandIn):
    """Looks after the Jobs of Volcano. `asleep`: it takes up no Command."""

    asleep = False

    def _step(self) -> None:
        for one in [] if self.asleep else commands(self._client):
            path = self._client.kind("Command", BUS).path(one["metadata"]["namespace"], one["metadata"]["name"])
            self._client.request("DELETE", path)  # one that somebody else has deleted is not carried out
            if one["target"]["apiVersion"] == JOBS and one["action"] == "RestartJob":
                self._restart(one["metadata"]["namespace"], one["target"]["name"])
        for job in self._client.list("Job", api_version=JOBS):
            self._sync(job)

    def _restart(self, namespace: str, name: str) -> None:
        job = self._client.get("Job", name, namespace, api_version=JOBS)
        status = job.get("status", {})
        if _phase(job) == "Running":
            delete_pods(self._client, owned_pods(self._client, job))
            counted = {key: status.get(key, 0) + 1 for key in ("retryCount", "version")}
            self._status(job, {"state": {"phase": "Restarting"}, **counted})

    def _sync(self, job: Object) -> None:
        phase, wanted = _phase(job), sum(task["replicas"] for task in job["spec"]["tasks"])
        if phase in ("", "Pending"):
            ready = running(make_pods(self._client, job, wanted, **{"volcano.sh/job-name": job["metadata"]["name"]}))
            new = "Running" if ready >= job["spec"].get("minAvailable", wanted) else "Pending"
            if new != phase:
                self._status(job, {"state": {"phase": new}, "running": ready})
        elif phase == "Restarting":
            if job["status"].get("retryCount", 0) >= (job["spec"].get("maxRetry") or _RETRIES):
                self._status(job, {"state": {"phase": "Failed"}})
            elif not owned_pods(self._client, job):
                self._status(job, {"state": {"phase": "Pending"}})

    def _status(self, job: Object, status: Object) -> None:
        meta = job["metadata"]
        with suppress(ApiStatusError):  # somebody wrote it meanwhile: the next look sees it
            self._client.patch_status("Job", meta["name"], status, meta["namespace"], api_version=JOBS)


def commands(client: ApiClient) -> list[Object]:
    """All there are."""
    return client.list("Command", api_version=BUS)


def volcano_job(name: str, pods: int, **spec: int) -> Object:
    """A Job of one task."""
    tasks = [{"name": "worker", "replicas": pods, "template": {}}]
    meta = {"name": name, "namespace": "default"}
    return {
        "apiVersion": JOBS,
        "kind": "Job",
        "metadata": meta,
        "spec": {"minAvailable": pods, "tasks": tasks, "maxRetry": 100, **spec},
    }


def _phase(job: Object) -> str:
    return str(job.get("status", {}).get("state", {}).get("phase", ""))
