"""The world of `requeue`: Jobs, whom the Job controller of the control plane stops and starts."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.model.plan import PodMove
from execution.jobs import run_job, stopped
from execution.plans import move_of


class Requeuing:
    """Apps are Jobs, each of which moves as a whole."""

    executor = "requeue"
    nodes = ("n1",)
    directed = False

    def world(self, _: ControlPlane) -> AbstractContextManager[object]:
        return nullcontext()

    def app(self, client: ApiClient, name: str, pods: int) -> list[PodMove]:
        return [move_of(pod, f"default/Job/{name}") for pod in run_job(client, name, pods)]

    def wrong(self, client: ApiClient, name: str, pods: int) -> list[str]:
        try:
            client.wait_for_pods(pods, label_selector=f"app={name}")
        except TimeoutError as error:
            return [str(error)]
        return []

    def left(self, client: ApiClient) -> list[str]:
        return [f"{name} is stopped or keeps our mark" for name in stopped(client)]
