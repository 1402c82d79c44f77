"""The process dies before, or right after, every single write; whoever starts next leaves nothing half done."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Transport
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import ActionOutcome, Result
from descheduler.learning.ledger import LedgerRules
from descheduler.learning.store import LedgerStore
from descheduler.model.plan import Action
from descheduler.model.reasons import Reason
from descheduler.policy import Policy
from execution.fakes import Fence
from execution.live import QUICK, Dying, Killed, client_of, run_deployment, runner, serial, uids
from execution.plans import action, move_of, plan

MEMBERS = 3
WRITES = 1 + MEMBERS + 1 + 1  # the intent, every eviction, the ledger, the intent again


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    client = control_plane.client
    client.create_node("n1", cpu=64)
    client.wait_for_nodes("n1")
    return client


def gang(client: ApiClient, name: str) -> Action:
    pods = run_deployment(client, name, MEMBERS)
    return action(*(move_of(p, f"default/Deployment/{name}") for p in pods), name=name, gang=True)


class Remembering:
    """A process with a ledger, as the controller is: it starts with what was kept, and keeps what it does."""

    def __init__(
        self, plane: ControlPlane, transport: Transport | None = None, limits: ExecutionLimits = QUICK
    ) -> None:
        self.runner = runner(plane, transport, limits=limits, keep=self._keep)
        self._store = LedgerStore(self.runner.writer, "default")
        self.ledger = self._store.load(LedgerRules.of(Policy()))

    def _keep(self, plan_name: str, outcomes: Sequence[ActionOutcome]) -> None:
        self.ledger = self.ledger.record(outcomes, plan_name, {})
        self._store.save(self.ledger)


def intents(client: ApiClient) -> dict[str, str]:
    found = client.get_or_none("ConfigMap", "descheduler-intents")
    return (found or {}).get("data") or {}


@pytest.mark.parametrize("after", [False, True], ids=["before-the-write", "after-the-write"])
def test_no_kill_point_leaves_a_unit_half_done(control_plane: ControlPlane, client: ApiClient, after: bool) -> None:
    real = client_of(control_plane)
    states: list[str] = []
    for point in range(WRITES):
        unit = gang(client, f"gang-{point}")
        dying = Dying(real, point, after=after)
        with pytest.raises(Killed):
            Remembering(control_plane, dying, serial()).runner.execute(plan(unit, name=f"plan-{point}"))

        heir = Remembering(control_plane)
        heir.runner.resume()

        before = {m.uid for m in unit.pods}
        remembered = {e.uid for e in heir.ledger.entries} & before
        assert remembered == before - uids(client, unit.id), f"point {point}"
        kept = before & uids(client, unit.id)
        states.append("whole" if kept == before else "moved" if not kept else "half")
        assert intents(client) == {}, f"point {point}"
        client.wait_for_pods(MEMBERS, label_selector=f"app={unit.id}")
    evictions_granted = [point + after - 1 for point in range(WRITES)]
    assert states == ["moved" if granted > 0 else "whole" for granted in evictions_granted]


def test_what_was_not_begun_is_dropped_for_its_plan_is_old(control_plane: ControlPlane, client: ApiClient) -> None:
    unit = gang(client, "gang")
    with pytest.raises(Killed):
        runner(control_plane, Dying(client_of(control_plane), 1, after=False), limits=serial()).execute(plan(unit))
    assert len(intents(client)) == 1
    assert runner(control_plane).resume() == ()
    assert intents(client) == {}
    assert uids(client, "gang") == {m.uid for m in unit.pods}


def test_a_resumed_unit_is_reported_as_such(control_plane: ControlPlane, client: ApiClient) -> None:
    unit = gang(client, "gang")
    with pytest.raises(Killed):
        runner(control_plane, Dying(client_of(control_plane), 2, after=False), limits=serial()).execute(plan(unit))
    (outcome,) = runner(control_plane).resume()
    assert (outcome.result, outcome.resumed) == (Result.DONE, True)
    assert all(pod.evicted for pod in outcome.pods)


def test_a_leader_deposed_midway_stops_and_its_heir_finishes(control_plane: ControlPlane, client: ApiClient) -> None:
    unit = gang(client, "gang")
    fence = Fence()
    acting = runner(control_plane, leadership=fence, limits=serial())
    sent = acting.writer.evict

    def depose_after_the_first(
        namespace: str, pod: str, uid: str, *, dry_run: bool = False, grace: int | None = None
    ) -> bytes:
        answer = sent(namespace, pod, uid, dry_run=dry_run, grace=grace)
        fence.leading = fence.leading and dry_run
        return answer

    acting.writer.evict = depose_after_the_first  # type: ignore[method-assign]
    report = acting.execute(plan(unit))
    assert report.stopped
    assert report.stopped.reason is Reason.NOT_LEADING
    assert report.actions[0].result is Result.PARTIAL
    assert report.evicted == 1
    assert len(uids(client, "gang") & {m.uid for m in unit.pods}) == MEMBERS - 1

    (outcome,) = runner(control_plane).resume()
    assert outcome.result is Result.DONE
    assert uids(client, "gang").isdisjoint(m.uid for m in unit.pods)
