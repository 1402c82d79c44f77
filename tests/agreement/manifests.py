"""Random small clusters as manifests, many of them side by side in one API server.

A case lives in namespaces of its own and on nodes of its own, which only its pods tolerate (and in half of the cases
select). Label values, and in half of the cases the topology keys too, are its own as well, so that cases do not disturb
one another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

Manifest = dict[str, Any]

CLASSES = (
    "resources",
    "taints",
    "node-affinity",
    "ports",
    "volumes",
    "spread",
    "affinity",
    "anti-affinity",
    "preferences",
    "replicas",
    "mixed",
)
_PARTS = (
    "resources",
    "taints",
    "node-affinity",
    "ports",
    "volumes",
    "spread",
    "affinity",
    "anti-affinity",
    "preferences",
)
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
GPU = "nvidia.com/gpu"
SLOT = "agreement.test/slot"
DRIVER = "csi.agreement.test"
OVERHEAD, PRIORITY = "agreement-overhead", "agreement-priority"


def shared() -> list[Manifest]:
    """What all cases use: a RuntimeClass with overhead, a priority that preempts nobody, StorageClasses."""
    return [
        {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": OVERHEAD},
            "handler": "sandbox",
            "overhead": {"podFixed": {"cpu": "250m", "memory": "64Mi"}},
        },
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": PRIORITY},
            "value": 1000,
            "preemptionPolicy": "Never",
        },
        _storage_class("agreement-bound", "Immediate"),
        _storage_class("agreement-static", "WaitForFirstConsumer"),
    ]


def _storage_class(name: str, mode: str) -> Manifest:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": mode,
    }


@dataclass
class Case:
    """One small cluster of class `kind`; `parts` are the kinds of constraint that its pods have."""

    number: int
    kind: str
    rng: Random
    parts: frozenset[str] = frozenset()
    nodes: list[Manifest] = field(default_factory=list)
    pods: list[Manifest] = field(default_factory=list)
    rest: list[Manifest] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)

    @staticmethod
    def make(number: int, kind: str, rng: Random) -> Case:
        """Draw a case."""
        case = Case(number, kind, rng)
        own = {kind} & set(_PARTS) or {"resources"}
        case.parts = frozenset(rng.sample(_PARTS, 4) if kind == "mixed" else own)
        case._dense = rng.random() < 0.5
        case._selects = rng.random() < 0.5
        real = rng.random() < 0.5
        case.zone = ZONE if real or kind in ("replicas", "volumes") else f"case-{number}.test/zone"
        case.host = HOST if real or kind == "replicas" else f"case-{number}.test/host"
        case.nodes = [case._node(i) for i in range(rng.randint(1, 3) if case._dense else rng.randint(2, 7))]
        case._storage()
        if kind == "replicas":
            case.rest += [case._replica_set(), *([case._service()] if rng.random() < 0.5 else [])]
        count = rng.randint(0, (6 if case._dense else 3) * len(case.nodes))
        case.pods = [case._pod(f"pod-{i}", rng.choice(case.nodes)["metadata"]["name"]) for i in range(count)]
        return case

    zone: str = ZONE
    host: str = HOST
    _selects: bool = True
    _dense: bool = False  # fewer nodes and more constraints, so that more pods fit nowhere

    @property
    def namespaces(self) -> tuple[str, str]:
        return f"case-{self.number}-a", f"case-{self.number}-b"

    def namespace_manifests(self) -> list[Manifest]:
        return [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {"case": str(self.number), "team": name[-1]}},
            }
            for name in self.namespaces
        ]

    def probe(self, turn: int) -> Manifest:
        """A pending pod. (Of class `replicas`: its ReplicaSet, one larger; the controller makes the pod.)"""
        if self.kind == "replicas":
            return {
                "kind": "ReplicaSet",
                "metadata": {"name": "web", "namespace": self.namespaces[0]},
                "replicas": turn + 1,
            }
        pod = self._pod(f"probe-{turn}", "")
        if self.rng.random() < 0.55:
            self._pin(pod, self.rng.randrange(len(self.nodes)))
        return pod

    def _pin(self, pod: Manifest, node: int) -> None:
        """Let only one node do, by a resource that the others lack, so that the verdict on that node shows.

        A node selector would do as well, but also change which nodes a spread constraint counts.
        """
        resources = pod["spec"]["containers"][0]["resources"]
        for amounts in (resources["requests"], resources["limits"]):
            amounts[f"{SLOT}-{node}"] = "1"

    # -- nodes ------------------------------------------------------------------------------------------------------

    def _node(self, i: int) -> Manifest:
        rng, name = self.rng, f"case-{self.number}-node-{i}"
        tight = bool({"resources"} & self.parts)
        capacity = {
            "cpu": rng.choice(("2", "4", "3500m", "8")) if tight else rng.choice(("16", "32")),
            "memory": rng.choice(("4Gi", "8Gi", "7900Mi", "16Gi")) if tight else rng.choice(("64Gi", "128Gi")),
            "pods": rng.choice(("3", "6", "110")) if tight else "110",
            "ephemeral-storage": "20Gi",
            f"{SLOT}-{i}": "100",
        }
        if rng.random() < 0.3:
            capacity[rng.choice((GPU, "example.com/fpga"))] = str(rng.randint(1, 4))
        labels = {HOST: name, self.host: name, "disk": rng.choice(("ssd", "hdd")), "size": str(rng.randint(1, 5))}
        if rng.random() < 0.85:
            labels[self.zone] = f"zone-{self.number}-{rng.choice('abc')}"
        if self._selects:
            labels["case"] = str(self.number)
        if rng.random() < 0.03:
            labels["kubelet.test/node"] = "down"
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "taints": self._node_taints(),
                **({"unschedulable": True} if "taints" in self.parts and rng.random() < 0.2 else {}),
            },
            "status": {"capacity": capacity, "allocatable": capacity},
        }

    def _node_taints(self) -> list[Manifest]:
        taints = [{"key": "case", "value": str(self.number), "effect": "NoSchedule"}]
        if "taints" in self.parts:
            for key in self.rng.sample(("dedicated", "spot"), self.rng.randint(0, 2)):
                effect = self.rng.choice(("NoSchedule", "NoExecute", "PreferNoSchedule", "PreferNoSchedule"))
                taints.append({"key": key, "value": self.rng.choice("xy"), "effect": effect})
        return taints

    # -- storage and workloads --------------------------------------------------------------------------------------

    def _storage(self) -> None:
        if "volumes" not in self.parts:
            return
        self.rest += self._attach_limits()
        for i in range(6):
            name, static = f"case-{self.number}-pv-{i}", i == 5
            claim = f"claim-{i}"
            mode = (
                self.rng.choice(("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"))
                if not static
                else "ReadWriteOnce"
            )
            self.rest += [self._volume(name, claim, mode, static), self._claim(name, claim, mode, static)]
            self.claims.append(claim)
        self.rest.append(self._claim("", "unbound", "ReadWriteOnce", static=False))
        self.claims += ["missing", "unbound"] if self.rng.random() < 0.3 else []

    def _attach_limits(self) -> list[Manifest]:
        """Of some nodes: they can have one or two volumes attached."""
        rng = Random(self.number)
        return [
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "CSINode",
                "metadata": {"name": one["metadata"]["name"]},
                "spec": {"drivers": [{"name": DRIVER, "nodeID": "i", "allocatable": {"count": rng.choice((1, 1, 2))}}]},
            }
            for one in self.nodes
            if rng.random() < 0.4
        ]

    def _volume(self, name: str, claim: str, mode: str, static: bool) -> Manifest:
        zones = sorted({f"zone-{self.number}-{self.rng.choice('abc')}" for _ in range(2)})
        spec: Manifest = {
            "capacity": {"storage": "1Gi"},
            "accessModes": [mode],
            **self._source(name),
            "storageClassName": "agreement-static" if static else "agreement-bound",
            "persistentVolumeReclaimPolicy": "Retain",
        }
        labels: dict[str, str] = {}
        if static or self.rng.random() < 0.6:
            match = {"key": self.zone, "operator": "In", "values": zones}
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [match]}]}}
        elif self.rng.random() < 0.55:
            labels = {self.rng.choice((ZONE, "failure-domain.beta.kubernetes.io/zone")): "__".join(zones)}
        if not static:
            spec["claimRef"] = {"namespace": self.namespaces[0], "name": claim}
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "labels": labels},
            "spec": spec,
        }

    def _source(self, volume: str) -> Manifest:
        if self.number % 2:
            return {"hostPath": {"path": "/data"}}
        return {"csi": {"driver": DRIVER, "volumeHandle": f"handle-{volume}"}}

    def _claim(self, volume: str, claim: str, mode: str, static: bool) -> Manifest:
        spec = {
            "accessModes": [mode],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "agreement-static" if static else "agreement-bound",
            **({} if static or not volume else {"volumeName": volume}),
        }
        meta = {"name": claim, "namespace": self.namespaces[0]}
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}

    def _replica_set(self) -> Manifest:
        pod = self._pod("web", "")
        labels = {"app": f"set-{self.number}"}
        template = {"metadata": {"labels": labels}, "spec": pod["spec"]}
        meta = {"name": "web", "namespace": self.namespaces[0]}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta, "spec": spec}

    def _service(self) -> Manifest:
        meta = {"name": "web", "namespace": self.namespaces[0]}
        spec = {"selector": {"app": f"set-{self.number}"}, "ports": [{"port": 80}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}

    # -- pods -------------------------------------------------------------------------------------------------------

    def _pod(self, name: str, node: str) -> Manifest:
        rng = self.rng
        labels = {"app": rng.choice(("web", "web", "web", "db")) + f"-{self.number}"}
        if rng.random() < 0.5:
            labels["version"] = rng.choice("12")
        namespace = self.namespaces[0 if rng.random() < 0.85 else 1]
        spec: Manifest = {"terminationGracePeriodSeconds": 600 if node else 0, **self._containers()}
        if self._selects:
            spec["nodeSelector"] = {"case": str(self.number)}
        spec["tolerations"] = self._tolerations()
        affinity = self._affinity()
        if affinity:
            spec["affinity"] = affinity
        if "spread" in self.parts and rng.random() < (1.0 if self._dense else 0.7):
            spec["topologySpreadConstraints"] = self._spread()
        if self.claims and rng.random() < 0.6:
            namespace = self.namespaces[0]
            chosen = rng.sample(self.claims, rng.randint(1, 2))
            if node:  # a pod that is bound must not wait for volumes, nor take those that are still free
                chosen = [c for c in chosen if c not in ("claim-5", "missing", "unbound")]
            spec["volumes"] = [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in chosen]
        if rng.random() < 0.15:
            spec["runtimeClassName"] = OVERHEAD
        if rng.random() < 0.2:
            spec["priorityClassName"] = PRIORITY
        if node:
            spec["nodeName"] = node
        meta: Manifest = {"name": name, "namespace": namespace, "labels": labels}
        if node and rng.random() < 0.1:
            meta["annotations"] = {"kubelet.test/stop-after": "3600s", "agreement.test/delete": "true"}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}

    def _containers(self) -> Manifest:
        rng = self.rng
        containers = [self._container(f"main-{i}") for i in range(rng.choice((1, 1, 1, 2)))]
        if "ports" in self.parts and rng.random() < 0.7:
            port = {
                "containerPort": 80,
                "hostPort": rng.choice((8080, 8443)),
                "protocol": rng.choice(("TCP", "TCP", "UDP")),
                **rng.choice(({}, {"hostIP": "0.0.0.0"}, {"hostIP": "10.0.0.1"}, {"hostIP": "10.0.0.2"})),
            }
            containers[0]["ports"] = [port]
        out: Manifest = {"containers": containers}
        if rng.random() < 0.3:
            init = self._container("init-0")
            if rng.random() < 0.5:
                init["restartPolicy"] = "Always"
            out["initContainers"] = [init]
        return out

    def _container(self, name: str) -> Manifest:
        rng = self.rng
        requests: dict[str, str] = {}
        if rng.random() < 0.8:
            requests["cpu"] = rng.choice(("50m", "100m", "500m", "1", "1500m")) if "resources" in self.parts else "100m"
        if rng.random() < 0.8:
            requests["memory"] = rng.choice(("100Mi", "512Mi", "1Gi", "3Gi")) if "resources" in self.parts else "100Mi"
        limits: dict[str, str] = {}
        if "resources" in self.parts and rng.random() < 0.2:
            limits = {rng.choice((GPU, "example.com/fpga")): "1"}
        if rng.random() < 0.1:
            requests["ephemeral-storage"] = rng.choice(("1Gi", "8Gi"))
        return {
            "name": name,
            "image": "none",
            "resources": {"requests": {**requests, **limits}, "limits": dict(limits)},
        }

    def _tolerations(self) -> list[Manifest]:
        rng = self.rng
        found = [{"key": "case", "operator": "Equal", "value": str(self.number), "effect": "NoSchedule"}]
        if "taints" in self.parts:
            for key in ("dedicated", "spot", "node.kubernetes.io/unschedulable"):
                if rng.random() < 0.4:
                    operator = rng.choice(("Equal", "Exists"))
                    one = {
                        "key": key,
                        "operator": operator,
                        **({"value": rng.choice("xy")} if operator == "Equal" else {}),
                    }
                    if rng.random() < 0.5:
                        one["effect"] = rng.choice(("NoSchedule", "NoExecute", "PreferNoSchedule"))
                    found.append(one)
        return found

    def _affinity(self) -> Manifest:
        rng, out = self.rng, {}
        if "node-affinity" in self.parts and rng.random() < 0.8:
            out["nodeAffinity"] = self._node_affinity(required=rng.random() < 0.8, preferred=rng.random() < 0.5)
        elif "preferences" in self.parts and rng.random() < 0.5:
            out["nodeAffinity"] = self._node_affinity(required=False, preferred=True)
        for part, key in (("affinity", "podAffinity"), ("anti-affinity", "podAntiAffinity")):
            one: Manifest = {}
            if part in self.parts and rng.random() < (0.9 if self._dense else 0.6):
                terms = [self._term() for _ in range(rng.choice((1, 1, 2)))]
                one["requiredDuringSchedulingIgnoredDuringExecution"] = terms
            if "preferences" in self.parts and rng.random() < 0.5:
                terms = [
                    {"weight": rng.randint(1, 100), "podAffinityTerm": self._term()} for _ in range(rng.randint(1, 2))
                ]
                one["preferredDuringSchedulingIgnoredDuringExecution"] = terms
            if one:
                out[key] = one
        return out

    def _node_affinity(self, *, required: bool, preferred: bool) -> Manifest:
        rng = self.rng
        out: Manifest = {}

        def term() -> Manifest:
            made: Manifest = {"matchExpressions": [self._expression() for _ in range(rng.randint(1, 2))]}
            if rng.random() < 0.2:
                name = f"case-{self.number}-node-{rng.randint(0, 6)}"
                made["matchFields"] = [
                    {"key": "metadata.name", "operator": rng.choice(("In", "NotIn")), "values": [name]}
                ]
            return made

        if required:
            terms = [term() for _ in range(rng.randint(1, 2))]
            out["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
        if preferred:
            weighted = [{"weight": rng.randint(1, 100), "preference": term()} for _ in range(rng.randint(1, 3))]
            out["preferredDuringSchedulingIgnoredDuringExecution"] = weighted
        return out

    def _expression(self) -> Manifest:
        rng = self.rng
        operator = rng.choice(("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"))
        if operator in ("Gt", "Lt"):
            return {"key": "size", "operator": operator, "values": [str(rng.randint(1, 5))]}
        zones = [f"zone-{self.number}-{z}" for z in "abc"]
        key, values = rng.choice((("disk", ["ssd", "hdd"]), (self.zone, zones)))
        if operator in ("Exists", "DoesNotExist"):
            return {"key": key, "operator": operator}
        return {"key": key, "operator": operator, "values": rng.sample(values, rng.randint(1, len(values)))}

    def _selector(self, *, anywhere: bool) -> Manifest | None:
        """A label selector; one that is used over `anywhere` names labels of this case only."""
        rng = self.rng
        apps = [f"web-{self.number}", f"db-{self.number}"]
        kind = rng.random()
        if anywhere or kind < 0.6:
            return {"matchLabels": {"app": rng.choice(apps)}}
        if kind < 0.65:
            return None
        if kind < 0.7:
            return {}
        operator = rng.choice(("In", "NotIn", "Exists", "DoesNotExist"))
        if operator in ("In", "NotIn"):
            return {"matchExpressions": [{"key": "version", "operator": operator, "values": [rng.choice("12")]}]}
        return {"matchExpressions": [{"key": "version", "operator": operator}]}

    def _term(self) -> Manifest:
        rng = self.rng
        spaces: Manifest = rng.choice(
            (
                {},
                {},
                {"namespaces": [self.namespaces[1]]},
                {"namespaces": list(self.namespaces)},
                {"namespaceSelector": {"matchLabels": {"case": str(self.number), "team": "b"}}},
                {"namespaceSelector": {"matchLabels": {"case": str(self.number)}}},
                {"namespaceSelector": {}},
            )
        )
        term: Manifest = {"topologyKey": rng.choice((self.zone, self.host)), **spaces}
        selector = self._selector(anywhere=spaces.get("namespaceSelector") == {})
        if selector is not None:
            term["labelSelector"] = selector
            for keys in ("matchLabelKeys", "mismatchLabelKeys"):
                named = "version" in str(selector)
                if not named and rng.random() < 0.15:
                    term[keys] = ["version"]
                    break
        return term

    def _spread(self) -> list[Manifest]:
        rng, out = self.rng, []
        hard = rng.choice(("DoNotSchedule", "DoNotSchedule", "ScheduleAnyway"))
        for key in rng.sample((self.zone, self.host), rng.randint(1, 2)):
            selector = self._selector(anywhere=False)
            one: Manifest = {
                "maxSkew": rng.choice((1, 1, 1, 2, 3)),
                "topologyKey": key,
                "whenUnsatisfiable": hard if rng.random() < 0.8 else "ScheduleAnyway",
                "nodeAffinityPolicy": rng.choice(("Honor", "Honor", "Ignore")),
                "nodeTaintsPolicy": rng.choice(("Ignore", "Honor")),
                **({"labelSelector": selector} if selector is not None else {}),
            }
            if one["whenUnsatisfiable"] == "DoNotSchedule" and rng.random() < 0.3:
                one["minDomains"] = rng.randint(1, 4)
            if selector is not None and "version" not in str(selector) and rng.random() < 0.2:
                one["matchLabelKeys"] = ["version"]
            out.append(one)
        return out
