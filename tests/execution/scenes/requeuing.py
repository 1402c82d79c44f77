"""The world of `requeue`: Jobs, whom the control plane's Job controller stops and starts; others have stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.queueing import KubeQueue
from controlplane.volcano import VolcanoController
from descheduler.model.plan import PodMove
from execution.jobs import run_job, run_queued_job, run_volcano_job, stopped
from execution.plans import move_of


class Requeuing:
    """Apps are Jobs, each of which moves as a whole: of kube-queue or of Volcano where the name says so."""

    executor = "requeue"
    nodes = ("n1",)
    directed = False

    def world(self, plane: ControlPlane) -> AbstractContextManager[object]:
        return _controllers(plane)

    def app(self, client: ApiClient, name: str, pods: int) -> list[PodMove]:
        if "volcano" in name:
            found = run_volcano_job(client, name, pods)
        else:
            found = (run_queued_job if "queued" in name else run_job)(client, name, pods)
        return [move_of(pod, f"default/Job/{name}") for pod in found]

    def wrong(self, client: ApiClient, name: str, pods: int) -> list[str]:
        try:
            client.wait_for_pods(pods, label_selector=f"app={name}")
        except TimeoutError as error:
            return [str(error)]
        return []

    def left(self, client: ApiClient) -> list[str]:
        return [f"{name} is stopped or keeps our mark" for name in stopped(client)]


@contextmanager
def _controllers(plane: ControlPlane) -> Iterator[None]:
    apply_crds(plane.client)
    with KubeQueue(plane), VolcanoController(plane):
        yield
