"""A stand-in for the controllers of jobs that can be suspended: JobSet, Trainer, the training operator and KubeRay.

What they do is documented in their sources, by which it was written:

- JobSet hands `suspend` down to its Jobs (jobset pkg/controllers/jobset_controller.go `suspendJobs`, `resumeJobs`), and
  Trainer to its JobSet (trainer pkg/runtime/framework/plugins/jobset);
- the training operator deletes the pods of a suspended job, and makes them again once it is not (training-operator
  pkg/controller.v1/common/job.go `ReconcileJobs`);
- KubeRay deletes the RayCluster of a suspended RayJob, says Suspending and Suspended, and begins anew with another
  RayCluster once it is not (kuberay ray-operator/controllers/ray/rayjob_controller.go).

Every job has two pods. Those of JobSet and Trainer are made by the Job controller of the control plane.
"""

from __future__ import annotations

from typing import Any

from controlplane.client import ApiClient
from controlplane.owned import Object, delete_pods, make_pods, owned_pods, owner_of, running
from controlplane.standing_in import StandIn

VERSIONS = {
    "JobSet": "jobset.x-k8s.io/v1alpha2",
    "TrainJob": "trainer.kubeflow.org/v1alpha1",
    "PyTorchJob": "kubeflow.org/v1",
    "RayJob": "ray.io/v1",
}
PODS = 2
_RAY = "ray.io/v1"


class Operators(StandIn):
    """Looks after all of them."""

    def _step(self) -> None:
        for job in self._of("TrainJob"):
            self._handed_down(job, "JobSet", VERSIONS["JobSet"], {})
        for job in self._of("JobSet"):
            labels = {"app": job["metadata"]["name"]}
            container = {"name": "main", "image": "test/main", "resources": {"requests": {"cpu": "100m"}}}
            pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
            template = {"metadata": {"labels": labels}, "spec": pod}
            self._handed_down(job, "Job", "batch/v1", {"parallelism": PODS, "completions": PODS, "template": template})
        for job in self._of("PyTorchJob"):
            if job["spec"].get("runPolicy", {}).get("suspend"):
                delete_pods(self._client, owned_pods(self._client, job))
            else:
                make_pods(self._client, job, PODS, **{"training.kubeflow.org/job-name": job["metadata"]["name"]})
        for job in self._of("RayJob"):
            self._ray(job)

    def _of(self, kind: str) -> list[Object]:
        return self._client.list(kind, "default", api_version=VERSIONS[kind])

    def _handed_down(self, job: Object, kind: str, api_version: str, spec: Object) -> None:
        """One object of that kind and the same name, suspended as it is."""
        name, suspend = job["metadata"]["name"], bool(job["spec"].get("suspend"))
        found = self._client.get_or_none(kind, name, api_version=api_version)
        if found is None:
            meta = {"name": name, "namespace": "default", "ownerReferences": [owner_of(job)]}
            made = {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": {**spec, "suspend": suspend}}
            self._client.create(made)
        elif bool(found["spec"].get("suspend")) != suspend:
            self._client.patch(kind, name, {"spec": {"suspend": suspend}}, api_version=api_version)

    def _ray(self, job: Object) -> None:
        name = job["metadata"]["name"]
        cluster = self._client.get_or_none("RayCluster", name, api_version=_RAY)
        if job["spec"].get("suspend"):
            pods = [] if cluster is None else owned_pods(self._client, cluster)
            delete_pods(self._client, pods)
            if cluster is not None and not pods:
                self._client.delete("RayCluster", name, api_version=_RAY)
            self._says(job, "Suspended" if cluster is None else "Suspending")
        elif cluster is None:
            meta = {"name": name, "namespace": "default", "ownerReferences": [owner_of(job)]}
            self._client.create({"apiVersion": _RAY, "kind": "RayCluster", "metadata": meta, "spec": {}})
            self._says(job, "Initializing")
        else:
            ready = running(make_pods(self._client, cluster, PODS, **{"ray.io/cluster": name}))
            self._says(job, "Running" if ready == PODS else "Initializing")

    def _says(self, job: Object, state: str) -> None:
        if job.get("status", {}).get("jobDeploymentStatus") != state:
            status = {"jobDeploymentStatus": state}
            self._client.patch_status("RayJob", job["metadata"]["name"], status, api_version=_RAY)


def run_operated(client: ApiClient, kind: str, name: str) -> list[Object]:
    """A running job of that kind; its pods by name."""
    spec: dict[str, Any] = {"shutdownAfterJobFinishes": True} if kind == "RayJob" else {}
    meta = {"name": name, "namespace": "default"}
    client.apply({"apiVersion": VERSIONS[kind], "kind": kind, "metadata": meta, "spec": spec})
    return sorted(
        client.wait_for_pods(PODS, label_selector=f"app={name}"), key=lambda pod: str(pod["metadata"]["name"])
    )
