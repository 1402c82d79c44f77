"""Putting a situation on a real control plane, and taking it away again.

Pods are written with their node and their status, as a scheduler and a kubelet would have left them, and owners adopt
them afterwards; so each pod is where the table says, whatever the scheduler would have thought of it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final

from controlplane.client import ApiClient
from peers.sigs.objects import metrics_definitions, namespace, owner, pods_of, samples, status_of, taint
from peers.sigs.situations import Object, Situation, Workload

_SELF_PLACING: Final = ("Job",)
_TRIES: Final = 5

Pods = dict[str, tuple[str, str]]
"""Uid -> (workload, node)."""


class MisplacedError(Exception):
    """A controller was quicker: it made pods of its own before it had seen those that it was to adopt."""


class Stage:
    """One control plane, on which situations come one after the other."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def put(self, situation: Situation) -> Pods:
        """All of a situation, once controllers have settled; its pods.

        Raises:
            MisplacedError: they are not where they should be; clear and try again.
        """
        namespaces = {w.namespace for w in situation.pods}
        self._client.apply_all(namespace(name) for name in sorted(namespaces) if name != "default")
        self._client.apply_all(situation.objects)
        self._in_parallel(self._node, situation.nodes.items())
        self._client.wait_for_nodes(*situation.nodes)
        self._place(situation.pods)
        owned = [w for w in situation.pods if w.kind and w.kind not in _SELF_PLACING]
        self._in_parallel(self._client.apply, (owner(w) for w in owned))
        self._in_parallel(self._adopted, owned)
        self._budgets(situation)
        if situation.usage:
            self._measure(situation)
        pods = self.pods(situation)
        wanted = {(w.name, node): count for w in situation.pods for node, count in w.at.items()}
        if Counter(pods.values()) != wanted:
            raise MisplacedError(f"{situation.name}: pods are {sorted(pods.values())}")
        return pods

    def staged(self, situation: Situation, clear: Callable[[], None]) -> Pods:
        """The same, tried again a few times after `clear`.

        Raises:
            MisplacedError: every time; so TimeoutError.
        """
        for _ in range(_TRIES - 1):
            with suppress(MisplacedError, TimeoutError):
                return self.put(situation)
            clear()
        return self.put(situation)

    def pods(self, situation: Situation) -> Pods:
        """The pods that are there and stay."""
        names = {w.name for w in situation.pods}
        return {
            pod["metadata"]["uid"]: (pod["metadata"]["labels"]["app"], pod["spec"].get("nodeName", ""))
            for pod in self._client.list("Pod")
            if pod["metadata"].get("labels", {}).get("app") in names and "deletionTimestamp" not in pod["metadata"]
        }

    def _place(self, workloads: Iterable[Workload]) -> None:
        """The older ones first, and as much earlier."""
        at = None
        for age in sorted({w.age for w in workloads}, reverse=True):
            time.sleep(max(0, at - age) if at is not None else 0)
            at = age
            alike = [w for w in workloads if w.age == age]
            self._in_parallel(self._pod, (pod for w in alike if w.kind not in _SELF_PLACING for pod in pods_of(w)))
            self._in_parallel(self._job, (w for w in alike if w.kind == "Job"))
        time.sleep(at or 0)

    def _pod(self, pod: Object) -> None:
        status = pod.pop("status")
        made = self._client.create(pod)
        self._client.patch_status("Pod", made["metadata"]["name"], status, made["metadata"]["namespace"])

    def _job(self, workload: Workload) -> None:
        """A Job makes its own pods; what becomes of them is written to them."""
        self._client.apply(owner(workload))
        count = sum(workload.at.values())
        pods = self._client.wait_for(
            lambda: self._of(workload) if len(self._of(workload)) == count else [], what=f"pods of {workload.name}"
        )
        for pod in pods:
            self._client.patch_status("Pod", pod["metadata"]["name"], status_of(workload), workload.namespace)
        self._client.wait_for(
            lambda: not workload.over or not any(p["metadata"].get("finalizers") for p in self._of(workload)),
            what=f"{workload.name} to be counted",
        )

    def _adopted(self, workload: Workload) -> None:
        count = sum(workload.at.values())

        def adopted() -> bool:
            pods = self._of(workload)
            owned = sum(any(o.get("controller") for o in p["metadata"].get("ownerReferences", ())) for p in pods)
            found = self._client.get(workload.kind, workload.name, workload.namespace)
            settled = workload.over or found.get("status", {}).get("replicas", count) == count
            return len(pods) == owned == count and settled

        if workload.over:
            self._own(workload)  # controllers adopt no pod that is over
        self._client.wait_for(adopted, what=f"{workload.name} to own {count} pods")

    def _own(self, workload: Workload) -> None:
        made = self._client.get(workload.kind, workload.name, workload.namespace)
        reference = {
            "apiVersion": made["apiVersion"],
            "kind": workload.kind,
            "name": workload.name,
            "uid": made["metadata"]["uid"],
            "controller": True,
        }
        for pod in self._of(workload):
            change = {"metadata": {"ownerReferences": [reference]}}
            self._client.patch("Pod", pod["metadata"]["name"], change, workload.namespace)

    def _of(self, workload: Workload) -> list[Object]:
        return self._client.list("Pod", workload.namespace, label_selector=f"app={workload.name}")

    def _budgets(self, situation: Situation) -> None:
        for budget in (o for o in situation.objects if o["kind"] == "PodDisruptionBudget"):
            meta = budget["metadata"]
            counted = partial(self._counted, meta["name"], meta["namespace"])
            self._client.wait_for(counted, what=f"the budget {meta['name']}")

    def _counted(self, name: str, namespace: str) -> bool:
        """Whether the budget knows of the pods that it selects."""
        found = self._client.get("PodDisruptionBudget", name, namespace)
        selector = found["spec"]["selector"].get("matchLabels", {})
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        pods = self._client.list("Pod", namespace, label_selector=labels)
        return int((found.get("status") or {}).get("currentHealthy", -1)) == len(pods)

    def _measure(self, situation: Situation) -> None:
        self._client.apply_all(metrics_definitions())
        self._client.wait_for(
            lambda: {"NodeMetrics", "PodMetrics"} <= {k.name for k in self._client.kinds(refresh=True).preferred()},
            what="metrics.k8s.io to be served",
        )
        self._client.apply_all(samples(situation))

    def _node(self, item: tuple[str, Mapping[str, Any]]) -> None:
        name, given = item
        rest = {**given}
        unschedulable = rest.pop("unschedulable", False)
        taints = [taint(text) for text in rest.pop("taints", ())]
        self._client.create_node(name, **{"cpu": "4", "memory": "16Gi", **rest}, taints=taints)
        if unschedulable:
            self._client.patch("Node", name, {"spec": {"unschedulable": True}})

    def _in_parallel(self, work: Any, items: Iterable[Any]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, items))
