"""A witness: a watch of the pods of a namespace that nothing disturbs, so that no moment is missed."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from controlplane.client import pod_ready
from controlplane.cluster import ControlPlane
from descheduler.kube.client.connection import connect

_PODS = "/api/v1/namespaces/default/pods"


@dataclass
class Witness:
    """`gone`: uids of pods that were deleted, or are being; `least`: the fewest ready pods that there ever were of
    those with one value of `label`, by that value, where there was once one less; `lost`: uids of ready pods that left
    before another was ready in their place.
    """

    label: str
    gone: set[str] = field(default_factory=set)
    least: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    _ready: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _wanted: dict[str, int] = field(default_factory=dict)

    def take(self, kind: str, pod: Mapping[str, Any]) -> None:
        """One event of the watch."""
        meta = pod["metadata"]
        leaving = kind == "DELETED" or "deletionTimestamp" in meta
        if leaving:
            self.gone.add(meta["uid"])
        group = meta["labels"].get(self.label, "")
        ready = self._ready[group]
        if pod_ready(pod) and not leaving:
            ready.add(meta["uid"])
        elif meta["uid"] in ready:
            ready.discard(meta["uid"])
            self.least[group] = min(self.least.get(group, len(ready)), len(ready))
            if leaving and len(ready) < self._wanted.get(group, 0):
                self.lost.add(meta["uid"])

    def begin(self) -> None:
        """From now on as many ready pods are wanted as there are."""
        self._wanted = {group: len(ready) for group, ready in self._ready.items()}


@contextmanager
def witnessed(plane: ControlPlane, label: str = "app") -> Iterator[Witness]:
    """Watch the pods of the namespace `default` while the block lasts."""
    client, witness = connect(plane.kubeconfig()), Witness(label)
    listed = json.loads(client.get(_PODS))
    for pod in listed["items"]:
        witness.take("ADDED", pod)
    witness.begin()
    lines = client.stream(_PODS, {"watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"]})

    def follow() -> None:
        for line in lines:
            event = json.loads(line)
            witness.take(event["type"], event["object"])

    thread = threading.Thread(target=follow, name="witness", daemon=True)
    thread.start()
    try:
        yield witness
    finally:
        lines.close()
        thread.join(10)
        client.close()
