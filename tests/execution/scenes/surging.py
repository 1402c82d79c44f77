"""The world of `surge`: Deployments, and a second node for the replica more."""

from __future__ import annotations

from controlplane.client import ApiClient
from descheduler.execution.executors.surge.book import SURGES
from descheduler.execution.executors.surge.pods import COST, MARK
from execution.scenes.scene import Deployments


class Surging(Deployments):
    """Whom the scheduler of the control plane places."""

    def __init__(self) -> None:
        super().__init__("surge", ("n1", "n2"))

    def left(self, client: ApiClient) -> list[str]:
        book = (client.get_or_none("ConfigMap", SURGES) or {}).get("data") or {}
        pods = [p["metadata"] for p in client.list("Pod", "default") if "deletionTimestamp" not in p["metadata"]]
        marked = [pod["name"] for pod in pods if {MARK, COST} & (pod.get("annotations") or {}).keys()]
        book_left = [f"{text} stays in the book" for text in book.values()]
        return [*book_left, *(f"{name} keeps our mark" for name in marked)]
