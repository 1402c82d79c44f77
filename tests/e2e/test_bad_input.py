"""What is missing, wrong or absurd: one clear message and a non-zero exit of the command, a paused controller with the
reason, and nothing evicted. Real API server, real Prometheus, the program as a process.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.processes import free_port
from controlplane.prometheus import PrometheusServer, Series
from e2e import hot_node
from manifests.kustomize import render

COMMAND = str(Path(sys.executable).with_name("descheduler"))
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens there

StartPrometheus = Callable[..., PrometheusServer]


@dataclass(frozen=True)
class World:
    """A cluster with a node that will be hot, its whole history, and the account that the manifests make."""

    plane: ControlPlane
    prometheus: str
    kubeconfig: Path
    history: tuple[Series, ...]
    now: float  # when it was made; the history goes on for a while

    @property
    def client(self) -> ApiClient:
        return self.plane.client


@pytest.fixture(scope="module")
def world(
    module_control_plane: ControlPlane,
    prometheus_server: StartPrometheus,
) -> World:
    plane = module_control_plane
    hot_node.build_cluster(plane.client)
    now = hot_node.now()
    history = tuple(hot_node.history(plane.client.list("Pod", "default"), now))
    for found in sorted(render("active"), key=lambda o: o["kind"] != "Namespace"):
        if found["kind"] != "Deployment":
            plane.client.apply(found)
    token = plane.service_account_token("descheduler", "descheduler")
    return World(plane, prometheus_server(history).url, plane.kubeconfig("installed", token=token), history, now)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(hot_node.POLICY)
    return path


@pytest.fixture(autouse=True)
def nothing_is_evicted(world: World) -> Iterator[None]:
    """Whatever a test does, the pods that were there are there afterwards."""
    before = uids(world)
    yield
    assert before <= uids(world)


def uids(world: World) -> set[str]:
    return {p["metadata"]["uid"] for p in world.client.list("Pod", "default")}


def message_of(
    world: World, policy: Path, *options: str, env: Mapping[str, str] | None = None, code: int = 1, **changed: object
) -> str:
    """What `descheduler plan` says on stderr, having ended with `code` and without a traceback."""
    world = replace(world, **changed)  # type: ignore[arg-type]
    done = plan(world, policy, *options, env=env)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def plan(
    world: World, policy: Path, *options: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    words = [COMMAND, "plan", "--kubeconfig", str(world.kubeconfig), "--policy", str(policy), "-o", "json"]
    return subprocess.run(
        [*words, "--prometheus", world.prometheus, *options],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(env or {})},
    )


def decided(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def pods_moved(document: Mapping[str, Any]) -> list[str]:
    return [pod["pod"] for action in document["actions"] for pod in action["pods"]]


# -- the API server ----------------------------------------------------------------------


def elsewhere(plane: ControlPlane, folder: Path, **changed: str) -> Path:
    """The kubeconfig of the account with another server or token."""
    config = json.loads(plane.kubeconfig("descheduler").read_text())
    if "server" in changed:
        config["clusters"][0]["cluster"]["server"] = changed["server"]
    if "token" in changed:
        config["users"][0]["user"]["token"] = changed["token"]
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def test_an_api_server_that_does_not_answer(world: World, policy: Path, tmp_path: Path) -> None:
    server = f"https://127.0.0.1:{free_port()}"
    message = message_of(world, policy, kubeconfig=elsewhere(world.plane, tmp_path, server=server))
    assert message.startswith(f"error: no answer from {server}")
    assert len(message.splitlines()) == 1


def test_credentials_that_the_api_server_refuses(world: World, policy: Path, tmp_path: Path) -> None:
    message = message_of(world, policy, kubeconfig=elsewhere(world.plane, tmp_path, token="wrong"))
    assert "does not accept our credentials" in message
    assert len(message.splitlines()) == 1


def test_all_missing_permissions_are_named_with_verb_and_resource(world: World, policy: Path) -> None:
    message = message_of(world, policy, kubeconfig=world.plane.kubeconfig("nobody"))
    for rule in ("list nodes", "list pods", "list poddisruptionbudgets.policy", "list deployments.apps"):
        assert rule in message
    assert len(message.splitlines()) <= 2


# -- Prometheus --------------------------------------------------------------------------


def test_a_prometheus_that_does_not_answer(world: World, policy: Path) -> None:
    message = message_of(world, policy, prometheus=NOWHERE)
    assert NOWHERE in message
    assert len(message.splitlines()) == 1


def test_no_prometheus_at_all(world: World, policy: Path) -> None:
    message = message_of(world, policy, code=2, prometheus="")
    assert "--prometheus" in message
    assert len(message.splitlines()) == 1


def test_credentials_that_prometheus_refuses(
    world: World, policy: Path, prometheus_server: StartPrometheus, tmp_path: Path
) -> None:
    guarded = prometheus_server(world.history[:2], basic_auth=True)
    message = message_of(world, policy, prometheus=guarded.url)
    assert "401" in message
    assert guarded.url in message
    assert len(message.splitlines()) == 1


# -- history -----------------------------------------------------------------------------


def cut(history: Iterable[Series], keep: Callable[[Series, np.ndarray], np.ndarray]) -> list[Series]:
    """The samples for which `keep(series, timestamps)` is true."""
    out = []
    for one in history:
        kept = keep(one, np.asarray(one.timestamps))
        out.append(Series(one.name, one.labels, np.asarray(one.timestamps)[kept], np.asarray(one.values)[kept]))
    return [one for one in out if len(np.asarray(one.timestamps))]


def test_an_empty_history_moves_nothing(world: World, policy: Path, prometheus_server: StartPrometheus) -> None:
    done = plan(replace(world, prometheus=prometheus_server().url), policy)
    assert done.returncode == 1
    assert "cpu" in done.stderr
    assert "Traceback" not in done.stderr
    assert pods_moved(decided(done)) == []


def test_history_that_ended_an_hour_ago_moves_nothing(
    world: World, policy: Path, prometheus_server: StartPrometheus
) -> None:
    stale = cut(world.history, lambda _, times: times < world.now - 3600)
    done = plan(replace(world, prometheus=prometheus_server(stale).url), policy)
    assert done.returncode == 1
    assert "cpu" in done.stderr
    assert "now" in done.stderr
    assert pods_moved(decided(done)) == []


def test_a_history_of_an_hour_moves_nothing(world: World, policy: Path, prometheus_server: StartPrometheus) -> None:
    short = cut(world.history, lambda _, times: times > world.now - 3600)
    done = plan(replace(world, prometheus=prometheus_server(short).url), policy)
    assert done.returncode == 1
    assert "history" in done.stderr
    assert pods_moved(decided(done)) == []


def test_a_history_without_memory_moves_nothing(world: World, policy: Path, prometheus_server: StartPrometheus) -> None:
    done = plan(
        replace(world, prometheus=prometheus_server([s for s in world.history if s.name != hot_node.MEMORY]).url),
        policy,
    )
    assert done.returncode == 1
    assert "memory" in done.stderr
    assert pods_moved(decided(done)) == []


def test_a_node_whose_pods_have_no_history_is_left_alone(
    world: World, policy: Path, prometheus_server: StartPrometheus
) -> None:
    """A third of what is requested on the node is unknown: its forecast is not to be trusted."""
    seen = [s for s in world.history if s.labels["pod"].startswith("web-")]
    policy.write_text(policy.read_text() + "history: {minCoverage: 50%}\n")
    document = decided(plan(replace(world, prometheus=prometheus_server(seen).url), policy))
    assert pods_moved(document) == []
    told_of = {r["subject"]: r["reason"] for r in document["refusals"]}
    assert told_of["finding/node/hot"] == "DataMissing"


def test_nan_is_no_use(world: World, policy: Path, prometheus_server: StartPrometheus, tmp_path: Path) -> None:
    text = []
    for one in world.history:
        labels = ",".join(f'{k}="{v}"' for k, v in one.labels.items())
        for time, value in zip(np.asarray(one.timestamps).tolist(), np.asarray(one.values).tolist(), strict=True):
            shown = value if not one.labels["pod"].startswith("web-") else math.nan if time % 600 else math.inf
            text.append(f"{one.name}{{{labels}}} {shown} {time}\n")
    server = prometheus_server("".join([*text, "# EOF\n"]))
    document = decided(plan(replace(world, prometheus=server.url), policy))
    assert pods_moved(document) == []
    assert "NaN" not in json.dumps(document)


# -- objects -----------------------------------------------------------------------------


def test_an_absurd_pod_is_named_and_its_node_takes_nothing(world: World, policy: Path) -> None:
    world.client.apply(absurd_pod())
    try:
        done = plan(world, policy)
        document = decided(done)
    finally:
        world.client.delete("Pod", "absurd", grace_period_seconds=0)
        world.client.wait_for(lambda: not world.client.get_or_none("Pod", "absurd"), what="the pod to go")
    assert "default/absurd" in done.stderr
    assert done.returncode == 1
    assert all(pod["destination"] != "cool-1" for action in document["actions"] for pod in action["pods"])


def absurd_pod() -> dict[str, Any]:
    pod = hot_node.member("absurd", 0)
    pod["metadata"]["name"] = "absurd"
    del pod["spec"]["schedulingGroup"]
    pod["spec"]["nodeName"] = "cool-1"
    pod["spec"]["containers"][0]["resources"] = {"requests": {"memory": "9000P"}}
    return pod


def test_an_absurd_node_is_named_and_takes_nothing(world: World, policy: Path) -> None:
    world.client.create_node("absurd", cpu="9e18", memory="64Gi")
    try:
        done = plan(world, policy)
        document = decided(done)
    finally:
        world.client.delete("Node", "absurd")
    assert "absurd" in done.stderr
    assert all(pod["destination"] != "absurd" for action in document["actions"] for pod in action["pods"])


# -- policy and plug-ins -----------------------------------------------------------------


def test_mistakes_in_a_policy_are_all_told_with_their_places(world: World, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        hot_node.POLICY.replace("interval", "intervall")
        .replace("HotNodes", "HotNode")
        .replace("waveTimeout", "waveTime")
    )
    message = message_of(world, path, code=2)
    lines = message.splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    for wrong, right in (("intervall", "interval"), ("HotNode", "HotNodes"), ("waveTime", "waveTimeout")):
        assert any(wrong in line and right in line for line in lines), message


PLUG_IN = """\
from descheduler.contract import StrategyArgs
{first}
class Broken:
    name = "Broken"
    signals = ()
    Args = StrategyArgs
    def __init__(self):
        {made}
    def propose(self, view, args):
        {asked}
"""


def test_policies_are_compared_on_what_was_read_once_unless_they_read_another_history(
    world: World, policy: Path, tmp_path: Path
) -> None:
    still, shorter = tmp_path / "still.yaml", tmp_path / "shorter.yaml"
    still.write_text(hot_node.POLICY + "limits: {perCycle: 0}\n")
    shorter.write_text(hot_node.POLICY + "history: {window: 1d}\n")
    done = plan(world, policy, "--policy", str(still), "--exit-code")
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert [one["name"] for one in document["plans"]] == ["policy.yaml", "still.yaml"]
    moved, unmoved = document["numbers"]["moves"]
    assert (moved > 0, unmoved) == (True, 0)
    assert document["numbers"]["findings"][0] == document["numbers"]["findings"][1] > 0
    told = message_of(world, policy, "--policy", str(shorter), code=2)
    assert "policy.yaml and shorter.yaml differ in history.window" in told


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ({"asked": "raise ValueError('out of ideas')"}, 1),
        ({"asked": "yield 1 / 0"}, 1),
        ({"made": "raise ValueError('out of ideas')"}, 2),
        ({"first": "raise ValueError('out of ideas')"}, 2),
        ({"first": "import nothing_of_that_name"}, 2),
    ],
)
def test_a_plug_in_that_raises_is_named_and_others_go_on(
    world: World, policy: Path, tmp_path: Path, where: dict[str, str], code: int
) -> None:
    document, message = with_plug_in(world, policy, tmp_path, code, **where)
    assert "Broken" in message
    assert "Traceback" not in message
    if code == 1:  # it could be loaded, so that there is a plan
        assert document is not None
        assert pods_moved(document), "HotNodes goes on"


def with_plug_in(
    world: World, policy: Path, folder: Path, code: int, **where: str
) -> tuple[dict[str, Any] | None, str]:
    install_plug_in(folder, **where)
    policy.write_text(policy.read_text() + "  - Broken: {}\n")
    done = plan(world, policy, env={"PYTHONPATH": str(folder / "plugins")})
    assert done.returncode == code, done.stderr
    return (decided(done) if done.stdout else None), done.stderr


def install_plug_in(folder: Path, *, first: str = "", made: str = "pass", asked: str = "return ()") -> None:
    """A distribution with an entry point, as pip would lay it out."""
    info = folder / "plugins" / "broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[descheduler.strategies]\nBroken = broken:Broken\n")
    (folder / "plugins" / "broken.py").write_text(PLUG_IN.format(first=first, made=made, asked=asked))


# -- the controller ----------------------------------------------------------------------


@dataclass(frozen=True)
class Controller:
    """A running controller."""

    port: int
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except urllib.error.URLError:
            return 0, ""

    def wait_until_unready(self, client: ApiClient) -> str:
        """What /readyz says once it says no."""

        def reported() -> str:
            code, text = self.get("/readyz")
            return text if code == 503 else ""

        return client.wait_for(reported, timeout=60, what="the controller to be unready", every=0.2)


@contextmanager
def running(
    world: World, policy: Path, *more: str, mode: str = "active", env: Mapping[str, str] | None = None
) -> Iterator[Controller]:
    """The controller as it runs in a cluster; it must stop cleanly whatever it met."""
    port = free_port()
    words = [COMMAND, "run", "--mode", mode, "--kubeconfig", str(world.kubeconfig), "--policy", str(policy)]
    words += ["--prometheus", world.prometheus, "--host", "127.0.0.1", "--port", str(port)]
    words += ["--namespace", "descheduler", *more]
    with (policy.parent / "controller.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, **(env or {})})
        try:
            yield Controller(port, process)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
    assert code == 0, (policy.parent / "controller.log").read_text()[-4000:]


def paused(world: World, policy: Path, *words: str, **changed: object) -> None:
    """A controller in such a world is alive, but not ready, and its reason has all `words`."""
    with running(replace(world, **changed), policy) as controller:  # type: ignore[arg-type]

        def reported() -> bool:
            code, text = controller.get("/readyz")
            return code == 503 and all(word in text for word in words)

        try:
            world.client.wait_for(reported, timeout=60, what=f"a reason with {words}", every=0.2)
        except TimeoutError as never:
            never.add_note(controller.get("/readyz")[1])
            raise
        assert controller.get("/healthz")[0] == 200
        assert "descheduler_paused" in controller.get("/metrics")[1]


def test_a_controller_without_api_server_is_paused(world: World, policy: Path, tmp_path: Path) -> None:
    server = f"https://127.0.0.1:{free_port()}"
    paused(world, policy, server, kubeconfig=elsewhere(world.plane, tmp_path, server=server))


def test_a_controller_with_wrong_credentials_is_paused(world: World, policy: Path, tmp_path: Path) -> None:
    paused(world, policy, "credentials", kubeconfig=elsewhere(world.plane, tmp_path, token="wrong"))


def test_a_controller_without_permissions_names_them(world: World, policy: Path) -> None:
    wanted = ("get leases.coordination.k8s.io", "list pods", "list nodes", "list poddisruptionbudgets.policy")
    paused(world, policy, *wanted, kubeconfig=world.plane.kubeconfig("nobody"))


def test_a_controller_without_prometheus_is_paused(world: World, policy: Path) -> None:
    paused(world, policy, NOWHERE, prometheus=NOWHERE)


def test_a_controller_with_an_empty_history_is_paused(
    world: World, policy: Path, prometheus_server: StartPrometheus
) -> None:
    paused(world, policy, "cpu", prometheus=prometheus_server().url)


def test_a_controller_with_a_policy_that_is_none_is_paused(world: World, policy: Path) -> None:
    policy.write_text(policy.read_text().replace("HotNodes", "HotNode"))
    paused(world, policy, "HotNode", "HotNodes", f"{policy}:")


def test_a_controller_names_a_plug_in_that_raises_and_goes_on(world: World, policy: Path, tmp_path: Path) -> None:
    install_plug_in(tmp_path, asked="raise ValueError('out of ideas')")
    policy.write_text(policy.read_text() + "  - Broken: {}\n")
    env = {"PYTHONPATH": str(tmp_path / "plugins")}
    with running(world, policy, mode="dry-run", env=env) as controller:

        def reported() -> bool:
            code, text = controller.get("/readyz")
            return code == 200 and "Broken" in text and "out of ideas" in text

        try:
            world.client.wait_for(reported, timeout=60, what="the plug-in to be named", every=0.2)
        except TimeoutError as never:
            never.add_note(controller.get("/readyz")[1])
            raise
        metrics = controller.get("/metrics")[1]
        assert "descheduler_plan_problems 1.0" in metrics
        (moves,) = [line for line in metrics.splitlines() if line.startswith("descheduler_planned_moves{strategy")]
        assert float(moves.rpartition(" ")[2]) > 0, "HotNodes goes on"


def test_a_prometheus_that_goes_away_pauses_a_running_controller(
    world: World, policy: Path, prometheus_server: StartPrometheus
) -> None:
    server = prometheus_server(world.history)
    with running(replace(world, prometheus=server.url), policy, mode="dry-run") as controller:
        world.client.wait_for(lambda: controller.get("/readyz")[0] == 200, timeout=60, what="readiness", every=0.2)
        server.kill()
        readiness = controller.wait_until_unready(world.client)
        assert "history" in readiness
        assert server.url in readiness
        server.restart()
        world.client.wait_for(lambda: controller.get("/readyz")[0] == 200, timeout=60, what="recovery", every=0.2)


def test_a_policy_that_becomes_invalid_leaves_the_former_in_force_and_is_told(world: World, policy: Path) -> None:
    good = policy.read_text()
    with running(world, policy, mode="dry-run") as controller:
        world.client.wait_for(lambda: controller.get("/readyz")[0] == 200, timeout=60, what="readiness", every=0.2)
        policy.write_text(good.replace("HotNodes", "HotNode"))

        def reported() -> bool:
            code, text = controller.get("/readyz")
            return code == 200 and "HotNode" in text and f"{policy}:" in text

        world.client.wait_for(reported, timeout=60, what="the bad policy to be reported", every=0.2)
        assert "descheduler_policy_reload_success 0.0" in controller.get("/metrics")[1]
        policy.write_text(good)
        world.client.wait_for(
            lambda: "descheduler_policy_reload_success 1.0" in controller.get("/metrics")[1],
            timeout=60,
            what="the good policy to be in force",
            every=0.2,
        )


def test_a_full_disk_is_told_in_readiness_and_plans_go_on(world: World, policy: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with running(world, policy, "--store", str(store), mode="dry-run") as controller:
        pid = controller.process.pid
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, most))  # no file may be larger: its log is not

        def told(text: str, success: str) -> bool:
            code, said = controller.get("/readyz")
            metric = f"descheduler_history_store_success {success}" in controller.get("/metrics")[1]
            return code == 200 and metric and (text in said if text else "cannot be kept" not in said)

        text = f"{store}/cpu.history cannot be kept: File too large (EFBIG)"
        world.client.wait_for(lambda: told(text, "0.0"), timeout=60, what="the full disk to be told", every=0.2)
        assert "descheduler_planned_moves{strategy" in controller.get("/metrics")[1]
        kept = {path.name for path in store.iterdir()}  # of signals without series there is little to keep
        assert not {"cpu.history", "memory.history"} & kept
        assert all(name.endswith(".history") for name in kept)

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
        policy.write_text(policy.read_text() + "\n# another cycle\n")
        world.client.wait_for(lambda: told("", "1.0"), timeout=60, what="it to be kept again", every=0.2)
        assert (store / "cpu.history").is_file()


def test_acting_without_the_right_to_evict_names_it_and_moves_nothing(world: World, policy: Path) -> None:
    for kind, role, space in (
        ("ClusterRole", "descheduler-read", None),
        ("Role", "descheduler-own-state", "descheduler"),
        ("Role", "descheduler-acting-state", "descheduler"),
    ):
        world.client.apply(bound(kind, role, space))
    with running(replace(world, kubeconfig=world.plane.kubeconfig("descheduler")), policy) as controller:

        def reported() -> bool:
            return "create pods/eviction" in controller.get("/readyz")[1]

        try:
            world.client.wait_for(reported, timeout=60, what="the missing right to be named", every=0.2)
        except TimeoutError as never:
            never.add_note(controller.get("/readyz")[1])
            raise


def bound(kind: str, role: str, namespace: str | None) -> dict[str, Any]:
    """A role of the manifests, for the user `descheduler`."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": f"{role}-user", **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "descheduler"}],
    }
