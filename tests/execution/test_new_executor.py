"""The guide's executor, as it stands in CONTRIBUTING.md: found by entry point, named by a policy, it moves units."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.executors.protocol import Executor
from descheduler.execution.intents import Intent, IntentStore
from descheduler.execution.outcomes import Result
from descheduler.execution.runner import PlanRunner
from descheduler.model.errors import ClusterError, ExecutorError, PolicyError
from descheduler.model.reasons import Reason
from descheduler.pipeline import executor_of, planning_settings
from descheduler.policy import Policy, json_schema, load_policy
from execution.fakes import Fence, refusal
from execution.plans import action, move, plan
from execution.scenes.registry import SCENES
from execution.test_runner import Server, acting, ids, world

GUIDE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text().partition("## How to add an executor")[2]
HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def block(language: str) -> str:
    return GUIDE.partition(f"```{language}\n")[2].partition("```")[0]


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Policy:
    """The guide's policy, with the guide's executor installed."""
    module = ModuleType("my_package.notice")
    exec(compile(block("python"), "CONTRIBUTING.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, "my_package.notice", module)
    line = block("toml").splitlines()[1]
    name, _, value = line.replace('"', "").partition(" = ")
    point = EntryPoint(name, value, "descheduler.executors")

    def installed(group: str) -> Sequence[EntryPoint]:
        return [*entry_points(group=group), *([point] if group == point.group else [])]

    monkeypatch.setattr("descheduler.contract.registry._installed", installed)
    return load_policy(HEAD + block("yaml"))


def runner(server: Server, policy: Policy) -> PlanRunner:
    return acting(server, world("g-1", "g-2"), executors=partial(executor_of, policy))


def notices(server: Server) -> Mapping[str, Any]:
    return {name: found["data"] for name, found in server.maps.items() if name.startswith("moving-")}


def test_it_moves_a_unit_and_leaves_nothing_behind(policy: Policy) -> None:
    server = Server(*ids("g-1", "g-2"))
    at_eviction: list[Mapping[str, Any]] = []

    def note(_: str, path: str, query: Mapping[str, str]) -> None:
        if path.endswith("/eviction") and "dryRun" not in query:
            at_eviction.append(notices(server))

    server.refuse = note
    unit = action(move("g-1"), move("g-2"), gang=True, executor="notice")
    report = runner(server, policy).execute(plan(unit))
    assert report.actions[0].result is Result.DONE
    assert server.evicted == ids("g-1", "g-2")
    assert [list(found.values()) for found in at_eviction] == [[{"notice": "back in a minute"}]] * 2
    assert notices(server) == {}
    assert not server.maps["descheduler-intents"].get("data")


def test_what_a_crash_left_is_taken_away(policy: Policy) -> None:
    server = Server(*ids("g-1", "g-2"))
    unit = action(move("g-1"), move("g-2"), gang=True, executor="notice")
    crashed = runner(server, policy)
    intent = Intent.of("p", unit, crashed.clock.wall())
    crashed.intents.open([intent])
    assert crashed.context().mover("notice").prepare(intent) is None
    assert len(notices(server)) == 1
    assert runner(server, policy).resume() == ()
    assert notices(server) == {}
    assert server.evicted == []


def test_what_cannot_be_prepared_is_not_moved(policy: Policy) -> None:
    server = Server(*ids("g-1", "g-2"))

    def forbid(method: str, path: str, _: Mapping[str, str]) -> ClusterError | None:
        notice = method == "POST" and path.endswith("/configmaps") and "descheduler-intents" in server.maps
        return refusal(403) if notice else None

    server.refuse = forbid
    (stays,) = runner(server, policy).execute(plan(action(move("g-1"), executor="notice"))).actions
    assert stays.result is Result.REFUSED
    assert stays.blocked
    assert stays.blocked.by == "executor/notice"
    assert server.evicted == []


def test_policy_schema_and_plans_know_it(policy: Policy) -> None:
    assert isinstance(executor_of(policy, "notice").executor, Executor)
    assert [one.name for one in planning_settings(policy, world()).executors] == ["notice"]
    properties = json_schema()["$defs"]["ActingPolicy"]["properties"]
    assert "notice" in properties["executor"]["oneOf"][0]["enum"]
    assert set(properties["executors"]["properties"]) == {"notice", *SCENES}
    with pytest.raises(PolicyError, match=r"notice\.txt: is not a known key \(did you mean text\?\)"):
        load_policy(HEAD + "acting: {executors: {notice: {txt: x}}}\n")


def test_without_it_its_units_stay_and_its_intents_wait() -> None:
    server = Server(*ids("g-1"))
    unit = action(move("g-1"), executor="notice")
    (stays,) = acting(server, world("g-1")).execute(plan(unit)).actions
    assert stays.blocked
    assert stays.blocked.reason is Reason.EXECUTOR
    store = IntentStore(ClusterWriter(server, Fence()), "default")
    store.open([Intent.of("p", unit, 1.0)])
    with pytest.raises(ExecutorError, match="executor notice: is not installed"):
        acting(server, world("g-1")).resume()
    assert len(store.load()) == 1
