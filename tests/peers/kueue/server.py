"""Kueue's own controller on the control plane of the tests, with the definitions of its module.

Its webhooks are not registered, so Jobs are made as these would leave them (suspended), and objects are read and
written in its newest version alone. Where it is given its certificates it looks for those of its metrics below /etc,
so it runs with an /etc of its own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from controlplane.client import ApiClient, condition
from controlplane.cluster import ControlPlane
from controlplane.go_programs import ensure_built
from controlplane.processes import ManagedProcess, answers, free_port
from peers.binaries import KUEUE

VERSION: Final = "kueue.x-k8s.io/v1beta2"
NAMESPACE: Final = "kueue-system"
_PRIVATE: Final = """\
mount -t tmpfs none /etc && mkdir -p /etc/kueue/metrics && cp -r "$1" /etc/kueue/metrics/certs && shift && exec "$@"
"""

Object = dict[str, Any]


def start_kueue(plane: ControlPlane, folder: Path) -> ManagedProcess:
    """Its definitions, and its controller for batch Jobs, ready to queue them."""
    _define(plane.client)
    plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    certs = _certificates(folder / "certs")
    health = free_port()
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(_configuration(health, certs)))
    command = [
        ensure_built(KUEUE) / "kueue",
        f"--config={config}",
        "--feature-gates=VisibilityOnDemand=false",
        f"--kubeconfig={plane.kubeconfig()}",
    ]
    process = ManagedProcess.start(
        "kueue", ["unshare", "--map-root-user", "--mount", "sh", "-c", _PRIVATE, "sh", certs, *command], folder / "log"
    )
    process.wait_ready(lambda: answers(f"http://127.0.0.1:{health}/readyz"))
    return process


def queue(name: str, cpu: int) -> Sequence[Object]:
    """A flavour, and a queue for it of so many CPUs, in the namespace default."""
    flavors = [{"name": name, "resources": [{"name": "cpu", "nominalQuota": str(cpu)}]}]
    groups = [{"coveredResources": ["cpu"], "flavors": flavors}]
    return (
        _of("ResourceFlavor", name, {}),
        _of("ClusterQueue", name, {"namespaceSelector": {}, "resourceGroups": groups}),
        {**_of("LocalQueue", name, {"clusterQueue": name}), "metadata": {"name": name, "namespace": "default"}},
    )


def _of(kind: str, name: str, spec: Mapping[str, Any]) -> Object:
    return {"apiVersion": VERSION, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def _configuration(health: int, certs: Path) -> Object:
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "namespace": NAMESPACE,
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
        "metrics": {"bindAddress": "0"},
        "webhook": {"port": free_port(), "certDir": str(certs)},
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
        "integrations": {"frameworks": ["batch/job"]},
    }


def _certificates(folder: Path) -> Path:
    folder.mkdir()
    pair = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*new, *pair], check=True, capture_output=True)
    return folder


def _define(client: ApiClient) -> None:
    listed = ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kueue"]
    module = subprocess.run(listed, cwd=KUEUE.room, check=True, capture_output=True, text=True).stdout.strip()
    found = [
        yaml.safe_load(file.read_text())
        for file in sorted(Path(module, "config", "components", "crd", "bases").glob("kueue.*.yaml"))
    ]
    for one in found:
        served = [version for version in one["spec"]["versions"] if version["storage"]]
        client.apply({**one, "spec": {**one["spec"], "versions": served}})
    names = {one["metadata"]["name"] for one in found}

    def established() -> bool:
        there = client.list("CustomResourceDefinition")
        return names <= {one["metadata"]["name"] for one in there if condition(one, "Established") == "True"}

    client.wait_for(established, what="the definitions of Kueue to be established")
    client.kinds(refresh=True)
