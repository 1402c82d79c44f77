"""The world of `reserve`: a stand-in for Koordinator's scheduler fills its Reservations."""

from __future__ import annotations

from contextlib import AbstractContextManager

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.reserving import NAME, ReservingScheduler, reservations
from execution.scenes.scene import Deployments


class Reserving(Deployments):
    """Apps are Deployments of that scheduler."""

    def __init__(self) -> None:
        super().__init__("reserve", ("n1", "n2"), NAME)
        self.directed = False

    def world(self, plane: ControlPlane) -> AbstractContextManager[object]:
        apply_crds(plane.client)
        return ReservingScheduler(plane)

    def left(self, client: ApiClient) -> list[str]:
        served = any(kind.name == "Reservation" for kind in client.kinds().preferred())
        names = [one["metadata"]["name"] for one in reservations(client)] if served else []
        return [f"{name} is not deleted" for name in names]
