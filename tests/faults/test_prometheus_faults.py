"""Whatever Prometheus does: nothing is evicted on the word of it alone, and what is right is done once it is well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.prometheus import PrometheusServer
from controlplane.witness import witnessed
from descheduler.controller.history import HistoryReader
from descheduler.controller.loop import Seams
from descheduler.controller.revalidate import second_validation
from descheduler.execution.executor import Revalidate
from descheduler.execution.ledger import Ledger
from descheduler.model.plan import PlanDocument
from descheduler.pipeline import Memory, Observed, plan, profile
from descheduler.policy import Policy
from descheduler_profiling.profiles import SignalProfiles
from e2e import scene
from faults.acting import Acting
from faults.proxy import ApiProxy
from history.proxy import Fault, FaultyProxy

POLICY = scene.POLICY + "history: {timeout: 1s}\n"


class Lying(FaultyProxy):
    """`lie` changes every value that the real server gives."""

    lie: Callable[[str], str] | None = None

    def forward(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        status, kind, read = super().forward(method, target, body, headers)
        if self.lie is None or status != 200:
            return status, kind, read
        answer = json.loads(read)
        for series in answer["data"].get("result", ()) if isinstance(answer["data"], dict) else ():
            if "values" in series:
                series["values"] = [[at, self.lie(value)] for at, value in series["values"]]
        return status, kind, json.dumps(answer).encode()


@pytest.fixture(scope="module")
def client(module_control_plane: ControlPlane) -> ApiClient:
    scene.build_cluster(module_control_plane.client)
    return module_control_plane.client


@pytest.fixture(scope="module")
def prometheus(client: ApiClient, prometheus_server: Callable[..., PrometheusServer]) -> Iterator[Lying]:
    server = prometheus_server(list(scene.history(client.list("Pod", "default"), scene.now())))
    made = Lying(server.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def acting(
    module_control_plane: ControlPlane, client: ApiClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Acting]:
    proxy = ApiProxy(module_control_plane.server, module_control_plane.ca_file)
    made = Acting(module_control_plane, proxy, tmp_path_factory.mktemp("acting"), POLICY)
    assert made.cache.wait_synced(30)
    yield made
    made.close()
    proxy.close()


@pytest.fixture
def cycle(acting: Acting, prometheus: Lying) -> Iterator[Callable[[], str]]:
    """One cycle with nothing known of the past but what the server says now."""
    clock = acting.time.clock
    reader = HistoryReader(prometheus.url, None, clock, Random(1), lambda: None)
    seams = acting.controller.seams
    profiles: dict[str, SignalProfiles] = {}

    def observe(policy: Policy) -> Observed:
        histories = reader.read(policy, acting.cache.snapshot(), clock.wall())
        snapshot = acting.cache.snapshot()
        return Observed(snapshot, histories, snapshot.taken_at)

    def decide(observed: Observed, policy: Policy, memory: Memory) -> PlanDocument:
        profiles.clear()
        profiles.update(profile(observed))
        return plan(observed, policy, profiles, memory)

    def again(policy: Policy, document: PlanDocument, remembered: Callable[[], Ledger]) -> Revalidate:
        return second_validation(policy, remembered, document.id, profiles)

    acting.controller.seams = Seams(seams.gate, observe, decide, again)
    yield acting.cycle
    prometheus.decide, prometheus.lie = lambda _: None, None
    reader.close()


FAULTS = {  # every way of failing is in tests/history; here it is what the controller makes of it
    "down": Fault("down"),
    "warning": Fault("warning", body="a store is missing"),
}
LIES = {
    "a thousandfold": lambda value: f"{float(value) * 1000:f}",
    "infinite": lambda _: "+Inf",
    "idle": lambda _: "0",
}


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_evicted_without_whole_history(
    module_control_plane: ControlPlane, acting: Acting, prometheus: Lying, cycle: Callable[[], str], name: str
) -> None:
    prometheus.decide = lambda request: FAULTS[name] if request.is_range else None
    with witnessed(module_control_plane) as witness:
        assert cycle() in ("paused", "planned")
    assert not witness.gone
    assert prometheus.seen


@pytest.mark.parametrize("name", LIES)
def test_nothing_is_evicted_on_values_that_cannot_be(
    module_control_plane: ControlPlane, acting: Acting, prometheus: Lying, cycle: Callable[[], str], name: str
) -> None:
    prometheus.lie = LIES[name]
    with witnessed(module_control_plane) as witness:
        assert cycle() in ("paused", "planned")
    assert not witness.gone


def test_a_server_that_is_well_again_is_acted_on(
    module_control_plane: ControlPlane, client: ApiClient, acting: Acting, cycle: Callable[[], str]
) -> None:
    web = {p["metadata"]["uid"] for p in client.list("Pod", "default", label_selector="app=web")}
    with witnessed(module_control_plane) as witness:
        assert cycle() == "acted", acting.controller.status.ready.text
        client.wait_for(lambda: witness.gone, what="an eviction")
    assert witness.gone < web
    assert scene.ready(client, scene.GANG) == 2
