"""Small random clusters as an API server tells them, with something of everything that names something."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from kube.wire_objects import container, meta, node, pod

Json = dict[str, Any]
GPU = "nvidia.com/gpu"
ZONES, DISKS, TEAMS = ("rack-a.north", "rack-b.north"), ("3", "12", "40"), ("falcon", "bluebird", "checkout_v2")
GANG, LIGHT = "gang.scheduling.koordinator.sh", "pod-group.scheduling.sigs.k8s.io"
HALF = {"koordinator.sh/gpu-core": "50"}
HAMI = "".join(f"GPU-8f-0{i},4,40000,100,NVIDIA-A100,0,true:" for i in range(2))
MARKS = (
    {"karpenter.sh/do-not-disrupt": "true"},
    {"karpenter.sh/do-not-disrupt": "2h30m"},
    {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
    {"descheduler.alpha.kubernetes.io/evict": "false"},
    {"scheduling.koordinator.sh/eviction-cost": "2147483647"},
    {f"{GANG}/name": "g1", f"{GANG}/min-available": "2", f"{GANG}/groups": '["falcon/g1","bluebird/g1"]'},
    {f"{GANG}/name": "g2", f"{GANG}/min-available": "2", f"{GANG}/match-policy": "only-waiting"},
    {"scheduling.k8s.io/group-name": "vc", "volcano.sh/jdb-max-unavailable": "25%"},
    {"pod-group-name": "kai-1"},
    {"gpu-fraction": "0.5"},
    {"alibabacloud.com/gpu-milli": "500", "alibabacloud.com/gpu-index": "1"},
    {"scheduling.koordinator.sh/device-allocated": json.dumps({"gpu": [{"minor": 1, "resources": HALF}]})},
    {"hami.io/vgpu-devices-allocated": "GPU-8f-01,NVIDIA,10000,25:;"},
    {"kubernetes.io/config.mirror": "abc"},
)
LABELS = (
    {"fluid.io/dataset": "training-set"},
    {"role": "alluxio-worker"},
    {"ray.io/node-type": "head", "ray.io/cluster": "rc"},
    {"ray.io/node-type": "worker", "ray.io/cluster": "rc", "ray.io/group": "small"},
    {"jobset.sigs.k8s.io/jobset-name": "js"},
    {"leaderworkerset.sigs.k8s.io/name": "lws", "leaderworkerset.sigs.k8s.io/group-index": "1"},
    {"training.kubeflow.org/job-name": "pt"},
    {"scheduling.x-k8s.io/pod-group": "plain"},
    {f"{LIGHT}/name": "light", f"{LIGHT}/min-available": "2"},
    {"quota.scheduling.koordinator.sh/name": "q1"},
    {"koordinator.sh/qosClass": "LSR"},
    {"spark-role": "driver"},
)


class RandomWire:
    """Draws the objects of one cluster from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)

    def objects(self) -> dict[str, list[Json]]:
        """By kind."""
        nodes = [self._node(i) for i in range(self.rng.randint(3, 5))]
        names = [found["metadata"]["name"] for found in nodes]
        pods = [
            one
            for team in TEAMS
            for kind in ("ReplicaSet", "StatefulSet", "Job")
            for one in self._of(team, kind, names)
        ]
        return {
            "nodes": nodes,
            "namespaces": [{"metadata": meta(team)} for team in TEAMS],
            "pods": pods,
            "replicasets": [self._workload(team, "ReplicaSet", replicas=2) for team in TEAMS],
            "statefulsets": [
                self._workload(
                    team,
                    "StatefulSet",
                    replicas=self.rng.choice((1, 2)),
                    serviceName="svc",
                    updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": self.rng.randint(0, 2)}},
                    status={"currentRevision": "old-1", "updateRevision": "new-2"},
                )
                for team in TEAMS
            ],
            "jobs": [
                self._workload(team, "Job", parallelism=2, backoffLimit=self.rng.choice((0, 6))) for team in TEAMS
            ],
            "poddisruptionbudgets": [self._budget(team) for team in TEAMS if self.rng.random() < 0.5],
            "persistentvolumeclaims": [
                {"metadata": meta(f"scratch-checkout-sts-{i}", "checkout_v2"), "status": {"phase": "Bound"}}
                for i in range(2)
            ],
            "resourcequotas": [
                {
                    "metadata": meta("compute", "falcon"),
                    "spec": {"hard": {"requests.cpu": "2", "pods": "6", f"requests.{GPU}": "3"}},
                    "status": {"hard": {"requests.cpu": "2", "pods": "6"}, "used": {"requests.cpu": "2", "pods": "6"}},
                }
            ],
            **self._gangs(),
        }

    def _node(self, i: int) -> Json:
        rng = self.rng
        labels = {
            "kubernetes.io/hostname": f"ip-10-0-3-{i}.corp",
            "topology.kubernetes.io/zone": rng.choice(ZONES),
            "acme.example/disk": rng.choice(DISKS),
            "nvidia.com/gpu.product": rng.choice(("NVIDIA-A100-SXM4-80GB", "Tesla-T4-SHARED")),
            "nvidia.com/gpu.count": "4",
        }
        taints = [{"key": "acme.example/team", "value": rng.choice(TEAMS), "effect": "NoSchedule"}]
        notes = {"hami.io/node-nvidia-register": HAMI}
        return node(
            f"ip-10-0-3-{i}.corp",
            metadata={"labels": labels, "annotations": notes if rng.random() < 0.2 else {}},
            spec={"taints": taints} if rng.random() < 0.3 else {},
            **{GPU: "4", "acme.example/widget": "2"},
        )

    def _of(self, team: str, kind: str, nodes: list[str]) -> list[Json]:
        """Two pods of one workload, alike but for where they are."""
        rng = self.rng
        name = _name(team, kind)
        marks = rng.choice(MARKS) if rng.random() < 0.5 else {}
        labels = rng.choice(LABELS) if rng.random() < 0.5 else {}
        asks = {"cpu": rng.choice(("100m", "1", "1500m")), "memory": "64Mi"}
        if rng.random() < 0.3:
            asks |= {rng.choice((GPU, "acme.example/widget")): "1"}
        rules = self._rules(name)
        made = []
        for i in range(2):
            own = f"{name}-{i}" if kind == "StatefulSet" else f"{name}-7d9f-x{i}k2"
            revision = {"controller-revision-hash": rng.choice(("old-1", "new-2"))} if kind == "StatefulSet" else {}
            owner = {"apiVersion": _API[kind], "kind": kind, "name": name, "uid": f"uid-{team}-{name}"}
            made.append(
                pod(
                    own,
                    container("main", f"registry.acme.example/{team}:1.{i}", requests=asks),
                    namespace=team,
                    node=rng.choice(nodes) if rng.random() < 0.9 else "",
                    metadata={
                        "labels": {"app": name, "acme.example/team": team, **labels, **revision},
                        "annotations": marks,
                        "ownerReferences": [owner | {"controller": True}],
                    },
                    **rules,
                    **({"schedulingGroup": {"podGroupName": "native"}} if rng.random() < 0.15 else {}),
                )
            )
        return made

    def _rules(self, name: str) -> Json:
        rng = self.rng
        out: Json = {}
        if rng.random() < 0.3:
            few = {"key": "acme.example/disk", "operator": rng.choice(("Gt", "Lt")), "values": ["12"]}
            out["affinity"] = {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [few]}]}}}
        elif rng.random() < 0.4:
            term = {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": {"matchLabels": {"app": name}}}
            out["affinity"] = {rng.choice(("podAffinity", "podAntiAffinity")): {_REQUIRED: [term]}}
        if rng.random() < 0.3:
            out["tolerations"] = [{"key": "acme.example/team", "operator": "Equal", "value": rng.choice(TEAMS)}]
        if rng.random() < 0.3:
            out["volumes"] = [{"name": "scratch", "persistentVolumeClaim": {"claimName": f"scratch-{name}-0"}}]
        if rng.random() < 0.2:
            out["topologySpreadConstraints"] = [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {"matchLabels": {"app": name}},
                }
            ]
        return out

    def _workload(self, team: str, kind: str, status: Json | None = None, **spec: Any) -> Json:
        name = _name(team, kind)
        return {
            "metadata": meta(name, team) | {"uid": f"uid-{team}-{name}"},
            "spec": {"selector": {"matchLabels": {"app": name}}, **spec},
            "status": status or {},
        }

    def _budget(self, team: str) -> Json:
        kind = self.rng.choice(("ReplicaSet", "StatefulSet"))
        return {
            "metadata": meta(f"{team}-budget", team, generation=1),
            "spec": {"selector": {"matchLabels": {"app": _name(team, kind)}}, "maxUnavailable": "50%"},
            "status": {"disruptionsAllowed": self.rng.randint(0, 1), "expectedPods": 2, "observedGeneration": 1},
        }

    def _gangs(self) -> dict[str, list[Json]]:
        def of(kind: str, name: str, spec: Json) -> list[Json]:
            return [{"kind": kind, "metadata": meta(name, team), "spec": spec} for team in TEAMS]

        least = self.rng.randint(1, 2)
        workers = {"groupName": "small", "minReplicas": least, "numOfHosts": 1}
        runtime = {"quota.scheduling.koordinator.sh/runtime": json.dumps({"cpu": "1"})}
        return {
            "scheduling.k8s.io/PodGroup": of("PodGroup", "native", {"schedulingPolicy": {"gang": {"minCount": least}}}),
            "scheduling.x-k8s.io/PodGroup": of("PodGroup", "plain", {"minMember": least}),
            "scheduling.volcano.sh/PodGroup": of("PodGroup", "vc", {"minMember": least}),
            "scheduling.run.ai/PodGroup": of("PodGroup", "kai-1", {"minMember": least, "queue": "research"}),
            "ray.io/RayCluster": of("RayCluster", "rc", {"workerGroupSpecs": [workers]}),
            "jobset.x-k8s.io/JobSet": of("JobSet", "js", {"replicatedJobs": [{"name": "workers", "replicas": least}]}),
            "leaderworkerset.x-k8s.io/LeaderWorkerSet": of(
                "LeaderWorkerSet", "lws", {"leaderWorkerTemplate": {"size": least, "restartPolicy": "None"}}
            ),
            "kubeflow.org/PyTorchJob": of(
                "PyTorchJob", "pt", {"pytorchReplicaSpecs": {"Worker": {"replicas": 2, "restartPolicy": "Never"}}}
            ),
            "scheduling.sigs.k8s.io/ElasticQuota": [
                {
                    "metadata": meta("q1", "falcon", annotations=runtime),
                    "spec": {"min": {"cpu": "1"}, "max": {"cpu": "2"}},
                }
            ],
        }


_API = {"ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "Job": "batch/v1"}
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _name(team: str, kind: str) -> str:
    short = {"ReplicaSet": "web", "StatefulSet": "sts", "Job": "train"}[kind]
    return f"{team.partition('_')[0]}-{short}"
