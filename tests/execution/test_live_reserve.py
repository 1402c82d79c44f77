"""Reserving on a real API server: replacements land where the plan says, or nothing is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.migrating import MigratingDescheduler, jobs
from controlplane.reserving import NAME as SCHEDULER
from controlplane.reserving import ReservingScheduler, reservations
from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.writer import MANAGED_BY
from descheduler.execution.executors.our_objects import INTENT
from descheduler.execution.executors.registry import choose
from descheduler.execution.executors.reserve import ReserveArgs
from descheduler.execution.outcomes import Result
from descheduler.execution.runner import PlanRunner
from descheduler.kube.client.answers import error_of
from descheduler.model.errors import Unreachable
from descheduler.model.plan import Action
from descheduler.model.reasons import Reason
from descheduler.model.rights import MissingRight, Right
from descheduler.pipeline import planning_settings
from descheduler.policy import load_policy
from execution.live import Dying, Killed, Racing, client_of, deployment, run_deployment, runner, serial, uids
from execution.plans import action, move_of, plan
from planning.cases import gpus, planned

QUICKLY = ReserveArgs(timeout=timedelta(seconds=1))


@pytest.fixture
def client(control_plane: ControlPlane) -> Iterator[ApiClient]:
    """n1, where all starts and which the scheduler prefers once it is empty; `more_nodes` adds the others."""
    client = control_plane.client
    apply_crds(client)
    client.create_node("n1", cpu=8)
    client.wait_for_nodes("n1")
    with ReservingScheduler(control_plane):
        yield client


def more_nodes(client: ApiClient) -> None:
    """n2, which has room, and n3, which has none."""
    client.create_node("n2", cpu=4)
    client.create_node("n3", cpu="500m")
    client.wait_for_nodes()


def unit(client: ApiClient, *destinations: str, name: str = "web", how: str = "reserve") -> Action:
    """A unit of as many pods as there are destinations, all on n1."""
    pods = run_deployment(client, name, len(destinations), SCHEDULER)
    if client.get_or_none("Node", "n2") is None:
        more_nodes(client)
    moves = [move_of(p, f"default/Deployment/{name}", node) for p, node in zip(pods, destinations, strict=True)]
    return action(*moves, name=name, gang=len(moves) > 1, executor=how)


def reserving(plane: ControlPlane, transport: Transport | None = None) -> PlanRunner:
    return runner(plane, transport, limits=serial(), executors=lambda name: choose(name, QUICKLY))


def intents(client: ApiClient) -> dict[str, str]:
    return (client.get_or_none("ConfigMap", "descheduler-intents") or {}).get("data") or {}


def nodes_of(client: ApiClient, app: str) -> list[str]:
    return sorted(p["spec"]["nodeName"] for p in client.list("Pod", "default", label_selector=f"app={app}"))


class Meddling:
    """A transport that calls `meddle` with each request before it is sent; what that raises is the answer."""

    def __init__(self, inner: Transport, meddle: Callable[[str, str], None]) -> None:
        self._inner = inner
        self._meddle = meddle

    def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
        if "dryRun" not in (rest.get("query") or {}):
            self._meddle(method, path)
        return self._inner.request(method, path, body, **rest)


def test_it_lands_where_it_was_planned_and_without_a_reservation_elsewhere(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    first = unit(client, "n2", how="evict")
    assert runner(control_plane).execute(plan(first)).actions[0].pods[0].landed == "n1"

    again = unit(client, "n2")
    at_eviction: list[Any] = []
    transport = Racing(client_of(control_plane), 1, lambda: at_eviction.extend(reservations(client)))
    report = reserving(control_plane, transport).execute(plan(again, name="again"))
    assert (report.actions[0].result, report.stopped) == (Result.DONE, None)
    assert report.actions[0].pods[0].landed == "n2"
    (held,) = at_eviction
    assert held["status"]["phase"] in ("Available", "Succeeded")
    assert held["spec"]["template"]["spec"]["nodeName"] == held["status"]["nodeName"] == "n2"
    assert held["metadata"]["annotations"]["rebalance.descheduler.dev/plan"] == "again"
    (container,) = held["spec"]["template"]["spec"]["containers"]
    assert container.keys() <= {"name", "image", "resources", "ports"}  # nobody else is to read what it runs with
    assert container["resources"]["requests"]
    assert reservations(client) == []
    assert intents(client) == {}


def test_the_intent_comes_first_and_all_reservations_before_the_first_eviction(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    writes: list[tuple[str, str, int]] = []

    def note(method: str, path: str) -> None:
        if method != "GET":
            writes.append((method, path.rsplit("/", 2)[1 if path.endswith("eviction") else 2], len(intents(client))))

    transport = Meddling(client_of(control_plane), note)
    report = reserving(control_plane, transport).execute(plan(unit(client, "n2", "n2")))
    assert report.actions[0].result is Result.DONE
    assert nodes_of(client, "web") == ["n2", "n2"]
    kinds = [
        ("intents" if "intents" in what or what == "configmaps" else what.split("-")[0], method, opened)
        for method, what, opened in writes
    ]
    assert kinds[:3] == [("intents", "POST", 0), ("reservations", "POST", 1), ("reservations", "POST", 1)]
    assert [kind for kind, *_ in kinds[3:]] == ["web", "web", "descheduler", "descheduler", "intents"]


def test_when_one_reservation_cannot_be_had_nothing_is_touched(control_plane: ControlPlane, client: ApiClient) -> None:
    stays, goes = unit(client, "n2", "n3"), unit(client, "n2", name="db")
    report = reserving(control_plane).execute(plan(stays, goes))
    assert [outcome.result for outcome in report.actions] == [Result.REFUSED, Result.DONE]
    blocked = report.actions[0].blocked
    assert blocked
    assert blocked.reason is Reason.EXECUTOR
    assert "not available within 1 s" in blocked.detail
    assert "node n3 has not 1000m of CPU" in blocked.detail
    assert uids(client, "web") == {m.uid for m in stays.pods}
    assert nodes_of(client, "db") == ["n2"]
    assert reservations(client) == []
    assert intents(client) == {}


def test_a_reservation_that_somebody_takes_away_leaves_the_unit_where_it_is(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    stays = unit(client, "n2", "n3")

    def take(method: str, path: str) -> None:
        if method == "GET" and path.endswith("/reservations"):
            for one in reservations(client):
                client.delete("Reservation", one["metadata"]["name"])

    report = reserving(control_plane, Meddling(client_of(control_plane), take)).execute(plan(stays))
    assert report.actions[0].result is Result.REFUSED
    assert uids(client, "web") == {m.uid for m in stays.pods}
    assert intents(client) == {}


def test_who_may_not_reserve_touches_nothing(control_plane: ControlPlane, client: ApiClient) -> None:
    stays = unit(client, "n2")

    def forbid(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/reservations"):
            body = b'{"kind":"Status","message":"User \\"x\\" cannot create resource \\"reservations\\""}'
            raise error_of(403, body, method, path)

    report = reserving(control_plane, Meddling(client_of(control_plane), forbid)).execute(plan(stays))
    blocked = report.actions[0].blocked
    assert isinstance(blocked, MissingRight)
    assert blocked.right == Right("scheduling.koordinator.sh", "reservations", "create")
    assert uids(client, "web") == {stays.pods[0].uid}
    assert intents(client) == {}


def test_a_reservation_that_may_yet_come_to_be_stays_announced(control_plane: ControlPlane, client: ApiClient) -> None:
    stays = unit(client, "n2")
    real = client_of(control_plane)

    class Deaf:
        """The write takes effect, the answer is lost."""

        def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
            answer = real.request(method, path, body, **rest)
            if method == "POST" and path.endswith("/reservations"):
                raise Unreachable("timed out")
            return answer

    report = reserving(control_plane, Deaf()).execute(plan(stays))
    assert report.actions[0].result is Result.REFUSED
    assert report.stopped
    assert report.stopped.reason is Reason.UNFINISHED
    (key,) = intents(client)
    assert [one["metadata"]["labels"][INTENT] for one in reservations(client)] == [key]
    assert uids(client, "web") == {stays.pods[0].uid}
    assert reserving(control_plane).resume() == ()
    assert reservations(client) == []
    assert intents(client) == {}


def test_a_process_that_is_to_end_begins_nothing_while_it_waits(control_plane: ControlPlane, client: ApiClient) -> None:
    stays = unit(client, "n3")
    acting = reserving(control_plane)
    acting.stopping = lambda: bool(reservations(client))
    report = acting.execute(plan(stays))
    assert report.actions[0].blocked
    assert report.actions[0].blocked.reason is Reason.STOPPING
    assert uids(client, "web") == {stays.pods[0].uid}
    assert reservations(client) == []


def test_reservations_of_others_are_left_alone(control_plane: ControlPlane, client: ApiClient) -> None:
    goes = unit(client, "n2")
    theirs = {
        "apiVersion": "scheduling.koordinator.sh/v1alpha1",
        "kind": "Reservation",
        "metadata": {"name": "theirs", "labels": {"app.kubernetes.io/managed-by": "descheduler"}},
        "spec": {
            "template": {"spec": {"nodeName": "n1", "containers": [{"name": "a", "image": "b"}]}},
            "owners": [{"labelSelector": {"matchLabels": {"app": "theirs"}}}],
        },
    }
    client.create(theirs)
    assert reserving(control_plane).execute(plan(goes)).actions[0].result is Result.DONE
    assert [one["metadata"]["name"] for one in reservations(client)] == ["theirs"]


def test_reservations_whose_intent_is_not_open_any_more_are_taken_away(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    with pytest.raises(Killed):
        reserving(control_plane, Dying(client_of(control_plane), 2, after=False)).execute(plan(unit(client, "n2")))
    (announced,) = reservations(client)
    (key,) = intents(client)
    assert announced["metadata"]["labels"][INTENT] == key
    for name, labels in {
        "forgotten": {INTENT: "0" * 32, MANAGED_BY: "descheduler"},
        "theirs": {INTENT: "0" * 32, MANAGED_BY: "somebody"},
        "without": {MANAGED_BY: "descheduler"},
    }.items():
        meta = {"name": name, "labels": labels}
        client.create({**{k: announced[k] for k in ("apiVersion", "kind", "spec")}, "metadata": meta})
    acting = reserving(control_plane)
    acting.sweep([])
    assert len(reservations(client)) == 4
    acting.sweep(["reserve"])
    assert {r["metadata"]["name"] for r in reservations(client)} == {"theirs", "without", announced["metadata"]["name"]}
    acting.resume()
    assert {r["metadata"]["name"] for r in reservations(client)} == {"theirs", "without"}


def test_a_whole_slot_of_gpus_is_opened_by_reserving_its_place(control_plane: ControlPlane, client: ApiClient) -> None:
    """Left to itself the scheduler puts `web` back on g1, which it has just made the emptiest."""
    client.delete("Node", "n1")
    for node, app, count in (("g2", "db", 2), ("g1", "web", 1)):
        client.create_node(node, gpus=4)
        client.wait_for_nodes(node)
        made = deployment(app, 1, scheduler=SCHEDULER, cpu="1")
        (container,) = made["spec"]["template"]["spec"]["containers"]
        container["resources"]["limits"] = {"nvidia.com/gpu": str(count)}
        client.apply(made)
        client.wait_for_pods(1, label_selector=f"app={app}")
    acting = reserving(control_plane)
    snapshot = acting.observe()
    policy = load_policy(
        "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\nacting: {executor: reserve}\n"
    )
    chosen = [gpus(slot={"gpus": 4}, slotWorth="1w")]
    document = planned(snapshot, [], chosen, planning_settings(policy, snapshot), snapshot.taken_at)
    (move,) = document.actions[0].pods
    assert (document.actions[0].executor, move.source, move.destination) == ("reserve", "g1", "g2")
    report = acting.execute(document)
    assert (report.actions[0].pods[0].landed, report.stopped) == ("g2", None)
    assert reservations(client) == []


BY_JOBS = ReserveArgs(timeout=timedelta(seconds=2), evict_by="PodMigrationJob")


def by_jobs(plane: ControlPlane, transport: Transport | None = None) -> PlanRunner:
    return runner(plane, transport, limits=serial(), executors=lambda name: choose(name, BY_JOBS))


def test_koordinators_descheduler_evicts_where_the_policy_wants_it(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    sent: list[str] = []
    transport = Meddling(client_of(control_plane), lambda method, path: sent.append(f"{method} {path}"))
    with MigratingDescheduler(control_plane):
        report = by_jobs(control_plane, transport).execute(plan(unit(client, "n2", "n2")))
    assert (report.actions[0].result, report.stopped) == (Result.DONE, None)
    assert nodes_of(client, "web") == ["n2", "n2"]
    assert len([one for one in sent if one.startswith("POST") and one.endswith("/podmigrationjobs")]) == 2
    assert not [one for one in sent if one.endswith("/eviction")]
    assert (jobs(client), reservations(client), intents(client)) == ([], [], {})


def test_a_job_that_does_not_come_to_evict_is_taken_away_and_the_unit_stays(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    """Nobody carries jobs out."""
    stays = unit(client, "n2")
    report = by_jobs(control_plane).execute(plan(stays))
    blocked = report.actions[0].blocked
    assert blocked is not None
    assert (report.actions[0].result, blocked.reason) == (Result.REFUSED, Reason.EXECUTOR)
    assert "is Pending" in blocked.detail
    assert uids(client, "web") == {stays.pods[0].uid}
    assert (jobs(client), reservations(client), intents(client)) == ([], [], {})


@pytest.mark.parametrize("after", [False, True])
def test_whoever_resumes_ends_what_jobs_began(control_plane: ControlPlane, client: ApiClient, after: bool) -> None:
    """The writes are: the intent, two Reservations, two jobs, two of each away, the intent away."""
    for write in range(3, 10):
        one = unit(client, "n2", "n2", name=f"web-{write}")
        with MigratingDescheduler(control_plane):
            with pytest.raises(Killed):
                by_jobs(control_plane, Dying(client_of(control_plane), write, after=after)).execute(plan(one))
            by_jobs(control_plane).resume()
            client.wait_for_pods(2, label_selector=f"app={one.id}")
        assert len(uids(client, one.id) & {m.uid for m in one.pods}) in (0, 2), write
        assert (jobs(client), reservations(client), intents(client)) == ([], [], {}), write
        client.delete("Deployment", one.id)
        client.wait_for(lambda app=one.id: not uids(client, app), what="room")  # type: ignore[misc]
