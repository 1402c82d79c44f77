"""The image is built by its Containerfile and started as the Deployment starts it: `make test-image`."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from controlplane.cluster import ControlPlane
from controlplane.components import give_up
from controlplane.missing import MissingComponentError
from controlplane.processes import free_port
from e2e.world import Pages, World
from image.engine import ROOT, build, command, podman
from manifests.kustomize import named
from release.locks import pins

pytestmark = pytest.mark.timeout(1800)  # an operating system and all dependencies are fetched
ABOUT = "/usr/share/doc/descheduler"
STORE = "--tmpfs=/var/lib/descheduler:mode=1777"  # an emptyDir with fsGroup, in the cluster


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        yield build(tmp_path_factory.mktemp("image"))
    except MissingComponentError as missing:
        give_up(missing)


def said(*words: str, entrypoint: str = "descheduler") -> str:
    made = command(*words, options=("--network=none", f"--entrypoint={entrypoint}"))
    done = subprocess.run(made, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def python() -> str:
    """The version of the Python in the image."""
    return said("-c", "import platform; print(platform.python_version())", entrypoint="python").strip()


def test_it_plans_as_nobody_on_a_file_system_that_cannot_be_written(image: str) -> None:
    assert "pods move in" in said("plan", "--example")
    assert said("-c", "id -u; id -g; touch /opt/x 2>/dev/null || echo read-only", entrypoint="sh").split() == [
        "65532",
        "65532",
        "read-only",
    ]


def test_it_is_found_where_the_other_descheduler_is(image: str) -> None:
    assert said("version", entrypoint="/bin/descheduler").startswith("descheduler ")


def test_it_holds_the_versions_of_the_lock_and_nothing_else(image: str) -> None:
    """An installer would be one: nobody installs into a running image."""
    script = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    found = {
        canonicalize_name(name): version
        for name, version in json.loads(said("-c", script, entrypoint="python")).items()
    }
    assert found.pop("descheduler")
    assert found == pins("run", python())


def test_it_tells_what_it_is_made_of_and_under_which_licences(image: str) -> None:
    told = json.loads(said(f"{ABOUT}/sbom.cdx.json", entrypoint="cat"))
    assert told["bomFormat"] == "CycloneDX"
    listed = {canonicalize_name(part["name"]): part["version"] for part in told["components"]}
    assert pins("run", python()).items() <= listed.items()
    assert all(part.get("licenses") for part in told["components"])
    assert said(f"{ABOUT}/LICENSE", entrypoint="cat") == (ROOT / "LICENSE").read_text()
    texts = said(f"{ABOUT}/licenses.txt", entrypoint="cat")
    assert "Redistribution and use in source and binary forms" in texts


def test_the_controller_runs_from_it_with_the_arguments_of_the_deployment(
    image: str, control_plane: ControlPlane, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(named("dry-run", "ConfigMap", "descheduler-policy")["data"]["policy.yaml"])
    world = World(control_plane, "http://127.0.0.1:9", policy, tmp_path)
    config = readable(world.install("dry-run"), control_plane, tmp_path)
    (container,) = named("dry-run", "Deployment", "descheduler")["spec"]["template"]["spec"]["containers"]
    port = free_port()
    options = (
        *("--name=descheduler-test", "--network=host", "--env=POD_NAMESPACE=descheduler", STORE),
        *(f"--volume={config}:/etc/kubeconfig:ro", f"--volume={policy}:/etc/descheduler/policy.yaml:ro"),
    )
    ours = ("--kubeconfig=/etc/kubeconfig", "--host=127.0.0.1", f"--port={port}")
    words = [word for word in container["args"] if not word.startswith("--port")]
    process = subprocess.Popen(
        command(*words, *ours, options=options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        client = control_plane.client
        client.wait_for(lambda: Pages(port).get("/healthz")[0] == 200, timeout=60, what="it to be alive")
        lease = client.wait_for(
            lambda: client.get_or_none("Lease", "descheduler", "descheduler"), timeout=60, what="its lease"
        )
        assert lease["spec"]["holderIdentity"]
        podman("kill", "--signal=TERM", "descheduler-test")
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            podman("kill", "descheduler-test")
        out, _ = process.communicate()
        print(out.decode())  # noqa: T201  (pytest shows it if the test fails)


def readable(kubeconfig: Path, plane: ControlPlane, folder: Path) -> Path:
    """The same without paths of this machine, for a user that is not this one."""
    config = json.loads(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    del cluster["certificate-authority"]
    cluster["certificate-authority-data"] = base64.b64encode(plane.ca_file.read_bytes()).decode()
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    path.chmod(0o644)
    return path
