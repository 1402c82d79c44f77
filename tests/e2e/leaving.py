"""A node that its pods must leave, for a taint that it got: nobody needs to know what they use.

They are of the scene of an executor: Deployments and Jobs have their real controllers; koord-scheduler,
koord-descheduler and KubeVirt have stand-ins (`controlplane`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.migrating import MigratingDescheduler
from execution.live import uids
from execution.scenes.registry import SCENES
from execution.scenes.scene import Scene

APP, PODS = "web", 1
_POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
interval: 10s
acting: {{executor: {executor}, executors: {{{args}}}, waveTimeout: 60s}}
strategies:
  - RemovePodsViolatingNodeTaints: {{}}
"""


@dataclass(frozen=True)
class Case:
    """An executor with arguments, the overlay that it acts under, and who else must be there."""

    executor: str
    overlay: str
    args: str = ""
    beside: Callable[[ControlPlane], AbstractContextManager[object]] | None = None

    @property
    def scene(self) -> Scene:
        """Its world."""
        return SCENES[self.executor]

    @property
    def policy(self) -> str:
        """One that has it move the pods."""
        return _POLICY.format(executor=self.executor, args=self.args)

    @contextmanager
    def world(self, plane: ControlPlane) -> Iterator[set[str]]:
        """While it lasts, whoever the executor relies upon is there; uids of the pods that are to leave n1 for n2."""
        plane.client.create_node("n1", cpu=64)
        plane.client.wait_for_nodes("n1")
        with ExitStack() as stack:
            stack.enter_context(self.scene.world(plane))
            if self.beside is not None:
                stack.enter_context(self.beside(plane))
            yield self._leaving(plane.client)

    def _leaving(self, client: ApiClient) -> set[str]:
        self.scene.app(client, APP, PODS)
        client.wait_for(
            lambda: all(pod["spec"].get("nodeName") for pod in client.list("Pod", "default")),
            what="all pods to run on n1",
        )
        client.create_node("n2", cpu=64)
        client.wait_for_nodes("n2")
        client.patch("Node", "n1", {"spec": {"taints": [{"key": "a.example/closed", "effect": "NoSchedule"}]}})
        return uids(client, APP)


CASES = {
    "evict": Case("evict", "active"),
    "surge": Case("surge", "active-surge"),
    "reserve": Case("reserve", "active-reserve"),
    "reserve, by jobs": Case("reserve", "active-reserve", "reserve: {evictBy: PodMigrationJob}", MigratingDescheduler),
    "requeue": Case("requeue", "active-requeue"),
    "live-migrate": Case("live-migrate", "active-live-migrate"),
}
