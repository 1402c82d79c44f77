"""The scheduler of kubernetes-sigs/scheduler-plugins beside the one of the control plane, with its definitions.

Pods choose it by `schedulerName`: COSCHEDULING for PodGroups, CAPACITY for ElasticQuotas (it preempts as it does
by itself), NUMA for NodeResourceTopologies. One scheduler sorts its queue in one way, so each is a process of its own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from controlplane.client import ApiClient, condition
from controlplane.cluster import ControlPlane
from controlplane.go_programs import ensure_built
from controlplane.processes import ManagedProcess, answers, free_port
from peers.binaries import SCHEDULER_PLUGINS

COSCHEDULING: Final = "coscheduling"
CAPACITY: Final = "capacity"
NUMA: Final = "numa"

Object = dict[str, Any]

_ALL: Final = [{"name": "*"}]
_PROFILES: Final[Mapping[str, Object]] = {
    COSCHEDULING: {
        "plugins": {
            "multiPoint": {"enabled": [{"name": "Coscheduling"}]},
            "queueSort": {"enabled": [{"name": "Coscheduling"}], "disabled": _ALL},
        },
        "pluginConfig": [{"name": "Coscheduling", "args": {"permitWaitingTimeSeconds": 5}}],
    },
    CAPACITY: {
        "plugins": {
            "multiPoint": {"enabled": [{"name": "CapacityScheduling"}]},
            "postFilter": {"enabled": [{"name": "CapacityScheduling"}], "disabled": _ALL},
        }
    },
    NUMA: {
        "plugins": {stage: {"enabled": [{"name": "NodeResourceTopologyMatch"}]} for stage in ("filter", "score")},
        "pluginConfig": [
            {"name": "NodeResourceTopologyMatch", "args": {"scoringStrategy": {"type": "LeastAllocated"}}}
        ],
    },
}
_DEFINITIONS: Final = (
    "config/crd/bases/scheduling.x-k8s.io_elasticquotas.yaml",
    "config/crd/bases/scheduling.x-k8s.io_podgroups.yaml",
    "manifests/noderesourcetopology/crd.yaml",
)


@contextmanager
def scheduling(plane: ControlPlane, name: str, folder: Path, *, preempts: bool = True) -> Iterator[None]:
    """While it lasts, one of the schedulers above places the pods that choose it; `preempts`: as it does by itself."""
    _define(plane.client)
    health = free_port()
    profile = dict(_PROFILES[name])
    if not preempts:
        profile["plugins"] = {**profile["plugins"], "postFilter": {"disabled": _ALL}}
    config = folder / f"{name}.json"
    config.write_text(json.dumps(_configuration(plane, {"schedulerName": name, **profile})))
    command = [
        ensure_built(SCHEDULER_PLUGINS) / "scheduler",
        f"--config={config}",
        f"--authentication-kubeconfig={plane.kubeconfig('admin')}",
        f"--authorization-kubeconfig={plane.kubeconfig('admin')}",
        "--bind-address=127.0.0.1",
        f"--secure-port={health}",
    ]
    process = ManagedProcess.start(name, command, folder / f"{name}.log")
    try:
        process.wait_ready(lambda: answers(f"https://127.0.0.1:{health}/healthz"))
        yield
    finally:
        process.stop()


def _configuration(plane: ControlPlane, profile: Object) -> Object:
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(plane.kubeconfig("admin")), "qps": 1000, "burst": 2000},
        "leaderElection": {"leaderElect": False},
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 1,
        "profiles": [profile],
    }


def _define(client: ApiClient) -> None:
    listed = ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/scheduler-plugins"]
    module = subprocess.run(listed, cwd=SCHEDULER_PLUGINS.room, check=True, capture_output=True, text=True)
    found = [one for file in _DEFINITIONS for one in _documents(Path(module.stdout.strip(), file))]
    for one in found:
        client.apply(one)
    names = {one["metadata"]["name"] for one in found}

    def established() -> bool:
        there = client.list("CustomResourceDefinition")
        return names <= {one["metadata"]["name"] for one in there if condition(one, "Established") == "True"}

    client.wait_for(established, what="the definitions of scheduler-plugins to be established")
    client.kinds(refresh=True)


def _documents(file: Path) -> Sequence[Object]:
    return [one for one in yaml.safe_load_all(file.read_text()) if one]
