"""What stand-ins for controllers have in common, whose real ones cannot be built or need what a test has not."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from controlplane.client import ApiStatusError
from controlplane.cluster import ControlPlane


class StandIn:
    """Somebody who looks at the cluster again and again, in a thread of its own while the `with` block lasts."""

    def __init__(self, plane: ControlPlane, every: float = 0.05) -> None:
        self._client = plane.client_for("admin")
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self.failed: list[BaseException] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join(10)
        self._client.close()
        if self.failed:
            raise self.failed[0]

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self._step()
            except ApiStatusError as refused:
                if refused.code not in (404, 409):  # somebody deleted or changed it meanwhile
                    self.failed.append(refused)
                    return

    def _step(self) -> None:
        raise NotImplementedError
