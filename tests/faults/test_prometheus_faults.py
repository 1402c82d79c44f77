"""Whatever Prometheus does: nothing is evicted on the word of it alone, and what is right is done once it is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.prometheus import PrometheusServer
from controlplane.witness import witnessed
from e2e import hot_node
from faults.acting import Acting
from faults.proxy import ApiProxy
from faults.watching import Answer, Lying, Samples, Watching
from history.proxy import Decide, Fault

POLICY = hot_node.POLICY + "history: {timeout: 1s}\nfreshness: {maxAge: 1h}\n"


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Repeats follow at once: they are bounded in number, and the server is ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("descheduler_profiling.history.prometheus.client._BACKOFF", 0.01)
        patch.setattr("descheduler_profiling.history.prometheus.client._GRACE", 0.0)
        yield


@pytest.fixture(scope="module")
def client(module_control_plane: ControlPlane) -> ApiClient:
    hot_node.build_cluster(module_control_plane.client)
    return module_control_plane.client


@pytest.fixture(scope="module")
def prometheus(client: ApiClient, prometheus_server: Callable[..., PrometheusServer]) -> Iterator[Lying]:
    server = prometheus_server(list(hot_node.history(client.list("Pod", "default"), hot_node.now())))
    made = Lying(server.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def controller(
    module_control_plane: ControlPlane,
    client: ApiClient,
    prometheus: Lying,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watching]:
    """One for all of them: none of these faults needs a new one."""
    proxy = ApiProxy(module_control_plane.server, module_control_plane.ca_file)
    acting = Acting(module_control_plane, proxy, tmp_path_factory.mktemp("acting"), POLICY)
    assert acting.cache.wait_synced(30)
    made = Watching(acting, prometheus)
    yield made
    made.close()
    acting.close()
    proxy.close()


@pytest.fixture
def well(prometheus: Lying, controller: Watching) -> Iterator[None]:
    """Before and after each test the server is well and the clock is right."""
    yield
    prometheus.recover()
    prometheus.release.set()
    controller.acting.time.offset = 0.0


@dataclass(frozen=True)
class Trouble:
    """What the server does to range queries: `fault` answers them, `lie` and `forge` change what they answer.

    `says`: what a controller that knows nothing else must tell of it; empty where no lie can be told from the truth.
    """

    name: str
    fault: Fault | None = None
    lie: Callable[[Samples], Samples] | None = None
    forge: Callable[[Answer], Answer] | None = None
    says: str = "history"

    def begin(self, server: Lying) -> None:
        server.decide = self._decide()
        server.lie, server.forge = self.lie, self.forge

    def _decide(self) -> Decide:
        return lambda request: self.fault if request.is_range else None


def values(change: Callable[[float], str]) -> Callable[[Samples], Samples]:
    return lambda samples: [[at, change(float(value))] for at, value in samples]


def shifted(seconds: float) -> Callable[[Samples], Samples]:
    return lambda samples: [[at + seconds, value] for at, value in samples]


def without_most_series(answer: Answer) -> Answer:
    answer["data"]["result"] = answer["data"]["result"][:1]
    return answer


FAILS = (
    Trouble("down", Fault("down")),
    Trouble("slow", Fault("slow")),
    Trouble("503", Fault("status", 503, "overloaded")),
    Trouble("429", Fault("status", 429, "slow down", {"Retry-After": "0"})),
    Trouble("500", Fault("status", 500, '{"status":"error","error":"boom"}')),
    Trouble("422", Fault("status", 422, '{"status":"error","errorType":"execution","error":"too many samples"}')),
    Trouble("cut answers", Fault("truncated")),
    Trouble("a page of HTML", Fault("status", 200, "<html>log in</html>")),
    Trouble("an error inside a success", Fault("status", 200, '{"status":"error","error":"boom"}')),
    Trouble("a warning of a missing store", Fault("warning", body="a store is missing")),
    Trouble("an answer marked as partial", Fault("partial")),
    Trouble("no data", forge=lambda a: {**a, "data": {"resultType": "matrix", "result": []}}),
    Trouble("most series missing", forge=without_most_series),
)
LIES = (
    Trouble("NaN", lie=values(lambda _: "NaN")),
    Trouble("infinite", lie=values(lambda _: "+Inf")),
    Trouble("negative", lie=values(lambda v: f"{-v:f}")),
    Trouble("a thousandfold", lie=values(lambda v: f"{v * 1000:f}"), says=""),
    Trouble("idle", lie=values(lambda _: "0"), says=""),
    Trouble("an hour from the future", lie=shifted(3600.0)),
    Trouble("an hour old", lie=shifted(-3600.0)),
    Trouble("off the grid", lie=shifted(7.0)),
)
HARMLESS = (
    Trouble("in the wrong order", lie=lambda samples: samples[::-1]),
    Trouble("twice", lie=lambda samples: [s for sample in samples for s in (sample, sample)]),
)


@pytest.fixture(scope="module")
def truth(controller: Watching) -> set[str]:
    """What is to be moved, by a server that is well."""
    assert controller.cycle("dry-run") == "planned", controller.readiness
    assert controller.moved, controller.refusals
    assert all(name.startswith("web-") for name in controller.moved)
    return controller.moved


def assert_recovers(controller: Watching, server: Lying, truth: set[str]) -> None:
    """Once the server is well the same is planned as ever: without a restart, and within three cycles."""
    server.recover()
    for _ in range(3):
        if controller.cycle("dry-run") == "planned" and controller.moved:
            break
    # What is true changes while the tests run, for the peak comes nearer: it is asked for at this moment.
    assert truth <= controller.moved == controller.moved_by_the_truth(), controller.readiness


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize("trouble", FAILS + LIES, ids=lambda t: t.name.replace(" ", "-"))
def test_nothing_is_evicted_while_the_server_fails_or_lies_and_all_is_right_once_it_is_well(
    module_control_plane: ControlPlane, controller: Watching, prometheus: Lying, truth: set[str], trouble: Trouble
) -> None:
    with witnessed(module_control_plane) as witness:
        controller.forget()
        trouble.begin(prometheus)
        assert controller.cycle("active") in ("paused", "planned")
        assert trouble.says in controller.readiness
        assert any(request.is_range for request in prometheus.seen), "the fault was not met"
        assert_recovers(controller, prometheus, truth)
        # Now it knows the truth, and can tell even those lies that are possible.
        trouble.begin(prometheus)
        assert controller.cycle("active") == "paused"
        assert "history" in controller.readiness
        assert any(request.is_range for request in prometheus.seen), "the fault was not met"
        assert_recovers(controller, prometheus, truth)
    assert not witness.gone


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize("trouble", HARMLESS, ids=lambda t: t.name.replace(" ", "-"))
def test_the_truth_told_oddly_is_the_truth(
    controller: Watching, prometheus: Lying, truth: set[str], trouble: Trouble
) -> None:
    controller.forget()
    trouble.begin(prometheus)
    assert controller.cycle("dry-run") == "planned"
    prometheus.recover()
    assert truth <= controller.moved == controller.moved_by_the_truth()


@pytest.mark.usefixtures("well")
def test_a_server_that_is_well_again_is_acted_on(
    module_control_plane: ControlPlane, client: ApiClient, controller: Watching
) -> None:
    web = {p["metadata"]["uid"] for p in client.list("Pod", "default", label_selector="app=web")}
    with witnessed(module_control_plane) as witness:
        assert controller.cycle("active") == "acted", controller.readiness
        client.wait_for(lambda: witness.gone, what="an eviction")
    assert witness.gone < web
    assert witness.least["web"] >= 5
    assert hot_node.ready(client, hot_node.GANG) == 2
