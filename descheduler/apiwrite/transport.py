"""The seams of this package: how a request reaches the API server, and whether we may send a write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Transport(Protocol):
    """Raw requests to one API server, safe to share between threads; `kube.client.connection.KubeClient` is one.

    Raises the kinds of `ClusterError`, with `status` and `body` where the server answered.
    """

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float = 60.0,
    ) -> bytes: ...


class Leadership(Protocol):
    """The fence before every write."""

    def check(self) -> None:
        """Raises LeadershipLost unless we certainly lead at this moment."""


class Unelected:
    """Leadership where no election is held: a single replica that nobody competes with."""

    def check(self) -> None:
        return
