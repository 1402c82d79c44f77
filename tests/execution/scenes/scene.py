"""What measuring and killing an executor needs of it: a world in which it can move something, and how to tell."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.model.plan import PodMove
from execution.live import deployment
from execution.plans import move_of


class Scene(Protocol):
    """The world of one executor. Pods of an app carry the label `app` with its name, in the namespace `default`.

    `executor`: its name. `nodes`: that an app of the kill points needs; pods leave n1. `directed`: replacements follow
    the admission policy of overlay `active-directed`; else the executor holds their places itself.
    """

    executor: str
    nodes: Sequence[str]
    directed: bool

    def world(self, plane: ControlPlane) -> AbstractContextManager[object]:
        """While it lasts, whoever the executor relies upon is there."""
        ...

    def app(self, client: ApiClient, name: str, pods: int) -> list[PodMove]:
        """Bring up an app of so many running pods, and wait for them; the move of each, to n2."""
        ...

    def wrong(self, client: ApiClient, name: str, pods: int) -> list[str]:
        """What is not as it was before the app was moved. Waits until its pods are ready again."""
        ...

    def left(self, client: ApiClient) -> list[str]:
        """What the executor prepared and did not take away again."""
        ...


class Deployments:
    """Apps are Deployments, whom the scheduler of the control plane places."""

    def __init__(self, executor: str, nodes: Sequence[str] = ("n1",), scheduler: str = "") -> None:
        self.executor = executor
        self.nodes = nodes
        self.directed = True
        self._scheduler = scheduler

    def world(self, _: ControlPlane) -> AbstractContextManager[object]:
        return nullcontext()

    def app(self, client: ApiClient, name: str, pods: int) -> list[PodMove]:
        client.apply(deployment(name, pods, scheduler=self._scheduler, cpu="100m"))
        running = client.wait_for_pods(pods, label_selector=f"app={name}", timeout=120)
        return [move_of(p, f"default/Deployment/{name}") for p in running]

    def wrong(self, client: ApiClient, name: str, pods: int) -> list[str]:
        wanted = client.get("Deployment", name)["spec"]["replicas"]
        found = [f"{name} wants {wanted} replicas"] if wanted != pods else []
        try:
            client.wait_for_pods(pods, label_selector=f"app={name}")
        except TimeoutError as error:
            found.append(str(error))
        return found

    def left(self, _: ApiClient) -> list[str]:
        return []
