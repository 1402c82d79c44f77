"""Whatever happens between the controller and the API server: no wrong eviction, and recovery without a restart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.witness import Witness, witnessed
from descheduler.kube.client.backoff import Backoff
from faults.acting import GANG, WEB, Acting, build, close_the_node_in_use, standing
from faults.proxy import Answered, ApiProxy, Decide, Expired, Fault, Lost, Old, Request, Watched

_RECOVERY = 60.0  # seconds, for slow machines; it takes a few


@dataclass(frozen=True)
class Trouble:
    """A fault, how often it happens, and for how long at most (seconds)."""

    name: str
    decide: Decide
    times: int
    lasting: float = 6.0


def when(condition: Callable[[Request], bool], fault: Fault) -> Decide:
    return lambda request: fault if condition(request) else None


def evicting(request: Request) -> bool:
    return request.evicting


def eviction_or_dry_run(request: Request) -> bool:
    return request.path.endswith("/eviction")


def any_request(_: Request) -> bool:
    return True


def keeping(request: Request) -> bool:
    return request.writes("configmaps")


def leasing(request: Request) -> bool:
    return request.writes("leases")


def watching(request: Request) -> bool:
    """Of pods alone: seventeen kinds that fail together only take longer."""
    return request.watch and request.path == "/api/v1/pods"


def listing(request: Request) -> bool:
    return request.listing and request.path == "/api/v1/pods"


BUDGET = Answered(429, "the budget is closed", cause="DisruptionBudget")
TOO_MANY = Answered(429, "slow down", retry_after=1)


def behind(fault: Fault) -> Decide:
    """A watch that is too old, so that a list follows; and what becomes of that list."""
    return lambda request: Expired() if watching(request) else fault if listing(request) else None


TROUBLES = (
    Trouble("429 budget on evictions", when(evicting, BUDGET), 3),
    Trouble("429 budget on dry runs", when(lambda r: eviction_or_dry_run(r) and not r.evicting, BUDGET), 3),
    Trouble("429 throttling of evictions", when(eviction_or_dry_run, TOO_MANY), 3),
    Trouble("429 throttling of everything", when(any_request, TOO_MANY), 20, 2.0),
    Trouble("409 on evictions", when(evicting, Answered(409)), 2),
    Trouble("409 on intents and ledger", when(keeping, Answered(409)), 7),
    Trouble("409 on the lease", when(leasing, Answered(409)), 2),
    Trouble("500 on evictions", when(evicting, Answered(500)), 3),
    Trouble("500 on intents and ledger", when(keeping, Answered(500)), 3),
    Trouble("503 on everything", when(any_request, Answered(503)), 10**6, 2.0),
    Trouble("evictions lost on the way", when(evicting, Lost(effective=False)), 3),
    Trouble("evictions lost after they took effect", when(evicting, Lost(effective=True)), 3),
    Trouble("an eviction that times out after it took effect", when(evicting, Lost(effective=True, after=5.5)), 1, 8.0),
    Trouble("intents and ledger lost after they took effect", when(keeping, Lost(effective=True)), 3),
    Trouble("the lease lost after it was taken", when(leasing, Lost(effective=True)), 2),
    Trouble("watches cut in the middle of a line", when(watching, Watched(cut_after=0)), 2),
    Trouble("watches that end at once", when(watching, Lost(effective=False)), 2),
    Trouble("slow watches", when(watching, Watched(late=0.2)), 1),
    Trouble("every event twice", when(watching, Watched(times=2)), 2),
    Trouble("410 on watches", when(watching, Expired()), 2),
    Trouble("410 on lists", behind(Answered(410, "expired")), 3),
    Trouble("stale lists", behind(Old()), 4),
)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """What is followed is asked for again soon: the server is ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Backoff.__init__.__kwdefaults__, "first", 0.1)
        yield


@pytest.fixture(scope="module")
def plane(module_control_plane: ControlPlane) -> ControlPlane:
    build(module_control_plane.client)
    return module_control_plane


@pytest.fixture(scope="module")
def proxy(plane: ControlPlane) -> Iterator[ApiProxy]:
    made = ApiProxy(plane.server, plane.ca_file)
    yield made
    made.close()


@pytest.fixture(scope="module")
def acting(plane: ControlPlane, proxy: ApiProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acting]:
    """One controller for all of them: none of these faults needs a new one."""
    made = Acting(plane, proxy, tmp_path_factory.mktemp("acting"))
    assert made.cache.wait_synced(30)
    yield made
    made.close()


def until_moved(client: ApiClient, acting: Acting, before: set[str], seconds: float) -> list[str]:
    """Cycle until all that stood there is gone and replaced, or the time is over; how the cycles ended."""
    results: list[str] = []
    deadline = time.monotonic() + seconds
    while not moved(client, before):
        if time.monotonic() > deadline:
            break
        results.append(acting.cycle())
        time.sleep(0.05)
    return results


def moved(client: ApiClient, before: set[str]) -> bool:
    there = standing(client)
    return before.isdisjoint(there) and len(there) == WEB + GANG


def assert_moved_once(client: ApiClient, witness: Witness, before: set[str]) -> None:
    client.wait_for(lambda: before <= witness.gone, what="the witness")
    assert witness.gone == before  # each pod once, and no other
    assert witness.least.get("web", WEB) >= WEB - 1  # at every moment


@pytest.mark.parametrize("trouble", TROUBLES, ids=[t.name.replace(" ", "-") for t in TROUBLES])
def test_nothing_wrong_is_evicted_and_it_goes_on_by_itself(
    plane: ControlPlane, proxy: ApiProxy, acting: Acting, trouble: Trouble
) -> None:
    client = plane.client
    acting.source = close_the_node_in_use(client)
    before = set(standing(client))
    with witnessed(plane) as witness:
        with proxy.failing(trouble.decide, trouble.times, trouble.lasting):
            if trouble.name.startswith(("watch", "slow", "every", "410", "stale")):
                proxy.break_watches("/api/v1/pods")
            during = until_moved(client, acting, before, trouble.lasting)
        assert proxy.injected, "the fault was not met"
        after = until_moved(client, acting, before, _RECOVERY)
        assert moved(client, before), f"during: {during}, after: {after}, {acting.controller.status.ready.text}"
        assert_moved_once(client, witness, before)
    assert "failed" not in during + after
    assert not (client.get("ConfigMap", "descheduler-intents").get("data"))


@pytest.mark.parametrize("jump", [-7200.0, 7200.0], ids=["back", "ahead"])
def test_a_wall_clock_that_jumps_and_is_set_right_again(
    plane: ControlPlane, proxy: ApiProxy, acting: Acting, jump: float
) -> None:
    client = plane.client
    acting.source = close_the_node_in_use(client)
    before = set(standing(client))
    with witnessed(plane) as witness:
        acting.time.offset = jump
        try:
            until_moved(client, acting, before, 1.5)
        finally:
            acting.time.offset = 0.0
        until_moved(client, acting, before, _RECOVERY)
        assert moved(client, before), acting.controller.status.ready.text
        assert_moved_once(client, witness, before)
