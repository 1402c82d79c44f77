"""What is about to be done is written down in a ConfigMap, and the API server takes no more than 1 MiB of one."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.intents import NAME, Intent, IntentStore
from descheduler.model.errors import BadAnswer
from descheduler.model.plan import Action
from descheduler.model.reasons import Reason
from execution.fakes import Fence
from execution.live import client_of
from execution.plans import action, move, plan
from execution.test_runner import Server, acting, ids, world

RNG = random.Random(7)


def gang(name: str, pods: int) -> Action:
    """Of pods with long names, as a tenant may give them; uids do not compress."""
    members = (f"{name}-{'x' * 150}-{RNG.getrandbits(64):016x}-{i}" for i in range(pods))
    return action(*(move(m, uid=f"{RNG.getrandbits(128):032x}") for m in members), name=name, gang=True)


def intents(*actions: Action) -> list[Intent]:
    return [Intent.of("plan-1", one, 1.0 + i) for i, one in enumerate(actions)]


def test_a_large_plan_is_announced_as_far_as_the_real_api_server_takes_it(control_plane: ControlPlane) -> None:
    client = control_plane.client
    store = IntentStore(ClusterWriter(client_of(control_plane), Unelected()), "default")
    first = intents(gang("first", 5000))
    assert store.open(first) == {first[0].key}
    many = intents(*(gang(f"g{i}", 400) for i in range(60)))
    announced = store.open(many)
    assert 0 < len(announced) < len(many)
    data = client.get("ConfigMap", NAME)["data"]
    assert 900_000 < sum(len(key) + len(text) for key, text in data.items()) <= 1_000_000
    assert first[0] in store.load()  # what was open stays open, and can be read whole
    assert {i.key for i in store.load()} == {first[0].key, *announced}
    store.close(first)
    again = store.open([i for i in many if i.key not in announced])
    assert again  # and there is room again
    assert not again & announced
    store.close(many)
    assert store.load() == ()


def test_what_does_not_fit_is_not_begun_and_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descheduler.execution.intents.MAX_BYTES", 1600)
    names = ["a-1", "b-1", "c-1", "d-1"]
    server = Server(*ids(*names))
    report = acting(server, world(*names)).execute(plan(*(action(move(name)) for name in names)))
    assert 0 < len(server.evicted) < len(names)
    refused = [o.blocked.reason for o in report.actions if o.blocked is not None]
    assert set(refused) == {Reason.TOO_LARGE}
    assert len(refused) + len(server.evicted) == len(names)


def test_open_intents_are_never_dropped_for_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    store = IntentStore(ClusterWriter(server, Fence()), "default")
    old = intents(action(move("a-1")))
    store.open(old)
    monkeypatch.setattr("descheduler.execution.intents.MAX_BYTES", 10)
    assert store.open(intents(action(move("b-1")))) == frozenset()
    assert list(store.load()) == old


def test_a_small_intent_can_be_read_by_people() -> None:
    server = Server()
    (one,) = intents(action(move("a-1")))
    IntentStore(ClusterWriter(server, Fence()), "default").open([one])
    assert json.loads(server.maps[NAME]["data"][one.key])["action"]["unit"] == "default/a-1"


@pytest.mark.parametrize("text", ["zlib:", "zlib:nonsense", "zlib:eJzzSM3JyVcozy/KSVEEABxJBD4"])
def test_a_compressed_intent_that_cannot_be_read_is_an_error_not_nothing(text: str) -> None:
    server = Server()
    made: dict[str, Any] = {"metadata": {"name": NAME, "namespace": "default"}, "data": {"x": text}}
    server.request("POST", "/api/v1/namespaces/default/configmaps", json.dumps(made).encode())
    with pytest.raises(BadAnswer, match="open intent x cannot be read"):
        IntentStore(ClusterWriter(server, Fence()), "default").load()
