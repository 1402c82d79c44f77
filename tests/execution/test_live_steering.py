"""Steering on a real API server and scheduler: replacements go where they were foreseen to go, and no taint stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Transport
from descheduler.contract import Landing, Scenario, StrategyArgs, land
from descheduler.execution.outcomes import Result
from descheduler.execution.steering import Steering
from descheduler.kube.client.answers import error_of
from descheduler.learning.ledger import Ledger
from descheduler.model.errors import LeadershipLost, Unreachable
from descheduler.model.landing_mode import LandingMode
from descheduler.model.nodes import VACATING
from descheduler.model.plan import Action
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.rights import MissingRight
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.policy import load_policy
from descheduler.scheduler import prepare
from descheduler.second_validation import second_validation
from execution.fakes import Fence
from execution.live import QUICK, Dying, Killed, Racing, client_of, deployment, run_deployment, runner, serial, uids
from execution.plans import action, move_of, plan
from planning.cases import planned
from planning.proposing import Proposing

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
OURS = {"key": VACATING.key, "effect": VACATING.effect}
THEIRS = {"key": "theirs", "value": "x", "effect": "PreferNoSchedule"}


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    control_plane.client.create_node("n1")
    control_plane.client.wait_for_nodes("n1")
    return control_plane.client


def taints(client: ApiClient, node: str) -> list[dict[str, str]]:
    return list(client.get("Node", node)["spec"].get("taints") or [])


def intents(client: ApiClient) -> dict[str, str]:
    return (client.get_or_none("ConfigMap", "descheduler-intents") or {}).get("data") or {}


def steered(client: ApiClient, *more: str, name: str = "web", replicas: int = 1, wave: int = 1) -> Action:
    """A whole unit on n1, steered away from there and from whatever else is named."""
    pods = run_deployment(client, name, replicas)
    moves = [move_of(p, f"default/Deployment/{name}") for p in pods]
    return replace(action(*moves, name=name, wave=wave, gang=replicas > 1), steer=("n1", *more))


def fuller_node(client: ApiClient) -> None:
    """n2, on which so much runs that the scheduler prefers n1."""
    client.create_node("n2")
    client.wait_for_nodes("n2")
    filler = deployment("filler", 1, cpu="5")
    filler["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "n2"}
    client.apply(filler)
    client.wait_for_pods(1, label_selector="app=filler")


def foreseen(snapshot: ClusterSnapshot, unit: Action, *, steering: bool) -> Landing | Blocked:
    mode = LandingMode.STEERED if steering else LandingMode.PREDICTED
    state = Scenario({}, prepare(snapshot).what_if(), mode=mode)
    pod = snapshot.pod_index[unit.pods[0].namespace, unit.pods[0].pod]
    source = state.node_of(pod)
    state.remove(pod)
    return land(snapshot, state, pod, source, lambda nodes: nodes >= 0, 0.2, Reason.DESTINATION_HOT)


class Watched:
    """A transport that shows every real request before it is sent."""

    def __init__(self, inner: Transport, seen: Callable[[str, str], None]) -> None:
        self._inner = inner
        self._seen = seen

    def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
        if "dryRun" not in (rest.get("query") or {}):
            self._seen(method, path)
        return self._inner.request(method, path, body, **rest)


def test_without_steering_it_comes_back_and_with_it_it_lands_as_foreseen(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    first = replace(steered(client), steer=())
    fuller_node(client)
    acting = runner(control_plane)
    stays = foreseen(acting.observe(), first, steering=False)
    assert isinstance(stays, Blocked)
    assert stays.reason is Reason.WOULD_STAY
    assert acting.execute(plan(first)).actions[0].pods[0].landed == "n1"

    again = steered(client)
    snapshot = acting.observe()
    landing = foreseen(snapshot, again, steering=True)
    assert isinstance(landing, Landing)
    assert [snapshot.nodes[n].name for n in landing.nodes] == ["n2"]
    at_eviction: list[list[dict[str, str]]] = []
    transport = Racing(client_of(control_plane), 1, lambda: at_eviction.append(taints(client, "n1")))
    report = runner(control_plane, transport).execute(plan(again, name="again"))
    assert at_eviction == [[OURS]]
    assert (report.actions[0].result, report.stopped) == (Result.DONE, None)
    assert report.actions[0].pods[0].landed == "n2"
    assert taints(client, "n1") == taints(client, "n2") == []
    assert intents(client) == {}


def test_the_intent_comes_before_the_taint_and_the_taint_before_the_eviction(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    unit = steered(client)
    writes: list[tuple[str, int, int]] = []

    def note(method: str, path: str) -> None:
        if method != "GET":
            writes.append((path.rpartition("/")[2], len(intents(client)), len(taints(client, "n1"))))

    transport = Watched(client_of(control_plane), note)
    assert runner(control_plane, transport, limits=serial()).execute(plan(unit)).stopped is None
    last = [(name, opened, tainted) for name, opened, tainted in writes]
    assert last == [
        ("configmaps", 0, 0),
        ("n1", 1, 0),
        ("eviction", 1, 1),
        ("n1", 1, 1),
        ("descheduler-intents", 1, 0),
    ]


def test_taints_of_others_are_kept_also_when_they_come_between(control_plane: ControlPlane, client: ApiClient) -> None:
    client.patch("Node", "n1", {"spec": {"taints": [THEIRS]}})
    unit = steered(client)
    late = {"key": "late", "effect": "PreferNoSchedule"}
    meddled: list[str] = []

    def meddle(method: str, path: str) -> None:
        if method == "PATCH" and not meddled:
            meddled.append(path)
            client.patch("Node", "n1", {"spec": {"taints": [THEIRS, late]}})

    during: list[list[dict[str, str]]] = []

    def note(method: str, path: str) -> None:
        meddle(method, path)
        if path.endswith("/eviction"):
            during.append(taints(client, "n1"))

    transport = Watched(client_of(control_plane), note)
    report = runner(control_plane, transport, limits=serial()).execute(plan(unit))
    assert report.actions[0].result is Result.DONE
    assert during == [[THEIRS, late, OURS]]
    assert taints(client, "n1") == [THEIRS, late]


def test_a_node_keeps_its_taint_until_the_last_unit_that_needs_it_is_done(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    units = [steered(client, name=name) for name in ("web", "db")]
    for interrupted in units:  # each by a process of its own, right after the eviction
        dying = Dying(client_of(control_plane), 3 if interrupted is units[0] else 2, after=False)
        with pytest.raises(Killed):
            runner(control_plane, dying, limits=serial()).execute(plan(interrupted, name=interrupted.id))
    assert len(intents(client)) == 2
    assert taints(client, "n1") == [OURS]
    heir = runner(control_plane)
    first, second = heir.intents.load()
    heir.context().close([first])
    assert taints(client, "n1") == [OURS]
    heir.context().close([second])
    assert taints(client, "n1") == []


def test_a_deposed_leader_writes_no_taint_and_its_heir_takes_it_away(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    unit = steered(client, replicas=2, name="gang")
    client.create_node("n2")
    fence = Fence()
    acting = runner(control_plane, leadership=fence, limits=serial())
    tainted = acting.writer.taint

    def depose_after_the_taint(*given: Any) -> None:
        tainted(*given)
        fence.leading = False

    acting.writer.taint = depose_after_the_taint  # type: ignore[method-assign]
    report = acting.execute(plan(unit))
    assert report.stopped
    assert report.stopped.reason is Reason.NOT_LEADING
    assert report.evicted == 0
    assert taints(client, "n1") == [OURS]
    with pytest.raises(LeadershipLost):
        acting.context().close(acting.intents.load())
    with pytest.raises(LeadershipLost):
        Steering(acting.writer).taint("n2")
    assert taints(client, "n1") == [OURS]

    assert runner(control_plane).resume() == ()
    assert taints(client, "n1") == []
    assert intents(client) == {}
    assert uids(client, "gang") == {m.uid for m in unit.pods}


def test_a_unit_whose_node_cannot_be_tainted_stays(control_plane: ControlPlane, client: ApiClient) -> None:
    units = [steered(client, name="web"), replace(steered(client, name="db"), steer=())]

    def forbid(method: str, path: str) -> None:
        if method == "PATCH":
            body = (
                b'{"kind":"Status","message":"nodes \\"n1\\" is forbidden: User \\"x\\" cannot patch resource nodes"}'
            )
            raise error_of(403, body, method, path)

    report = runner(control_plane, Watched(client_of(control_plane), forbid), limits=serial()).execute(plan(*units))
    stays, goes = sorted(report.actions, key=lambda a: a.result.value, reverse=True)
    assert (stays.result, goes.result, report.stopped) == (Result.REFUSED, Result.DONE, None)
    assert stays.blocked
    assert (stays.blocked.reason, type(stays.blocked)) == (Reason.API_REFUSED, MissingRight)
    assert uids(client, "web") == {units[0].pods[0].uid}
    assert intents(client) == {}


def test_a_taint_that_may_yet_come_to_be_stays_announced(control_plane: ControlPlane, client: ApiClient) -> None:
    unit = steered(client)
    real = client_of(control_plane)

    class Deaf:
        """The write takes effect, the answer is lost."""

        def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
            answer = real.request(method, path, body, **rest)
            if method == "PATCH":
                raise Unreachable("timed out")
            return answer

    report = runner(control_plane, Deaf(), limits=serial()).execute(plan(unit))
    assert report.actions[0].result is Result.REFUSED
    assert report.stopped
    assert report.stopped.reason is Reason.UNFINISHED
    assert len(intents(client)) == 1
    assert uids(client, "web") == {unit.pods[0].uid}
    assert runner(control_plane).resume() == ()
    assert taints(client, "n1") == []


def test_a_replacement_that_finds_no_node_does_not_keep_the_taint(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    unit = steered(client)
    client.patch("Node", "n1", {"spec": {"unschedulable": True}})
    report = runner(control_plane, limits=replace(QUICK, ready=0.5)).execute(plan(unit))
    assert report.stopped
    assert report.stopped.reason is Reason.CIRCUIT_OPEN
    assert [t for t in taints(client, "n1") if t["key"] == VACATING.key] == []
    assert intents(client) == {}


def test_a_process_that_is_to_end_waits_until_replacements_have_a_node(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    unit = steered(client)
    fuller_node(client)
    acting = runner(control_plane)
    asked: list[bool] = []

    def stopping() -> bool:
        return bool(asked)

    acting.stopping = stopping
    acting.keep = lambda *_: asked.append(True)  # the evictions are over
    report = acting.execute(plan(unit))
    assert report.actions[0].pods[0].landed == "n2"
    assert taints(client, "n1") == []
    assert intents(client) == {}


def test_a_plan_that_steers_is_carried_out_as_it_foresaw(control_plane: ControlPlane, client: ApiClient) -> None:
    (pod,) = run_deployment(client, "web", 1)
    fuller_node(client)
    acting = runner(control_plane)
    snapshot = acting.observe()
    proposing = [ChosenStrategy(Proposing(((pod["metadata"]["name"], ()),)), StrategyArgs())]
    assert planned(snapshot, [], proposing, PlanningSettings(), snapshot.taken_at).actions == ()
    document = planned(snapshot, [], proposing, PlanningSettings(landing=LandingMode.STEERED), snapshot.taken_at)
    (decided,) = document.actions
    assert (decided.steer, decided.pods[0].destination) == (("n1",), "n2")

    policy = load_policy(HEAD + "acting: {landing: steered}\nstrategies: []\n")
    report = acting.execute(document, revalidate=second_validation(policy, Ledger, document.id))
    assert [(o.result, o.pods[0].landed) for o in report.actions] == [(Result.DONE, "n2")]
    assert taints(client, "n1") == taints(client, "n2") == []
