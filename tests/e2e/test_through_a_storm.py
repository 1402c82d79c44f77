"""Everything fails at once for a while, between the controller as a process and its API server and its Prometheus:
nothing wrong is evicted, and afterwards what is right is done, by the same process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from controlplane.cluster import ControlPlane
from controlplane.identities import write_kubeconfig
from controlplane.prometheus import PrometheusServer
from controlplane.witness import witnessed
from e2e import hot_node
from e2e.world import World
from faults.proxy import Answered, ApiProxy, Expired, Fault, Lost, Old, Request, Watched
from history.proxy import Fault as HistoryFault
from history.proxy import FaultyProxy
from history.proxy import Request as HistoryRequest

STORM = 30  # faults of the API server after which the weather is fine again, and of Prometheus
WRITES: tuple[Fault, ...] = (Answered(409), Lost(effective=True), Lost(effective=False))
ANY: tuple[Fault, ...] = (Answered(500), Answered(503), Answered(429, retry_after=1), Lost(effective=False))
WATCHES: tuple[Fault, ...] = (Watched(cut_after=1), Watched(times=2), Watched(late=0.02), Expired(), *ANY)
HISTORY = (
    HistoryFault("down"),
    HistoryFault("truncated"),
    HistoryFault("status", 503, "overloaded"),
    HistoryFault("status", 429, "slow down", {"Retry-After": "0"}),
    HistoryFault("status", 200, "<html>log in</html>"),
    HistoryFault("warning", body="a store is missing"),
    HistoryFault("partial"),
)


class Weather:
    """A seeded storm: one request in three meets a fault, until there were `STORM` of them on both sides."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._api, self._history = STORM, STORM

    @property
    def fine(self) -> bool:
        return self._api <= 0

    def api(self, request: Request) -> Fault | None:
        if self._api <= 0 or self._rng.random() > 0.33:
            return None
        self._api -= 1
        if request.watch:
            return self._rng.choice(WATCHES)
        if request.listing:
            return self._rng.choice((*ANY, Old()))
        return self._rng.choice(ANY if request.method == "GET" else (*ANY, *WRITES))

    def history(self, request: HistoryRequest) -> HistoryFault | None:
        if self._history <= 0 or self._rng.random() > 0.33:
            return None
        self._history -= 1
        return self._rng.choice(HISTORY)


@pytest.fixture
def server(control_plane: ControlPlane, prometheus_server: Callable[..., PrometheusServer]) -> Iterator[FaultyProxy]:
    client = control_plane.client
    hot_node.build_cluster(client)
    made = FaultyProxy(prometheus_server(list(hot_node.history(client.list("Pod", "default"), hot_node.now()))).url)
    yield made
    made.close()


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[ApiProxy]:
    made = ApiProxy(control_plane.server, control_plane.ca_file)
    yield made
    made.close()


@pytest.mark.parametrize("seed", [1])
def test_after_a_storm_the_same_process_does_what_is_right(
    control_plane: ControlPlane, proxy: ApiProxy, server: FaultyProxy, tmp_path: Path, seed: int
) -> None:
    client, weather = control_plane.client, Weather(seed)
    policy = tmp_path / "policy.yaml"
    policy.write_text(hot_node.POLICY)
    world = World(control_plane, server.url, policy, tmp_path)
    world.install("active")
    token = control_plane.service_account_token("descheduler", "descheduler")
    kubeconfig = tmp_path / "through-proxy.kubeconfig"
    write_kubeconfig(kubeconfig, server=proxy.url, ca_file=control_plane.ca_file, user="descheduler", token=token)
    web = {p["metadata"]["uid"] for p in client.list("Pod", "default", label_selector="app=web")}

    proxy.decide, server.decide = weather.api, weather.history
    with witnessed(control_plane) as witness, world.running("active", kubeconfig) as pages:

        def settled() -> bool:
            # A plan that finds nothing more to do, after the last eviction.
            newest = pages.json(f"/reports/{plans[0]}.json") if (plans := pages.reports()) else {}
            return bool(witness.gone) and bool(newest) and not newest["actions"] and not newest["acting_blocked"]

        try:
            client.wait_for(lambda: weather.fine and settled(), timeout=240, what="fine weather and a cool node")
        except TimeoutError as late:
            late.add_note(f"{proxy.injected} faults; {pages.get('/readyz')[1]}")
            raise
    assert witness.gone < web  # each of them once, no replacement, and nobody else
    assert witness.least.get("web", 6) >= 5
    assert not {"held", hot_node.GANG} & witness.least.keys()
    assert not client.get("ConfigMap", "descheduler-intents", "descheduler").get("data")
