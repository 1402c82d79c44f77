"""Random small clusters with devices of drivers, and pods with resource claims.

As other cases these live side by side: drivers and device classes are of one case, and its classes choose by driver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

Manifest = dict[str, Any]

KINDS = ("plain", "attributes", "lists", "partitions", "shares", "reach", "pools", "mixed", "extended")
_API = "resource.k8s.io/v1"
_HOST = "kubernetes.io/hostname"


@dataclass
class ClaimCase:
    """One small cluster of class `kind`."""

    number: int
    kind: str
    rng: Random
    nodes: list[Manifest] = field(default_factory=list)
    pods: list[Manifest] = field(default_factory=list)
    rest: list[Manifest] = field(default_factory=list)
    given: list[Manifest] = field(default_factory=list)  # claims that are allocated beforehand

    @staticmethod
    def make(number: int, kind: str, rng: Random) -> ClaimCase:
        """Draw a case."""
        case = ClaimCase(number, kind, rng)
        case.nodes = [case._node(i) for i in range(rng.randint(2, 5))]
        case._pools()
        case._classes()
        case.rest += [case._template(i) for i in range(6)]
        case._claims()
        return case

    @property
    def driver(self) -> str:
        return f"gpu.case-{self.number}.test"

    @property
    def namespaces(self) -> tuple[str, str]:
        return f"case-{self.number}-a", f"case-{self.number}-b"

    def namespace_manifests(self) -> list[Manifest]:
        labels = {"resource.kubernetes.io/admin-access": "true"}
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            for name in self.namespaces
        ]

    def probe(self, turn: int) -> Manifest:
        """A pending pod."""
        rng = self.rng
        claims: list[Manifest] = []
        names = rng.sample(("free", "given-0", "given-1"), 3)
        for i in range(rng.choice((1, 1, 1, 2))):
            if rng.random() < 0.2:
                claims.append({"name": f"c{i}", "resourceClaimName": names.pop()})
            else:
                claims.append({"name": f"c{i}", "resourceClaimTemplateName": f"template-{rng.randrange(6)}"})
        selector = {"case": str(self.number)}
        if rng.random() < 0.3:
            selector[_HOST] = rng.choice(self.nodes)["metadata"]["name"]
        containers: Manifest = {"containers": [_container("main")]}
        if self.has("extended") and rng.random() < 0.9:
            containers = self._asking_for_resources()
            # The scheduler never binds a pod with claims to a node that offers all its resources.
            offering = any(self._resources[i] in one["status"]["allocatable"] for one in self.nodes for i in (0, 1))
            claims = claims if rng.random() < 0.3 and not offering else []
        spec = {
            "terminationGracePeriodSeconds": 0,
            **containers,
            "nodeSelector": selector,
            "tolerations": [{"key": "case", "operator": "Equal", "value": str(self.number), "effect": "NoSchedule"}],
            "resourceClaims": claims,
        }
        meta = {"name": f"probe-{turn}", "namespace": self.namespaces[0]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}

    def has(self, *kinds: str) -> bool:
        """Whether what these classes are about belongs into this case."""
        return self.kind in kinds or (self.kind == "mixed" and self.rng.random() < 0.4)

    # -- nodes and devices ------------------------------------------------------------------------------------------

    def _node(self, i: int) -> Manifest:
        name = f"case-{self.number}-node-{i}"
        amounts = {"cpu": "16", "memory": "64Gi", "pods": "110"}
        if self.has("extended"):  # a device plug-in on some nodes, of which some give nothing out
            for resource in self._resources[:2]:
                if self.number % 3 and self.rng.random() < 0.4:
                    amounts[resource] = self.rng.choice("0124")
        labels = {_HOST: name, "case": str(self.number), "rack": f"rack-{self.number}-{self.rng.choice('ab')}"}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"taints": [{"key": "case", "value": str(self.number), "effect": "NoSchedule"}]},
            "status": {"capacity": amounts, "allocatable": amounts},
        }

    def _pools(self) -> None:
        for one in self.nodes:
            name = one["metadata"]["name"]
            if self.has("partitions"):
                self._partitioned(name)
            elif self.rng.random() < 0.9 and self._resources[0] not in one["status"]["allocatable"]:
                self._local(name)
        if self.has("reach"):
            self._reaching()

    def _slice(self, name: str, pool: str, spec: Manifest, count: int = 1, generation: int = 1) -> None:
        described = {"name": pool, "generation": generation, "resourceSliceCount": count}
        spec = {"driver": self.driver, "pool": described, **spec}
        self.rest.append({"apiVersion": _API, "kind": "ResourceSlice", "metadata": {"name": name}, "spec": spec})

    def _local(self, node: str) -> None:
        rng = self.rng
        devices = [self._device(f"gpu-{i}") for i in range(rng.randint(1, 6))]
        if self.has("pools") and len(devices) > 1:
            cut = rng.randint(1, len(devices) - 1)
            count = rng.choice((2, 2, 2, 3))
            if rng.random() < 0.15:
                devices[-1]["name"] = devices[0]["name"]
            self._slice(f"{node}-b", node, {"nodeName": node, "devices": devices[:cut]}, count, 2)
            self._slice(f"{node}-a", node, {"nodeName": node, "devices": devices[cut:]}, count, 2)
            if rng.random() < 0.5:
                old = [self._device(f"gpu-{i}") for i in range(4)]
                self._slice(f"{node}-old", node, {"nodeName": node, "devices": old}, 1, 1)
        else:
            self._slice(node, node, {"nodeName": node, "devices": devices})

    def _device(self, name: str) -> Manifest:
        rng = self.rng
        attributes: Manifest = {
            "model": {"string": rng.choice(("a100", "h100", "h100"))},
            "index": {"int": rng.randint(0, 3)},
            "ecc": {"bool": rng.random() < 0.7},
            "firmware": {"version": rng.choice(("1.2.3", "1.10.0", "2.0.0-rc.1", "2.0.0"))},
            "resource.kubernetes.io/pcieRoot": {"string": f"pci{rng.randint(0, 1)}"},
            "other.test/numa": {"int": rng.randint(0, 1)},
        }
        for key in list(attributes):
            if self.has("attributes") and rng.random() < 0.08:
                del attributes[key]
        found: Manifest = {
            "name": name,
            "attributes": attributes,
            "capacity": {"memory": {"value": rng.choice(("40Gi", "80Gi"))}},
        }
        if rng.random() < 0.15:
            effect = rng.choice(("NoSchedule", "NoSchedule", "None"))
            found["taints"] = [{"key": rng.choice(("broken", "kept")), "value": "yes", "effect": effect}]
        if self.has("shares"):
            found["allowMultipleAllocations"] = True
            found["capacity"] = {"memory": self._shared_memory()}
        return found

    def _shared_memory(self) -> Manifest:
        value = "40Gi"
        policy = self.rng.choice(
            (
                None,
                {"default": "10Gi"},
                {"default": "10Gi", "validValues": ["10Gi", "20Gi", "40Gi"]},
                {"default": "8Gi", "validRange": {"min": "4Gi", "max": "32Gi", "step": "4Gi"}},
            )
        )
        return {"value": value, **({"requestPolicy": policy} if policy else {})}

    def _partitioned(self, node: str) -> None:
        """One GPU or two, of which wholes and parts are listed that use up the same counters."""
        rng = self.rng
        gpus = range(rng.randint(1, 2))
        sets = [{"name": f"set-{g}", "counters": {"memory": {"value": "40Gi"}, "units": {"value": "7"}}} for g in gpus]
        devices = []
        for gpu in gpus:
            for name, memory, units in (
                ("whole", "40Gi", "7"),
                ("half-0", "20Gi", "3"),
                ("half-1", "20Gi", "4"),
                ("part-0", "10Gi", "1"),
                ("part-1", "10Gi", "2"),
            ):
                one = self._device(f"gpu-{gpu}-{name}")
                one.pop("allowMultipleAllocations", None)
                one["capacity"] = {"memory": {"value": memory}}
                counters = {"memory": {"value": memory}, "units": {"value": units}}
                one["consumesCounters"] = [{"counterSet": f"set-{gpu}", "counters": counters}]
                devices.append(one)
        self._slice(f"{node}-counters", node, {"nodeName": node, "sharedCounters": sets}, 2)
        self._slice(f"{node}-devices", node, {"nodeName": node, "devices": devices}, 2)

    def _reaching(self) -> None:
        """Devices that several nodes can use."""
        name, rng = f"case-{self.number}-fabric", self.rng
        devices = [self._device(f"nic-{i}") for i in range(rng.randint(1, 4))]
        in_rack = {"key": "rack", "operator": "In", "values": [f"rack-{self.number}-{rng.choice('ab')}"]}
        in_case = {"key": "case", "operator": "In", "values": [str(self.number)]}
        match rng.choice(("rack", "case", "all", "device")):
            case "rack":
                spec = {"nodeSelector": {"nodeSelectorTerms": [{"matchExpressions": [in_rack, in_case]}]}}
            case "case":
                spec = {"nodeSelector": {"nodeSelectorTerms": [{"matchExpressions": [in_case]}]}}
            case "all":
                spec = {"allNodes": True}
            case _:
                spec = {"perDeviceNodeSelection": True}
                for one in devices:
                    one |= rng.choice(
                        (
                            {"nodeName": rng.choice(self.nodes)["metadata"]["name"]},
                            {"nodeSelector": {"nodeSelectorTerms": [{"matchExpressions": [in_case]}]}},
                            {"nodeSelector": {"nodeSelectorTerms": [{"matchExpressions": [in_rack]}]}},
                        )
                    )
        self._slice(name, name, {**spec, "devices": devices})

    # -- extended resources -------------------------------------------------------------------------------------------

    @property
    def _resources(self) -> tuple[str, str, str]:
        """Two that classes name, and one that a class is anyhow. No node gives out a GPU in two ways."""
        mine = f"case-{self.number}.test"
        return f"{mine}/gpu", f"{mine}/big", f"deviceclass.resource.kubernetes.io/case-{self.number}-any"

    def _asking_for_resources(self) -> Manifest:
        rng, resources = self.rng, (*self._resources, self._resources[0])

        def asking(name: str, most: int) -> Manifest:
            chosen = rng.sample(resources, rng.choice((1, 1, 2)))
            return _container(name, {one: str(rng.randint(0, most)) for one in chosen})

        found: Manifest = {"containers": [asking(f"c{i}", 2) for i in range(rng.choice((1, 1, 2)))]}
        if rng.random() < 0.4:
            found["initContainers"] = [asking(f"i{i}", 3) for i in range(rng.choice((1, 2)))]
            if rng.random() < 0.5:
                found["initContainers"][0]["restartPolicy"] = "Always"
        return found

    # -- what is asked for ------------------------------------------------------------------------------------------

    def _classes(self) -> None:
        mine = f'device.driver == "{self.driver}"'
        big = f'device.capacity["{self.driver}"].memory.compareTo(quantity("80Gi")) >= 0'
        for name, selectors in (("any", [mine]), ("big", [f"{mine} && {big}"])):
            spec: Manifest = {"selectors": [{"cel": {"expression": text}} for text in selectors]}
            if self.has("extended"):
                spec["extendedResourceName"] = self._resources[name == "big"]
            meta = {"name": f"case-{self.number}-{name}"}
            self.rest.append({"apiVersion": _API, "kind": "DeviceClass", "metadata": meta, "spec": spec})

    def _selector(self) -> str:
        of = f'device.attributes["{self.driver}"]'
        memory = f'device.capacity["{self.driver}"].memory'
        return self.rng.choice(
            (
                f'{of}.model == "h100"',
                f'{of}.model.startsWith("a") || {of}.index > 1',
                f"{of}.index in [0, 2]",
                f"{of}.ecc",
                f"has({of}.ecc) && !{of}.ecc",
                f'"index" in {of} && {of}.index % 2 == 0',
                f'{of}.firmware.isGreaterThan(semver("1.9.0"))',
                f'{of}.firmware.compareTo(semver("2.0.0")) < 0',
                'device.attributes["other.test"].numa == 1',
                'has(device.attributes["nowhere.test"].numa) ? false : true',
                f'cel.bind(d, {of}, d.ecc && d.model.matches("^h.*"))',
                f'{memory}.isGreaterThan(quantity("50Gi"))',
                f'{memory} == quantity("40Gi") && {of}.model.lowerAscii() != "x"',
                f"[0, 1].exists(i, {of}.index == i)",
                f'{of}.?model.orValue("a100") == "a100"',
                f"{of}.?ecc.hasValue() && !{of}.?absent.hasValue()",
                f'{of}[?"index"].or(device.attributes["other.test"].?numa).orValue(0) == 1',
            )
        )

    def _asked(self, **more: Any) -> Manifest:
        rng = self.rng
        found: Manifest = {"deviceClassName": f"case-{self.number}-{rng.choice(('any', 'any', 'any', 'big'))}", **more}
        if rng.random() < 0.02:
            found["deviceClassName"] = "missing"
        if rng.random() < 0.2:
            found["allocationMode"] = "All"
        elif rng.random() < 0.5:
            found |= {"allocationMode": "ExactCount", "count": rng.randint(1, 3)}
        if self.has("attributes", "lists", "pools", "reach") and rng.random() < 0.6:
            texts = [self._selector() for _ in range(rng.choice((1, 1, 2)))]
            found["selectors"] = [{"cel": {"expression": text}} for text in texts]
        if rng.random() < 0.2:
            found["tolerations"] = [rng.choice(_TOLERATIONS)]
        if self.has("shares") and rng.random() < 0.7:
            wanted = rng.choice(("1Gi", "9Gi", "10Gi", "20Gi", "33Gi", "64Gi"))
            found["capacity"] = {"requests": {rng.choice(("memory", "memory", "memory", "memory", "beams")): wanted}}
        return found

    def _request(self, i: int) -> Manifest:
        rng = self.rng
        if self.has("lists") and rng.random() < 0.8:
            options = [self._asked(name=f"option-{j}") for j in range(rng.randint(1, 3))]
            return {"name": f"request-{i}", "firstAvailable": options}
        asked = self._asked()
        if rng.random() < 0.08:
            asked["adminAccess"] = True
        return {"name": f"request-{i}", "exactly": asked}

    def _spec(self) -> Manifest:
        rng = self.rng
        requests = [self._request(i) for i in range(rng.choice((1, 1, 1, 2, 3)))]
        devices: Manifest = {"requests": requests}
        if self.has("attributes", "lists") and rng.random() < 0.5:
            attribute = rng.choice(
                (
                    "resource.kubernetes.io/pcieRoot",
                    f"{self.driver}/model",
                    f"{self.driver}/index",
                    "other.test/numa",
                    f"{self.driver}/firmware",
                )
            )
            some = rng.random() < 0.3
            constraint: Manifest = {rng.choice(("matchAttribute", "distinctAttribute")): attribute}
            if some:
                constraint["requests"] = ["request-0"]
            devices["constraints"] = [constraint]
        return {"devices": devices}

    def _template(self, i: int) -> Manifest:
        meta = {"name": f"template-{i}", "namespace": self.namespaces[0]}
        return {"apiVersion": _API, "kind": "ResourceClaimTemplate", "metadata": meta, "spec": {"spec": self._spec()}}

    def _claims(self) -> None:
        """One that is free, and some that have a device already."""
        self.rest.append(self._claim("free", self._spec()))
        asked = {"requests": [{"name": "one", "exactly": {"deviceClassName": f"case-{self.number}-any"}}]}
        locals_ = [one for one in self.rest if one["kind"] == "ResourceSlice" and one["spec"].get("devices")]
        for i in range(2):
            claim = self._claim(f"given-{i}", {"devices": asked})
            self.rest.append(claim)
            if not locals_:
                continue
            found = self.rng.choice(locals_)["spec"]
            device = self.rng.choice(found["devices"])
            device.pop("taints", None)  # whoever has a device that is tainted NoExecute is evicted
            result: Manifest = {"request": "one", "driver": self.driver, "pool": found["pool"]["name"]}
            result["device"] = device["name"]
            allocation: Manifest = {"devices": {"results": [result]}, "allocationTimestamp": "2026-01-01T00:00:00Z"}
            if "nodeName" in found:
                field_ = {"key": "metadata.name", "operator": "In", "values": [found["nodeName"]]}
                allocation["nodeSelector"] = {"nodeSelectorTerms": [{"matchFields": [field_]}]}
            self.given.append({**claim, "status": {"allocation": allocation}})
            self.pods.append(self._keeper(i, found.get("nodeName") or self.nodes[0]["metadata"]["name"]))

    def _keeper(self, i: int, node: str) -> Manifest:
        """A pod for which a claim is reserved that is allocated beforehand."""
        spec = {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "none"}],
            "tolerations": [{"operator": "Exists"}],
            "resourceClaims": [{"name": "given", "resourceClaimName": f"given-{i}"}],
        }
        meta = {"name": f"keeper-{i}", "namespace": self.namespaces[0]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}

    def _claim(self, name: str, spec: Manifest) -> Manifest:
        meta = {"name": name, "namespace": self.namespaces[0]}
        return {"apiVersion": _API, "kind": "ResourceClaim", "metadata": meta, "spec": spec}


def _container(name: str, more: Manifest | None = None) -> Manifest:
    amounts = {"cpu": "100m", **(more or {})}
    return {"name": name, "image": "none", "resources": {"requests": amounts, "limits": amounts}}


_TOLERATIONS = (
    {"operator": "Exists"},
    {"key": "broken", "operator": "Exists"},
    {"key": "kept", "operator": "Equal", "value": "yes"},
    {"key": "broken", "operator": "Equal", "value": "no"},
    {"operator": "Exists", "effect": "NoSchedule"},
)
