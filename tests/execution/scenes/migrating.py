"""The world of `live-migrate`: machines of KubeVirt, which a stand-in for its controllers migrates."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.machines import MIGRATION, MigratingController, migrations, run_machines
from descheduler.model.plan import PodMove
from execution.plans import move_of


class Migrating:
    """Apps are machines of one name and a number each."""

    executor = "live-migrate"
    nodes: Sequence[str] = ("n1", "n2")
    directed = False

    def world(self, plane: ControlPlane) -> AbstractContextManager[object]:
        apply_crds(plane.client)
        return MigratingController(plane)

    def app(self, client: ApiClient, name: str, pods: int) -> list[PodMove]:
        found = run_machines(client, name, pods)
        return [
            move_of(
                pod,
                f"default/VirtualMachineInstance/{pod['metadata']['labels']['vm.kubevirt.io/name']}",
                "n1" if pod["spec"]["nodeName"] == "n2" else "n2",
            )
            for pod in found
        ]

    def wrong(self, client: ApiClient, name: str, pods: int) -> list[str]:
        def running() -> bool:
            there = client.list("Pod", "default", label_selector=f"app={name}")
            return sum(p["status"].get("phase") == "Running" for p in there) == pods

        try:
            client.wait_for(running, what=f"{pods} machines of {name} to run, each in one pod")
        except TimeoutError as error:
            return [str(error)]
        return []

    def left(self, client: ApiClient) -> list[str]:
        served = any(kind.name == MIGRATION for kind in client.kinds().preferred())
        return [f"{one['metadata']['name']} is not deleted" for one in migrations(client)] if served else []
