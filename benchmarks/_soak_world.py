"""A loopback cluster that never rests: what its API server and its history server (`_soak_server`) tell of it.

Pods, workloads, nodes and budgets are made by `_api_server`. With each `POST /turn`, which tells the uids of all pods,
some are made again under other names, now and then a workload with its budget, or a node, gives way to a new one, and
now and then every watch is cut. Workloads that use much come to a few nodes, which are hot therefore; what is evicted
of them comes to others. The history server knows `soak_cpu` and `soak_memory` of the pods that there are, as if each
had been there all along: what a workload uses stays the same however often its pods are made again.
"""

from __future__ import annotations

import json
import random
import threading
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from _api_server import REPLICAS, _nodes, _pods, _replica_sets

Object = dict[str, Any]

PODS, NODES, ACCOUNTS = "/api/v1/pods", "/api/v1/nodes", "/api/v1/serviceaccounts"
REPLICA_SETS, BUDGETS, NAMESPACES = (
    "/apis/apps/v1/replicasets",
    "/apis/policy/v1/poddisruptionbudgets",
    "/api/v1/namespaces",
)
_PODS_PER_NODE = 20
_HOT, _HEAVY = 16, 5  # one node, one workload in so many
_CHURN = 20  # pods a turn
_STEADY = 85  # per cent of the workloads are never replaced, so that most have a history
_WORKLOAD_EVERY, _NODE_EVERY, _CUT_EVERY = 5, 10, 25  # turns
_REMEMBERED = 20_000  # events


class World:
    """All objects by the path of their list; every change is an event with a version of its own."""

    def __init__(self, pods: int) -> None:
        self.lock = threading.Condition()
        self.version = 1000
        self.cuts = 0
        self.turns = 0
        self.kept: dict[str, Object] = {}  # what is only got, created and replaced: ConfigMaps, Leases
        paths = (PODS, NODES, ACCOUNTS, REPLICA_SETS, BUDGETS, NAMESPACES)
        self.objects: dict[str, dict[str, Object]] = {path: {} for path in paths}
        self._events: deque[tuple[int, str, bytes]] = deque(maxlen=_REMEMBERED)
        self._pods = pods
        self._made = 0  # workloads
        self._names = 16**4  # the last part of pods' names
        self._rng = random.Random(1)
        for node in _nodes(0, pods // _PODS_PER_NODE, pods):
            self.put(NODES, json.loads(node))
        for i in range(50):
            self.put(NAMESPACES, {"metadata": {"name": f"team-{i:02d}", "uid": f"namespace-{i}"}})
            self.put(ACCOUNTS, {"metadata": {"name": "default", "namespace": f"team-{i:02d}", "uid": f"account-{i}"}})
        while len(self.objects[PODS]) < pods:
            self._grow()

    def put(self, path: str, made: Object) -> None:
        with self.lock:
            self.version += 1
            meta = made["metadata"]
            meta["resourceVersion"] = str(self.version)
            kind = "MODIFIED" if meta["uid"] in self.objects[path] else "ADDED"
            self.objects[path][meta["uid"]] = made
            self._tell(path, kind, made)

    def drop(self, path: str, uid: str) -> Object:
        with self.lock:
            self.version += 1
            gone = self.objects[path].pop(uid)
            gone["metadata"]["resourceVersion"] = str(self.version)
            self._tell(path, "DELETED", gone)
            return gone

    def turn(self) -> None:
        """One more round of changes."""
        with self.lock:
            self.turns += 1
            for uid in self._rng.sample(list(self.objects[PODS]), _CHURN):
                self._again(uid)
            if self.turns % _WORKLOAD_EVERY == 0:
                self._replace_workload()
            if self.turns % _NODE_EVERY == 0:
                self._replace_node()
            if self.turns % _CUT_EVERY == 0:
                self.cuts += 1
            self.lock.notify_all()

    def evict(self, namespace: str, name: str, dry: bool) -> bool:
        """Make the pod again elsewhere; whether there was one."""
        with self.lock:
            for uid, pod in self.objects[PODS].items():
                if (pod["metadata"]["namespace"], pod["metadata"]["name"]) == (namespace, name):
                    if not dry:
                        self._again(uid, evicted=True)
                    return True
        return False

    def since(self, path: str, version: int) -> tuple[int, list[bytes]]:
        """The events of a kind after a version, and the version that they lead to."""
        newer = takewhile(lambda event: event[0] > version, reversed(self._events))
        return self.version, [line for _, of, line in newer if of == path][::-1]

    def usage(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """What each pod uses, and always has."""
        with self.lock:
            metas = [pod["metadata"] for pod in self.objects[PODS].values()]
        for meta in metas:
            cores = 0.9 if _heavy(meta) else 0.2
            yield {"namespace": meta["namespace"], "pod": meta["name"]}, cores if "cpu" in name else 2.0**28

    def _place(self, pod: Object, *, evicted: bool = False) -> None:
        """Put a pod on the node with the fewest of those where it belongs."""
        used = Counter(p["spec"].get("nodeName") for p in self.objects[PODS].values())
        names = sorted(
            (n["metadata"]["name"] for n in self.objects[NODES].values()), key=lambda n: zlib.crc32(n.encode())
        )
        hot = max(1, len(names) // _HOT)
        fitting = names[:hot] if _heavy(pod["metadata"]) and not evicted else names[hot:]
        pod["spec"]["nodeName"] = min(fitting, key=lambda name: used[name])
        self.put(PODS, pod)

    def _again(self, uid: str, *, evicted: bool = False) -> None:
        """A pod goes, and its controller makes another."""
        pod: Object = json.loads(json.dumps(self.drop(PODS, uid)))
        self._names += 1
        pod["metadata"]["name"] = f"{pod['metadata']['name'].rpartition('-')[0]}-{self._names:05x}"
        pod["metadata"]["uid"] = f"again-{self._names}"
        self._place(pod, evicted=evicted)

    def _grow(self) -> None:
        """One workload more, its pods on the nodes with the fewest."""
        first, self._made = self._made, self._made + 1
        (owner,) = map(json.loads, _replica_sets(first, first + 1, self._pods))
        named = {key: owner["metadata"][key] for key in ("name", "uid")}
        self.put(REPLICA_SETS, owner)
        for text in _pods(first * REPLICAS, (first + 1) * REPLICAS, self._pods):
            pod = json.loads(text)
            pod["metadata"]["ownerReferences"][0] |= {"kind": "ReplicaSet", **named}
            self._place(pod)
        meta = {**owner["metadata"], "uid": f"budget-{named['uid']}"}
        spec = {"maxUnavailable": 3, "selector": owner["spec"]["selector"]}
        healthy = {"currentHealthy": REPLICAS, "desiredHealthy": REPLICAS - 3, "expectedPods": REPLICAS}
        self.put(BUDGETS, {"metadata": meta, "spec": spec, "status": {"disruptionsAllowed": 3, **healthy}})

    def _replace_workload(self) -> None:
        """Of those that are not steady the oldest."""
        owners = list(self.objects[REPLICA_SETS])
        uid = owners[len(owners) * _STEADY // 100]
        for pod in [u for u, p in self.objects[PODS].items() if p["metadata"]["ownerReferences"][0]["uid"] == uid]:
            self.drop(PODS, pod)
        self.drop(REPLICA_SETS, uid)
        self.drop(BUDGETS, f"budget-{uid}")
        self._grow()

    def _replace_node(self) -> None:
        """The oldest goes with its name; its pods are made again on the others."""
        node = self.drop(NODES, next(iter(self.objects[NODES])))
        gone, name = node["metadata"]["name"], f"node-new-{self.turns}"
        labels = node["metadata"]["labels"] | {"kubernetes.io/hostname": name}
        self.put(NODES, node | {"metadata": {"name": name, "uid": name, "labels": labels}})
        for uid in [u for u, p in self.objects[PODS].items() if p["spec"].get("nodeName") == gone]:
            self._again(uid)

    def _tell(self, path: str, kind: str, changed: Object) -> None:
        line = json.dumps({"type": kind, "object": changed}, separators=(",", ":")).encode() + b"\n"
        self._events.append((self.version, path, line))
        self.lock.notify_all()


def _heavy(meta: Object) -> bool:
    owner = meta["ownerReferences"][0]["name"]  # as `web-00012`
    return int(owner[-5:]) % _HEAVY == 0
